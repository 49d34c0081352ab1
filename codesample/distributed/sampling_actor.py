"""Draws units on a node: an engine, one piece of work at a time, and what came of it until it is fetched."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from codesample.distributed.mailbox import Failure, Mailbox
from codesample.distributed.node_facts import NodeFacts, here
from codesample.distributed.units import Key
from codesample.engines.contract import Engine, Progress, Reader
from codesample.records import GivenText, Request, SamplingParams

__all__ = ["Draw", "Opened", "Opener", "Read", "SamplingActor", "Taken"]

_HELD = 256
"""Results that wait to be fetched, before the engine waits."""

Opener = Callable[[], tuple[Engine, str | None]]
"""Opens the engine on the node, and says by which files its weights are known, if by any."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What an engine is, on the node where it was opened; `described` is plain JSON, `reads` of `Reader`."""

    name: str
    abilities: frozenset[str]
    reproducibility: str
    described: dict[str, Any]
    checkpoint: str | None
    facts: NodeFacts
    reads: bool


@dataclass(frozen=True, slots=True)
class Draw:
    """Work of an actor: candidates of these requests."""

    requests: tuple[Request, ...]
    params: SamplingParams


@dataclass(frozen=True, slots=True)
class Read:
    """Work of an actor: readings of these texts, each under its key."""

    given: dict[Key, GivenText]


@dataclass(frozen=True, slots=True)
class Taken:
    """What an actor did since it was last asked.

    Attributes:
        items: By key, candidates or readings.
        tokens: How many were drawn or read of the work in hand.
        ended: Whether the work is at its end, with all items delivered or with `failure`.
        failure: Why it ended early.
    """

    items: list[tuple[Key, Any]] = field(default_factory=list)
    tokens: int = 0
    ended: bool = False
    failure: Failure | None = None


class _Dropped(Exception):
    """The driver has no use for the work any more."""


class SamplingActor:
    """Holds an engine. One thread calls all of it, one call after another."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._box, self._tokens = Mailbox(_HELD), 0
        self._thread: threading.Thread | None = None
        self._dropped = threading.Event()

    def look(self) -> NodeFacts:
        """Say what the node is."""
        return here()

    def open(self, opener: Opener) -> Opened | Failure:
        """Open the engine, which takes long."""
        try:
            self._engine, checkpoint = opener()
            engine = self._engine
            return Opened(
                name=engine.name,
                abilities=frozenset(engine.abilities),
                reproducibility=str(engine.reproducibility),
                described=engine.describe(),
                checkpoint=checkpoint,
                facts=here(),
                reads=isinstance(engine, Reader),
            )
        except Exception as error:
            return Failure.of(error)

    def check(self, work: Draw | Read) -> Failure | None:
        """Find out whether the engine takes all of it, and do nothing of it."""
        try:
            self._begun(work).close()
        except Exception as error:
            return Failure.of(error)
        return None

    def give(self, work: Draw | Read) -> None:
        """Begin with some work; the one before is at its end or has been dropped."""
        self.drop()
        self._dropped, self._box, self._tokens = threading.Event(), Mailbox(_HELD), 0
        self._thread = threading.Thread(
            target=self._work, args=(work, self._box, self._dropped), daemon=True, name="codesample-engine"
        )
        self._thread.start()

    def take(self, seconds: float, linger: float) -> Taken:
        """Return what came since; waits up to `seconds` for the first of it, and `linger` for others."""
        came = self._box.take(seconds=seconds, linger=linger, last=lambda item: isinstance(item, _End))
        items = [each for each in came if not isinstance(each, _End)]
        ends = [each for each in came if isinstance(each, _End)]
        return Taken(items, self._tokens, bool(ends), ends[0].failure if ends else None)

    def drop(self) -> None:
        """Let go of the work in hand; returns once the engine can be given other work."""
        self._dropped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _work(self, work: Draw | Read, box: Mailbox, dropped: threading.Event) -> None:
        def progress(tokens: int) -> None:
            self._tokens += tokens
            if dropped.is_set():
                raise _Dropped

        failure = None
        try:
            for item in self._items(work, progress):
                if not box.put(item, unless=dropped.is_set):
                    return
        except Exception as error:
            failure = Failure.of(error)
        box.put(_End(failure), unless=dropped.is_set)

    def _items(self, work: Draw | Read, progress: Progress) -> Iterator[tuple[Key, Any]]:
        with closing(self._begun(work, progress)) as begun:
            if isinstance(work, Read):
                yield from zip(work.given, begun, strict=True)
                return
            for each in begun:
                yield (each.task_id, each.index), each

    def _begun(self, work: Draw | Read, progress: Progress | None = None) -> _Closable:
        """Return the engine's iterator over what comes of some work; it has refused what it refuses."""
        assert self._engine is not None
        if isinstance(work, Draw):
            return _Closable(self._engine.stream(work.requests, work.params, progress=progress))
        assert isinstance(self._engine, Reader)
        return _Closable(self._engine.read(list(work.given.values()), progress=progress))


class _Closable:
    """An iterator that can be closed, whether or not the engine's own can."""

    def __init__(self, inner: Iterator[Any]) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[Any]:
        return self._inner

    def close(self) -> None:
        close = getattr(self._inner, "close", None)
        if close is not None:
            close()


@dataclass(frozen=True, slots=True)
class _End:
    failure: Failure | None
