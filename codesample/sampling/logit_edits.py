"""Changes to the logits before a token is drawn: biases, penalties, and the caller's own processors."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from codesample.errors import ParameterError
from codesample.records import SamplingParams
from codesample.sampling.rows import Row

__all__ = ["LogitEdits", "LogitsProcessor"]

LogitsProcessor = Callable[[Tensor, Tensor], Tensor]
"""(input_ids [B, L], logits [B, V]) -> logits [B, V], as in transformers; each row on its own."""


class LogitEdits:
    """Applies bias and bans, then the repetition and frequency penalties, then the processors.

    Args:
        params: Which of them, and how strong.
        vocabulary: V, for the check of token ids.
        device: Of the logits.
        processors: Called with rows of equal length together, prompt included.
    Attributes:
        active: Whether anything is changed at all.
        read_rows: Whether changes depend on the tokens of rows.
        calls_out: Whether the caller's processors take part.
    Raises:
        ParameterError: a token id outside the vocabulary, or everything banned.
    """

    def __init__(
        self,
        params: SamplingParams,
        vocabulary: int,
        *,
        device: torch.device | str = "cpu",
        processors: Sequence[LogitsProcessor] = (),
    ) -> None:
        self._repetition, self._frequency = params.repetition_penalty, params.frequency_penalty
        self._processors = tuple(processors)
        bias = _bias(params, vocabulary)
        self._bias = None if bias is None else bias.to(device)
        penalised = self._repetition != 1 or self._frequency != 0
        self.read_rows = bool(penalised or self._processors)
        self.calls_out = bool(self._processors)
        self.active = self._bias is not None or self.read_rows

    def __call__(self, logits: Tensor, rows: Sequence[Row]) -> Tensor:
        """Return changed logits, [R, V]; the argument stays as it is."""
        # rows of one prompt may be one stored row expanded, and the caller still reads the original
        wide = logits if logits.dtype == torch.float64 else logits.float()
        logits = wide.clone(memory_format=torch.contiguous_format)
        if self._bias is not None:
            logits = logits + self._bias.to(logits)
        if self._repetition != 1:
            for row, scores in zip(rows, logits, strict=True):
                self._penalise_repetition(scores, [*row.prompt_ids, *row.ids])
        if self._frequency:
            for row, scores in zip(rows, logits, strict=True):
                self._penalise_frequency(scores, Counter(row.ids))
        return self._processed(logits, rows) if self._processors else logits

    def _penalise_repetition(self, scores: Tensor, held: Sequence[int]) -> None:
        ids = torch.tensor(list(dict.fromkeys(held)), device=scores.device)
        values = scores[ids]
        scores[ids] = torch.where(values < 0, values * self._repetition, values / self._repetition)

    def _penalise_frequency(self, scores: Tensor, counts: Counter[int]) -> None:
        if counts:
            ids = torch.tensor(list(counts), device=scores.device)
            scores[ids] -= self._frequency * torch.tensor(list(counts.values())).to(scores)

    def _processed(self, logits: Tensor, rows: Sequence[Row]) -> Tensor:
        by_length: defaultdict[int, list[int]] = defaultdict(list)
        for at, row in enumerate(rows):
            by_length[len(row.prompt_ids) + len(row.ids)].append(at)
        for members in by_length.values():
            ids = torch.tensor(
                [[*rows[at].prompt_ids, *rows[at].ids] for at in members], device=logits.device
            )
            changed = logits[members]
            for processor in self._processors:
                changed = _of_shape(processor(ids, changed), changed.shape, processor)
            logits[members] = changed.to(logits)
        return logits


def _of_shape(given: Any, shape: torch.Size, processor: LogitsProcessor) -> Tensor:
    if isinstance(given, Tensor) and given.shape == shape:
        return given
    name = getattr(processor, "__name__", type(processor).__name__)
    got = f"a tensor of shape {tuple(given.shape)}" if isinstance(given, Tensor) else type(given).__name__
    raise ParameterError(
        f"the logits processor {name} returned {got}; expected the changed logits, of shape {tuple(shape)}"
    )


def _bias(params: SamplingParams, vocabulary: int) -> Tensor | None:
    named = [token for token, _ in params.logit_bias] + [*params.allowed_tokens, *params.banned_tokens]
    if not named:
        return None
    outside = [token for token in named if not 0 <= token < vocabulary]
    if outside:
        raise ParameterError(
            f"token {outside[0]}: expected an id in [0, {vocabulary}), the model's vocabulary"
        )
    bias = torch.zeros(vocabulary)
    for token, amount in params.logit_bias:
        bias[token] += amount
    if params.allowed_tokens:
        allowed = torch.zeros(vocabulary, dtype=torch.bool)
        allowed[list(params.allowed_tokens)] = True
        bias[~allowed] = float("-inf")
    bias[list(params.banned_tokens)] = float("-inf")
    if torch.isneginf(bias).all():
        raise ParameterError("allowed_tokens and banned_tokens leave no token to draw")
    return bias
