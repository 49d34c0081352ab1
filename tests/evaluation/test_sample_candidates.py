"""Candidates without tests."""

from __future__ import annotations

import pytest

from codesample.errors import ParameterError
from codesample.evaluation.plan import choose_task
from codesample.evaluation.sample_candidates import draw
from codesample.records import SamplingParams


class Noting:
    """An engine that notes the parameters it is given and draws nothing."""

    name = "noting"
    abilities = frozenset()

    def __init__(self) -> None:
        self.limits: list[int] = []

    def stream(self, requests, params, *, progress=None):
        self.limits.append(params.max_new_tokens)
        return iter(())

    def describe(self):
        return {"name": self.name}


def test_the_limit_is_the_callers_then_the_tasks_then_that_of_the_parameters(adding) -> None:
    engine, chosen = Noting(), choose_task(adding)
    list(draw("def f", model=engine, max_new_tokens=3))
    list(draw(chosen, model=engine))
    list(draw("def f", model=engine, params=SamplingParams(max_new_tokens=5)))
    assert engine.limits == [3, chosen.task.max_new_tokens, 5]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_token_is_refused(limit: int, adding) -> None:
    for source in ("def f", choose_task(adding)):
        with pytest.raises(ParameterError, match=f"max_new_tokens = {limit}"):
            draw(source, model=Noting(), max_new_tokens=limit)
