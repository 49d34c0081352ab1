"""Takes what an engine delivers, and holds it to what was asked for: all of it, once, and nothing else."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from codesample.engines.contract import Engine, Progress, Reader
from codesample.errors import CodesampleError, ModelError, ParameterError
from codesample.records import Candidate, GivenText, Reading, Request, SamplingParams
from codesample.stops import words_in

__all__ = ["delivered", "read_by"]


def delivered(
    engine: Engine, requests: Sequence[Request], params: SamplingParams, *, progress: Progress | None = None
) -> Generator[Candidate]:
    """Yield the candidates of `engine.stream` as they come; closing this closes that.

    Raises:
        ModelError: the engine gave a candidate twice or one that nobody asked for, before it is yielded; it
            ended without some; or it raised something of its own, which is the cause.
        ParameterError: a stop is a word of `codesample.stops`, and the engine takes strings only.
        CodesampleError: as the engine.
    """
    words = words_in(params.stop)
    if words and "stop_words" not in engine.abilities:
        raise ParameterError(
            f"stop = {words[0]!r}: engine {engine.name!r} takes stop strings only; give some, such as "
            "'\\ndef', or leave it out"
        )
    open_keys = {(request.task_id, index) for request in requests for index in request.indices}
    asked, seen = frozenset(open_keys), 0
    stream: Iterator[Candidate] = iter(())
    try:
        stream = engine.stream(requests, params, progress=progress)
        for candidate in stream:
            key = (candidate.task_id, candidate.index)
            if key not in open_keys:
                fault = "twice" if key in asked else "though nobody asked for it"
                raise ModelError(
                    f"engine {engine.name!r} gave candidate {key[1]} of {key[0]!r} {fault}; it breaks the "
                    "contract of engines (codesample.testing.engines finds out how)"
                )
            open_keys.discard(key)
            seen += 1
            yield candidate
    except CodesampleError:
        raise
    except Exception as error:
        raise ModelError(f"engine {engine.name!r} failed: {type(error).__name__}: {error}") from error
    finally:
        close = getattr(stream, "close", None)
        if close is not None:
            close()
    if open_keys:
        first = min(open_keys)
        raise ModelError(
            f"engine {engine.name!r} ended with {seen} of {len(asked)} candidates; "
            f"candidate {first[1]} of {first[0]!r} never came"
        )


def read_by(
    engine: Engine, given: Sequence[GivenText], *, progress: Progress | None = None
) -> Generator[Reading]:
    """Yield the readings of `engine.read` as they come.

    Raises:
        ParameterError: the engine reads no given text.
        ModelError: the engine gave more or fewer readings than texts, or one that does not fit its text; or
            it raised something of its own, which is the cause.
        CodesampleError: as the engine.
    """
    if not isinstance(engine, Reader) or "prompt_logprobs" not in engine.abilities:
        raise ParameterError(f"{engine.name} reads no given text; choose another model, such as a native one")
    came = 0
    try:
        for reading in engine.read(given, progress=progress):
            if came == len(given) or not _fits(reading, given[came]):
                raise ModelError(
                    f"engine {engine.name!r} gave a reading {came} that no text was given for; it breaks the "
                    "contract of engines (codesample.testing.engines finds out how)"
                )
            came += 1
            yield reading
    except CodesampleError:
        raise
    except Exception as error:
        raise ModelError(f"engine {engine.name!r} failed: {type(error).__name__}: {error}") from error
    if came < len(given):
        raise ModelError(f"engine {engine.name!r} ended with {came} of {len(given)} readings")


def _fits(reading: Reading, given: GivenText) -> bool:
    """Whether every token has each of its numbers, and the tokens are those given, where they were."""
    tokens = len(reading.token_ids)
    columns = (reading.token_ends, reading.logprobs, reading.certainties, reading.confidences)
    same = given.token_ids is None or tuple(given.token_ids) == tuple(reading.token_ids)
    return same and all(len(column) == tokens for column in columns)
