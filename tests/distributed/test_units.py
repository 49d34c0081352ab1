"""Units hold every key once, whatever dies in whatever order."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.distributed.units import DEATHS, LARGEST_UNIT, UNITS_PER_ACTOR, Units, cut
from codesample.records import Request

counts = st.lists(st.integers(0, 9), max_size=12)


def requests(sizes: list[int]) -> list[Request]:
    return [Request(f"t/{at}", "x", tuple(range(size))) for at, size in enumerate(sizes)]


def keys(asked: list[Request]) -> list[tuple[str, int]]:
    return [(each.task_id, index) for each in asked for index in each.indices]


@given(counts, st.integers(1, 20))
def test_units_hold_every_key_once_in_order(sizes: list[int], actors: int) -> None:
    asked = requests(sizes)
    units = cut(asked, actors=actors)
    assert [key for unit in units for key in unit.keys] == keys(asked)
    assert all(any(each.indices for each in unit.requests) for unit in units)


@given(counts, st.integers(1, 20))
def test_a_prompt_is_split_only_where_there_are_fewer_prompts_than_actors(
    sizes: list[int], actors: int
) -> None:
    units = cut(requests(sizes), actors=actors)
    parts = Counter(each.task_id for unit in units for each in unit.requests)
    prompts = sum(size > 0 for size in sizes)
    if prompts >= actors:
        assert set(parts.values()) <= {1}
        assert prompts < actors * UNITS_PER_ACTOR or len(units) >= min(prompts, actors)
    else:
        shares = [
            [len(one.indices) for unit in units for one in unit.requests if one.task_id == name]
            for name in parts
        ]
        assert all(max(share) - min(share) <= 1 for share in shares)
        assert len(units) >= min(actors, sum(sizes))


def test_one_prompt_is_shared_by_all_actors() -> None:
    (request,) = requests([9])
    assert [len(list(unit.keys)) for unit in cut([request], actors=4)] == [2, 2, 2, 3]


def test_a_unit_is_bounded_and_no_prompt_is_cut_for_it() -> None:
    units = cut(requests([200] * 164), actors=1)
    sizes = {len(list(unit.keys)) for unit in units}
    assert max(sizes) <= LARGEST_UNIT + 200
    assert all(size % 200 == 0 for size in sizes)


@settings(max_examples=100)
@given(counts, st.integers(1, 5), st.randoms(use_true_random=False))
def test_every_key_arrives_once_in_any_order_of_deaths(sizes: list[int], actors: int, random) -> None:
    asked = requests(sizes)
    units = Units(cut(asked, actors=actors))
    arrived: Counter[tuple[str, int]] = Counter()
    deaths: Counter[tuple[str, int]] = Counter()
    leases: dict[int, list[tuple[str, int]]] = {}
    late: list[tuple[int, tuple[str, int]]] = []
    names = 0
    # half of all runs see no death at all
    fatal = random.choice((0.0, 0.3))
    while units.open:
        holder = random.randrange(actors) + names
        if holder not in leases:
            unit = units.lease(holder)
            if unit is not None:
                leases[holder] = list(unit.keys)
                random.shuffle(leases[holder])
            elif leases:
                holder = random.choice(list(leases))
            else:
                continue
        if holder not in leases:
            continue
        if random.random() < fatal:
            missing = units.missing(holder)
            assert missing == set(leases[holder])
            deaths.update(missing)
            late += [(holder, key) for key in leases.pop(holder)]
            units.died(holder, "killed")
            names += 1
        elif leases[holder]:
            key = leases[holder].pop()
            assert units.arrived(holder, key)
            arrived[key] += 1
            # twice is not taken
            assert not units.arrived(holder, key)
        else:
            del leases[holder]
            units.ended(holder)
        if late:
            # nor is what comes from one who was given up
            gone, key = random.choice(late)
            assert gone in leases or not units.arrived(gone, key)
    assert all(count == 1 for count in arrived.values())
    assert set(arrived) | set(units.given_up) == set(keys(asked))
    assert not set(arrived) & set(units.given_up)
    assert {key for key, count in deaths.items() if count >= DEATHS} == set(units.given_up)


def test_the_second_death_costs_one_prompt_and_not_its_neighbours() -> None:
    units = Units(cut(requests([2] * 8), actors=1))
    first = units.lease("a")
    assert first is not None
    assert len(first.requests) == 2
    units.died("a", "killed")
    while (unit := units.lease("b")) is not None:
        if "t/0" in {each.task_id for each in unit.requests}:
            assert len(unit.requests) == 1
            units.died("b", "killed again")
            continue
        for key in unit.keys:
            units.arrived("b", key)
        units.ended("b")
    assert units.given_up == {("t/0", 0): "killed again", ("t/0", 1): "killed again"}
    assert units.requeued == 4
    assert not units.open


def test_what_had_arrived_is_not_asked_for_again() -> None:
    units = Units(cut(requests([4]), actors=1))
    units.lease("a")
    assert units.arrived("a", ("t/0", 2))
    units.died("a", "killed")
    unit = units.lease("b")
    assert unit is not None
    assert list(unit.keys) == [("t/0", 0), ("t/0", 1), ("t/0", 3)]


def test_a_death_without_a_lease_costs_nothing() -> None:
    units = Units(cut(requests([1]), actors=1))
    units.died("nobody", "killed")
    assert (units.waiting, units.requeued) == (1, 0)


@pytest.mark.parametrize("key", [("t/0", 9), ("other", 0)])
def test_what_nobody_asked_for_is_not_taken(key: tuple[str, int]) -> None:
    units = Units(cut(requests([2]), actors=1))
    units.lease("a")
    assert not units.arrived("a", key)
