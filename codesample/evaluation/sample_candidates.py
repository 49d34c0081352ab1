"""Samples candidates and does nothing else with them: no tests, no run folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from codesample.engines.contract import Engine, Progress
from codesample.engines.delivery import delivered
from codesample.engines.model_options import DEFAULT_MODEL, ModelOptions
from codesample.errors import ParameterError
from codesample.evaluation.options import DEFAULT_N, PromptOptions, greedy_n
from codesample.evaluation.plan import ModelSource, model_source, style_for
from codesample.evaluation.problem_set import ProblemSet
from codesample.records import Candidate, Message, Prompt, Request, SamplingParams, prompt_from
from codesample.tasks.prompt_form import FENCE, FENCE_END

__all__ = ["PROMPT_ID", "sample_candidates"]

_log = logging.getLogger("codesample.evaluation")

PROMPT_ID = "prompt"
"""Task id of a prompt that belongs to no task."""


def sample_candidates(
    source: str | Sequence[Message] | ProblemSet,
    *,
    model: str | ModelOptions | Engine = DEFAULT_MODEL,
    n: int = DEFAULT_N,
    params: SamplingParams | None = None,
    prompts: PromptOptions | None = None,
    progress: Progress | None = None,
) -> Iterator[Candidate]:
    """Return the candidates of one prompt, or of every problem of a task, as they finish.

    Parameters are checked at once, and whether there is such a model; it is loaded when the first candidate
    is asked for.

    Args:
        source: A prompt, or a task with its problems.
        prompts: How a text or a problem is put to the model. Default: as a user's turn where it has a chat
            template. Messages are put to it as they are.
        model: As for `evaluate`.
        n: Candidates per prompt. At temperature 0 one is drawn, for all would be equal.
        params: How tokens are chosen; stops and limit of a task come as for `evaluate`.
        progress: Called with the number of new tokens now and then.

    Raises:
        ParameterError: n below 1, an empty prompt, or a parameter outside its range.
        ModelError, HubUnavailableError: the model is nowhere.
        CodesampleError: while sampling, as `open_engine`, or where a prompt does not fit.
    """
    n, notice = greedy_n(n, params)
    if source == "":
        raise ParameterError("the prompt is empty; expected text to continue")
    given = source if isinstance(source, ProblemSet) else prompt_from(source)
    asked = prompts or PromptOptions()
    if isinstance(given, tuple) and (asked.style == "base" or asked.system is not None or asked.prefill):
        raise ParameterError(
            "the prompt is messages, which are put as they are; write a system turn or the beginning of the "
            "answer into them, and leave prompts out"
        )
    found = model_source(model)
    found.expect_model()
    if notice:
        _log.info(notice)
    return _sampled(given, found, n, params, asked, progress)


def _sampled(
    source: Prompt | ProblemSet,
    model: ModelSource,
    n: int,
    params: SamplingParams | None,
    prompts: PromptOptions,
    progress: Progress | None,
) -> Iterator[Candidate]:
    engine = model.open()
    if isinstance(source, ProblemSet):
        chosen = source.put(style_for(engine, prompts, source.task), prompts)
        requests, settled = chosen.requests_for(chosen.keys(n)), chosen.settled(params)
    else:
        begun = prompts.prefill and isinstance(source, str)
        if not isinstance(source, str):
            if "chat" not in engine.abilities:
                raise ParameterError(f"engine {engine.name!r} takes no messages; give a text to continue")
        elif style_for(engine, prompts) == "chat":
            before = () if prompts.system is None else (Message("system", prompts.system),)
            behind = (Message("assistant", FENCE),) if begun else ()
            source = (*before, Message("user", source), *behind)
        requests = [Request(PROMPT_ID, source, tuple(range(n)))]
        settled = (params or SamplingParams()).settled(stop=(FENCE_END,) if begun else ())
    yield from delivered(engine, requests, settled, progress=progress)
