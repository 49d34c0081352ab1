"""What a driver needs of a cluster, whichever one it is: nodes, actors on them, and answers by a deadline."""

from __future__ import annotations

import threading
from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Protocol

from codesample.distributed.node_facts import NodeFacts
from codesample.distributed.placement import Node
from codesample.errors import CodesampleError

__all__ = ["Actor", "ActorLostError", "Cluster", "Happened"]


class ActorLostError(CodesampleError):
    """An actor is gone, or does not answer; the message says what is known of it."""


class Actor(Protocol):
    """A process on a node that does what it is asked."""

    def ask(self, method: str, *arguments: Any) -> Any:
        """Have a method called; returns at once, with what `Cluster.settled` waits for.

        Calls are carried out one after another, in their order; those that a kind of actor lists as `ASIDE`
        have a thread of their own.
        """
        ...


class Cluster(Protocol):
    """Nodes, and actors on them. Any thread may call it."""

    def nodes(self) -> list[Node]:
        """Return the nodes that live."""
        ...

    def start(self, kind: type, node: Node, *, cpus: float, gpus: float) -> Actor:
        """Start an actor on a node; whether it lives shows in its answers. It is never started again."""
        ...

    def settled(self, asked: Collection[Any], *, seconds: float) -> list[Any]:
        """Return those that are answered; waits up to `seconds` for the first."""
        ...

    def answer(self, asked: Any) -> Any:
        """Return an answer that has settled; raises ActorLostError."""
        ...

    def end(self, actor: Actor) -> None:
        """End an actor, if it lives."""
        ...


@dataclass(slots=True)
class Happened:
    """What befell a run on its cluster, for its record and its report; several threads note it.

    Attributes:
        nodes: By node, what is there and what it does for the run.
        left_out: By node or actor, why it takes no part.
        failures: What died, where and of what, in order; the first `MOST_FAILURES`.
        failed: How many that were.
        requeued: How many candidates and programs were handed out again.
    """

    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)
    failed: int = 0
    requeued: dict[str, int] = field(default_factory=lambda: {"candidates": 0, "programs": 0})
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def joined(self, node: Node, facts: NodeFacts, what: str, **more: Any) -> None:
        """Note an actor that has begun to work."""
        with self._lock:
            entry = self.nodes.setdefault(node.id, {"address": node.address, **facts.as_json()})
            entry[what] = {"count": entry.get(what, {}).get("count", 0) + 1, **more}

    def died(self, what: str, where: str, why: str) -> None:
        """Note an actor that is gone."""
        with self._lock:
            self.failed += 1
            if len(self.failures) < MOST_FAILURES:
                self.failures.append({"what": what, "where": where, "why": why})

    def kept_out(self, where: str, why: str) -> None:
        """Note a node or an actor that takes no part."""
        with self._lock:
            self.left_out[where] = why

    def handed_out_again(self, what: str, count: int) -> None:
        """Note candidates or programs that are done again."""
        with self._lock:
            self.requeued[what] += count

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        with self._lock:
            return {
                "nodes": deepcopy(self.nodes),
                "left_out": dict(self.left_out),
                "failed": self.failed,
                "failures": list(self.failures),
                "requeued": dict(self.requeued),
            }

    def notices(self) -> list[str]:
        """Say what the user should know of it."""
        said = [f"{where} takes no part: {why}" for where, why in list(self.left_out.items())]
        if self.failed:
            first = self.failures[0]
            said.append(
                f"{self.failed} actors died and their work was done again (candidates: "
                f"{self.requeued['candidates']}, programs: {self.requeued['programs']}); "
                f"the first: {first['what']} on {first['where']}: {first['why']}"
            )
        return said


MOST_FAILURES = 200
