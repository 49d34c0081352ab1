"""Two processes of which the second one fares otherwise; run by torchrun, the first says what it was told.

Words: where to write, and what befalls the second process last. Stands in for models, so that none is loaded.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from codesample import CodesampleError, ModelOptions, Request, SamplingParams, tensor_parallel
from codesample.engines.contract import Reproducibility
from codesample.engines.registry import open_engine
from codesample.errors import ParameterError
from codesample.reports.health import health
from codesample.sampling.sharded import led_sampler

DEADLINE = 4.0


class Item(NamedTuple):
    token_ids: tuple[int, ...]


class Scripted:
    """Does in each process what the prompt says."""

    name, abilities = "scripted", frozenset({"logprobs"})
    reproducibility = Reproducibility.EXACT

    def __init__(self, rank: int, written: Path) -> None:
        self._rank, self._written = rank, written

    def stream(self, requests: Any, params: Any, *, progress: Any = None) -> Iterator[Item]:
        word = requests[0].prompt
        if word == "both refuse" or (word == "one refuses" and self._rank):
            raise ParameterError(word)
        return self._drawn(word)

    def _drawn(self, word: str) -> Iterator[Item]:
        yield Item((1, 2))
        if self._rank and word == "fault":
            raise ZeroDivisionError("by accident")
        if self._rank and word == "late":
            # until the other one has said what became of its call
            until = time.monotonic() + 10 * DEADLINE
            while not self._written.exists() and time.monotonic() < until:
                time.sleep(0.1)
        yield Item((3, self._rank if word == "other tokens" else 0))


def main(out: Path, last: str) -> None:
    led_sampler._shard = lambda team, *_: Scripted(team.rank, out)
    with tensor_parallel(deadline=DEADLINE) as first:
        if not first:
            return
        engine = open_engine(ModelOptions("tiny"))
        found: dict[str, Any] = {"ranks": len(health().ranks)}
        stream = asked(engine, "well")
        next(stream)
        # a stream that nobody wants any more
        stream.close()
        for word in ("well", "both refuse", "one refuses", "other tokens", last):
            begun = time.monotonic()
            try:
                found[word] = [each.token_ids for each in asked(engine, word)]
            except CodesampleError as error:
                found[word] = f"{type(error).__name__}: {error}"
        found["seconds"] = time.monotonic() - begun
        out.write_text(json.dumps(found), encoding="utf-8")


def asked(engine: Any, word: str) -> Any:
    return engine.stream([Request("t", word, (0,))], SamplingParams())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
