"""Candidates without tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from codesample.engines.contract import Reproducibility
from codesample.errors import ParameterError, UnknownNameError
from codesample.evaluation.problem_set import read_problems
from codesample.evaluation.sample_candidates import sample_candidates
from codesample.records import Candidate, SamplingParams


class Noting:
    """An engine that notes the parameters it is given and writes nothing."""

    name = "noting"
    abilities: frozenset[str] = frozenset()
    reproducibility = Reproducibility.EXACT

    def __init__(self) -> None:
        self.asked: list[SamplingParams] = []

    def stream(self, requests: Any, params: SamplingParams, *, progress: Any = None) -> Iterator[Candidate]:
        self.asked.append(params)
        return (Candidate(each.task_id, i, "") for each in requests for i in each.indices)

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}


def test_the_limit_is_the_callers_then_the_tasks_then_the_default(adding) -> None:
    engine, chosen = Noting(), read_problems(adding)
    for source, limit in (("def f", 3), (chosen, 3), (chosen, None), ("def f", None)):
        list(sample_candidates(source, model=engine, params=SamplingParams(max_new_tokens=limit)))
    assert [each.max_new_tokens for each in engine.asked] == [3, 3, chosen.task.max_new_tokens, 512]


def test_stops_of_the_caller_come_after_those_of_the_task(adding) -> None:
    engine, mine = Noting(), SamplingParams(stop=("END", "\ndef "))
    list(sample_candidates(read_problems(adding), model=engine, params=mine))
    list(sample_candidates("def f", model=engine, params=mine))
    assert [each.stop for each in engine.asked] == [("\ndef ", "END"), ("END", "\ndef ")]


def test_the_model_is_opened_with_the_first_candidate_and_named_before() -> None:
    with pytest.raises(UnknownNameError, match="unknown engine 'nativ'"):
        sample_candidates("def f", model="nativ:tiny")


@pytest.mark.parametrize(("source", "n", "message"), [("", 1, "empty"), ("def f", 0, "n = 0")])
def test_what_cannot_be_sampled_is_refused_at_once(source: str, n: int, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        sample_candidates(source, model=Noting(), n=n)
