"""Decode steps of candidates of one long prompt, by every key and by what policies read of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codesample.bench.timing import now
from codesample.errors import ModelError
from codesample.kernels.bifurcated_decode import (
    ALL_KEYS,
    DecodeBatch,
    KeySelection,
    PreparedBatch,
    Segment,
    prepare_batch,
)
from codesample.policies.accounting import Account
from codesample.policies.contract import PrefixPolicy
from codesample.policies.prefix_reads import PrefixReads
from codesample.policies.prompt_tails import PromptTails
from codesample.sampling.attention_hook import DecodeState, attached
from codesample.sampling.kv_store import KVShape, KVStore
from codesample.sampling.packed_weights import PackedWeights
from codesample.sampling.prefill import SegmentTokens, prefill

__all__ = ["Pass", "PolicyBench", "total_variation", "typical"]

# rows whose distributions are compared with those of exact steps
_COMPARED = 4
# last queries of the prompt that are kept for policies
_TAIL = 512


class Pass(NamedTuple):
    """One pass over the steps: seconds of each, what was read, and next-token probabilities of a few rows.

    `probabilities` is [steps, rows, vocabulary].
    """

    seconds: list[float]
    account: Account
    probabilities: Tensor


class PolicyBench:
    """Steps candidates behind one prompt; all passes draw the tokens that exact steps drew first.

    Args:
        model: On the shared path.
        kv_shapes: Its own, see `Checkpoint`.
        prompt: Tokens.
        rows: Candidates.
        steps: Of a pass.
        temperature: At which exact steps draw.

    Attributes:
        prefill_seconds: Of the prompt.

    Raises:
        ModelError: keys and values do not fit into memory.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        kv_shapes: Sequence[KVShape],
        prompt: Sequence[int],
        *,
        rows: int,
        steps: int,
        temperature: float = 0.8,
    ) -> None:
        self._model, self._prompt, self._rows, self._steps = model, list(prompt), rows, steps
        self._store = KVStore(
            kv_shapes,
            shared_tokens=len(prompt),
            rows=rows,
            row_tokens=steps,
            dtype=model.dtype,
            device=model.device,
        )
        self._packed, self._temperature = PackedWeights.of(model), temperature
        self._tokens = torch.zeros(0, rows, dtype=torch.int64, device=model.device)
        begun = now(model.device)
        self._first = self._stored()
        self.prefill_seconds = now(model.device) - begun

    def _multiplying(self) -> AbstractContextManager[None]:
        return self._packed.used() if self._packed else nullcontext()

    @torch.inference_mode()
    def _stored(self) -> Tensor:
        tails = PromptTails([0], _TAIL)
        with attached(self._model), self._multiplying():
            logits = prefill(self._model, self._store, [SegmentTokens(self._prompt, 0)], tails=tails)
        self._tails = tails.of(0)
        return logits[0]

    @torch.inference_mode()
    def _prepared(self, policy: PrefixPolicy) -> PrefixReads:
        reads, ranges = PrefixReads(policy, self._store.layers), [(0, len(self._prompt))]
        if reads.rerun > _TAIL:
            raise ModelError(f"policy {policy.name!r} wants {reads.rerun} last queries; {_TAIL} are kept")
        tails = reads.tails(ranges)
        for layer, tail in self._tails.items():
            tails.hear(0, layer, tail.queries, tail.scores)
        reads.prepare(ranges, tails)
        return reads

    def exact(self) -> Pass:
        """Step by every key; the first pass draws the tokens."""
        return self._pass(ALL_KEYS, Account())

    def by(self, policy: PrefixPolicy, *, audit: bool = False) -> Pass:
        """Step by what a policy reads, whatever its guard; with an audit of every step, which is not timed.

        Raises:
            ModelError: no exact pass has drawn tokens yet.
        """
        if not len(self._tokens):
            raise ModelError("no tokens are drawn yet; step exactly first")
        changes: dict[str, Any] = {"guard": 0, "audit": 1 if audit else 0}
        taken = {name: value for name, value in changes.items() if name in policy.parameters()}
        policy = replace(policy, **taken) if taken else policy  # type: ignore[type-var]
        reads = self._prepared(policy)
        found = self._pass(reads, reads.account, reads)
        return found._replace(account=reads.account)

    @torch.inference_mode()
    def _pass(self, selection: KeySelection, account: Account, reads: PrefixReads | None = None) -> Pass:
        rows, length = self._rows, len(self._prompt)
        batch = DecodeBatch.build(
            [Segment(0, length, 0, rows, 0)], slots=range(rows), own_starts=[length] * rows
        )
        if reads is not None:
            batch = reads.lay_out(batch, [(0, length)])
        prepared = prepare_batch(batch, self._model.device, selection=selection)
        seconds, kept = [], []
        drawing = not len(self._tokens)
        generator = torch.Generator().manual_seed(0)
        tokens = self._draw(self._first.expand(rows, -1), generator) if drawing else self._tokens[0]
        drawn = [tokens]
        with attached(self._model), self._multiplying():
            for step in range(self._steps):
                begun = now(self._model.device)
                logits = self._step(prepared, tokens, step)
                seconds.append(now(self._model.device) - begun)
                kept.append(logits[:_COMPARED].float().softmax(dim=1))
                if step + 1 < self._steps:
                    tokens = self._draw(logits, generator) if drawing else self._tokens[step + 1]
                    drawn.append(tokens)
        if drawing:
            self._tokens = torch.stack(drawn)
        return Pass(seconds, account, torch.stack(kept))

    def _step(self, prepared: PreparedBatch, tokens: Tensor, step: int) -> Tensor:
        lens = torch.full((self._rows,), step, dtype=torch.int32, device=tokens.device)
        logits: Tensor = self._model(
            input_ids=tokens[:, None],
            position_ids=torch.full((self._rows, 1), len(self._prompt) + step, device=tokens.device),
            use_cache=False,
            codesample_kv=DecodeState(self._store.layers, prepared, lens),
        ).logits
        return logits[:, -1]

    def _draw(self, logits: Tensor, generator: torch.Generator) -> Tensor:
        weights = (logits.float() / self._temperature).softmax(dim=1).cpu()
        return torch.multinomial(weights, 1, generator=generator)[:, 0].to(self._model.device)


def total_variation(one: Tensor, other: Tensor) -> float:
    """Return the mean total variation of two sets of distributions, last dimension."""
    return float((one - other).abs().sum(dim=-1).mean() / 2)


def typical(seconds: Sequence[float]) -> float:
    """Return the median without the first step, which pays for what is made once."""
    return median(seconds[1:] or seconds)
