"""Decode steps of candidates of one long prompt, by every key and by what policies read of it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codesample.bench.policy_stands import Stand, Stands
from codesample.bench.timing import now
from codesample.errors import ModelError
from codesample.kernels.bifurcated_decode import ALL_KEYS, DecodeBatch, PreparedBatch, Segment
from codesample.policies.accounting import Account
from codesample.policies.cascade import CascadeStep
from codesample.sampling.attention_hook import DecodeState
from codesample.sampling.kv_store import KVShape
from codesample.sampling.policy_choice import PolicyChoice

__all__ = ["Pass", "PolicyBench", "total_variation", "typical"]

# rows whose distributions are compared with those of exact steps
_COMPARED = 4


class Pass(NamedTuple):
    """One pass over the steps.

    Attributes:
        seconds: Of each.
        account: What was read, of steps, and of the prompt while it was run.
        probabilities: Of next tokens of a few rows, [steps, rows, vocabulary].
        prefill_seconds: Of the prompt, where the policy has one run for itself.
        own_tokens: That a row held at the end.
        prompt_share: Of the prompt's tokens, those that were stored.
    """

    seconds: list[float]
    account: Account
    probabilities: Tensor
    prefill_seconds: float | None
    own_tokens: int
    prompt_share: float


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
        self._model, self._tokens_before, self._rows, self._steps = model, len(prompt), rows, steps
        self._stands = Stands(model, kv_shapes, prompt, rows=rows, steps=steps)
        self._temperature = temperature
        self._tokens = torch.zeros(0, rows, dtype=torch.int64, device=model.device)
        self.prefill_seconds = self._stands.whole.seconds

    def exact(self) -> Pass:
        """Step by every key; the first pass draws the tokens."""
        return self._pass(self._stands.whole, PolicyChoice())

    def by(self, choice: PolicyChoice, *, audit: bool = False) -> Pass:
        """Step by a policy that is fitted to the model, whatever its guards; an audit takes time.

        Where a policy stores the prompt otherwise, it is run for it, once for all passes without an audit.

        Raises:
            ModelError: no exact pass has drawn tokens yet, or the policy wants more queries than are kept.
            ParameterError: there are more steps than the policy reads own tokens of rightly.
        """
        if not len(self._tokens):
            raise ModelError("no tokens are drawn yet; step exactly first")
        choice.expect_own(self._steps, by="steps")
        return self._pass(self._stands.of(choice, audit=audit), choice.measured(audit=audit))

    @torch.inference_mode()
    def _pass(self, stand: Stand, choice: PolicyChoice) -> Pass:
        rows, device, store = self._rows, self._model.device, stand.store
        length, own_start = store.held(self._tokens_before), store.own_start(self._tokens_before)
        batch = DecodeBatch.build(
            [Segment(0, length, 0, rows, 0)], slots=range(rows), own_starts=[own_start] * rows
        )
        reads = stand.prepared(choice, length)
        if reads is not None:
            batch = reads.lay_out(batch, [(0, length)])
        prepared = choice.preparing("auto")(batch, device, selection=reads or ALL_KEYS)
        drawn = torch.ones(rows, dtype=torch.int64, device=device)
        own, cache = None, store.own
        # as long as all own tokens are kept nobody has to look
        if cache is not None and self._steps > cache.settings.kept:
            own = cache.over(batch.slots, drawn)
        seconds, kept = [], []
        drawing = not len(self._tokens)
        generator = torch.Generator().manual_seed(0)
        tokens = self._draw(stand.first.expand(rows, -1), generator) if drawing else self._tokens[0]
        given = [tokens]
        with self._stands.multiplying():
            for step in range(self._steps):
                begun = now(device)
                logits = self._step(stand, prepared, own, tokens, drawn)
                seconds.append(now(device) - begun)
                drawn += 1
                kept.append(logits[:_COMPARED].float().softmax(dim=1))
                if step + 1 < self._steps:
                    tokens = self._draw(logits, generator) if drawing else self._tokens[step + 1]
                    given.append(tokens)
        if drawing:
            self._tokens = torch.stack(given)
        held = self._steps if own is None else min(self._steps, int(own.stored.max()))
        run = None if stand is self._stands.whole else stand.seconds
        share = length / self._tokens_before
        return Pass(seconds, stand.account(choice), torch.stack(kept), run, held, share)

    def _step(
        self,
        stand: Stand,
        prepared: PreparedBatch,
        own: CascadeStep | None,
        tokens: Tensor,
        drawn: Tensor,
    ) -> Tensor:
        at = drawn - 1
        lens = (at if own is None else own.stored).to(torch.int32)
        logits: Tensor = self._model(
            input_ids=tokens[:, None],
            position_ids=(stand.store.own_start(self._tokens_before) + at)[:, None],
            use_cache=False,
            codesample_kv=DecodeState(stand.store.layers, prepared, lens, own=own),
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
