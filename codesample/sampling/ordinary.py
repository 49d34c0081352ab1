"""The path for models whose attention cannot be routed: one prefill per prompt, one cache per row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from codesample.records import Candidate
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.drawing import Drawing
from codesample.sampling.engine import Progress
from codesample.sampling.work import PromptWork

__all__ = ["OrdinaryLoop"]


class OrdinaryLoop:
    """Samples one prompt at a time with the model's own cache, at most `max_rows` rows together.

    Draws the same tokens as the shared path, since both read the same random streams.
    """

    def __init__(
        self, checkpoint: Checkpoint, drawing: Drawing, *, max_rows: int, progress: Progress | None = None
    ) -> None:
        self._checkpoint, self._drawing = checkpoint, drawing
        self._max_rows, self._progress = max_rows, progress

    def run(self, work: PromptWork) -> Iterator[Candidate]:
        """Yield the candidates of one prompt as they finish."""
        for begin in range(0, len(work.indices), self._max_rows):
            yield from self._slice(work, work.indices[begin : begin + self._max_rows])

    @torch.inference_mode()
    def _slice(self, work: PromptWork, indices: tuple[int, ...]) -> Iterator[Candidate]:
        rows = self._drawing.rows(work, indices)
        keys = self._drawing.keys(rows)
        logits, cache = self._prefill(work, len(rows))
        drawn = torch.zeros_like(keys)
        while rows:
            choice = self._drawing.draw(logits, rows, keys, drawn)
            drawn = drawn + 1
            done = [row.push(*token) for row, *token in zip(rows, *(t.tolist() for t in choice), strict=True)]
            if self._progress is not None:
                self._progress(len(rows))
            alive = [i for i, candidate in enumerate(done) if candidate is None]
            yield from (candidate for candidate in done if candidate is not None)
            tokens = choice.tokens
            if len(alive) < len(rows):
                rows = [rows[i] for i in alive]
                if not rows:
                    break
                keep = torch.tensor(alive, device=keys.device)
                keys, drawn, tokens = keys[keep], drawn[keep], tokens[keep]
                cache.batch_select_indices(keep)
            output = self._checkpoint.model(input_ids=tokens[:, None], past_key_values=cache, use_cache=True)
            logits, cache = output.logits[:, -1], output.past_key_values

    def _prefill(self, work: PromptWork, rows: int) -> tuple[Tensor, Any]:
        """Return the logits behind the prompt, [rows, V], and a cache of `rows` rows."""
        model = self._checkpoint.model
        output = model(input_ids=torch.tensor([work.ids], device=model.device), use_cache=True)
        output.past_key_values.batch_repeat_interleave(rows)
        return output.logits[:, -1].expand(rows, -1), output.past_key_values
