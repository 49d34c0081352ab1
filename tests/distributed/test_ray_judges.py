"""The judge over actors, on a cluster of threads: every program settled once, whatever dies."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thread_cluster import ThreadCluster

from codesample.distributed.cluster import Happened
from codesample.distributed.judging_actor import BATCH, JudgingActor, MadeExecutor
from codesample.distributed.known_tests import KEPT, KnownTests
from codesample.distributed.placement import Placement
from codesample.distributed.ray_judges import RayJudge
from codesample.errors import ExecutionError, IsolationError, ParameterError
from codesample.execution import Isolation, Level, Limits, Outcome, Program
from codesample.records import CodeTests, Status, Verdict
from codesample.testing.judges import check_judge

TESTS = CodeTests(source="assert f(1) == 1", entry_point="f", checks=("assert f(2) == 4",))


def isolated(level: Level) -> Isolation:
    return Isolation(level, {}, {}, "6.1", "x86_64", "", "3.11", "0", "")


class Echo:
    """Judges by a word of the source: "fatal" ends its actor, "broken" is a fault of the harness."""

    workers, in_flight = 2, 64
    held, most = 0, 0
    lock = threading.Lock()

    def __init__(self, cluster: ThreadCluster | None = None, level: Level = Level.CONFINED) -> None:
        self._cluster, self.isolation = cluster, isolated(level)

    def submit(self, program: Program) -> Future[Verdict]:
        assert isinstance(program.tests, CodeTests)
        if "fatal" in program.source and self._cluster is not None:
            (own,) = [a for a in self._cluster.actors if getattr(a._object, "_judge", None) is self]
            own.gone = True
        future: Future[Verdict] = Future()
        if "broken" in program.source:
            future.set_exception(ExecutionError("no worker gets to work"))
            return future
        future.set_result(Verdict(program.task_id, program.index, Status.PASSED, detail=program.source))
        return future

    def submit_calls(self, source, entry_point, inputs, *, cpu_seconds=None) -> Future[list[Outcome]]:
        future: Future[list[Outcome]] = Future()
        future.set_result([Outcome(Status.PASSED, each) for each in inputs])
        return future


CLUSTERS: dict[int, ThreadCluster] = {}


class MakesEcho:
    """Makes a judge that knows the cluster of threads that it is on; pickled by a number."""

    def __init__(self, number: int, level: Level = Level.CONFINED) -> None:
        self.number, self.level = number, level

    def __call__(self) -> Any:
        if self.level < Level.CONFINED:
            raise IsolationError("this machine does not grant isolation level 'confined'")
        return Echo(CLUSTERS[self.number], self.level)


def judge_on(cluster: ThreadCluster, maker=None, happened: Happened | None = None) -> RayJudge:
    number = len(CLUSTERS)
    CLUSTERS[number] = cluster
    placement = Placement.for_cluster(cluster.nodes(), gpus=1)
    return RayJudge(
        cluster,
        maker or (lambda slot: MakesEcho(number)),
        placement=placement,
        happened=happened or Happened(),
    )


def programs(count: int, word: str = "") -> list[Program]:
    return [Program(f"t/{n % 3}", n, f"{word}{n}", TESTS) for n in range(count)]


def keys(verdicts: list[Verdict]) -> list[tuple[str, int, str]]:
    return [(each.task_id, each.index, each.detail) for each in verdicts]


class Deaths:
    def __init__(self, at: set[int], method: str) -> None:
        self._at, self._method, self._calls = at, method, itertools.count()

    def __call__(self, kind: type, method: str) -> bool:
        return kind is JudgingActor and method == self._method and next(self._calls) in self._at


@settings(max_examples=8)
@given(st.sets(st.integers(0, 9), max_size=1), st.sampled_from(["take", "give", "open", "look"]))
def test_a_death_at_any_call_loses_no_program(at: set[int], method: str) -> None:
    asked = programs(70)
    with judge_on(ThreadCluster(dies=Deaths(at, method))) as judge:
        futures = [judge.submit(each) for each in asked]
        verdicts = [each.result(30) for each in futures]
    assert keys(verdicts) == [(each.task_id, each.index, each.source) for each in asked]


def test_a_program_over_which_two_die_is_a_fault_and_none_of_its_neighbours_is() -> None:
    happened = Happened()
    asked = programs(20)
    asked[7] = Program("t/fatal", 7, "fatal", TESTS)
    with judge_on(ThreadCluster(), happened=happened) as judge:
        verdicts = [each.result(30) for each in [judge.submit(one) for one in asked]]
    faults = [each for each in verdicts if each.status is Status.HARNESS_ERROR]
    assert [(each.task_id, each.detail) for each in faults] == [
        ("t/fatal", "2 judging actors died while they had it")
    ]
    assert happened.failed == 2
    assert happened.requeued["programs"] >= 1
    assert "2 actors died" in happened.notices()[0]


def test_a_judge_that_cannot_work_is_replaced_and_in_the_end_the_program_is_a_fault() -> None:
    happened = Happened()
    with judge_on(ThreadCluster(), happened=happened) as judge:
        verdict = judge.submit(Program("t", 0, "broken", TESTS)).result(30)
        assert judge.submit(Program("t", 1, "fine", TESTS)).result(30).passed
    assert verdict.status is Status.HARNESS_ERROR
    assert {each["why"] for each in happened.failures} == {"no worker gets to work"}


def test_it_goes_on_with_one_node_and_fails_what_waits_with_none() -> None:
    cluster = ThreadCluster(((2, 0), (2, 0)))
    with judge_on(cluster) as judge:
        cluster.lose(cluster.there[0])
        assert all(each.result(30).passed for each in [judge.submit(one) for one in programs(40)])
        cluster.lose(cluster.there[0])
        with pytest.raises(ExecutionError, match="no judging actor is left"):
            judge.submit(programs(1)[0]).result(30)


def test_a_node_below_the_minimum_is_left_out_with_the_reason() -> None:
    cluster, happened = ThreadCluster(), Happened()
    number = len(CLUSTERS)
    levels = {"node0": Level.NONE, "node1": Level.CONFINED}
    judge = judge_on(cluster, lambda slot: MakesEcho(number, levels[slot.node.id]), happened)
    with judge:
        assert judge.submit(programs(1)[0]).result(30).passed
    assert list(happened.left_out.values()) == ["this machine does not grant isolation level 'confined'"]
    assert [each["address"] for each in happened.nodes.values()] == ["10.0.0.1"]
    with pytest.raises(ExecutionError, match=r"no judging actor is left.*isolation level"):
        judge_on(cluster, lambda slot: MakesEcho(number, Level.NONE))


def test_a_node_without_a_module_that_tests_name_is_left_out() -> None:
    happened = Happened()
    lacking = MadeExecutor(1, Limits(), Level.NONE, ("json", "no_such_module"))
    number = len(CLUSTERS)
    makers = {"node0": lacking, "node1": MakesEcho(number)}
    with judge_on(ThreadCluster(), lambda slot: makers[slot.node.id], happened) as judge:
        assert judge.submit(programs(1)[0]).result(30).passed
    assert list(happened.left_out.values()) == ["programs need no_such_module, not installed there"]
    with pytest.raises(ParameterError, match="programs need no_such_module"):
        judge_on(ThreadCluster(), lambda slot: lacking)


def test_isolation_is_that_of_the_weakest_node() -> None:
    levels = {"node0": Level.NAMESPACED, "node1": Level.CONFINED}
    number = len(CLUSTERS)
    with judge_on(ThreadCluster(), lambda slot: MakesEcho(number, levels[slot.node.id])) as judge:
        assert judge.isolation.level is Level.CONFINED
        assert judge.workers == 4


def test_no_more_programs_are_on_a_node_than_keep_it_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    give = JudgingActor.give

    def counted(self: JudgingActor, jobs, tests, forget) -> None:
        held.append(len(jobs))
        give(self, jobs, tests, forget)

    monkeypatch.setattr(JudgingActor, "give", counted)
    with judge_on(ThreadCluster()) as judge:
        most = judge.in_flight
        for each in [judge.submit(one) for one in programs(200)]:
            assert each.result(30).passed
    assert most == 2 * (2 * BATCH + BATCH)
    assert max(held) <= BATCH
    assert sum(held) == 200


def test_tests_are_sent_once_and_forgotten_on_both_sides() -> None:
    known = KnownTests()
    tests = [CodeTests(source=f"assert f({n})", entry_point="f") for n in range(KEPT + 2)]
    there: dict[str, CodeTests] = {}
    for each in [*tests, tests[0], tests[-1], tests[-1]]:
        needed = {known.key(each): each}
        sent, forget = known.shipment("a", needed)
        for key in forget:
            del there[key]
        there |= sent
        assert needed.items() <= there.items()
        assert len(there) <= KEPT
    assert not known.shipment("a", {known.key(tests[-1]): tests[-1]}).tests
    known.lost("a")
    assert known.shipment("a", {known.key(tests[-1]): tests[-1]}).tests


def test_what_cannot_be_sent_is_refused_where_it_is_handed_in() -> None:
    with judge_on(ThreadCluster()) as judge, pytest.raises(ParameterError, match="not plain data"):
        judge.submit_calls("", "f", [(object(),)])


@pytest.mark.slow
def test_it_keeps_the_contract_of_judges() -> None:
    made = MadeExecutor(2, Limits(), Level.NONE)
    check_judge(lambda: judge_on(ThreadCluster(((2, 0),)), lambda slot: made))
