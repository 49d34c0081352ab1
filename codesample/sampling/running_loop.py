"""Serves calls that come and go over one model: the shared path in one batch, all else by turns of a step.

A call that comes joins the batch that runs; one that is dropped frees its rows before the next step. Every
call gets the candidates that it would get alone.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from codesample.errors import ModelError, ParameterError
from codesample.records import Candidate, Request, SamplingParams
from codesample.sampling.decode_loop import DecodeLoop
from codesample.sampling.logit_edits import LogitsProcessor
from codesample.sampling.ordinary_loop import OrdinaryLoop
from codesample.sampling.prompts import Prompt, prompts_of
from codesample.sampling.rows import Row
from codesample.sampling.sampler import Sampler
from codesample.sampling.token_sampler import TokenSampler
from codesample.sampling.work import Work

__all__ = ["Caller", "RunningLoop", "expect_whole"]

_log = logging.getLogger("codesample.sampling")


class Caller(Protocol):
    """Who asks for candidates, and is told of them while they are drawn."""

    @property
    def paused(self) -> bool:
        """Whether no further candidate may begin for now."""
        ...

    def finish(self, candidate: Candidate) -> None:
        """Be told of a finished candidate."""
        ...

    def grow(self, row: Row) -> None:
        """Be told that a candidate has got one more token and goes on."""
        ...

    def fail(self, error: BaseException) -> None:
        """Be told why nothing more will come."""
        ...

    def end(self) -> None:
        """Be told that nothing more will come: all is there, or the call failed or was dropped."""
        ...


class _Part(Work):
    """Those prompts of a call that end alike."""

    def __init__(self, running: _Running, loop: RunningLoop, token_sampler: TokenSampler) -> None:
        super().__init__(token_sampler)
        self._running, self._loop = running, loop

    @property
    def paused(self) -> bool:
        return self._running.caller.paused

    def finish(self, candidate: Candidate) -> None:
        self._running.left -= 1
        self._running.caller.finish(candidate)

    def grow(self, row: Row) -> None:
        self._running.caller.grow(row)

    def fail(self, error: BaseException) -> None:
        self._loop.fail(self._running.caller, error)


def expect_whole(sampler: Sampler) -> None:
    """Refuse a model of which this process has a shard: calls reach each process in an order of their own.

    Raises:
        ParameterError: as said.
    """
    if sampler._state.ranks is not None:
        raise ParameterError(
            f"{sampler.name}: is divided among {sampler._state.ranks.size} processes, which must take the "
            "same calls in one order; use a Sampler in each of them, or put the model behind a server"
        )


@dataclass(eq=False)
class _Running:
    """A call that runs.

    Attributes:
        caller: Whose.
        left: How many candidates have not finished.
        parts: What the shared path has of it.
        turns: The steps of what goes by the ordinary path.
    """

    caller: Caller
    left: int
    parts: list[_Part] = field(default_factory=list)
    turns: Iterator[Candidate | None] | None = None


class RunningLoop:
    """What runs over a sampler's model. For one thread.

    Args:
        sampler: Whose model, prefix cache and limits; others may go on using it.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self._running: dict[Caller, _Running] = {}
        self._loop: DecodeLoop | None = None
        # parts for which the loop has no memory until others have left it
        self._outside: deque[tuple[Work, list[Prompt]]] = deque()

    @property
    def live(self) -> int:
        """How many candidates of the shared path decode now."""
        loop = self._loop
        return 0 if loop is None else loop.live

    @property
    def can_advance(self) -> bool:
        """Whether there is anything to do now."""
        return bool(
            self._outside
            or (self._loop is not None and self._loop.can_advance)
            or any(each.turns and not each.caller.paused for each in self._running.values())
        )

    def add(
        self,
        caller: Caller,
        requests: Sequence[Request],
        params: SamplingParams,
        processors: Sequence[LogitsProcessor] = (),
    ) -> None:
        """Take in a call; what cannot be honoured reaches the caller alone.

        Args:
            caller: Known by identity; has nothing running.
            requests, params, processors: See `Sampler.stream`.
        """
        sampler = self._sampler
        try:
            parts = sampler._parts(prompts_of(sampler.checkpoint, requests, params), params, processors)
        except Exception as error:
            caller.fail(error)
            caller.end()
            return
        running = _Running(caller, sum(len(request.indices) for request in requests))
        self._running[caller] = running
        turns: list[Iterator[Candidate | None]] = []
        for part in parts:
            work = _Part(running, self, part.token_sampler)
            if part.shared:
                running.parts.append(work)
                self._outside.append((work, part.shared))
            if part.others:
                loop = OrdinaryLoop(
                    sampler.checkpoint, work, max_rows=sampler._max_rows, state=sampler._state
                )
                turns += [loop.steps(prompt) for prompt in part.others]
        if turns:
            running.turns = (each for steps in turns for each in steps)
        self._end_finished()

    def drop(self, caller: Caller) -> None:
        """Forget a call, if it runs: its rows are free from now on."""
        running = self._running.pop(caller, None)
        if running is None:
            return
        if running.left:
            for part in running.parts:
                if self._loop is not None:
                    self._loop.drop(part)
            self._outside = deque(each for each in self._outside if each[0] not in running.parts)
        running.turns = None
        caller.end()

    def fail(self, caller: Caller, error: BaseException) -> None:
        """Tell a caller why nothing more will come, and forget the call."""
        if caller in self._running:
            caller.fail(error)
            self.drop(caller)

    def advance(self, wanted: Callable[[], bool] = lambda: False) -> None:
        """Let the batch step until a row of it ends, and every other call take one step.

        Args:
            wanted: See `DecodeLoop.advance`.

        Raises:
            Exception: the model failed, for all.
        """
        self._let_in()
        turns = [each for each in self._running.values() if each.turns and not each.caller.paused]
        if self._loop is not None:
            if self._loop.can_advance:
                self._advance_batch(self._loop, (lambda: True) if turns else wanted)
            if self._loop is not None and not self._loop.prompts:
                # its memory is for others until somebody asks again
                self._loop = None
        for running in turns:
            self._take_turn(running)
        self._end_finished()

    def _advance_batch(self, loop: DecodeLoop, wanted: Callable[[], bool]) -> None:
        try:
            loop.advance(wanted)
        except ModelError as error:
            # it is of those that run now; whoever comes later may fit
            for running in list(self._running.values()):
                if running.parts:
                    self.fail(running.caller, error)
            self._loop = None

    def _let_in(self) -> None:
        """Let parts join the batch, in their order, as far as there is memory for them."""
        if self._loop is not None and self._outside and not self._loop.can_advance:
            # all callers in there are slow readers, who should not keep others waiting
            self._outside.extend(self._loop.take_out())
            self._loop = None
        sampler = self._sampler
        while self._outside:
            work, prompts = self._outside[0]
            if self._loop is None:
                try:
                    self._loop = sampler._loop_for(prompts)
                except ModelError as error:
                    work.fail(error)  # which takes it out of those outside
                    continue
            elif not self._loop.holds_as(sampler._policy.packed(max(len(p.ids) for p in prompts))):
                # a guard is of a call's own prompts: it waits for a store of its own
                return
            elif not self._loop.make_room(prompts, budget=sampler._budget, max_rows=sampler._max_rows):
                return
            self._outside.popleft()
            self._loop.add(work, prompts)

    def _take_turn(self, running: _Running) -> None:
        if running.turns is None:
            return
        try:
            candidate = next(running.turns, None)
        except Exception as error:
            self.fail(running.caller, error)
            return
        if candidate is not None:
            running.left -= 1
            running.caller.finish(candidate)

    def _end_finished(self) -> None:
        for running in [each for each in self._running.values() if not each.left]:
            self.drop(running.caller)
