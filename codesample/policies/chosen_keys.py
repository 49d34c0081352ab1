"""A choice in use: the tokens that it names, put side by side, and how long it serves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from codesample.errors import PolicyError
from codesample.kernels.bifurcated_decode import KeptKeys
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

    def is_due(self, ask: Ask, policy: PrefixPolicy) -> bool:
        """Whether another choice has to be made for these queries."""
        if self.age >= policy.refresh:
            return True
        if self.mean is None:
            return False
        return bool(F.cosine_similarity(_mean(ask), self.mean, dim=0) < policy.similarity)


def gathered(choice: Choice | None, ask: Ask, policy: PrefixPolicy) -> ChosenKeys:
    """Put what a choice names side by side."""
    mean = _mean(ask) if policy.similarity > 0 and policy.refresh > 1 else None
    if choice is None:
        return ChosenKeys(None, None, 0, 0, mean)
    index = choice.tokens
    filled = index >= 0
    tokens = int(filled.sum())
    at = index.clamp_min(0)[..., None].expand(-1, -1, ask.keys.shape[2])
    k, v = ask.keys.gather(1, at), ask.values.gather(1, at)
    bias = None
    if tokens < index.numel() or choice.rest is not None:
        bias = torch.zeros(index.shape, dtype=k.dtype, device=k.device).masked_fill(~filled, float("-inf"))
    if choice.rest is not None and bias is not None:
        rest = choice.rest
        index = torch.cat([index, index.new_full(rest.bias.shape, -1)], dim=1)
        k, v = torch.cat([k, rest.k.to(k.dtype)], dim=1), torch.cat([v, rest.v.to(v.dtype)], dim=1)
        bias = torch.cat([bias, rest.bias.to(bias.dtype)], dim=1)
    return ChosenKeys(choice, KeptKeys(index, k, v, bias), tokens, k.nbytes + v.nbytes, mean)


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
    if choice.rest is not None:
        entries = choice.rest.bias.shape[1] if choice.rest.bias.dim() == 2 else -1
        shapes = [list(each.shape) for each in choice.rest]
        expected = [[kv_heads, entries, width]] * 2 + [[kv_heads, entries]]
        if shapes != expected:
            raise PolicyError(f"policy {name!r}: what stands for the rest is {shapes}; expected {expected}")


def _mean(ask: Ask) -> Tensor:
    wide = ask.queries.to(torch.promote_types(ask.queries.dtype, torch.float32))
    return wide.mean(dim=(0, 1)).flatten()
