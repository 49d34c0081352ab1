"""One long prompt as policies store it: run once for all that store it as ever, and once for each other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codesample.bench.timing import now
from codesample.errors import ModelError
from codesample.policies.accounting import Account
from codesample.policies.prefix_reads import PrefixReads
from codesample.policies.prompt_tails import PromptTails, Tail
from codesample.sampling.kv_store import KVShape, KVStore
from codesample.sampling.learned_listening import listening
from codesample.sampling.packed_weights import PackedWeights, multiplying
from codesample.sampling.policy_choice import PolicyChoice
from codesample.sampling.prefill import CHUNK, SegmentTokens, prefill
from codesample.sampling.prompt_storing import prompt_storing

__all__ = ["Stand", "Stands"]

# last queries of the prompt that are kept for policies
_TAIL = 512


@dataclass(frozen=True)
class Stand:
    """A stored prompt, and slots for the rows behind it.

    Attributes:
        store: Keys and values.
        choice: By which they were made.
        tails: By layer what the prefill told.
        first: [V], logits behind the prompt.
        seconds: That running the prompt took.
    """

    store: KVStore
    choice: PolicyChoice
    tails: dict[int, Tail]
    first: Tensor
    seconds: float

    @torch.inference_mode()
    def prepared(self, choice: PolicyChoice, tokens: int) -> PrefixReads | None:
        """Let a choice prepare the prompt, of so many tokens; None where it reads all as it is.

        Raises:
            ModelError: it wants more of the prompt's queries than are kept.
        """
        reads, ranges = choice.reads(self.store.layers), [(0, tokens)]
        if reads is None:
            return None
        if not reads.scorers and reads.rerun > _TAIL:
            raise ModelError(f"policy {reads.name!r} wants {reads.rerun} last queries; {_TAIL} are kept")
        tails = reads.tails(ranges)
        for layer, tail in self.tails.items():
            tails.hear(0, layer, tail.queries, tail.scores)
            if tail.learned is not None:
                tails.hear_scores(0, layer, tail.learned)
        reads.prepare(ranges, tails)
        return reads

    def account(self, choice: PolicyChoice) -> Account:
        """Return what a choice's steps read, and what was read and moved when the prompt was run."""
        steps, run = choice.account or Account(), self.choice.account or Account()
        storage = steps.storage
        if storage is not None and run.storage is not None:
            moved = {name: getattr(run.storage, name) for name in ("queries", "output_error", "worst_error")}
            storage = replace(storage, **moved)
        return replace(steps, prefill=run.prefill, storage=storage)


class Stands:
    """Runs a prompt for every way to store it.

    Args:
        model: On the shared path.
        kv_shapes: Its own, see `Checkpoint`.
        prompt: Tokens.
        rows, steps: For how many rows of how many tokens there are slots.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        kv_shapes: Sequence[KVShape],
        prompt: Sequence[int],
        *,
        rows: int,
        steps: int,
    ) -> None:
        self._model, self._shapes, self._prompt = model, kv_shapes, list(prompt)
        self._rows, self._steps, self._packs = rows, steps, PackedWeights.of(model)
        self.whole = self._stored(PolicyChoice())
        self._others: dict[str, Stand] = {}

    def multiplying(self) -> AbstractContextManager[None]:
        """Attach the model and use what copies of its weights there are."""
        return multiplying(self._model, self._packs)

    def of(self, choice: PolicyChoice, *, audit: bool) -> Stand:
        """Return the prompt as a choice stores it; one that is audited meanwhile is not kept."""
        if not choice.stores_otherwise:
            return self.whole
        if audit:
            return self._stored(choice.measured(audit=True))
        if choice.spelt not in self._others:
            self._others[choice.spelt] = self._stored(choice.measured(audit=False))
        return self._others[choice.spelt]

    @torch.inference_mode()
    def _stored(self, choice: PolicyChoice) -> Stand:
        model, tokens = self._model, len(self._prompt)
        store = KVStore(
            self._shapes,
            shared_tokens=tokens,
            rows=self._rows,
            row_tokens=self._steps,
            dtype=model.dtype,
            device=model.device,
            packed=choice.packed(tokens),
            cascade=choice.cascade,
            frozen=choice.frozen,
        )
        begun = now(model.device)
        tails = PromptTails([0], _TAIL, choice.storage_tally)
        with self.multiplying(), listening(model, choice.scorers, tails):
            segment = SegmentTokens(self._prompt, 0)
            if store.held(tokens) < tokens:
                storing = prompt_storing(model, store, shift=choice.shift)
                logits = storing([segment], CHUNK)
            else:
                reads = choice.prefill_reads(len(self._shapes))
                logits = prefill(model, store, [segment], tails=tails, reads=reads)
        return Stand(store, choice, tails.of(0), logits[0], now(model.device) - begun)
