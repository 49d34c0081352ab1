"""Runs prompts longer than a model's positions: strides that attend to what a cascade keeps of all before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codesample.kernels.bifurcated_decode import LayerStore, ScoreOptions
from codesample.policies.cascade import CascadeRings
from codesample.policies.prefill.frozen_prompt import FrozenPrompt
from codesample.policies.row_scores import row_logits
from codesample.sampling.kv_store import KVStore
from codesample.sampling.prefill import SegmentTokens, run_pass
from codesample.sampling.rotary_shift import RotaryShift

__all__ = ["attend_and_score", "frozen_prefill"]

# queries handled at once, whose scores are materialised
_BLOCK = 128


@torch.inference_mode()
def frozen_prefill(
    model: PreTrainedModel,
    store: KVStore,
    segment: SegmentTokens,
    settings: FrozenPrompt,
    shift: RotaryShift,
) -> Tensor:
    """Store what a cascade keeps of a whole prompt, in its range of the pool.

    The model's attention must be attached (see `attention_hook`).

    Args:
        store: With a range of `settings.held(N)` tokens for a prompt of N.
        segment: The prompt.
        settings: What is kept, and how many tokens are run at once.
        shift: The model's rotation.

    Returns:
        [1, V], the logits behind the prompt's last token.
    """
    layers, ids = store.layers, list(segment.ids)
    rings = CascadeRings(settings, len(layers), len(ids))
    kept = [_Kept.nothing(layer) for layer in layers]
    logits = torch.empty(0)
    for begin in range(0, len(ids), settings.stride):
        given, held = ids[begin : begin + settings.stride], settings.held(begin)
        state = _Stride(layers, kept, shift, settings.decay)
        places = range(held, held + len(given))
        logits = run_pass(model, given, places, state, [len(given) - 1])
        seen = torch.stack([state.seen[layer] for layer in range(len(layers))])
        rings.take(seen.cpu(), len(given))
        kept = [state.candidates[layer].those(rings.held[layer]) for layer in range(len(layers))]
    for layer, each in zip(layers, kept, strict=True):
        layer.write(segment.start, *each.at_ranks(shift, layer.k_shared.dtype))
    return logits


@dataclass
class _Kept:
    """Tokens of one layer: their numbers [N] on the host, keys turned to position 0 and values, [G, N, D]."""

    tokens: Tensor
    k: Tensor
    v: Tensor

    @classmethod
    def nothing(cls, layer: LayerStore) -> _Kept:
        k, v = layer.k_shared[:, :0], layer.v_shared[:, :0]
        return cls(torch.empty(0, dtype=torch.int64), k.to(torch.promote_types(k.dtype, torch.float32)), v)

    def those(self, tokens: Tensor) -> _Kept:
        """Return some of them, by their numbers; both are rising."""
        at = torch.searchsorted(self.tokens, tokens).to(self.k.device)
        return _Kept(tokens, self.k[:, at], self.v[:, at])

    def at_ranks(self, shift: RotaryShift, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return keys at the positions of their ranks, and values."""
        ranks = torch.arange(self.k.shape[1], device=self.k.device)
        return shift.turned(self.k, torch.zeros_like(ranks), ranks).to(dtype), self.v


@dataclass
class _Stride:
    """What attention does in one stride; see `PassState`.

    `kept` is by layer what there is of the tokens before. `seen` collects by layer the attention that those
    and the stride's own get, [N + T], and `candidates` what may be kept behind it.
    """

    layers: Sequence[LayerStore]
    kept: Sequence[_Kept]
    shift: RotaryShift
    decay: float
    reached: set[int] = field(default_factory=set)
    seen: dict[int, Tensor] = field(default_factory=dict)
    candidates: dict[int, _Kept] = field(default_factory=dict)

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scores: ScoreOptions) -> Tensor:
        """Attend from [1, H, T, D] to what is kept and to the stride itself, [1, T, H, D]."""
        self.reached.add(layer)
        kept = self.kept[layer]
        before, values = kept.at_ranks(self.shift, k.dtype)
        keys, values = torch.cat([before, k[0]], dim=1), torch.cat([values, v[0]], dim=1)
        out, self.seen[layer] = attend_and_score(q[0], keys, values, scores, self.decay)
        held, new = before.shape[1], k.shape[2]
        at = torch.arange(held, held + new, device=k.device)
        first = int(kept.tokens[-1]) + 1 if held else 0
        self.candidates[layer] = _Kept(
            torch.cat([kept.tokens, torch.arange(first, first + new)]),
            torch.cat([kept.k, self.shift.turned(k[0], at, torch.zeros_like(at))], dim=1),
            values,
        )
        return out[None]


def attend_and_score(
    q: Tensor, k: Tensor, v: Tensor, scores: ScoreOptions, decay: float
) -> tuple[Tensor, Tensor]:
    """Attend the last T of N tokens to all up to themselves, and say what attention each token got.

    Args:
        q: [H, T, D]; query head h reads KV head h // (H / G).
        k, v: [G, N, D].
        scores: Scale, soft cap and sinks; no window.
        decay: Of the mean of what tokens get, per query.

    Returns:
        [T, H, D], dtype of q; and [N] in at least float32: the sum over queries, the older ones decayed, of
        (1 - decay) times the most that any head paid.
    """
    kv_heads, tokens, width = v.shape
    heads, queries, _ = q.shape
    wide = torch.promote_types(q.dtype, torch.float32)
    rows, first = q.to(wide).unflatten(0, (kv_heads, -1)), tokens - queries
    ages = torch.arange(queries - 1, -1, -1, device=q.device)
    factors = (1 - decay) * torch.tensor(decay, dtype=wide, device=q.device) ** ages
    seen = torch.zeros(tokens, dtype=wide, device=q.device)
    outs = []
    for begin in range(0, queries, _BLOCK):
        end = min(begin + _BLOCK, queries)
        sees = first + end
        logits = row_logits(rows[:, :, begin:end].flatten(1, 2), k[:, :sees], scores)
        logits = logits.unflatten(1, (-1, end - begin))
        at = torch.arange(first + begin, sees, device=q.device)
        of = torch.arange(sees, device=q.device)
        logits = logits.masked_fill(of > at[:, None], float("-inf"))
        total = logits.logsumexp(dim=3, keepdim=True)
        if scores.sinks is not None:
            total = torch.logaddexp(total, scores.sinks.to(total).view(kv_heads, -1, 1, 1))
        weights = (logits - total).exp()
        seen[:sees] += factors[begin:end] @ weights.amax(dim=(0, 1))
        out = weights.flatten(1, 2) @ v[:, :sees].to(wide)
        outs.append(out.view(heads, end - begin, width))
    return torch.cat(outs, dim=1).transpose(0, 1).to(q.dtype), seen
