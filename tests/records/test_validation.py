"""The door of public calls: what is taken, what is refused, and that nothing else of a call changes."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any, NamedTuple

import pytest

from codesample.errors import ParameterError, WrongTypeError
from codesample.records import Candidate
from codesample.records.fields import setting
from codesample.records.validation import validated

MISSING: Any = object()


@validated
def call(text: str, /, n: int = 1, *rest: int, seed: int = 0, end: str = "", **others: float) -> Any:
    """Return everything."""
    return text, n, rest, seed, end, others


@validated
@dataclass(frozen=True, slots=True)
class Size:
    """How large."""

    width: int
    height: int = setting(1, "How high.", expected="a height", holds=lambda value: value > 0)
    names: tuple[str, ...] = ()
    hidden: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.width < 0:
            raise ParameterError(f"width = {self.width}: expected at least 0")

    def grown(self, by: int) -> Size:
        return replace(self, width=self.width + by)

    @classmethod
    def square(cls, width: int) -> Size:
        return cls(width, width)

    @staticmethod
    def area(width: int, height: int) -> int:
        return width * height

    def _private(self, by: int) -> int:
        return by

    @property
    def doubled(self) -> int:
        return 2 * self.width


@validated
class Pair(NamedTuple):
    """Two."""

    one: int
    two: str = ""


@validated
class Worker:
    """Has methods of all kinds."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def wait(self, seconds: float) -> float:
        return seconds

    def count(self, to: int) -> Iterator[int]:
        yield from range(to)

    def fail(self, value: int) -> None:
        raise TypeError(f"of the call itself: {value}")

    def nothing(self) -> str:
        return self.name


def test_what_is_of_the_types_is_handed_on() -> None:
    assert call("a", 2, 3, 4, seed=5, end="x", more=1.5) == ("a", 2, (3, 4), 5, "x", {"more": 1.5})
    assert call("a") == ("a", 1, (), 0, "", {})


@pytest.mark.parametrize(
    ("args", "named", "message"),
    [
        ((3,), {}, "text = 3: expected a text"),
        (("a", "2"), {}, "n = '2': expected a whole number (text given; write 2)"),
        (("a", 1, "2"), {}, "rest = '2': expected a whole number (text given; write 2)"),
        (("a",), {"seed": None}, "seed = None: expected a whole number"),
        (("a",), {"more": "x"}, "more = 'x': expected a number"),
        ((), {}, "call: text is missing; it takes: text, n, rest, seed, end, others"),
        (("a", 1), {"n": 1}, "call: n is given twice, by its place and by its name"),
    ],
)
def test_what_is_not_is_refused_by_name(args: Any, named: Any, message: str) -> None:
    with pytest.raises(WrongTypeError) as refused:
        call(*args, **named)
    assert str(refused.value) == message
    assert isinstance(refused.value, ParameterError)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Size(), "Size: width is missing; it takes: width, height, names, hidden"),
        (lambda: Size(1, heigt=2), "Size has no argument 'heigt'; did you mean 'height'? It takes: width"),
        (lambda: Size(1, qq=2), "Size has no argument 'qq'; it takes: width"),
        (lambda: Size(1, 2, (), {}, 5), "Size: 5 arguments without a name; expected 4 at most"),
        (lambda: Size("1"), "width = '1': expected a whole number"),
        (lambda: Size(1, height="x"), "height = 'x': expected a height"),
        (lambda: Size(1).grown(None), "by = None: expected a whole number"),
        (lambda: Size(1).grown(), "Size.grown: by is missing; it takes: by"),
        (lambda: Size.square("x"), "width = 'x': expected a whole number"),
        (lambda: Size.area(1, "x"), "height = 'x': expected a whole number"),
        (lambda: replace(Size(1), width="x"), "width = 'x': expected a whole number"),
        (lambda: replace(Size(1), widht=3), "Size has no argument 'widht'; did you mean 'width'?"),
        (lambda: Pair("x"), "one = 'x': expected a whole number"),
        (lambda: Pair(), "Pair: one is missing; it takes: one, two"),
        (lambda: Worker(3), "name = 3: expected a text"),
        (lambda: Worker("a").count("x"), "to = 'x': expected a whole number"),
        (lambda: asyncio.run(Worker("a").wait("x")), "seconds = 'x': expected a number"),
    ],
)
def test_constructors_methods_and_records_refuse_by_name(make: Any, message: str) -> None:
    with pytest.raises(WrongTypeError) as refused:
        make()
    assert message in str(refused.value)


def test_what_a_call_raises_itself_is_left_alone() -> None:
    with pytest.raises(TypeError, match="of the call itself: 1") as raised:
        Worker("a").fail(1)
    assert not isinstance(raised.value, ParameterError)
    with pytest.raises(ParameterError, match="width = -1: expected at least 0"):
        Size(-1)


def test_signature_documentation_and_kind_stay() -> None:
    assert list(inspect.signature(call).parameters) == ["text", "n", "rest", "seed", "end", "others"]
    assert list(inspect.signature(Size).parameters) == ["width", "height", "names", "hidden"]
    assert call.__doc__ == "Return everything."
    assert inspect.isfunction(call)
    assert inspect.iscoroutinefunction(Worker.wait)
    assert Worker("a").nothing() == "a"
    assert Size(2)._private("x") == "x"  # type: ignore[arg-type]
    assert Size(2).doubled == 4


def test_records_travel_as_before() -> None:
    for record in (Size(3, names=["a"]), Pair(1, "b"), Candidate("a", 0, "x", token_ids=(1,))):  # type: ignore[arg-type]
        assert pickle.loads(pickle.dumps(record)) == record
        assert copy.deepcopy(record) == record
    assert replace(Size(3), names=["a", "b"]) == Size(3, names=("a", "b"))  # type: ignore[arg-type]
    with pytest.raises(FrozenInstanceError):
        Size(3).width = 4  # type: ignore[misc]


def test_a_default_is_taken_whatever_it_is() -> None:
    @validated
    def odd(n: int = MISSING) -> object:
        return n

    assert odd() is odd(MISSING) is MISSING


def test_a_hundred_thousand_items_are_looked_at_once_and_not_copied() -> None:
    many = [Candidate("a", i, "x") for i in range(1000)] * 100

    @validated
    def count(candidates: list[Candidate]) -> list[Candidate]:
        return candidates

    assert count(many) is many
    with pytest.raises(ParameterError, match=r"candidates\[100000\] = 3: expected a Candidate"):
        count([*many, 3])  # type: ignore[list-item]
