"""Which abilities a run supplies is known beforehand, with a reason for each other one."""

from __future__ import annotations

import pytest

from codesample.errors import RerankerError
from codesample.evaluation.plan import ModelSource
from codesample.evaluation.supply import (
    RECORDED,
    Promised,
    able_of,
    held_by,
    needed,
    opened_once,
    supply_of,
)
from codesample.records import Candidate
from codesample.rerankers.abilities import ABILITIES
from codesample.rerankers.contract import Reranker

ALL = frozenset(ABILITIES)
NATIVE = Promised("m", frozenset({"logprobs", "confidence", "prompt_logprobs"}))
SILENT = Promised("m", frozenset({"logprobs"}))
BY_PROGRAMS = {"run", "public_examples", "outputs"}


def needing(*needs: str) -> Reranker:
    return Reranker("mine", lambda view, candidates, ctx: [], needs=needs)


def test_a_native_model_supplies_everything() -> None:
    found = supply_of({"logprobs", "confidence"}, holder="m", model=NATIVE)
    assert (found.abilities, found.reads) == (ALL, frozenset())
    found.require([needing(*ALL)])


def test_what_candidates_lack_is_read_where_the_model_reads() -> None:
    found = supply_of((), holder="runs/x", model=NATIVE)
    assert (found.abilities, found.reads) == (ALL, {"logprobs", "confidence"})
    assert found.reads_for(needing("confidence"))
    assert not found.reads_for(needing("run"))


@pytest.mark.parametrize(
    ("model", "estranged", "need", "complaint"),
    [
        (None, "", "generate", RECORDED),
        (None, "", "tests", RECORDED),
        (None, "", "prompt_logprobs", RECORDED),
        (None, "", "confidence", f"runs/x records none, and {RECORDED}"),
        (None, "", "logprobs", f"runs/x records none, and {RECORDED}"),
        (SILENT, "", "prompt_logprobs", "m reads no given text; choose another model"),
        (SILENT, "", "confidence", "runs/x records none, and m reads no given text"),
        (NATIVE, "m is another model", "confidence", "runs/x records none, and m is another model"),
    ],
)
def test_each_ability_that_is_missing_has_its_reason(
    model: Promised | None, estranged: str, need: str, complaint: str
) -> None:
    found = supply_of((), holder="runs/x", model=model, estranged=estranged)
    assert need not in found.abilities
    with pytest.raises(RerankerError, match=f"'mine' needs '{need}' .* does not supply: {complaint}"):
        found.require([needing(need)])
    assert complaint in found.lacking(needing(need))


@pytest.mark.parametrize("model", [None, SILENT, NATIVE])
@pytest.mark.parametrize("held", [(), ("logprobs",), ("logprobs", "confidence")])
@pytest.mark.parametrize("estranged", ["", "another"])
def test_every_ability_is_supplied_or_has_a_reason(
    model: Promised | None, held: tuple[str, ...], estranged: str
) -> None:
    found = supply_of(held, holder="x", model=model, estranged=estranged)
    assert found.abilities | found.reasons.keys() == ALL
    assert not found.abilities & found.reasons.keys()
    assert found.abilities >= BY_PROGRAMS | set(held)
    assert found.reads <= found.abilities - set(held)


def test_candidates_hold_what_every_one_of_them_has() -> None:
    bare = Candidate("t", 0, "x")
    likely = Candidate("t", 1, "x", logprobs=())
    sure = Candidate("t", 2, "x", logprobs=(), certainties=(), confidences=())
    assert held_by([sure, sure]) == {"logprobs", "confidence"}
    assert held_by([sure, likely]) == {"logprobs"}
    assert held_by([sure, bare]) == frozenset()


def test_needs_of_several_are_looked_at_together() -> None:
    both = [needing("run"), needing("tests")]
    assert needed(both, "tests", "outputs")
    assert not needed(both, "outputs")


def test_an_engine_is_opened_only_where_nothing_else_tells_what_it_can() -> None:
    opened: list[str] = []

    def opening(name: str) -> ModelSource:
        return ModelSource(name, lambda: opened.append(name) or SILENT)  # type: ignore[func-returns-value, return-value]

    assert able_of(None) is None
    known = ModelSource("k", lambda: 1 / 0, abilities=frozenset({"logprobs"}))  # type: ignore[arg-type, return-value]
    assert able_of(known) == Promised("k", frozenset({"logprobs"}))
    source = opened_once(opening("u"))
    assert source is not None
    assert able_of(source) is able_of(source) is source.open() is SILENT
    assert opened == ["u"]
    assert opened_once(None) is None
