"""Reads given texts: what the model would have made of each of their tokens, many in a pass.

On the shared path a prompt is stored once, and every text behind it is a segment of its own that sees it. A
text's segment begins with the prompt's last token, so that the logits at each of its tokens are those that
its next token comes from. The vocabulary bounds a pass: its logits are made at every token.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor

from codesample.engines.contract import Progress
from codesample.records import Reading
from codesample.sampling.attention_hook import attached, detached
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.given_tokens import GivenTokens
from codesample.sampling.kv_store import KVStore, token_bytes
from codesample.sampling.prefill import SegmentTokens, logits_of, store_only
from codesample.sampling.sharded.ranks import free_for
from codesample.sampling.token_choice import Known, known_of
from codesample.sampling.token_sampler import refuse_nan

__all__ = ["ReadLoop"]

# tokens whose keys and values are held at a time; a prompt with more and one text are held all the same
_WINDOW = 1 << 14
# logits of a pass, as 32-bit numbers, and fewest and most tokens of one
_LOGITS_BYTES = 1 << 28
_FEWEST, _MOST = 32, 2048


class ReadLoop:
    """Reads texts with one checkpoint.

    Args:
        checkpoint: What reads.
        memory_fraction: Share of the free memory that keys and values may take, in (0, 1].
        progress: Told of the tokens of texts that were read.
    """

    def __init__(
        self, checkpoint: Checkpoint, *, memory_fraction: float = 0.8, progress: Progress | None = None
    ) -> None:
        self._checkpoint, self._memory_fraction, self._progress = checkpoint, memory_fraction, progress
        model = checkpoint.model
        vocabulary = model.config.get_text_config().vocab_size
        self._pass_tokens = max(_FEWEST, min(_MOST, _LOGITS_BYTES // (4 * vocabulary)))
        takes = inspect.signature(model.forward).parameters
        self._sliced = "logits_to_keep" in takes

    def run(self, texts: Sequence[GivenTokens]) -> Iterator[Reading]:
        """Yield a reading of each text, in their order.

        Raises:
            ModelError: the model's logits are not numbers, or keys and values do not fit into memory.
        """
        done: dict[int, Reading] = {n: _reading(each, None) for n, each in enumerate(texts) if not each.ids}
        upto = 0
        for window in self._windows(texts):
            for number, known in self._read(texts, window):
                refuse_nan(self._checkpoint.name, self._checkpoint.model.dtype, known.logprobs.tolist())
                done[number] = _reading(texts[number], known)
            while upto in done:
                yield done.pop(upto)
                upto += 1
        while upto in done:
            yield done.pop(upto)
            upto += 1

    def _windows(self, texts: Sequence[GivenTokens]) -> Iterator[list[int]]:
        """Yield which texts are read together: in their order, those of one prompt side by side."""
        most = self._window_tokens()
        places: dict[tuple[int, ...], list[int]] = {}
        for number, each in enumerate(texts):
            if each.ids:
                places.setdefault(each.prompt_ids, []).append(number)
        window: list[int] = []
        held = 0
        for prompt_ids, numbers in places.items():
            stored = False
            for number in numbers:
                size = len(texts[number].ids) + (0 if stored else len(prompt_ids))
                if window and held + size > most:
                    yield window
                    window, held, size = [], 0, len(texts[number].ids) + len(prompt_ids)
                window.append(number)
                held, stored = held + size, True
        if window:
            yield window

    def _window_tokens(self) -> int:
        checkpoint = self._checkpoint
        if not checkpoint.shared:
            return _WINDOW
        each = token_bytes(checkpoint.kv_shapes, checkpoint.model.dtype)
        budget = int(free_for(checkpoint.model) * self._memory_fraction)
        return max(1, min(_WINDOW, budget // max(1, each)))

    def _read(self, texts: Sequence[GivenTokens], window: Sequence[int]) -> list[tuple[int, Known]]:
        shared = [n for n in window if self._shares(texts[n])]
        others = [n for n in window if not self._shares(texts[n])]
        read = self._read_shared(texts, shared) if shared else []
        return read + self._read_ordinarily(texts, others)

    def _shares(self, text: GivenTokens) -> bool:
        return self._checkpoint.shares(len(text.prompt_ids) + len(text.ids))

    @torch.inference_mode()
    def _read_shared(self, texts: Sequence[GivenTokens], window: Sequence[int]) -> list[tuple[int, Known]]:
        model = self._checkpoint.model
        # all but the last token of each prompt, which every text begins with
        heads = dict.fromkeys(texts[n].prompt_ids[:-1] for n in window)
        room = sum(map(len, heads)) + sum(len(texts[n].ids) for n in window)
        store = KVStore(
            self._checkpoint.kv_shapes,
            shared_tokens=room,
            rows=0,
            row_tokens=0,
            dtype=model.dtype,
            device=model.device,
        )
        taken = 0
        parents: dict[tuple[int, ...], tuple[tuple[int, int], ...]] = {}
        for head in heads:
            parents[head] = ((taken, len(head)),) if head else ()
            taken += len(head)
        # by length, so that a pass is not torn between long ones and short ones
        order = sorted(window, key=lambda n: (len(texts[n].ids), n))
        segments, targets = [], []
        for n in order:
            head, ids = texts[n].prompt_ids[:-1], (texts[n].prompt_ids[-1], *texts[n].ids[:-1])
            segments.append(SegmentTokens(ids, taken, parents[head]))
            targets.append(texts[n].ids)
            taken += len(ids)
        with attached(model):
            stored = [SegmentTokens(head, parents[head][0][0]) for head in heads if head]
            store_only(model, store, stored)
            columns: list[Known] = []
            flat = [token for ids in targets for token in ids]
            read = 0
            for logits in logits_of(model, store, segments, chunk=self._pass_tokens):
                part = flat[read : read + len(logits)]
                columns.append(known_of(logits, torch.tensor(part, device=logits.device)))
                read += len(part)
                self._tell(len(part))
        return list(zip(order, _cut(columns, [len(ids) for ids in targets]), strict=True))

    def _read_ordinarily(
        self, texts: Sequence[GivenTokens], window: Sequence[int]
    ) -> list[tuple[int, Known]]:
        """Read texts with the model's own attention, equally long ones together: nothing is padded."""

        def size(n: int) -> tuple[int, int]:
            return len(texts[n].prompt_ids) + len(texts[n].ids), len(texts[n].ids)

        found = []
        for (total, own), alike in groupby(sorted(window, key=size), key=size):
            numbers = list(alike)
            rows = max(1, self._pass_tokens // (own if self._sliced else total))
            for begin in range(0, len(numbers), rows):
                part = numbers[begin : begin + rows]
                found += list(zip(part, self._whole(texts, part), strict=True))
        return found

    @torch.inference_mode()
    def _whole(self, texts: Sequence[GivenTokens], numbers: Sequence[int]) -> list[Known]:
        """Read texts of one length behind prompts of one length."""
        model, own = self._checkpoint.model, len(texts[numbers[0]].ids)
        rows = [(*texts[n].prompt_ids, *texts[n].ids[:-1]) for n in numbers]
        ids = torch.tensor(rows, device=model.device)
        logits = self._logits(ids, own)
        switch = self._checkpoint.rope_switch
        behind = ids.shape[1] - own
        if switch is not None and behind < switch < ids.shape[1]:
            # up to there, positions were those of a shorter text when tokens were drawn
            logits[:, : switch - behind] = self._logits(ids[:, :switch], switch - behind)
        found = []
        for row, n in enumerate(numbers):
            found.append(known_of(logits[row], torch.tensor(texts[n].ids, device=logits.device)))
            self._tell(own)
        return found

    def _logits(self, ids: Tensor, last: int) -> Tensor:
        model = self._checkpoint.model
        kept = {"logits_to_keep": last} if self._sliced else {}
        with detached(model):
            logits: Tensor = model(input_ids=ids, use_cache=False, **kept).logits[:, -last:]
        return logits

    def _tell(self, tokens: int) -> None:
        if self._progress is not None:
            self._progress(tokens)


def _cut(columns: Sequence[Known], lengths: Sequence[int]) -> list[Known]:
    """Cut what is known of all tokens, pass after pass, into that of each text."""
    whole = Known(*(torch.cat(parts) for parts in zip(*columns, strict=True)))
    parts = zip(*(each.split(list(lengths)) for each in whole), strict=True)
    return [Known(*part) for part in parts]


def _reading(text: GivenTokens, known: Known | None) -> Reading:
    logprobs, certainties, confidences = ((), (), ()) if known is None else map(tuple, known.lists())
    return Reading(
        token_ids=text.ids,
        token_ends=text.ends,
        logprobs=logprobs,
        certainties=certainties,
        confidences=confidences,
        prompt_tokens=len(text.prompt_ids),
    )
