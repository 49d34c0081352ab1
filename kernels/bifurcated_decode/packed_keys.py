"""Shared keys and values in 8 bits: keys by channel within groups of tokens, values by token, per KV head.

A key is stored as its distance from the middle of its channel's range within its group, which keeps channels
that are large throughout from costing the others their precision. Whatever reads, reads chunk by chunk.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["GROUP", "PACKED_DTYPES", "PackedKeys", "PackedKind", "PackedView", "whole_groups"]

GROUP = 64
"""Tokens whose keys have a range in common; a run of shared tokens begins with a group of its own."""

PackedKind = Literal["int8", "fp8"]
"""Integers, or floating point with 4 bits of exponent and 3 of mantissa (e4m3)."""

PACKED_DTYPES: dict[PackedKind, torch.dtype] = {"int8": torch.int8, "fp8": torch.float8_e4m3fn}

_LARGEST = {torch.int8: 127.0, torch.float8_e4m3fn: 448.0}


def whole_groups(tokens: int) -> int:
    """Return how many tokens of a pool a run of so many takes up."""
    return -(-tokens // GROUP) * GROUP


class PackedKeys(NamedTuple):
    """One layer's pool of C shared tokens, C a multiple of `GROUP`; G KV heads of width D.

    Attributes:
        k, v: [G, C, D], of a dtype of `PACKED_DTYPES`.
        k_scale, k_middle: [G, C / GROUP, D], fp32.
        v_scale: [G, C, 1], fp32.
    """

    k: Tensor
    v: Tensor
    k_scale: Tensor
    k_middle: Tensor
    v_scale: Tensor

    @classmethod
    def empty(
        cls, heads: int, tokens: int, width: int, *, kind: PackedKind, device: torch.device
    ) -> PackedKeys:
        """Make a pool with room for at least so many tokens; what it holds is not settled."""
        groups = -(-tokens // GROUP)
        dtype = PACKED_DTYPES[kind]
        k, v = (torch.empty(heads, groups * GROUP, width, dtype=dtype, device=device) for _ in range(2))
        scale, middle = (torch.empty(heads, groups, width, device=device) for _ in range(2))
        return cls(k, v, scale, middle, torch.empty(heads, groups * GROUP, 1, device=device))

    @property
    def tokens(self) -> int:
        """C."""
        return self.k.shape[1]

    @property
    def token_bytes(self) -> float:
        """What a token takes, its share of scales included."""
        return sum(x.nbytes for x in self) / max(self.tokens, 1)

    def bytes_of(self, tokens: int) -> int:
        """What a run of so many tokens takes, its share of scales included."""
        return round(self.token_bytes * tokens)

    def grown(self, tokens: int) -> PackedKeys:
        """Return a pool with room for at least so many tokens, what is held kept."""
        groups = max(-(-tokens // GROUP), self.tokens // GROUP) - self.tokens // GROUP
        # integers of the same width, for padding is not there for all dtypes
        k, v = (F.pad(x.view(torch.int8), (0, 0, 0, groups * GROUP)).view(x.dtype) for x in (self.k, self.v))
        scale, middle = (F.pad(x, (0, 0, 0, groups)) for x in (self.k_scale, self.k_middle))
        return PackedKeys(k, v, scale, middle, F.pad(self.v_scale, (0, 0, 0, groups * GROUP)))

    def write(self, start: int, k: Tensor, v: Tensor) -> None:
        """Store keys and values [G, T, D] from token `start` on.

        Where the first group holds tokens already, each such call rounds their keys once more.
        """
        count, held = k.shape[1], start % GROUP
        self.v_scale[:, start : start + count], self.v[:, start : start + count] = _by_token(v, self.v.dtype)
        if held:
            k = torch.cat([self.read(start - held, start, k.dtype)[0], k], dim=1)
        begin, groups = start - held, -(-(held + count) // GROUP)
        # repeating the last key moves no range
        missing = groups * GROUP - k.shape[1]
        k = torch.cat([k, k[:, -1:].expand(-1, missing, -1)], dim=1).unflatten(1, (groups, GROUP)).float()
        high, low = k.amax(dim=2), k.amin(dim=2)
        at = slice(begin // GROUP, begin // GROUP + groups)
        self.k_middle[:, at] = middle = (high + low) / 2
        self.k_scale[:, at] = scale = _scale((high - low) / 2, self.k.dtype)
        packed = _rounded((k - middle[:, :, None]) / scale[:, :, None], self.k.dtype)
        self.k[:, begin : begin + groups * GROUP] = packed.flatten(1, 2)

    def read(self, begin: int, end: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return keys and values of tokens [begin, end), [G, end - begin, D] both, in `dtype`."""
        first, last = begin // GROUP, -(-end // GROUP)
        wide = torch.promote_types(dtype, torch.float32)
        k = self.k[:, first * GROUP : last * GROUP].to(wide).unflatten(1, (last - first, GROUP))
        k = k.mul_(self.k_scale[:, first:last, None]).add_(self.k_middle[:, first:last, None])
        k = k.flatten(1, 2)[:, begin - first * GROUP : end - first * GROUP]
        v = self.v[:, begin:end].to(wide).mul_(self.v_scale[:, begin:end])
        return k.to(dtype), v.to(dtype)

    def gathered(self, tokens: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return keys and values of tokens [G, N] int64 of each head, [G, N, D] both, as `read` does."""
        wide, at = torch.promote_types(dtype, torch.float32), tokens[..., None]
        whole = at.expand(-1, -1, self.k.shape[2])
        groups = whole // GROUP
        # integers of the same width, for gathering is not there for all dtypes
        k, v = (x.view(torch.int8).gather(1, whole).view(x.dtype).to(wide) for x in (self.k, self.v))
        k = k.mul_(self.k_scale.gather(1, groups)).add_(self.k_middle.gather(1, groups))
        return k.to(dtype), v.mul_(self.v_scale.gather(1, at)).to(dtype)


class PackedView(NamedTuple):
    """Tokens [start, stop) of a pool, as [1, G, N, D] that is unpacked chunk by chunk."""

    pool: PackedKeys
    start: int
    stop: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """[1, G, N, D]."""
        heads, _, width = self.pool.k.shape
        return 1, heads, self.stop - self.start, width

    def chunk(self, begin: int, end: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return keys and values [begin, end) of the view, [1, G, end - begin, D] both."""
        k, v = self.pool.read(self.start + begin, self.start + end, dtype)
        return k[None], v[None]


def _by_token(x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    x = x.float()
    scale = _scale(x.abs().amax(dim=2, keepdim=True), dtype)
    return scale, _rounded(x / scale, dtype)


def _scale(largest: Tensor, dtype: torch.dtype) -> Tensor:
    # a channel that does not vary, or a value of zeros, is kept by any scale
    return torch.where(largest > 0, largest / _LARGEST[dtype], 1.0)


def _rounded(x: Tensor, dtype: torch.dtype) -> Tensor:
    most = _LARGEST[dtype]
    x = x.clamp(-most, most)
    return (x.round() if dtype == torch.int8 else x).to(dtype)
