"""The engine over actors, on a cluster of threads: what is promised of engines, and what deaths cost."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thread_cluster import ThreadCluster

from codesample.distributed.cluster import Happened
from codesample.distributed.placement import Placement
from codesample.distributed.ray_engine import RayEngine
from codesample.distributed.sampling_actor import SamplingActor
from codesample.distributed.shift import Patience
from codesample.engines.contract import Reproducibility
from codesample.errors import ModelError, ParameterError
from codesample.records import Candidate, FinishReason, GivenText, Reading, Request, SamplingParams
from codesample.testing.engines import check_engine

PARAMS = SamplingParams()


class Writing:
    """Writes the key of each candidate; a prompt with a word of `faults` in it does what that says."""

    name, abilities = "writing", frozenset({"logprobs", "prompt_logprobs"})
    reproducibility = Reproducibility.EXACT

    def stream(self, requests, params, *, progress=None) -> Iterator[Candidate]:
        if params.stop or not all(isinstance(each.prompt, str) for each in requests):
            raise ParameterError("takes neither stops nor messages")
        if any("refused" in each.prompt for each in requests):
            raise ParameterError("too long")
        return self._stream(requests, params, progress)

    def _stream(self, requests, params, progress) -> Iterator[Candidate]:
        for each in requests:
            for index in each.indices:
                if "fails" in each.prompt:
                    raise RuntimeError("device-side assert")
                if "late refusal" in each.prompt:
                    raise ParameterError("not this one")
                text = f"{each.task_id} {index}"
                ids = tuple(map(ord, text))
                if progress is not None:
                    progress(len(ids))
                ends = tuple(range(1, len(ids) + 1))
                logs = tuple(-float(one) for one in ids)
                yield Candidate(each.task_id, index, text, ids, logs, logs, FinishReason.EOS, token_ends=ends)

    def read(self, given, *, progress=None) -> Iterator[Reading]:
        for each in given:
            if not isinstance(each.prompt, str) or each.token_ids not in (None, tuple(map(ord, each.text))):
                raise ParameterError("the tokens are not those of the text, or the prompt is none")
        return self._read(given, progress)

    def _read(self, given, progress) -> Iterator[Reading]:
        for each in given:
            ids = tuple(map(ord, each.text))
            if progress is not None:
                progress(len(ids))
            logs = tuple(-float(one) for one in ids)
            yield Reading(ids, tuple(range(1, len(ids) + 1)), logs, logs, logs, len(each.prompt))

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": "float64"}


def writing() -> tuple[Writing, str | None]:
    return Writing(), "a1"


def engine_on(
    cluster: ThreadCluster, opener=writing, happened: Happened | None = None, **patience
) -> RayEngine:
    placement = Placement.for_cluster(cluster.nodes(), gpus=1)
    return RayEngine(
        cluster,
        opener,
        placement=placement,
        happened=happened or Happened(),
        patience=Patience(**{"take": 0.1, **patience}),
    )


def requests(*prompts: str, n: int = 3) -> list[Request]:
    return [Request(f"t/{at}", each, tuple(range(n))) for at, each in enumerate(prompts)]


def drawn(engine: RayEngine, asked: list[Request], found=None) -> dict[tuple[str, int], Candidate]:
    """Draw candidates, each once, into `found`."""
    found = {} if found is None else found
    for each in engine.stream(asked, PARAMS):
        assert (each.task_id, each.index) not in found
        found[each.task_id, each.index] = each
    return found


def alone(asked: list[Request]) -> dict[tuple[str, int], Candidate]:
    return {(each.task_id, each.index): each for each in Writing().stream(asked, PARAMS)}


def test_it_keeps_the_contract_of_engines() -> None:
    asked = requests("one", "two", "three")
    checked = check_engine(engine_on(ThreadCluster()), asked, PARAMS)
    assert "cancelling" in checked.tried
    assert "given text" in checked.tried


def test_readings_come_in_the_order_given() -> None:
    given = [GivenText(f"prompt {at % 3}", f"text {at}") for at in range(20)]
    engine = engine_on(ThreadCluster())
    assert list(engine.read(given)) == list(Writing().read(given))


class Deaths:
    """Has actors die at some of the calls of one method, counted over all of them."""

    def __init__(self, at: set[int], method: str = "take") -> None:
        self._at, self._method, self._calls = at, method, itertools.count()

    def __call__(self, kind: type, method: str) -> bool:
        return kind is SamplingActor and method == self._method and next(self._calls) in self._at


@settings(max_examples=8)
@given(st.sets(st.integers(0, 9), max_size=1), st.sampled_from(["take", "give", "check", "open"]))
def test_a_death_at_any_call_changes_nothing(at: set[int], method: str) -> None:
    asked = requests(*"abcdefghij")
    happened = Happened()
    engine = engine_on(ThreadCluster(dies=Deaths(at, method)), happened=happened)
    assert drawn(engine, asked) == alone(asked)
    assert happened.requeued["candidates"] <= 30
    engine.close()


def test_a_prompt_over_which_two_die_is_given_up_alone_and_last() -> None:
    asked = requests("a", "kills", "c", "d")

    def dies(kind: type, method: str) -> bool:
        return False

    cluster = ThreadCluster(dies=dies)
    happened = Happened()
    engine = engine_on(cluster, poisoned, happened)
    Poisoned.cluster = cluster
    found: dict[tuple[str, int], Candidate] = {}
    with pytest.raises(ModelError, match=r"3 candidates were given up, for 2 actors .* of 't/1'.*--resume"):
        drawn(engine, asked, found)
    assert found == {key: each for key, each in alone(asked).items() if key[0] != "t/1"}
    assert happened.failed == 2
    # it can be used again
    assert drawn(engine, requests("e")) == alone(requests("e"))


class Poisoned(Writing):
    """Ends the actor that draws a prompt which "kills"."""

    cluster: ThreadCluster

    def _stream(self, requests, params, progress):
        for each in requests:
            if "kills" in each.prompt:
                (own,) = [a for a in self.cluster.actors if getattr(a._object, "_engine", None) is self]
                own.gone = True
            yield from super()._stream([each], params, progress)


def poisoned() -> tuple[Writing, None]:
    return Poisoned(), None


def test_an_engine_that_fails_is_replaced_and_its_prompt_given_up_after_two() -> None:
    happened = Happened()
    engine = engine_on(ThreadCluster(), happened=happened)
    found: dict[tuple[str, int], Candidate] = {}
    with pytest.raises(ModelError, match="device-side assert"):
        drawn(engine, requests("a", "fails", "c"), found)
    assert {task_id for task_id, _ in found} == {"t/0", "t/2"}
    assert len(found) == 6
    assert [each["why"] for each in happened.failures] == ["RuntimeError: device-side assert"] * 2


def test_it_goes_on_with_one_node_and_stops_with_none() -> None:
    cluster = ThreadCluster(((2, 0), (2, 0), (2, 0)))
    happened = Happened()
    engine = engine_on(cluster, happened=happened)
    asked = requests(*"abcdefghijkl")
    for _ in range(2):
        found = {}
        for each in engine.stream(asked, PARAMS):
            found[each.task_id, each.index] = each
            if len(found) == 2:
                cluster.lose(cluster.there[0])
        assert found == alone(asked)
    cluster.lose(cluster.there[0])
    with pytest.raises(ModelError, match=r"no sampling actor is left: .*killed"):
        drawn(engine, asked)


def test_a_node_that_comes_later_is_given_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codesample.distributed.crew.LOOK_SECONDS", 0.0)
    cluster = ThreadCluster(((2, 0),))
    engine = engine_on(cluster)
    cluster.there += ThreadCluster(((2, 0), (2, 0))).there[1:]
    assert drawn(engine, requests(*"abcdefgh")) == alone(requests(*"abcdefgh"))
    time.sleep(0.05)
    assert drawn(engine, requests(*"abcdefgh")) == alone(requests(*"abcdefgh"))
    assert {actor.node.id for actor in cluster.actors} == {"node0", "node1"}


def test_a_refusal_comes_before_any_candidate_as_what_it_is() -> None:
    engine = engine_on(ThreadCluster())
    with pytest.raises(ParameterError, match="too long"):
        engine.stream(requests("a", "refused"), PARAMS)
    with pytest.raises(ParameterError, match="indices of a prompt"):
        engine.stream([Request("t", "a", (0, 0))], PARAMS)


def test_a_refusal_after_candidates_takes_none_of_them_back() -> None:
    engine = engine_on(ThreadCluster(((2, 0),)))
    found: dict[tuple[str, int], Candidate] = {}
    with pytest.raises(ModelError, match="not this one; what was drawn is kept"):
        drawn(engine, requests("a", "b", "c", "d", "late refusal"), found)
    assert found


def test_two_calls_at_a_time_are_refused_and_neither_is_spoilt() -> None:
    engine = engine_on(ThreadCluster())
    first = engine.stream(requests("a", "b"), PARAMS)
    found = [next(first)]
    with pytest.raises(ModelError, match="another call is not at its end"):
        drawn(engine, requests("c"))
    found += first
    assert {(each.task_id, each.index): each for each in found} == alone(requests("a", "b"))
    assert drawn(engine, requests("c")) == alone(requests("c"))


class Hanging(Writing):
    """Draws one token, and then nothing for as long as nobody lets it go."""

    free = threading.Event()

    def _stream(self, requests, params, progress):
        progress(1)
        while not self.free.wait(0.01):
            progress(0)
        yield from super()._stream(requests, params, progress)


def hanging() -> tuple[Writing, None]:
    return Hanging(), None


def test_an_engine_that_draws_nothing_any_more_is_given_up() -> None:
    Hanging.free.clear()
    engine = engine_on(ThreadCluster(((2, 0),)), hanging, stall=0.3)
    with pytest.raises(ModelError, match=r"drew nothing for 0\.3 s"):
        drawn(engine, requests("a"))
    Hanging.free.set()


def test_an_actor_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = threading.Event()
    monkeypatch.setattr(SamplingActor, "take", lambda self, seconds, linger: slow.wait(2))
    engine = engine_on(ThreadCluster(((2, 0),)), answer=0.2)
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"no answer within 0\.2 s"):
        drawn(engine, requests("a"))
    assert time.monotonic() - began < 20
    slow.set()


class Nodes:
    """Opens another engine on each node, in turn."""

    opened = itertools.count()


def of_two_kinds() -> tuple[Writing, str]:
    return Writing(), f"file{min(1, next(Nodes.opened))}"


def test_a_node_that_has_other_weights_is_left_out() -> None:
    happened = Happened()
    engine = engine_on(ThreadCluster(), of_two_kinds, happened)
    end = time.monotonic() + 30
    while not happened.left_out and time.monotonic() < end:
        assert drawn(engine, requests("a", "b")) == alone(requests("a", "b"))
    (why,) = happened.left_out.values()
    # whichever node was the first to open it
    assert re.fullmatch(r"it opened another model: weights file[01] there and file[01] elsewhere", why)
    assert drawn(engine, requests("a", "b")) == alone(requests("a", "b"))


def no_model() -> tuple[Writing, str]:
    raise ModelError("no such folder: /models/x")


def no_option() -> tuple[Writing, str]:
    raise ParameterError("dtype = 'int3': unknown")


def test_what_no_node_can_open_is_refused_with_the_reason() -> None:
    with pytest.raises(ModelError, match=r"no sampling actor is left: node 10\.0\.0\.\d .*no such folder"):
        engine_on(ThreadCluster(), no_model)
    with pytest.raises(ParameterError, match=r"^dtype = 'int3': unknown$"):
        engine_on(ThreadCluster(), no_option)
