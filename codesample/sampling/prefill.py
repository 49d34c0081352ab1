"""Run prompts through the model once and store their keys and values."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codesample.errors import ModelError
from codesample.kernels.bifurcated_decode import LayerStore, ScoreOptions, stated_pattern
from codesample.policies.prefill.prefill_reads import PrefillReads
from codesample.policies.prompt_tails import PromptTails
from codesample.sampling.attention_hook import PrefillPiece, PrefillState
from codesample.sampling.kv_store import KVStore

__all__ = ["PassState", "SegmentTokens", "logits_of", "prefill", "run_pass", "store_only"]

# tokens per forward pass: enough to keep the matrix units busy, few enough that activations stay small
CHUNK = 2048
# the same for each thread of a CPU, and at least: what a layer makes of them stays near the processor, and so
# few rows are multiplied with the arranged copies of weights (2,048 tokens of a 0.5B model took an eighth
# less time than in one pass; in 8 bits a sixth)
_PER_THREAD, _FEWEST = 128, 256


class SegmentTokens(NamedTuple):
    """Tokens to store as one shared segment.

    Attributes:
        ids: The segment's own tokens, at least one.
        start: Where its range of the pool begins.
        parents: (start, length) of the stored segments that stand before it, outermost first.
        filled: How many of its tokens the pool holds already; fewer than all.
    """

    ids: Sequence[int]
    start: int
    parents: tuple[tuple[int, int], ...] = ()
    filled: int = 0

    @property
    def position(self) -> int:
        """Absolute position of the segment's first token."""
        return sum(length for _, length in self.parents)


def prefill(
    model: PreTrainedModel,
    store: KVStore,
    segments: Sequence[SegmentTokens],
    *,
    chunk: int | None = None,
    tails: PromptTails | None = None,
    reads: PrefillReads | None = None,
) -> Tensor:
    """Store the keys and values of `segments`, packed into forward passes of `chunk` tokens.

    The model's attention must be attached (see `attention_hook`). `tails` hears the queries; `reads` says
    what they attend to, by default everything before them.

    Returns:
        [len(segments), V], the logits behind each segment's last token, dtype of the model.
    """
    logits: list[Tensor] = []
    size = chunk or CHUNK
    # what a policy reads, and from what a prompt is run that is held in 8 bits, follows from where it is cut
    if reads is None and store.packed is None:
        size = _fitting(model, size)
    for pieces, chosen in _chunks(segments, size, reads.policy.step if reads else 1):
        logits.append(_run(model, store, pieces, chosen, tails, reads))
    return torch.cat(logits)


def store_only(model: PreTrainedModel, store: KVStore, segments: Sequence[SegmentTokens]) -> None:
    """Store the keys and values of `segments` as `prefill` does, and keep no logits."""
    for pieces, _ in _chunks(segments, _fitting(model, CHUNK)):
        _run(model, store, pieces, ())


def logits_of(
    model: PreTrainedModel, store: KVStore, segments: Sequence[SegmentTokens], *, chunk: int
) -> Iterator[Tensor]:
    """Store `segments` as `prefill` does, and yield the logits behind each of their tokens, pass after pass.

    Yields: [T, V], dtype of the model, for the next T <= `chunk` tokens of all segments in their order.
    """
    for pieces, _ in _chunks(segments, chunk):
        yield _run(model, store, pieces, range(sum(p.stop - p.filled for p in pieces)))


def _fitting(model: PreTrainedModel, chunk: int) -> int:
    """Return how many of so many tokens to run at once on the model's device."""
    if model.device.type != "cpu":
        return chunk
    return min(chunk, max(_FEWEST, _PER_THREAD * torch.get_num_threads()))


class _Piece(NamedTuple):
    segment: SegmentTokens
    filled: int
    stop: int


def _chunks(
    segments: Sequence[SegmentTokens], chunk: int, step: int = 1
) -> list[tuple[list[_Piece], list[int]]]:
    """Cut the segments into forward passes: pieces, and where in the pass a segment's last token lies.

    A segment is cut at multiples of `step` tokens of its prompt, where passes are as long as that.
    """
    passes: list[tuple[list[_Piece], list[int]]] = []
    room = 0
    for segment in segments:
        filled = segment.filled
        while filled < len(segment.ids):
            if not room:
                passes.append(([], []))
                room = chunk
            stop = min(len(segment.ids), filled + room)
            if stop < len(segment.ids) and step > 1:
                even = stop - (segment.position + stop) % step
                if even <= filled and room < chunk:
                    room = 0
                    continue
                stop = even if even > filled else stop
            passes[-1][0].append(_Piece(segment, filled, stop))
            room -= stop - filled
            if stop == len(segment.ids):
                passes[-1][1].append(chunk - room - 1)
            filled = stop
    return passes


def _run(
    model: PreTrainedModel,
    store: KVStore,
    pieces: Sequence[_Piece],
    chosen: Sequence[int],
    tails: PromptTails | None = None,
    reads: PrefillReads | None = None,
) -> Tensor:
    ids = [t for p in pieces for t in p.segment.ids[p.filled : p.stop]]
    positions = [
        at for p in pieces for at in range(p.segment.position + p.filled, p.segment.position + p.stop)
    ]
    layout, begin = [], 0
    for p in pieces:
        end, segment = begin + p.stop - p.filled, p.segment
        layout.append(PrefillPiece(begin, end, segment.parents, segment.start, p.filled, len(segment.ids)))
        begin = end
    if reads is not None:
        reads.begin()
    pattern = stated_pattern(vars(model.config.get_text_config()))
    state = PrefillState(store.layers, layout, tails=tails, reads=reads, pattern=pattern)
    return run_pass(model, ids, positions, state, chosen)


class PassState(Protocol):
    """What a pass's attention stores and attends to; see `PrefillState`."""

    @property
    def layers(self) -> Sequence[LayerStore]:
        """Of the store."""
        ...

    @property
    def reached(self) -> set[int]:
        """Numbers of the layers that have attended."""
        ...

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scores: ScoreOptions) -> Tensor:
        """Attend from [1, H, T, D] to what they see, [1, T, H, D]."""
        ...


def run_pass(
    model: PreTrainedModel,
    ids: Sequence[int],
    positions: Sequence[int],
    state: PassState,
    chosen: Sequence[int],
) -> Tensor:
    """Run tokens in one row, at their positions, and return the logits behind those that are chosen, [N, V].

    Raises:
        ModelError: a layer's attention did not come to the state.
    """
    device = model.device
    # a pass that ends no segment still has to run its head on something
    last = torch.tensor(list(chosen) or [0], device=device)
    sliced = "logits_to_keep" in inspect.signature(model.forward).parameters
    logits: Tensor = model(
        input_ids=torch.tensor([list(ids)], device=device),
        position_ids=torch.tensor([list(positions)], device=device),
        use_cache=False,
        codesample_kv=state,
        **({"logits_to_keep": last} if sliced else {}),
    ).logits[0]
    if len(state.reached) != len(state.layers):
        raise ModelError(
            f"{len(state.reached)} of {len(state.layers)} layers stored their keys: the model's attention "
            "was replaced during the call, by a hook or another thread; give each thread a model of its own"
        )
    return (logits if sliced else logits[last])[: len(chosen)]
