"""What engines promise that read given text, or say how sure they were: checks of the kit for engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from codesample.engines.contract import Engine, Reader, Reproducibility
from codesample.errors import ModelError, ParameterError
from codesample.records import Candidate, GivenText, Prompt, Reading, Request, SamplingParams

__all__ = ["require_confidence", "require_readings"]

_SAME = 1e-4
_FIELDS = ("logprobs", "certainties", "confidences")


def require_confidence(
    engine: Engine,
    requests: Sequence[Request],
    params: SamplingParams,
    first: Mapping[tuple[str, int], Candidate],
) -> str | None:
    """Require that an engine with the ability "confidence" records it, and draws nothing else for it.

    Args:
        first: What it drew without.

    Returns: why nothing was tried, or None.

    Raises:
        ModelError: the promise is broken; names the candidate.
    """
    if "confidence" not in engine.abilities:
        return "the engine does not say how sure it was"
    for each in engine.stream(requests, replace(params, confidence=True)):
        key = (each.task_id, each.index)
        for name in ("certainties", "confidences"):
            values = getattr(each, name)
            if values is None or (each.token_ids is not None and len(values) != len(each.token_ids)):
                raise ModelError(f"engine {engine.name!r}: candidate {key} has no {name} for each token")
        if engine.reproducibility is Reproducibility.EXACT and each.completion != first[key].completion:
            raise ModelError(f"engine {engine.name!r}: candidate {key} differs where confidence is recorded")
    return None


def require_readings(
    engine: Engine,
    prompts: Mapping[str, Prompt],
    first: Mapping[tuple[str, int], Candidate],
) -> str | None:
    """Require that an engine with the ability "prompt_logprobs" reads its own candidates as it drew them.

    Args:
        prompts: By task id.
        first: Candidates of the engine.

    Returns: why nothing was tried, or None.

    Raises:
        ModelError: a promise is broken; names the candidate.
    """
    if "prompt_logprobs" not in engine.abilities:
        return "the engine reads no given text"
    if not isinstance(engine, Reader):
        raise ModelError(f"engine {engine.name!r} promises 'prompt_logprobs' and has no method `read`")
    keys = list(first)
    given = [GivenText(prompts[key[0]], first[key].completion, first[key].token_ids) for key in keys]
    readings = list(engine.read(given))
    _require_alike(engine, readings, given)
    for key, reading in zip(keys, readings, strict=True):
        drawn = first[key].logprobs
        if drawn is not None and first[key].token_ids is not None and not _close(drawn, reading.logprobs):
            raise ModelError(f"engine {engine.name!r}: candidate {key} is read as it was not drawn")
    backwards = list(engine.read(given[::-1]))[::-1]
    if not all(
        _close(getattr(one, name), getattr(other, name))
        for one, other in zip(readings, backwards, strict=True)
        for name in _FIELDS
    ):
        raise ModelError(f"engine {engine.name!r}: what is read depends on what is read beside it")
    prompt = next(iter(prompts.values()))
    texts = [GivenText(prompt, text) for text in ("", "x", " x\n", "\n", "é☃𝄞")]
    _require_alike(engine, list(engine.read(texts)), texts)
    if list(engine.read(())):
        raise ModelError(f"engine {engine.name!r}: readings came though nothing was given")
    return _refuses(engine, prompt)


def _require_alike(engine: Engine, readings: Sequence[Reading], given: Sequence[GivenText]) -> None:
    """Require one reading for each text, in their order, with every number for every token."""
    if len(readings) != len(given):
        raise ModelError(f"engine {engine.name!r}: {len(readings)} readings of {len(given)} texts")
    for number, (reading, text) in enumerate(zip(readings, given, strict=True)):
        where = f"engine {engine.name!r}: reading {number}"
        counts = {name: len(getattr(reading, name)) for name in ("token_ids", "token_ends", *_FIELDS)}
        if len(set(counts.values())) > 1:
            raise ModelError(f"{where} has not every number for every token: {counts}")
        if text.token_ids is not None and reading.token_ids != text.token_ids:
            raise ModelError(f"{where} is of other tokens than those given")
        ends = (0, *reading.token_ends)
        if list(ends) != sorted(ends) or ends[-1] != (len(text.text) if reading.token_ids else 0):
            raise ModelError(f"{where}: token_ends {reading.token_ends} do not lead to the text's end")
        if bool(reading.token_ids) != bool(text.text) and text.token_ids is None:
            raise ModelError(f"{where} has {counts['token_ids']} tokens for {text.text!r}")
        if not all(value <= _SAME for value in reading.logprobs):
            raise ModelError(f"{where} holds what is no log-probability")


def _refuses(engine: Reader, prompt: Prompt) -> str | None:
    """Require that tokens that are none are refused before anything is read."""
    bad = [GivenText(prompt, "x"), GivenText(prompt, "x", (-1,))]
    try:
        came = list(engine.read(bad))
    except ParameterError:
        return None
    raise ModelError(f"a token below 0 is not refused with a ParameterError; {len(came)} readings came")


def _close(first: Sequence[float], second: Sequence[float]) -> bool:
    return len(first) == len(second) and all(
        abs(one - other) <= _SAME for one, other in zip(first, second, strict=True)
    )
