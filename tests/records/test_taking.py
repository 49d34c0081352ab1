"""Records refuse values of another type where they are made, by field, value and what is expected."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Any, Literal, NewType, Protocol

import numpy as np
import pytest
import torch

from codesample import ModelOptions, RunOptions, SamplingParams
from codesample.errors import ParameterError
from codesample.records import CallExample, CodeTests, InputTests, ScriptExample, ScriptTests
from codesample.records.refusal import Refused
from codesample.records.taking import taker_of

GOOD = {"inputs": ((1,),), "entry_point": "f", "reference": "def f(x): return x"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SamplingParams(seed=1.5), "seed = 1.5: expected"),
        (lambda: SamplingParams(top_k=1.5), "top_k = 1.5: expected a whole number"),
        (lambda: SamplingParams(top_k=True), "top_k = True"),
        (lambda: SamplingParams(max_new_tokens=2.5), "max_new_tokens = 2.5"),
        (lambda: SamplingParams(stop=("a", 5)), "stop[1] = 5: expected a text"),
        (lambda: SamplingParams(logit_bias=((5,),)), "logit_bias[0] = (5,): expected a pair"),
        (lambda: SamplingParams(logit_bias=((5, 1e300),)), "up to 1e30"),
        (lambda: SamplingParams(temperature=1e-320), "at least 1e-5"),
        (lambda: SamplingParams(repetition_penalty=1e-300), "from 1e-5 to 1e5"),
        (lambda: RunOptions(workers=1.5), "workers = 1.5"),
        (lambda: RunOptions(judge="mine"), "judge = 'mine': expected a judge"),
        (lambda: ModelOptions(compile="no"), "compile = 'no': expected True or False"),
        (lambda: ModelOptions(revision=5), "revision = 5: expected a text or None"),
        (lambda: ModelOptions(device=None), "device = None: expected a text"),
        (lambda: ModelOptions(max_rows=1.5), "max_rows = 1.5"),
        (lambda: CodeTests(source=5), "source = 5: expected a text"),
        (lambda: CodeTests(source="x", time_limit="3"), "time_limit = '3'"),
        (lambda: CodeTests(source="x", time_limit=float("inf")), "time_limit = inf"),
        (lambda: CodeTests(source="x", memory=0.5), "memory = 0.5"),
        (lambda: CodeTests(source="x", memory=1 << 70), "memory = "),
        (
            lambda: CodeTests(source="x", mode="beside"),
            "mode = 'beside': expected 'auto', 'split' or 'in_process'",
        ),
        (lambda: InputTests(**{**GOOD, "inputs": (1, 2)}), "inputs[0] = 1: expected a tuple"),
        (lambda: InputTests(**GOOD, atol="a"), "atol = 'a': expected a number"),
        (lambda: InputTests(**GOOD, oracle=5), "oracle = 5"),
        (lambda: ScriptTests(cases=(("a", "b"),)), "cases[0] = ('a', 'b'): expected a ScriptExample"),
        (lambda: ScriptTests(cases=(CallExample("f()", "1"),)), "cases[0] = CallExample("),
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


class Runner(Protocol):
    """What has one attribute and one method."""

    name: str

    def run(self, what: str) -> None: ...


class Works:
    name = "it"

    def run(self, what: str) -> None: ...


class Half:
    name = "half"


class Answering:
    """Answers for every name, as stand-ins and proxies do."""

    def __getattr__(self, name: str) -> object:
        return name


class Raising:
    """Has what is promised; to look at it is costly, here impossible."""

    @property
    def name(self) -> str:
        raise AssertionError("looked at")

    def run(self, what: str) -> None: ...


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


UserId = NewType("UserId", int)
WORKS, RAISING, ANSWERING = Works(), Raising(), Answering()
STREAM = io.StringIO()


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (Any, STREAM, STREAM),
        (int, 3, 3),
        (int, np.int64(3), 3),
        (int, torch.tensor(3), 3),
        (float, 1, 1),
        (float, np.float32(0.5), 0.5),
        (float, torch.tensor(0.5, dtype=torch.float64), 0.5),
        (float, Fraction(1, 2), 0.5),
        (bool, np.bool_(True), True),
        (UserId, 3, 3),
        (Annotated[int, "seconds"], 3, 3),
        (int | None, None, None),
        (Literal["a", 1], 1, 1),
        (Path, "runs", Path("runs")),
        (Path, PurePosixPath("runs"), Path("runs")),
        (str | Path, "runs", "runs"),
        (str | Path, PurePosixPath("runs"), Path("runs")),
        (tuple[int, ...], [1, np.int64(2)], (1, 2)),
        (tuple[int, ...], range(3), (0, 1, 2)),
        (tuple[int, ...], np.array([1, 2]), (1, 2)),
        (tuple[int, ...], torch.tensor([1, 2]), (1, 2)),
        (tuple[str, ...], "x", ("x",)),
        (tuple[tuple[int, float], ...], [[1, 2.5]], ((1, 2.5),)),
        (tuple[str, ...], {"b", "c", "a"}, ("a", "b", "c")),
        (tuple[str, ...], (each for each in "ba"), ("b", "a")),
        (Sequence[str], "x", ["x"]),
        (Sequence[str], frozenset("ba"), ["a", "b"]),
        (Sequence[str], {"b": 1, "a": 2}.keys(), ["b", "a"]),
        (Sequence[str], {1: "b", 2: "a"}.values(), ["b", "a"]),
        (Sequence[str] | None, map(str, (1, 2)), ["1", "2"]),
        (Sequence[str | Path], {"b", "a"}, ["a", "b"]),
        (tuple[int, ...] | tuple[str, ...], iter("ba"), ("b", "a")),
        (tuple[Literal["a"], ...] | tuple[str, ...] | list[str], iter("ab"), ["a", "b"]),
        (tuple[tuple[int, float], ...], {7: 2.5, 3: 1}, ((7, 2.5), (3, 1))),
        (tuple[tuple[int, float], ...], {}, ()),
        (Sequence[str | Path], "x", ["x"]),
        (int | Sequence[int], np.int64(1), 1),
        (int | Sequence[int], (1, np.int64(2)), [1, 2]),
        (frozenset[str], {"a"}, frozenset({"a"})),
        (Mapping[str, int], {"a": np.int64(1)}, {"a": 1}),
        (Colour, "red", Colour.RED),
        (Colour, "BLUE", Colour.BLUE),
        (Runner, WORKS, WORKS),
        (Runner, RAISING, RAISING),
        (Runner, ANSWERING, ANSWERING),
        (Callable[[int], int], abs, abs),
        (IO[str], STREAM, STREAM),
    ],
)
def test_what_nearly_is_of_a_type_is_made_one(hint: Any, value: Any, expected: Any) -> None:
    made = taker_of(hint).take(value)
    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(
    ("hint", "value", "message"),
    [
        (int, True, "x = True: expected a whole number"),
        (int, 2.5, "x = 2.5: expected a whole number"),
        (int, 2.0, "x = 2.0: expected a whole number (write 2)"),
        (int, "3", "x = '3': expected a whole number (text given; write 3)"),
        (int, np.float64(3), "expected a whole number"),
        (int, np.bool_(True), "expected a whole number"),
        (int, torch.tensor(True), "expected a whole number"),
        (int, torch.tensor([3]), "x = <Tensor of shape [1]>: expected a whole number"),
        (float, "0.8", "x = '0.8': expected a number (text given; write 0.8)"),
        (float, True, "x = True: expected a number"),
        (bool, 1, "x = 1: expected True or False"),
        (str, None, "x = None: expected a text"),
        (str, b"a", "x = b'a': expected a text (bytes given; decode them)"),
        (int | None, "a", "x = 'a': expected a whole number or None"),
        (Literal["a", 1], True, "x = True: expected 'a' or 1"),
        (Path, 3, "x = 3: expected a path"),
        (Path, b"runs", "x = b'runs': expected a path"),
        (tuple[int, ...], {1}, "x = {1}: expected a tuple of whole numbers (a set given, which has no order"),
        (tuple[int, ...], (1, "a"), "x[1] = 'a': expected a whole number"),
        (tuple[int, str], (1,), "x = (1,): expected a pair (a whole number, a text)"),
        (tuple[tuple[int, ...], ...], ((1,), (2, None)), "x[1][1] = None: expected a whole number"),
        (Sequence[int], "12", "x = '12': expected a list of whole numbers"),
        (Sequence[int], {1: 2}, "x = {1: 2}: expected a list of whole numbers"),
        (Sequence[str], {"a": 1}, "x = {'a': 1}: expected a list of texts"),
        (Sequence[str], {"a", 1}, "expected a list of texts (a set given, which has no order; write a list)"),
        (Sequence[str], iter(["a", 1]), "x[1] = 1: expected a text"),
        (Sequence[str], STREAM, "expected a list of texts"),
        (tuple[tuple[int, float], ...], {"7": 1.0}, "x[0][0] = '7': expected a whole number (text given"),
        (tuple[tuple[int, ...], ...], {1: 2}, "x = {1: 2}: expected a tuple of tuples of whole numbers"),
        (Sequence[int], iter([1]), "expected a list of whole numbers (an iterator given; write list(...))"),
        (int | Sequence[int], [1, "a"], "x[1] = 'a': expected a whole number"),
        (Iterable[str], "abc", "x = 'abc': expected a list of texts"),
        (Mapping[str, int], [("a", 1)], "x = [('a', 1)]: expected a dict"),
        (Mapping[str, int], {"a": None}, "x['a'] = None: expected a whole number"),
        (Mapping[str, int], {1: 1}, "expected a text"),
        (Colour, "green", "x = 'green': expected Colour.RED or Colour.BLUE"),
        (Runner, Half(), "Half"),
        (Runner, Half(), "expected a Runner (it has no run)"),
        (Runner, Works, "a class given; make one of it: Works(...)"),
        (Works, Works, "the class given; make one of it: Works(...)"),
        (Works | None, 3, "x = 3: expected Works or None"),
        (Callable[[int], int], 3, "x = 3: expected a function"),
        (IO[str], "file", "x = 'file': expected a stream"),
    ],
)
def test_what_is_of_another_type_is_refused_in_words(hint: Any, value: Any, message: str) -> None:
    with pytest.raises(Refused) as refused:
        taker_of(hint).take(value)
    assert message in refused.value.told("x")


def test_what_is_of_the_type_is_the_same_object() -> None:
    cases: list[tuple[Any, Any]] = [
        (tuple[int, ...], (1, 2)),
        (Sequence[Works], [WORKS]),
        (Mapping[str, Any], {"a": []}),
    ]
    for hint, value in cases:
        assert taker_of(hint).take(value) is value


def test_an_iterator_is_looked_at_as_it_is_used() -> None:
    taken = taker_of(Iterable[int]).take(iter([1, "a"]))
    assert next(taken) == 1
    with pytest.raises(ParameterError, match=r"^item\[1\] = 'a': expected a whole number$"):
        next(taken)
