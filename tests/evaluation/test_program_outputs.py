"""What programs return, compared as text."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from codesample.evaluation.program_outputs import ProgramOutputs, canonical
from codesample.execution import Executor, Level

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, 1.0, 0.5])
    | st.text("ab", max_size=2)
)
HASHABLE = st.recursive(LEAVES, lambda inner: st.tuples(inner, inner), max_leaves=3)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.tuples(inner)
        | st.sets(HASHABLE, max_size=2)
        | st.frozensets(HASHABLE, max_size=2)
        | st.dictionaries(HASHABLE, inner, max_size=2)
    ),
    max_leaves=5,
)


@given(VALUES, VALUES)
def test_texts_are_equal_exactly_when_values_are(one: object, other: object) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1.0),
        (2 + 0j, 2),
        (b"x", bytearray(b"x")),
        ({1: "a", 2: "b"}, {2.0: "b", 1: "a"}),
        ({3, 1, 2}, frozenset({2, 3, 1})),
        (-0.0, 0),
    ],
)
def test_equal_values_of_different_types_have_one_text(one: object, other: object) -> None:
    assert one == other
    assert canonical(one) == canonical(other)


def test_a_set_is_not_a_dictionary_and_a_text_is_not_its_value() -> None:
    assert len({canonical(value) for value in (set(), {}, [], (), "set()", None, "None")}) == 7


def test_an_integer_of_any_size_has_a_text() -> None:
    assert canonical(7**20_000) != canonical(7**20_000 + 1)


def test_programs_are_called_on_every_input() -> None:
    programs = [
        "def f(x):\n    return [x, {x}]\n",
        "def f(x):\n    return 1 / x\n",
        "def f(x):\n    return object()\n",
        "def g(x):\n    return x\n",
    ]
    with Executor(workers=1, minimum=Level.NONE) as executor:
        rows = ProgramOutputs(executor).outputs(programs, "f", [(0,), (2,)])
    assert rows == [("[0,set(0)]", "[2,set(2)]"), (None, "0.5"), (None, None), (None, None)]
