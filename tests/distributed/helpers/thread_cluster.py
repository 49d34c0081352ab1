"""A cluster of threads: nodes and actors that die when they are told to, and no Ray."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from codesample.distributed.cluster import ActorLostError
from codesample.distributed.placement import Node


class ThreadActor:
    """An object with a thread for its calls, and one for those aside; what it is given is pickled."""

    def __init__(self, kind: type, node: Node, dies: Callable[[str], bool]) -> None:
        self.kind, self.node, self.gone = kind, node, False
        self._object, self._dies = kind(), dies
        self._threads = {name: ThreadPoolExecutor(1) for name in ("", *getattr(kind, "ASIDE", ()))}

    def ask(self, method: str, *arguments: Any) -> Future[Any]:
        if method == "take":
            # nothing wakes a thread whose actor has been killed
            arguments = (min(arguments[0], 0.2), *arguments[1:])
        words = pickle.dumps(arguments)

        def call() -> Any:
            if self.gone or self._dies(method):
                self.kill()
                raise ActorLostError("killed")
            done = pickle.dumps(getattr(self._object, method)(*pickle.loads(words)))
            if self.gone:
                raise ActorLostError("killed meanwhile")
            return pickle.loads(done)

        try:
            return self._threads[method if method in self._threads else ""].submit(call)
        except RuntimeError:
            lost: Future[Any] = Future()
            lost.set_exception(ActorLostError("killed"))
            return lost

    def kill(self) -> None:
        if not self.gone:
            self.gone = True
            self._threads[""].submit(self._leave)
            for each in self._threads.values():
                each.shutdown(wait=False)

    def _leave(self) -> None:
        """Let go of what would end with an actor's process."""
        drop = getattr(self._object, "drop", None)
        if drop is not None:
            drop()
        judge = getattr(self._object, "_judge", None)
        if judge is not None:
            judge.close()


class ThreadCluster:
    """Nodes of a given number of cores and GPUs.

    Args:
        nodes: For each, its CPUs and GPUs.
        dies: Given an actor's class and the method it is asked for, says whether it dies then.
    """

    def __init__(
        self,
        nodes: Sequence[tuple[float, float]] = ((2, 0), (2, 0)),
        *,
        dies: Callable[[type, str], bool] = lambda kind, method: False,
    ) -> None:
        self.there = [Node(f"node{n}", f"10.0.0.{n}", *each) for n, each in enumerate(nodes)]
        self.actors: list[ThreadActor] = []
        self._dies = dies

    def nodes(self) -> list[Node]:
        return list(self.there)

    def start(self, kind: type, node: Node, *, cpus: float, gpus: float) -> ThreadActor:
        actor = ThreadActor(kind, node, lambda method: self._dies(kind, method))
        if node not in self.there:
            actor.kill()
        self.actors.append(actor)
        return actor

    def settled(self, asked: Sequence[Any], *, seconds: float) -> list[Any]:
        if not asked:
            time.sleep(min(seconds, 0.01))
            return []
        done, _ = wait(asked, timeout=seconds, return_when=FIRST_COMPLETED)
        return [each for each in asked if each in done]

    def answer(self, asked: Future[Any]) -> Any:
        return asked.result(60)

    def end(self, actor: ThreadActor) -> None:
        actor.kill()

    def lose(self, node: Node) -> None:
        """Take a node away, with all that is on it."""
        self.there.remove(node)
        for each in self.actors:
            if each.node == node:
                each.kill()
