"""How rows begin, and how their next tokens come from logits: what both loops share."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import replace

import torch
from torch import Tensor

from codesample.errors import ModelError
from codesample.records import SamplingParams
from codesample.sampling.attention_hook import detached
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.logit_edits import LogitEdits, LogitsProcessor
from codesample.sampling.memory import is_out_of_memory
from codesample.sampling.prompts import Prompt
from codesample.sampling.random_streams import row_key, uniforms
from codesample.sampling.rows import Row
from codesample.sampling.stopping import special_stops
from codesample.sampling.text import TextStream
from codesample.sampling.token_choice import Choice, choose
from codesample.sampling.token_decoder import TokenDecoder
from codesample.sampling.trajectory import Trajectory
from codesample.stops import words_in

__all__ = ["ProcessorFailed", "TokenSampler", "refuse_nan"]

# with more, torch.isin may sort, and asks the host for what it found
_FEW_ENDS = 10


def refuse_nan(name: str, dtype: torch.dtype, logprobs: Iterable[float]) -> None:
    """Refuse log-probabilities that are NaN; see `TokenSampler.refuse_nan`."""
    if math.isnan(sum(logprobs)):
        raise ModelError(
            f"{name} in {str(dtype).removeprefix('torch.')} gives logits that are not numbers, or a logits "
            "processor does; try bfloat16 or float32"
        )


class ProcessorFailed(Exception):
    """One of the caller's logits processors raised `error`; of interest to those of this `kind` alone."""

    def __init__(self, kind: Hashable, error: BaseException) -> None:
        super().__init__(f"a logits processor failed: {error}")
        self.kind, self.error = kind, error


class TokenSampler:
    """Draws tokens for one checkpoint with one set of parameters.

    Args:
        checkpoint, params: What is sampled from, and how.
        chat: Whether its rows answer messages, so that the chat template's end tokens end them.
        processors: See `Sampler.stream`.
        told: See `Row`.
    Attributes:
        kind: Equal for those that draw alike, whatever their seeds, texts that stop them, and limits.

    Raises:
        ParameterError: see `LogitEdits`.
    """

    kind: Hashable = None

    def __init__(
        self,
        checkpoint: Checkpoint,
        params: SamplingParams,
        *,
        chat: bool = False,
        processors: Sequence[LogitsProcessor] = (),
        told: Callable[[Trajectory], None] | None = None,
    ) -> None:
        self._params, self._name, self._told = params, checkpoint.name, told
        # an answer holds prose and whole programs
        words = words_in(params.stop) if chat else ()
        self._stops = tuple(stop for stop in params.stop if stop not in words)
        self._known = Choice._fields[1:] if params.confidence else Choice._fields[1:3]
        self._decode = TokenDecoder(checkpoint.tokenizer)
        self._model, self._device = checkpoint.model, checkpoint.model.device
        vocabulary = checkpoint.model.config.get_text_config().vocab_size
        self._edits = LogitEdits(params, vocabulary, device=self._device, processors=processors)
        stops = special_stops(checkpoint.tokenizer, params.stop)
        ends = checkpoint.chat_ends if chat else checkpoint.eos_ids
        self._ends: dict[int, str | None] = {**stops, **dict.fromkeys(ends)}
        self._end_ids = torch.tensor(sorted(self._ends), dtype=torch.int64, device=self._device)
        drawn_by = replace(params, seed=0, stop=(), max_new_tokens=None)
        self.kind = (drawn_by, frozenset(self._ends), tuple(map(id, processors)))

    @property
    def reads_rows(self) -> bool:
        """Whether what is drawn depends on the tokens that rows hold, and not on their logits alone."""
        return self._edits.read_rows

    def goes_on(self, tokens: Tensor) -> Tensor:
        """Tell which rows have drawn a token, [R] bool, and one that does not end them."""
        if len(self._end_ids) < _FEW_ENDS:
            ended = torch.isin(tokens, self._end_ids)
        else:
            ended = (tokens[:, None] == self._end_ids).any(-1)
        return (tokens >= 0) & ~ended

    def refuse_nan(self, logprobs: Iterable[float]) -> None:
        """Refuse log-probabilities of drawn tokens that are NaN.

        Raises:
            ModelError: the model overflows, or a processor spoils its logits.
        """
        refuse_nan(self._name, self._model.dtype, logprobs)

    def begin_rows(self, prompt: Prompt, indices: Sequence[int]) -> list[Row]:
        """Begin candidates `indices` of a prompt."""
        return [
            Row(
                prompt.task_id,
                index,
                prompt_ids=prompt.ids,
                key=row_key(self._params.seed, prompt.task_id, index),
                text=TextStream(self._decode, prompt.ids, self._stops),
                ends=self._ends,
                limit=prompt.limit,
                known=self._known,
                told=self._told,
            )
            for index in indices
        ]

    def keys(self, rows: Sequence[Row]) -> Tensor:
        """Return the rows' random keys, [R] int64."""
        return torch.tensor([row.key for row in rows], device=self._device)

    def uniforms(self, keys: Tensor, positions: Tensor) -> Tensor:
        """Return what decides which token a row draws at these positions; see `random_streams`."""
        return uniforms(keys, positions)

    def draw(
        self, logits: Tensor, rows: Sequence[Row], uniforms: Tensor, *, width: int | None = None
    ) -> Choice:
        """Draw each row's next token.

        Args:
            logits: [R, V].
            rows: Whose they are; read only where logits are to be changed.
            uniforms: [R], from `uniforms`, for the tokens each row has drawn before.
            width: See `choose`.

        Raises:
            ProcessorFailed: see there.
        """
        edited = None
        if self._edits.active:
            # the caller's processors may call the model themselves
            with detached(self._model) if self._edits.calls_out else nullcontext():
                edited = self._edited(logits, rows)
        return choose(logits, uniforms, self._params, edited=edited, width=width)

    def _edited(self, logits: Tensor, rows: Sequence[Row]) -> Tensor:
        try:
            return self._edits(logits, rows)
        except BaseException as error:
            # an end of the process that a processor asks for is its caller's as well
            if not self._edits.calls_out or is_out_of_memory(error) or isinstance(error, KeyboardInterrupt):
                raise
            raise ProcessorFailed(self.kind, error) from error
