"""The path for models whose attention cannot be routed: one prefill per prompt, one cache per row."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch

from codesample.errors import ModelError
from codesample.records import Candidate
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.memory import give_back, is_out_of_memory
from codesample.sampling.model_state import ModelState
from codesample.sampling.own_forward import OwnForward
from codesample.sampling.prompts import Prompt
from codesample.sampling.token_sampler import ProcessorFailed
from codesample.sampling.work import Work

__all__ = ["OrdinaryLoop"]

_log = logging.getLogger("codesample.sampling")


class OrdinaryLoop:
    """Samples one prompt at a time with the model's own cache, at most `max_rows` rows together.

    Draws the same tokens as the shared path, since both read the same random streams.

    Args:
        checkpoint, work: What samples, and for whom.
        max_rows: Most candidates decoded together.
        state: Of the model. Where it tells of a change, rows in flight begin again. What its copies of the
            weights are rounded to, prompts of a model that has both paths are multiplied in here too.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        work: Work,
        *,
        max_rows: int,
        state: ModelState | None = None,
    ) -> None:
        self._checkpoint, self._work, self._token_sampler = checkpoint, work, work.token_sampler
        self._rows, self._state = max_rows, state

    def run(self, prompt: Prompt) -> Iterator[Candidate]:
        """Yield the candidates of one prompt as they finish.

        Raises:
            ModelError: a single candidate does not fit into memory.
        """
        return (candidate for candidate in self.steps(prompt) if candidate is not None)

    def steps(self, prompt: Prompt) -> Iterator[Candidate | None]:
        """Do what `run` does, and yield None after each step, so that others have their turns."""
        waiting = list(prompt.indices)
        while waiting:
            try:
                generation = self._generation()
                for candidate in self._slice(prompt, waiting[: self._rows]):
                    if candidate is not None:
                        waiting.remove(candidate.index)
                    if self._state is not None:
                        self._state.settle()
                    yield candidate
                    if self._generation() != generation:
                        # the others are drawn from the start, by the model as it is now
                        break
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                self._retreat(error, len(waiting))

    def _multiplying(self) -> AbstractContextManager[None]:
        state = self._state
        rounds = state is not None and state.matmul != "float32" and self._checkpoint.shared
        packed = state.packed if state is not None and rounds else None
        return packed.used() if packed is not None else nullcontext()

    def _generation(self) -> int:
        return self._state.renew(thorough=False) if self._state else 0

    def _retreat(self, error: Exception, waiting: int) -> None:
        """Go on with half as many rows; what those taken back draw again is the same."""
        if self._state is not None:
            self._state.expect_whole(error)
        if self._rows == 1:
            raise ModelError(
                f"{self._checkpoint.model.device} ran out of memory with a single candidate; lower "
                "max_new_tokens, or choose a smaller model or dtype"
            ) from error
        self._rows = max(1, min(self._rows, waiting) // 2)
        give_back(self._checkpoint.model.device)
        _log.warning("out of memory: going on with %d rows at a time", self._rows)

    @torch.inference_mode()
    def _slice(self, prompt: Prompt, indices: Sequence[int]) -> Iterator[Candidate | None]:
        rows = self._token_sampler.begin_rows(prompt, indices)
        keys = self._token_sampler.keys(rows)
        drawn = torch.zeros_like(keys)
        forward = OwnForward(self._checkpoint.model, cached=self._checkpoint.cached, around=self._multiplying)
        logits = forward.begin(prompt.ids).expand(len(rows), -1)
        forward.pick(torch.zeros_like(keys))
        while True:
            try:
                choice = self._token_sampler.draw(logits, rows, self._token_sampler.uniforms(keys, drawn))
            except ProcessorFailed as failed:
                raise failed.error from failed.error.__cause__
            drawn = drawn + 1
            tokens = choice.drawn()
            self._token_sampler.refuse_nan(known[0] for _, known in tokens)
            done = [row.push(token, *known) for row, (token, known) in zip(rows, tokens, strict=True)]
            alive = [i for i, candidate in enumerate(done) if candidate is None]
            for i in alive:
                self._work.grow(rows[i])
            self._work.stepped(len(rows))
            yield from (candidate for candidate in done if candidate is not None)
            yield None
            if not alive:
                return
            if len(alive) < len(rows):
                rows = [rows[i] for i in alive]
                keep = torch.tensor(alive, device=keys.device)
                keys, drawn = keys[keep], drawn[keep]
                forward.pick(keep)
            logits = forward.step([(*prompt.ids, *row.ids) for row in rows])
