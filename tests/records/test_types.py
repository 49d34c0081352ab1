"""Records refuse values of another type where they are made, by field, value and what is expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codesample import ModelOptions, RunOptions, SamplingParams
from codesample.errors import ParameterError
from codesample.records import CallExample, CodeTests, InputTests, ScriptExample, ScriptTests
from codesample.records.types import fits, words_for

GOOD = {"inputs": ((1,),), "entry_point": "f", "reference": "def f(x): return x"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SamplingParams(seed=1.5), "seed = 1.5: expected"),
        (lambda: SamplingParams(top_k=1.5), "top_k = 1.5: expected an integer"),
        (lambda: SamplingParams(top_k=True), "top_k = True"),
        (lambda: SamplingParams(max_new_tokens=2.5), "max_new_tokens = 2.5"),
        (lambda: SamplingParams(stop=("a", 5)), "stop = "),
        (lambda: SamplingParams(logit_bias=((5,),)), "logit_bias = "),
        (lambda: SamplingParams(logit_bias=([5, 1.0],)), "logit_bias = "),
        (lambda: SamplingParams(logit_bias=((5, 1e300),)), "up to 1e30"),
        (lambda: SamplingParams(temperature=1e-320), "at least 1e-5"),
        (lambda: SamplingParams(repetition_penalty=1e-300), "from 1e-5 to 1e5"),
        (lambda: RunOptions(workers=1.5), "workers = 1.5"),
        (lambda: RunOptions(judge="mine"), "judge = 'mine': expected a judge"),
        (lambda: ModelOptions(compile="no"), "compile = 'no': expected True or False"),
        (lambda: ModelOptions(revision=5), "revision = 5: expected a text or None"),
        (lambda: ModelOptions(device=None), "device = None: expected a text"),
        (lambda: ModelOptions(max_rows=1.5), "max_rows = 1.5"),
        (lambda: CodeTests(checks="assert True"), "checks = 'assert True': expected a tuple"),
        (lambda: CodeTests(source=5), "source = 5: expected a text"),
        (lambda: CodeTests(source="x", imports="json"), "imports = 'json'"),
        (lambda: CodeTests(source="x", time_limit="3"), "time_limit = '3'"),
        (lambda: CodeTests(source="x", time_limit=float("inf")), "time_limit = inf"),
        (lambda: CodeTests(source="x", memory=0.5), "memory = 0.5"),
        (lambda: CodeTests(source="x", memory=1 << 70), "memory = "),
        (
            lambda: CodeTests(source="x", mode="beside"),
            "mode = 'beside': expected 'auto' or 'split' or 'in_process'",
        ),
        (lambda: InputTests(**{**GOOD, "inputs": (1, 2)}), "inputs = "),
        (lambda: InputTests(**GOOD, atol="a"), "atol = 'a': expected a number"),
        (lambda: InputTests(**GOOD, oracle=5), "oracle = 5"),
        (lambda: ScriptTests(cases=[ScriptExample("", "")]), "cases = "),
        (lambda: ScriptTests(cases=(("a", "b"),)), "cases = "),
        (lambda: ScriptTests(cases=(CallExample("f()", "1"),)), "cases = "),
        (lambda: ScriptTests(cases=(ScriptExample("\ud800", ""),)), "cannot be written"),
        (lambda: ScriptExample(None, 5), "input = None: expected a text"),
        (lambda: CallExample("f()", 1), "expected = 1: expected a text"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(make: Any, message: str) -> None:
    with pytest.raises(ParameterError) as refused:
        make()
    assert message in str(refused.value)


def test_a_folder_may_be_named_by_a_text() -> None:
    assert RunOptions(out="runs/mine").out == Path("runs/mine")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (1, int, True),
        (True, int, False),
        (True, float, False),
        (1, float, True),
        (1.0, int, False),
        (None, int | None, True),
        ((1, "a"), tuple[int, str], True),
        ((1,), tuple[int, str], False),
        ((), tuple[int, ...], True),
        ([], tuple[int, ...], False),
        (((1, 2.5),), tuple[tuple[int, float], ...], True),
        (object(), Any, True),
    ],
)
def test_types_are_told_as_annotations_mean_them(value: object, hint: Any, expected: bool) -> None:
    assert fits(value, hint) is expected


def test_types_have_words() -> None:
    assert words_for(int | None) == "an integer or None"
    assert words_for(tuple[str, ...]) == "a tuple (each a text)"
