"""What an engine delivers is held to what was asked for, wherever candidates are taken from one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codesample import RunOptions, best_of_n
from codesample.engines.contract import Reproducibility
from codesample.engines.delivery import delivered
from codesample.errors import ModelError, ParameterError
from codesample.evaluation.evaluate import evaluate
from codesample.records import Candidate, Request, SamplingParams
from codesample.runs import RunFolder

REQUESTS = (Request("a", "x", (0, 1)), Request("b", "y", (2,)))


class Scripted:
    """Delivers what `alter` makes of the right candidates."""

    name = "scripted"
    abilities = frozenset({"logprobs"})
    reproducibility = Reproducibility.EXACT

    def __init__(self, alter: Callable[[list[Candidate]], Any]) -> None:
        self.alter, self.closed = alter, False

    def stream(self, requests: Any, params: Any, *, progress: Any = None) -> Iterator[Candidate]:
        try:
            right = [
                Candidate(r.task_id, i, "    return x + 1\n", (1,), (-0.5,))
                for r in requests
                for i in r.indices
            ]
            yield from self.alter(right)
        finally:
            self.closed = True

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}


def raising(candidates: list[Candidate]) -> Iterator[Candidate]:
    yield candidates[0]
    raise ConnectionError("gone")


FAULTS: list[tuple[Callable[[list[Candidate]], Any], str, int]] = [
    (lambda found: [found[0], *found], "candidate 0 of .* twice", 1),
    (lambda found: [found[0], Candidate("a", 77, ""), *found[1:]], "candidate 77 of 'a' though nobody", 1),
    (lambda found: [Candidate("nosuch", 0, ""), *found], "'nosuch' though nobody", 0),
    (lambda found: found[:-1], "ended with 2 of 3 candidates; candidate 2 of 'b' never came", 2),
    (lambda found: [], "ended with 0 of 3", 0),
    (raising, "engine 'scripted' failed: ConnectionError: gone", 1),
]


@pytest.mark.parametrize(("alter", "message", "kept"), FAULTS)
def test_a_broken_promise_ends_the_stream_and_takes_nothing_back(
    alter: Callable[[list[Candidate]], Any], message: str, kept: int
) -> None:
    engine, got = Scripted(alter), []
    with pytest.raises(ModelError, match=message):
        got.extend(delivered(engine, REQUESTS, SamplingParams()))
    assert len(got) == kept
    assert engine.closed


def test_what_is_right_comes_as_it_is() -> None:
    engine = Scripted(lambda found: reversed(found))
    assert [c.index for c in delivered(engine, REQUESTS, SamplingParams())] == [2, 1, 0]


def test_a_refusal_of_the_engines_own_stays_what_it_is() -> None:
    def refusing(found: list[Candidate]) -> Any:
        raise ParameterError("no such token")

    with pytest.raises(ParameterError, match="no such token"):
        list(delivered(Scripted(refusing), REQUESTS, SamplingParams()))


def test_closing_early_closes_the_engines_stream() -> None:
    engine = Scripted(lambda found: found)
    stream = delivered(engine, REQUESTS, SamplingParams())
    next(stream)
    stream.close()
    assert engine.closed


@pytest.mark.parametrize(
    "alter", [lambda found: [found[0], *found], lambda found: found[:-1], lambda found: [], raising]
)
def test_a_run_keeps_what_was_delivered_and_goes_on(alter: Any, adding: Any, tmp_path: Path) -> None:
    run = RunOptions(out=tmp_path / "run", workers=1, allow_weak_isolation="none")
    with pytest.raises(ModelError):
        evaluate(adding, model=Scripted(alter), n=2, rerankers=[], run=run)
    with RunFolder.open(tmp_path / "run") as folder:
        kept = folder.sampled
        assert folder.results() is None
    again = RunOptions(out=tmp_path / "run", resume=True, workers=1, allow_weak_isolation="none")
    report = evaluate(adding, model=Scripted(lambda found: found), n=2, rerankers=[], run=again)
    assert report.samples == 8
    assert kept <= {(f"adding/{a}", i) for a in (1, 2, 3, 5) for i in (0, 1)}


@pytest.mark.parametrize("alter", [lambda found: [], lambda found: found + found, lambda found: found[1:]])
def test_best_of_n_neither_waits_for_ever_nor_draws_too_much(alter: Any) -> None:
    with pytest.raises(ModelError, match="engine 'scripted'"):
        best_of_n(Scripted(alter), "def f(x):\n", n=3)
