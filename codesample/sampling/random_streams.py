"""One random number per (seed, problem, candidate, position), whatever batch the row runs in.

A row's key is a 64-bit hash of (seed, task id, index); the number at a position is the SplitMix64
finaliser of key + (position + 1) · γ, so any position is reached without drawing those before it.
Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

__all__ = ["row_key", "uniforms"]


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


_GAMMA = _signed(0x9E3779B97F4A7C15)
_MIX_1 = _signed(0xBF58476D1CE4E5B9)
_MIX_2 = _signed(0x94D049BB133111EB)


def row_key(seed: int, task_id: str, index: int) -> int:
    """Hash what names a row to a signed 64-bit integer (BLAKE2b, 8 bytes)."""
    name = f"{seed}\0{task_id}\0{index}".encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little", signed=True)


def uniforms(keys: Tensor, positions: Tensor) -> Tensor:
    """Draw one number in [0, 1) for each token of a row.

    Args:
        keys: [R], or [R, 1] for several tokens, int64, from `row_key`.
        positions: [R] or [R, K], int64, number of tokens the row has drawn before.
    Returns:
        Like `positions`, float64, multiples of 2^-53.
    """
    # int64 multiplication wraps as the unsigned one does; only the shifts need their sign bits cleared
    z = keys + (positions + 1) * _GAMMA
    z = (z ^ _shift_right(z, 30)) * _MIX_1
    z = (z ^ _shift_right(z, 27)) * _MIX_2
    z = z ^ _shift_right(z, 31)
    return _shift_right(z, 11).to(torch.float64) * 2.0**-53


def _shift_right(x: Tensor, bits: int) -> Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)
