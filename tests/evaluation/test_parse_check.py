"""A run most of whose programs are no Python says so, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.options import PromptOptions, RunOptions
from codesample.evaluation.parse_check import does_not_parse, parse_notice
from codesample.execution import Executor, Level
from codesample.execution.judge import Program
from codesample.records import Candidate, CodeTests, FinishReason, Status, Verdict
from codesample.tasks.contract import Task

SYNTAX = "line 1, in <module>: ```python\nSyntaxError: invalid syntax (<program>, line 1)"
BASE, CHAT = {"style": "base"}, {"style": "chat"}
EOS, LENGTH = FinishReason.EOS, FinishReason.LENGTH


def judged(
    text: str, count: int = 1, *, detail: str = SYNTAX, reason: FinishReason = EOS
) -> list[tuple[Candidate, Verdict]]:
    return [
        (
            Candidate("t/1", index, text, finish_reason=reason),
            Verdict("t/1", index, Status.ERROR, detail=detail),
        )
        for index in range(count)
    ]


def passed(count: int) -> list[tuple[Candidate, Verdict]]:
    return [(Candidate("t/0", at, "x"), Verdict("t/0", at, Status.PASSED)) for at in range(count)]


def test_half_is_not_said_and_more_is() -> None:
    assert parse_notice([*judged("```", 5), *passed(5)], prompt=BASE) is None
    notice = parse_notice([*judged("```", 6), *passed(5)], prompt=BASE)
    assert notice is not None
    assert notice.startswith("6 of 11 programs are no Python (55%), such as t/1, candidate 0: SyntaxError:")
    assert parse_notice([], prompt=BASE) is None


def test_what_the_harness_failed_on_counts_on_neither_side() -> None:
    faults = [(Candidate("t/2", at, "x"), Verdict("t/2", at, Status.HARNESS_ERROR)) for at in range(9)]
    assert "3 of 5" in (parse_notice([*judged("```", 3), *passed(2), *faults], prompt=BASE) or "")


@pytest.mark.parametrize(
    ("text", "reason", "prompt", "expected"),
    [
        (
            "Sure:\n```python\ndef f(): pass\n```\n",
            EOS,
            BASE,
            "hold Markdown fences: put problems as messages",
        ),
        ("Sure:\n```python\ndef f(): pass\n```\n", EOS, CHAT, "hold Markdown fences: look at one"),
        ("    return x +", LENGTH, BASE, "end at the limit of tokens: raise --max-new-tokens"),
        ("<think>Let me", LENGTH, CHAT, "while the model still thinks: raise --max-new-tokens"),
        ("<think>Well</think>\nreturn 1", EOS, BASE, "hold thinking: put problems as messages"),
        ("    return x<|endoftext|>", EOS, BASE, "hold marks that end a text or a turn: name the mark"),
        ("    return x</s>", EOS, CHAT, "hold marks that end a text or a turn: name the mark"),
        ("I cannot do this", EOS, CHAT, "no common cause; see the prompt"),
    ],
)
def test_the_cause_is_named_with_what_to_do(
    text: str, reason: FinishReason, prompt: dict[str, Any], expected: str
) -> None:
    assert expected in (parse_notice(judged(text, 3, reason=reason), prompt=prompt) or "")


@pytest.mark.parametrize("text", ["```python\nx\n```", "<think>Well</think>\nx", "x<|im_end|>"])
def test_recorded_samples_are_to_be_read(text: str) -> None:
    notice = parse_notice(judged(text, 3), prompt=BASE, recorded=True) or ""
    assert notice.endswith("read programs out of the answers: --extract")
    assert "--prompt" not in notice


def test_what_was_found_of_unread_answers_stands_in_for_a_cause() -> None:
    mixed = [*judged("```\nx", 2), *judged("<think>x</think>", 2)]
    notice = parse_notice(mixed, prompt=BASE, recorded=True, unread=["2 of 4 hold A", "2 of 4 hold B"]) or ""
    assert notice.endswith("; 2 of 4 hold A; 2 of 4 hold B")
    single = parse_notice(judged("```", 2), prompt=BASE, recorded=True, unread=["2 of 4 hold A"]) or ""
    assert "2 of 4 hold A" not in single


def test_a_cause_of_few_is_none() -> None:
    mixed = [*judged("```\nx", 2), *judged("prose", 2)]
    assert "no common cause" in (parse_notice(mixed, prompt=BASE) or "")


@pytest.mark.parametrize(
    "program", ["```python\nx = 1\n```", "def f():\nreturn 1", "if x:\n\ty\n        z", "x = (", "x = '\0'"]
)
def test_verdicts_on_what_is_no_python_are_told_from_others(program: str) -> None:
    tests = CodeTests(source="assert f() == 1", entry_point="f")
    with Executor(workers=1, minimum=Level.NONE) as judge:
        verdict = judge.submit(Program("t", 0, program, tests)).result()
        other = judge.submit(Program("t", 0, "def f():\n    return [][1]", tests)).result()
    assert does_not_parse(verdict)
    assert not does_not_parse(other)
    assert not does_not_parse(replace(verdict, status=Status.WRONG))


def test_a_run_says_it_in_its_report(adding: Task, scripted_engine: type[Any], tmp_path: Path) -> None:
    class Fencing(scripted_engine):  # type: ignore[misc]
        def stream(self, requests: Any, params: Any, **more: Any) -> Any:
            for each in super().stream(requests, params, **more):
                yield replace(each, completion=f"```python\ndef add(x):\n{each.completion}```\n")

    report = evaluate(
        adding,
        model=Fencing(),
        n=3,
        rerankers=(),
        prompts=PromptOptions("base"),
        run=RunOptions(out=tmp_path / "run", workers=1, allow_weak_isolation="none"),
    )
    assert report.statuses == {"error": 12}
    assert "12 of 12 programs are no Python (100%)" in report.notices[0]
    assert "12 of these hold Markdown fences" in report.notices[0]
