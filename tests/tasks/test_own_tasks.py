"""Tasks of a user's own, in each style, from the file that holds them to a verdict."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from codesample.engines.contract import Reproducibility
from codesample.errors import ParameterError
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.options import PromptOptions, RunOptions
from codesample.records import Candidate, Message, Prompt, Request, SamplingParams
from codesample.runs import RunFolder
from codesample.tasks.registry import load_task, load_task_file
from codesample.testing.tasks import check_task

RIGHT_FUNCTION = "def f(x):\n    return x + 1\n"
RIGHT_CLASS = "class F:\n    def g(self, x):\n        return x + 1\n"
RIGHT_SCRIPT = "print(int(input()) + 1)\n"
ASKED = [{"role": "user", "content": "Write f, which adds 1."}]

STYLES: dict[str, tuple[dict[str, Any], str]] = {
    "function": (
        {"prompt": "def f(x):\n", "entry_point": "f", "test": "def check(f):\n    assert f(3) == 4"},
        "    return x + 1\n",
    ),
    "program": (
        {"prompt": "Write f.", "completion": "is_program", "test": "assert f(3) == 4"},
        RIGHT_FUNCTION,
    ),
    "class": (
        {"prompt": "Write F.", "completion": "is_program", "shape": "class", "test": "assert F().g(3) == 4"},
        RIGHT_CLASS,
    ),
    "script": (
        {"prompt": "Add 1.", "completion": "is_program", "io": [{"input": "3\n", "output": "4\n"}]},
        RIGHT_SCRIPT,
    ),
    "expression": (
        {"prompt": "f(3) ==", "completion": "is_expression", "test": "assert answer == 4"},
        "2 + 2",
    ),
    "messages": ({"messages": ASKED, "entry_point": "f", "test": "assert f(3) == 4"}, RIGHT_FUNCTION),
}


class Speaker:
    """Answers everything with one text, and remembers what it was asked."""

    name = "speaker"
    reproducibility = Reproducibility.EXACT

    def __init__(self, text: str, *abilities: str) -> None:
        self.abilities = frozenset(abilities)
        self.text, self.asked = text, list[Prompt]()

    def stream(
        self,
        requests: Sequence[Request],
        params: SamplingParams,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[Candidate]:
        for request in requests:
            self.asked.append(request.prompt)
            for index in request.indices:
                yield Candidate(request.task_id, index, self.text)

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}


def kept(folder: Path) -> RunOptions:
    return RunOptions(out=folder / "run", workers=1, allow_weak_isolation="none")


def file_of(folder: Path, row: dict[str, Any]) -> Path:
    path = folder / "mine.jsonl"
    path.write_text(json.dumps({"task_id": "mine/0", **row}) + "\n")
    return path


@pytest.mark.parametrize("style", STYLES)
def test_a_file_of_problems_of_each_style_is_asked_and_judged(style: str, tmp_path: Path) -> None:
    row, right = STYLES[style]
    path = file_of(tmp_path, {**row, "canonical_solution": right})
    check_task(lambda: load_task_file(path))
    engine = Speaker(right, "chat") if style == "messages" else Speaker(right)
    report = evaluate(path, model=engine, n=1, rerankers=(), run=kept(tmp_path))
    assert report.statuses == {"passed": 1}
    expected = (Message(**ASKED[0]),) if style == "messages" else row["prompt"]
    assert engine.asked == [expected]


@pytest.mark.parametrize("style", ["function", "messages"])
def test_the_chat_form_of_a_run_is_recorded(style: str, tmp_path: Path) -> None:
    row, _ = STYLES[style]
    more = {} if style == "messages" else {"instruction": "Do."}
    path = file_of(tmp_path, {**row, **more})
    evaluate(path, model=Speaker(RIGHT_FUNCTION, "chat"), n=1, rerankers=(), run=kept(tmp_path))
    with RunFolder.open(tmp_path / "run") as run:
        assert run.manifest.prompt["style"] == "chat"
        assert run.manifest.prompt["version"] == load_task_file(path).form("chat").version


def test_messages_are_refused_before_anything_is_sampled_where_no_model_takes_them(tmp_path: Path) -> None:
    path = file_of(tmp_path, STYLES["messages"][0])
    engine = Speaker(RIGHT_FUNCTION)
    with pytest.raises(
        ParameterError, match="speaker has no chat template, which mine needs: its problems ar"
    ):
        evaluate(path, model=engine, n=1, rerankers=(), run=kept(tmp_path))
    with pytest.raises(ParameterError, match="mine/0 is given as messages and has no base form"):
        evaluate(
            path, model=engine, n=1, rerankers=(), run=kept(tmp_path), prompts=PromptOptions(style="base")
        )
    assert engine.asked == []
    assert not (tmp_path / "run").exists()


def test_two_system_turns_are_refused_before_a_model_is_asked(tmp_path: Path) -> None:
    row = {"messages": [{"role": "system", "content": "Be brief."}, *ASKED], "test": "assert f(3) == 4"}
    engine = Speaker(RIGHT_FUNCTION, "chat")
    with pytest.raises(
        ParameterError, match="mine/0 begins with a system turn of its own; leave --system out"
    ):
        evaluate(
            file_of(tmp_path, row),
            model=engine,
            n=1,
            rerankers=(),
            run=kept(tmp_path),
            prompts=PromptOptions(system="Be kind."),
        )
    assert engine.asked == []


OWN = """
from pathlib import Path
from codesample.records import CodeTests, Message, Problem, ScriptExample, ScriptTests
from codesample.tasks.chat_forms import SOLVE
from codesample.tasks.contract import Task, completion_alone

def problems():
    return [
        Problem("own/0", "Write f.", CodeTests(source="assert f(3) == 4"), entry_point="f"),
        Problem("own/1", "Write f.", CodeTests(checks=("assert f(3) == 4", "assert f(4) == 5"),
            parts=(("base", 1), ("plus", 1)), reference=None), messages=(Message("user", "Write f!"),)),
        Problem("own/2", "Add 1.", ScriptTests(cases=(ScriptExample("3", "4"),))),
    ]

MyTask = Task("own", "1", "made up", (), 64, load=problems, assemble=completion_alone, chat=SOLVE)

def made(data):
    return MyTask
"""


@pytest.mark.parametrize("name", ["MyTask", "made"])
def test_a_task_in_a_file_is_named_by_its_place(name: str, tmp_path: Path) -> None:
    path = tmp_path / "file.py"
    path.write_text(OWN)
    check_task(lambda: load_task(f"{path}:{name}"))
    both = RIGHT_FUNCTION + "if __name__ == '__main__':\n    " + RIGHT_SCRIPT
    engine = Speaker(both, "chat")
    report = evaluate(f"{path}:{name}", model=engine, n=1, rerankers=(), run=kept(tmp_path))
    assert report.statuses == {"passed": 3}
    assert engine.asked[1] == (Message("user", "Write f!"),)
    assert [len(prompt) for prompt in engine.asked] == [1, 1, 1]
