"""How a user's own problems are put to chat models, and what is looked for in the answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from codesample.data_files import Entry
from codesample.errors import DataError
from codesample.extraction import Wanted
from codesample.records import Problem, ScriptTests
from codesample.tasks.chat_forms import COMPLETE, SOLVE, named_wanted
from codesample.tasks.function_form import begins_class
from codesample.tasks.prompt_form import ChatForm, function_wanted
from codesample.tasks.user_entry import UserEntry, prompt_text

__all__ = ["SHAPES", "user_chat"]

SHAPES = ("function", "class", "script", "expression")
"""What an answer may be asked for: `Wanted.shape`."""

_PLACE = "{prompt}"


def user_chat(
    entries: Sequence[Entry[UserEntry]],
    problems: Sequence[Problem],
    *,
    instruction: str | None,
    continues: bool,
    source: str,
) -> ChatForm:
    """Return the chat form of a file of problems.

    Args:
        entries: What the problems were made of, in the same order.
        instruction: What stands before each prompt, or holds `{prompt}` where it is to stand; None asks as
            for tasks without a wording of their own.
        continues: Whether a program is prompt and completion, and the prompt thereby Python.
        source: Names the file.

    Raises:
        DataError: a shape that there is not, or one that the tests cannot judge.
    """
    wanted = {
        problem.task_id: _wanted(entry, problem, continues=continues)
        for entry, problem in zip(entries, problems, strict=True)
    }
    plain = COMPLETE if continues else SOLVE

    def ask(problem: Problem) -> str:
        if instruction is None:
            return plain.ask(problem)
        if _PLACE in instruction:
            return instruction.replace(_PLACE, problem.prompt)
        fence = "```python\n{}\n```\n" if continues else "{}\n"
        return f"{instruction.rstrip()}\n\n" + fence.format(problem.prompt.strip("\n"))

    return ChatForm(
        version=_version(plain.version, instruction, wanted),
        source=source,
        ask=ask,
        wanted=lambda problem: wanted[problem.task_id],
    )


def _wanted(entry: Entry[UserEntry], problem: Problem, *, continues: bool) -> Wanted:
    shape = entry.record.shape
    code = continues and prompt_text(entry) is not None
    plain = function_wanted(problem) if code else named_wanted(problem)
    if shape is None:
        is_class = code and begins_class(problem.prompt, problem.entry_point)
        return replace(plain, shape="class") if is_class else plain
    is_script = isinstance(problem.tests, ScriptTests)
    if shape not in SHAPES:
        raise DataError(f"{entry.where}: shape {shape!r}; expected one of {', '.join(SHAPES)}")
    if (shape == "script") != is_script:
        what = "a script, since io judges it" if is_script else "no script, since test calls it"
        raise DataError(f"{entry.where}: shape {shape!r}, but the program is {what}")
    return replace(plain, shape=shape)  # type: ignore[arg-type]


def _version(plain: str, instruction: str | None, wanted: Mapping[str, Wanted]) -> str:
    """Name the wording and what is looked for: runs of two versions are two runs."""
    shapes = sorted((task_id, each.shape) for task_id, each in wanted.items())
    stated = instruction is not None or any(shape not in ("function", "script") for _, shape in shapes)
    if not stated:
        return plain
    text = repr((instruction, shapes)).encode("utf-8", "surrogatepass")
    return f"{plain}, file {hashlib.sha256(text).hexdigest()[:12]}"
