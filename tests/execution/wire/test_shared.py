"""Two tables keep containers equal and identical, whatever either side does to them."""

from __future__ import annotations

import array
import collections
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.execution.wire import codec
from codesample.execution.wire.shared import SharedTable, containers_in, is_long_and_flat


class Sides:
    """Two tables, and messages between them."""

    def __init__(self) -> None:
        self.ours, self.theirs = SharedTable(1, codec.nothing), SharedTable(-1, codec.nothing)

    def send(self, value: Any) -> Any:
        """Share a container of ours; return what the other side has."""
        raw = codec.dump(self.ours.define(value))
        return codec.decode(raw, {"o": self.theirs.received})

    def tell(self, table: SharedTable, other: SharedTable) -> list[Any]:
        changes = codec.decode(codec.dump(table.changes()), {"o": other.received})
        other.apply(changes)
        return changes


PLAIN = st.recursive(
    st.integers(-3, 3) | st.text(max_size=2) | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.integers(0, 3), inner, max_size=3)
        | st.tuples(inner, inner)
        | st.builds(collections.deque, st.lists(inner, max_size=2))
        | st.builds(collections.OrderedDict, st.dictionaries(st.integers(0, 3), inner, max_size=2))
    ),
    max_leaves=12,
)


@given(first=st.lists(PLAIN), second=st.lists(PLAIN))
def test_changes_of_either_side_reach_the_other(first: list[Any], second: list[Any]) -> None:
    sides = Sides()
    theirs = sides.send(first)
    assert theirs == first
    first[:] = second
    sides.tell(sides.ours, sides.theirs)
    assert theirs == second
    theirs.append(second)
    sides.tell(sides.theirs, sides.ours)
    assert first == [*second, second]
    assert sides.tell(sides.ours, sides.theirs) == []


def test_containers_within_stay_the_same_objects() -> None:
    sides = Sides()
    row = [0]
    theirs = sides.send([row, row, (row,)])
    assert theirs[0] is theirs[1] is theirs[2][0]
    theirs[0].append(1)
    sides.tell(sides.theirs, sides.ours)
    assert row == [0, 1]


@pytest.mark.parametrize(
    "value",
    [
        [1],
        {1: 2},
        {1},
        bytearray(b"a"),
        collections.deque([1]),
        collections.OrderedDict(a=1),
        collections.Counter("a"),
        collections.defaultdict(list, {1: [2]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_container_is_changed_in_place(value: Any) -> None:
    sides = Sides()
    theirs = sides.send(value)
    value.clear()
    sides.tell(sides.ours, sides.theirs)
    assert theirs == value
    assert len(theirs) == 0


def test_an_array_is_changed_in_place() -> None:
    sides = Sides()
    ours = array.array("h", [1, 2])
    theirs = sides.send(ours)
    theirs.append(3)
    sides.tell(sides.theirs, sides.ours)
    assert ours.tolist() == [1, 2, 3]
    for other in ([1], array.array("d", [1.0]), 1):
        with pytest.raises(codec.CodecError):
            sides.ours.apply([[1, other]])
    assert ours.tolist() == [1, 2, 3]


def test_a_number_that_differs_from_itself_is_one_object_to_each_side() -> None:
    sides = Sides()
    one, other = float("nan"), float("nan")
    raw = codec.encode([one, other, one] * 10, known=sides.ours.define)
    decoded = codec.decode(raw, {"o": sides.theirs.received})
    theirs = decoded[3:6] if isinstance(decoded, list) else []
    assert theirs[0] is theirs[2] is decoded[0]
    assert theirs[0] is not theirs[1]
    back = codec.decode(codec.encode([theirs[1]], known=sides.theirs.define), {"o": sides.ours.received})
    assert back[0] is other
    with pytest.raises(codec.CodecError):
        sides.theirs.apply([[sides.theirs.reference(theirs[0])["o"][0], 1.0]])


@pytest.mark.parametrize(
    "changes", [[[5, [1]]], [[1, {1}]], [[1]], [3], {"a": 1}, [["1", [1]]], [[1, [1], 2]]], ids=repr
)
def test_changes_that_make_no_sense_are_refused_and_change_nothing(changes: Any) -> None:
    sides = Sides()
    numbers = [3]
    sides.send(numbers)
    with pytest.raises(codec.CodecError):
        sides.ours.apply(changes)
    assert numbers == [3]


def test_what_nobody_else_holds_is_forgotten() -> None:
    sides = Sides()
    kept = [[1], [2]]
    sides.send(kept)
    sides.send([3])
    assert len(sides.ours.unheld()) == 1
    inner = kept.pop()
    assert len(sides.ours) == 3
    del inner
    assert len(sides.ours.unheld()) == 1
    del kept
    assert len(sides.ours.unheld()) == 2
    assert len(sides.ours) == 0


def test_a_container_that_holds_itself_is_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises((codec.CodecError, RecursionError)):
        Sides().send(cycle)


@given(value=st.lists(PLAIN))
def test_containers_are_listed_alike_on_both_sides(value: list[Any]) -> None:
    twin = codec.decode(codec.encode(value))
    ours, theirs = containers_in(value), containers_in(twin)
    assert ours == theirs
    assert containers_in(value, most=len(ours)) == ours


def test_an_ordered_dict_keeps_its_own_order() -> None:
    sides = Sides()
    ordered = collections.OrderedDict(a=[1], b=[2])
    theirs = sides.send(ordered)
    ordered.move_to_end("a")
    sides.tell(sides.ours, sides.theirs)
    assert list(theirs) == ["b", "a"]
    assert containers_in(ordered) == [ordered, [2], [1]] == containers_in(codec.decode(codec.encode(ordered)))


@pytest.mark.parametrize("make", [list, set, dict.fromkeys])
def test_only_long_containers_of_scalars_are_long_and_flat(make: Any) -> None:
    assert is_long_and_flat(make(range(20_000)))
    assert not is_long_and_flat(make(range(100)))
    assert not is_long_and_flat(
        make([*range(20_000), (1, [2])] if make is list else [*range(20_000), (1, 2)])
    )
    assert not is_long_and_flat({**dict.fromkeys(range(20_000)), 1: []})
    assert not is_long_and_flat(tuple(range(20_000)))
