"""Writes docs/tasks.md from the tasks themselves.

    python docs/write_tasks.py

The tasks are those of this project's own entry-point group; none of their data is read.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from codesample.records import CodeTests, Problem, ScriptExample, ScriptTests
from codesample.tasks.contract import Task, prompt_then_completion

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tasks.md"
GROUP = "codesample.tasks"
HEAD = """# The tasks

Written by `docs/write_tasks.py` from the tasks themselves; `make map` writes it anew. What stands behind
each choice is in the READMEs of [tasks/](../tasks/README.md). In wordings, `{...}` stands for what differs
from problem to problem.

A task is asked in its *base form*, a text to continue, or in its *chat form*, messages to answer; the record
of a run holds which, the versions of both, and a hash of the evaluated problems with their tests.
"""


class Placeholders(dict[str, Any]):
    """Metadata in which every key is there and stands for itself."""

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"


STAND_IN = Problem(
    task_id="{task_id}",
    prompt="{prompt}",
    description="{description}",
    tests=CodeTests(source="pass", checks=("{assert 1}", "{assert 2}", "{assert 3}")),
    entry_point="{entry_point}",
    metadata=Placeholders(),
)
SCRIPT = replace(STAND_IN, tests=ScriptTests(cases=(ScriptExample("", ""),)), entry_point=None)


def own_tasks() -> Iterator[Task]:
    """Yield the project's tasks by name, as its entry points name them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for _, place in sorted(project["entry-points"][GROUP].items()):
        module, _, name = place.partition(":")
        yield getattr(import_module(module), name)(None)


def page(tasks: list[Task]) -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *_overview(tasks), "", *map(section, tasks), *_chat_forms(tasks)])


def _overview(tasks: list[Task]) -> Iterator[str]:
    yield "| task | problems | what is asked |"
    yield "|---|---|---|"
    for task in tasks:
        yield f"| [`{task.name}`](#{task.name}) | {_count(task)} | {task.facts.summary} |"


def section(task: Task) -> str:
    """Return what the page says of one task."""
    facts, chat = task.facts, task.chat_form
    rows = {
        "version": task.version,
        "problems": _count(task) + (f"; {facts.split}" if facts.split else ""),
        "source": task.source,
        "data": _data(task),
        "tests": facts.tests,
        "base form": _base(task),
        "stops": ", ".join(map(_code, task.stop)) or "none",
        "chat form": f"[`{chat.version}`](#{_anchor(chat.version)}). At most {chat.max_new_tokens} tokens.",
        "limits": " ".join(facts.limits),
    }
    lines = [f"## {task.name}\n", facts.summary and f"{facts.summary}\n", "| | |", "|---|---|"]
    lines += [f"| {name} | {text} |" for name, text in rows.items() if text]
    if facts.traps:
        lines += ["\nTraps:\n", *(f"- {trap}" for trap in facts.traps)]
    return "\n".join(line for line in lines if line) + "\n"


def _chat_forms(tasks: list[Task]) -> Iterator[str]:
    """Yield the wordings of all chat forms, each once, under its version."""
    yield "## Chat forms\n"
    by_version: dict[str, dict[str, list[str]]] = {}
    for task in tasks:
        alike = by_version.setdefault(task.chat_form.version, {})
        alike.setdefault(chat_text(task), []).append(f"`{task.name}`")
    for version, texts in sorted(by_version.items()):
        yield f"### {version}\n"
        for text, names in texts.items():
            yield f"Of {', '.join(names)}. {text}"


def chat_text(task: Task) -> str:
    """Return what the page says of a task's chat form: source, beginning of answers, wording."""
    form = task.chat_form
    begins = f" With `--prefill`, answers begin with {_code(form.prefill)}." if form.prefill else ""
    shown = "".join(f"\n~~~~text\n{wording.rstrip()}\n~~~~\n" for wording in _wordings(task))
    return f"Source: {form.source}.{begins}\n{shown}"


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-").replace(".", "").replace(",", "")


def _count(task: Task) -> str:
    facts = task.facts
    if facts.problems is None:
        return "as the file has"
    of_all = f" of {facts.entries}" if facts.entries not in (None, facts.problems) else ""
    return f"{facts.problems}{of_all}"


def _data(task: Task) -> str:
    facts = task.facts
    hub = [f"hub: `{facts.hub_id}`"] if facts.hub_id else []
    files = [f"`--data {file}`" for file in facts.files]
    places = ", or ".join(hub + files) or "in the package"
    return f"{places}; {facts.licence}" if facts.licence else places


def _base(task: Task) -> str:
    if not task.base:
        return "none: problems are messages"
    program = "prompt + completion" if task.assemble is prompt_then_completion else "made of the completion"
    return " ".join(
        filter(None, [task.facts.prompt, f"Program: {program}. At most {task.max_new_tokens} tokens."])
    )


def _wordings(task: Task) -> list[str]:
    """Return the user's turns for problems of place holders, of a function and of a script where they differ.

    Where a wording needs a real problem there is none.
    """
    form, turns = task.chat_form, dict[str, None]()
    with suppress(Exception):
        turns[form.ask(STAND_IN)] = None
        script = form.ask(SCRIPT)
        # of tasks that ask for scripts, a turn says where these read and print
        if "standard output" in script:
            turns[script] = None
    return list(turns)


def _code(text: str) -> str:
    """Return a text as code in a line of a table, its line feeds visible."""
    shown = text.replace("\n", "\\n").replace("|", "\\|")
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


if __name__ == "__main__":
    PAGE.write_text(page(list(own_tasks())), encoding="utf-8")
