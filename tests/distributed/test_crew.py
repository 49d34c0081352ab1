"""Who lives: places that kill their actors, nodes that have no room, and nodes that are gone."""

from __future__ import annotations

import itertools
import time

import pytest
from thread_cluster import ThreadCluster

from codesample.distributed import crew as crew_module
from codesample.distributed.cluster import Happened
from codesample.distributed.crew import TRIES, Crew, Recruits
from codesample.distributed.placement import Slot
from codesample.errors import ExecutionError


class Worker:
    """Opens as what it is told to be."""

    def look(self) -> str:
        return "here"

    def open(self, given: str) -> str:
        if given == "slow":
            time.sleep(0.3)
        return given


def places(nodes) -> list[Slot]:
    return [Slot(node, 0, 1.0, 0.0) for node in nodes]


def crew_on(cluster: ThreadCluster, given=lambda slot: "ready", admit=lambda slot, opened: "") -> Crew:
    recruits = Recruits(Worker, "worker", given, places, admit, ExecutionError)
    return Crew(cluster, recruits, Happened())


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "LOOK_SECONDS", 0.0)


def test_all_nodes_are_waited_for_no_longer_than_said() -> None:
    crew = crew_on(ThreadCluster(), lambda slot: "slow" if slot.node.id == "node0" else "ready")
    crew.settle_in()
    assert [each.slot.node.id for each in crew.live] == ["node1"]
    crew.settle_in(all_within=30)
    assert sorted(each.slot.node.id for each in crew.live) == ["node0", "node1"]


def test_a_place_where_three_died_with_nothing_done_is_left_out() -> None:
    crew = crew_on(ThreadCluster())
    deaths = itertools.count(1)
    crew.settle_in(all_within=30)
    while any(each.slot.node.id == "node0" for each in crew.live):
        (unlucky,) = [each for each in crew.live if each.slot.node.id == "node0"]
        crew.lost(unlucky, "killed")
        assert next(deaths) <= TRIES
        crew.settle_in(all_within=30)
    assert next(deaths) == TRIES + 1
    ((where, why),) = crew._happened.left_out.items()
    assert "10.0.0.0" in where
    assert why == "3 in a row died there; the last: killed"
    assert [each.slot.node.id for each in crew.live] == ["node1"]


def test_a_place_that_gets_something_done_is_never_left_out() -> None:
    crew = crew_on(ThreadCluster(((1, 0),)))
    for _ in range(2 * TRIES):
        crew.settle_in()
        (member,) = crew.live
        crew.worked(member)
        crew.lost(member, "killed")
    crew.settle_in()
    assert not crew._happened.left_out


def test_an_actor_that_finds_no_room_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "HELLO_SECONDS", 0.1)
    monkeypatch.setattr(Worker, "look", lambda self: time.sleep(0.5))
    with pytest.raises(ExecutionError, match=r"no worker is left: .*no room for 1 CPUs, 0 GPUs .*ray status"):
        crew_on(ThreadCluster()).settle_in()


def test_an_actor_that_takes_too_long_to_open_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "START_SECONDS", 0.1)
    with pytest.raises(ExecutionError, match=r"not ready within 0\.1 s"):
        crew_on(ThreadCluster(), lambda slot: "slow").settle_in()


def test_a_replacement_that_was_sent_to_a_node_that_is_gone_is_no_death() -> None:
    cluster = ThreadCluster()
    crew = crew_on(cluster)
    crew.settle_in(all_within=30)
    gone = cluster.there[0]
    (member,) = [each for each in crew.live if each.slot.node == gone]
    # it is known by its actor's death before the cluster says so
    crew.lost(member, "killed")
    crew._start()
    cluster.lose(gone)
    crew.settle_in(all_within=30)
    assert crew._happened.failed == 1
    assert [each.slot.node.id for each in crew.live] == ["node1"]


def test_a_cluster_without_room_says_so() -> None:
    with pytest.raises(ExecutionError, match="no worker is left: the cluster has no node that has room"):
        crew_on(ThreadCluster(())).settle_in()


def test_an_actor_that_is_of_no_use_is_left_out_with_the_reason() -> None:
    crew = crew_on(ThreadCluster(), admit=lambda slot, opened: "of no use" if slot.node.id == "node0" else "")
    crew.settle_in(all_within=30)
    assert [each.slot.node.id for each in crew.live] == ["node1"]
    assert list(crew._happened.left_out.values()) == ["of no use"]
