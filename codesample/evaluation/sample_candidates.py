"""Samples candidates and does nothing else with them: no tests, no run folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codesample.engines.contract import Engine, Progress
from codesample.engines.delivery import delivered
from codesample.engines.model_options import DEFAULT_MODEL, ModelOptions
from codesample.errors import ParameterError
from codesample.evaluation.options import DEFAULT_N
from codesample.evaluation.plan import ModelSource, model_source
from codesample.evaluation.problem_set import ProblemSet
from codesample.records import Candidate, Request, SamplingParams

__all__ = ["PROMPT_ID", "sample_candidates"]

PROMPT_ID = "prompt"
"""Task id of a prompt that belongs to no task."""


def sample_candidates(
    source: str | ProblemSet,
    *,
    model: str | ModelOptions | Engine = DEFAULT_MODEL,
    n: int = DEFAULT_N,
    params: SamplingParams | None = None,
    progress: Progress | None = None,
) -> Iterator[Candidate]:
    """Return the candidates of one prompt, or of every problem of a task, as they finish.

    Parameters are checked at once; the model is loaded when the first candidate is asked for.

    Args:
        source: A prompt, or a task with its problems.
        model: As for `evaluate`.
        n: Candidates per prompt.
        params: How tokens are chosen; stops and limit of a task come as for `evaluate`.
        progress: Called with the number of new tokens now and then.

    Raises:
        ParameterError: n below 1, an empty prompt, or a parameter outside its range.
        CodesampleError: while sampling, as `open_engine`, or where a prompt does not fit.
    """
    if n < 1:
        raise ParameterError(f"n = {n}: expected at least 1 candidate")
    if source == "":
        raise ParameterError("the prompt is empty; expected text to continue")
    if isinstance(source, ProblemSet):
        requests, settled = source.requests_for(source.keys(n)), source.settled(params)
    else:
        requests = [Request(PROMPT_ID, source, tuple(range(n)))]
        settled = (params or SamplingParams()).settled()
    return _sampled(requests, model_source(model), settled, progress)


def _sampled(
    requests: Sequence[Request], source: ModelSource, params: SamplingParams, progress: Progress | None
) -> Iterator[Candidate]:
    yield from delivered(source.open(), requests, params, progress=progress)
