"""A choice in use: the tokens that it names, put side by side, and how long it serves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from codesample.errors import PolicyError
from codesample.kernels.bifurcated_decode import KeptKeys, LayerStore
from codesample.policies.contract import Ask, Choice, PrefixPolicy

__all__ = ["ChosenKeys", "expect_choice", "gathered"]


@dataclass
class ChosenKeys:
    """Keys of one layer that some rows read.

    Attributes:
        choice: As the policy made it; None where every key is read.
        kept: What the chosen tokens hold, and behind them what stands for the rest.
        tokens: How many are read, over all KV heads.
        bytes: Of `kept`, keys and values.
        mean: [H * D], of the queries that it was made for; None where nobody asks.
        age: Steps that it has served.
    """

    choice: Choice | None
    kept: KeptKeys | None
    tokens: int
    bytes: int
    mean: Tensor | None
    age: int = 0

    def is_due(self, queries: Tensor, policy: PrefixPolicy) -> bool:
        """Whether another choice has to be made for these queries [R, Q, H, D]."""
        steps = None if self.choice is None else self.choice.steps
        if self.age >= (policy.refresh if steps is None else steps):
            return True
        if self.mean is None:
            return False
        return bool(F.cosine_similarity(_mean(queries), self.mean, dim=0) < policy.similarity)


def gathered(
    choice: Choice | None, ask: Ask, policy: PrefixPolicy, store: LayerStore, start: int
) -> ChosenKeys:
    """Put what a choice names of a run side by side, which begins with token `start` of the store's pool."""
    mean = _mean(ask.queries) if policy.similarity > 0 and policy.refresh > 1 else None
    if choice is None:
        return ChosenKeys(None, None, 0, 0, mean)
    index = choice.tokens
    filled = index >= 0
    tokens = int(filled.sum())
    k, v = store.gathered(start, index.clamp_min(0))
    if choice.gate is not None:
        v = v * choice.gate[..., None].to(v.dtype)
    bias = None
    if tokens < index.numel() or choice.rest is not None:
        bias = torch.zeros(index.shape, dtype=k.dtype, device=k.device).masked_fill(~filled, float("-inf"))
    if choice.rest is not None and bias is not None:
        rest = choice.rest
        index = torch.cat([index, index.new_full(rest.bias.shape, -1)], dim=1)
        k, v = torch.cat([k, rest.k.to(k.dtype)], dim=1), torch.cat([v, rest.v.to(v.dtype)], dim=1)
        bias = torch.cat([bias, rest.bias.to(bias.dtype)], dim=1)
    kept = KeptKeys(index, k, v, bias, _seen(choice, ask, index.shape[1]))
    return ChosenKeys(choice, kept, tokens, k.nbytes + v.nbytes, mean)


def _seen(choice: Choice, ask: Ask, entries: int) -> Tensor | None:
    """Return what is seen in the form of `KeptKeys`; everybody sees what stands for the rest."""
    if choice.seen is None:
        return None
    rows, queries, heads, _ = ask.queries.shape
    kv_heads, tokens = choice.tokens.shape
    seen = choice.seen.expand(kv_heads, heads // kv_heads, rows, queries, tokens)
    seen = seen.permute(0, 2, 3, 1, 4).reshape(kv_heads, -1, tokens)
    return F.pad(seen, (0, entries - tokens), value=True)


def expect_choice(name: str, choice: Choice, ask: Ask) -> None:
    """Refuse a choice that is not of the form that `Choice` states.

    Raises:
        PolicyError: as said; names the policy.
    """
    index, (kv_heads, stored, width) = choice.tokens, ask.keys.shape
    if index.dim() != 2 or len(index) != kv_heads or index.dtype != torch.int64:
        raise PolicyError(
            f"policy {name!r} chose {list(index.shape)} {index.dtype}; expected [{kv_heads}, N] torch.int64"
        )
    before, following = index[:, :-1], index[:, 1:]
    rising = ((following > before) & (before >= 0)) | (following == -1)
    inside = (index < stored) & (index >= -1)
    if not (bool(rising.all()) and bool(inside.all())):
        raise PolicyError(
            f"policy {name!r} chose tokens that do not rise, or lie outside of the {stored} stored ones"
        )
    _expect_extras(name, choice, ask)
    if choice.rest is not None:
        entries = choice.rest.bias.shape[1] if choice.rest.bias.dim() == 2 else -1
        shapes = [list(each.shape) for each in choice.rest]
        expected = [[kv_heads, entries, width]] * 2 + [[kv_heads, entries]]
        if shapes != expected:
            raise PolicyError(f"policy {name!r}: what stands for the rest is {shapes}; expected {expected}")


def _expect_extras(name: str, choice: Choice, ask: Ask) -> None:
    rows, queries, heads, _ = ask.queries.shape
    kv_heads, tokens = choice.tokens.shape
    if choice.seen is not None:
        whole = (kv_heads, heads // kv_heads, rows, queries, tokens)
        shape = choice.seen.shape
        fits = len(shape) == 5 and all(n in (1, most) for n, most in zip(shape, whole, strict=True))
        if not fits or shape[::4] != whole[::4] or choice.seen.dtype != torch.bool:
            raise PolicyError(
                f"policy {name!r}: seen is {list(shape)} {choice.seen.dtype}; expected {list(whole)} bool, "
                "or 1 in the place of the middle ones"
            )
    if choice.gate is not None and choice.gate.shape != choice.tokens.shape:
        raise PolicyError(
            f"policy {name!r}: gate is {list(choice.gate.shape)}; expected {list(choice.tokens.shape)}"
        )


def _mean(queries: Tensor) -> Tensor:
    wide = queries.to(torch.promote_types(queries.dtype, torch.float32))
    return wide.mean(dim=(0, 1)).flatten()
