"""Takes what an engine delivers, and holds it to what was asked for: every candidate, once, and no other."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from codesample.engines.contract import Engine, Progress
from codesample.errors import CodesampleError, ModelError
from codesample.records import Candidate, Request, SamplingParams

__all__ = ["delivered"]


def delivered(
    engine: Engine, requests: Sequence[Request], params: SamplingParams, *, progress: Progress | None = None
) -> Generator[Candidate]:
    """Yield the candidates of `engine.stream` as they come; closing this closes that.

    Raises:
        ModelError: the engine gave a candidate twice or one that nobody asked for, before it is yielded; it
            ended without some; or it raised something of its own, which is the cause.
        CodesampleError: as the engine.
    """
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
