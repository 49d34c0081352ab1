"""One vLLM engine for all streams that are open: whoever steps it hands every output to whose it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import count
from typing import Any

from codesample.sampling.turn_lock import TurnLock

__all__ = ["Outputs", "StepDesk"]

Outputs = deque[Any]
"""What has come for one stream and is not read yet: `vllm.RequestOutput`s."""


class StepDesk:
    """Adds requests to an engine, steps it and drops requests, for one thread at a time.

    Args:
        engine: `vllm.LLM.llm_engine`.
    """

    def __init__(self, engine: Any) -> None:
        self._engine, self._lock = engine, TurnLock()
        self._owners: dict[str, Outputs] = {}
        self._numbers = count()

    def add(self, prompt: Any, params: Any, outputs: Outputs) -> str:
        """Begin a request whose outputs shall go there; return its name."""
        with self._lock:
            name = f"codesample-{next(self._numbers)}"
            self._engine.add_request(name, prompt, params)
            self._owners[name] = outputs
            return name

    def step(self, outputs: Outputs) -> bool:
        """Let every request draw on, unless something lies here already; return whether any is under way."""
        with self._lock:
            if outputs:
                return True
            if not self._engine.has_unfinished_requests():
                return False
            for output in self._engine.step():
                # of one that was dropped, some may still come
                owner = self._owners.get(output.request_id)
                if owner is not None:
                    owner.append(output)
                    if output.finished:
                        del self._owners[output.request_id]
            return True

    def drop(self, names: Sequence[str]) -> None:
        """Give requests up that nobody waits for any more."""
        with self._lock:
            under_way = [name for name in names if self._owners.pop(name, None) is not None]
            if under_way:
                self._engine.abort_request(under_way)
