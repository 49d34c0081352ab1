"""The page of one problem: readable on a terminal and in a pipe."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codesample.evaluation.options import PromptOptions
from codesample.evaluation.preview import Preview, look_at
from codesample.evaluation.problem_set import ProblemSet
from codesample.reports.prompt_page import prompt_page
from codesample.sampling.outline import TokenText
from codesample.tasks.contract import Task


@pytest.fixture
def seen(adding: Task) -> Preview:
    return look_at(ProblemSet(adding, tuple(adding.problems())), adding.problems()[1])


def test_a_page_without_a_model(seen: Preview) -> None:
    assert prompt_page(seen) == (
        "adding/2 of adding, prompts base\n"
        "no model is named (--model M): no tokens, and no traps of its tokenizer and template\n"
        "\n"
        "prompt: 63 characters\n"
        "  | def add(x):⏎\n"
        '  |     """Return x + 2.⏎\n'
        "  | ⏎\n"
        "  |     >>> add(0)⏎\n"
        "  |     2⏎\n"
        '  |     """⏎\n'
        "\n"
        "stops        '\\ndef '\n"
        "new tokens   up to 16\n"
        "\n"
        "the reference as an answer: 17 characters\n"
        "  |     return x + 2⏎\n"
        "the program read from it, by rule 'continuation', from characters 0-17:\n"
        "  | def add(x):⏎\n"
        '  |     """Return x + 2.⏎\n'
        "  | ⏎\n"
        "  |     >>> add(0)⏎\n"
        "  |     2⏎\n"
        '  |     """⏎\n'
        "  |     return x + 2⏎\n"
        "\n"
        "warnings: none\n"
    )


def test_tokens_shared_part_and_warnings(seen: Preview) -> None:
    text = "h" * 40 + "rest  "
    full = replace(
        seen,
        model="some/model",
        evaluated=False,
        text=text,
        shared=40,
        shared_tokens=9,
        tokens=12,
        bos=1,
        last=(TokenText(3, "\n"), TokenText(4, "  ")),
        stop=(),
        end_tokens=(TokenText(0, "<|end|>"),),
        answer=None,
        found=None,
        warnings=("first\nline", "second"),
    )
    assert prompt_page(full).splitlines() == [
        "adding/2 of adding, prompts base, for some/model",
        "not among the evaluated problems",
        "",
        "prompt: 46 characters, 12 tokens, 1 of them begin a text (BOS)",
        "  | " + "h" * 40,
        "  ---- up to here all prompts of the task are alike (40 characters, 9 tokens) ----",
        "  | rest··",
        "",
        "last tokens  '\\n' (3)  '  ' (4)",
        "stops        none",
        "end tokens   '<|end|>' (0)",
        "new tokens   up to 16",
        "",
        "no reference",
        "",
        "warnings: 2",
        "  ! first⏎ line",
        "  ! second",
    ]


def test_messages_without_a_model_are_shown_turn_by_turn(adding: Task) -> None:
    chosen = ProblemSet(adding, tuple(adding.problems()))
    asked = PromptOptions(system="Be brief.", prefill=True)
    lines = prompt_page(look_at(chosen, chosen.problems[0], prompts=asked)).splitlines()
    assert " system:" in lines
    assert " user:" in lines
    at = lines.index(" assistant, the beginning of the answer:")
    assert lines[at + 1] == "  | ```python⏎"


def test_a_stream_without_the_marks_gets_plain_ones(seen: Preview) -> None:
    page = prompt_page(seen, encoding="ascii")
    page.encode("ascii")
    assert "  | def add(x):\\n\n" in page
