"""Draws candidates and nothing else: no tests, no run folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from codesample.errors import ParameterError
from codesample.evaluation.options import DEFAULT_N, ModelOptions
from codesample.evaluation.plan import Chosen
from codesample.records import Candidate, Request, SamplingParams

if TYPE_CHECKING:
    from codesample.engines.contract import Engine, Progress

__all__ = ["PROMPT_ID", "draw"]

PROMPT_ID = "prompt"
"""Task id of a prompt that belongs to no task."""

_DRAWS = SamplingParams()


def draw(
    source: str | Chosen,
    *,
    model: ModelOptions | Engine,
    n: int = DEFAULT_N,
    max_new_tokens: int | None = None,
    stop: Sequence[str] = (),
    params: SamplingParams = _DRAWS,
    progress: Progress | None = None,
) -> Iterator[Candidate]:
    """Return the candidates of one prompt, or of every problem of a task, as they finish.

    Parameters are checked at once; the model is loaded when the first candidate is asked for.

    Args:
        source: A prompt, or a task with its problems.
        n: Candidates per prompt.
        max_new_tokens: Tokens per candidate; None takes the task's limit, or that of `params`.
        stop: Strings that end a candidate, besides the task's own.
        params: How tokens are chosen otherwise.
        progress: Called with the number of new tokens now and then.

    Raises:
        ParameterError: n below 1, an empty prompt, or a parameter outside its range.
        CodesampleError: while drawing, as `ModelOptions.load`, or where a prompt does not fit.
    """
    if n < 1:
        raise ParameterError(f"n = {n}: expected at least 1 candidate")
    if source == "":
        raise ParameterError("the prompt is empty; expected text to continue")
    indices = tuple(range(n))
    if isinstance(source, Chosen):
        requests = [Request(problem.task_id, problem.prompt, indices) for problem in source.problems]
        stop = (*source.task.stop, *stop)
        usual = source.task.max_new_tokens
    else:
        requests = [Request(PROMPT_ID, source, indices)]
        usual = params.max_new_tokens
    limit = usual if max_new_tokens is None else max_new_tokens
    settled = replace(params, stop=tuple(stop), max_new_tokens=limit)
    return _drawn(requests, model, settled, progress)


def _drawn(
    requests: Sequence[Request],
    model: ModelOptions | Engine,
    params: SamplingParams,
    progress: Progress | None,
) -> Iterator[Candidate]:
    engine = model.load() if isinstance(model, ModelOptions) else model
    yield from engine.stream(requests, params, progress=progress)
