"""Exact prefill of one prompt by several processes, which pass their keys round in a ring."""

from __future__ import annotations

from dataclasses import dataclass

from codesample.policies.parametrised import Parametrised
from codesample.records.fields import check_settings, setting

__all__ = ["Ring"]


@dataclass(frozen=True)
class Ring(Parametrised):
    """Run each part of a prompt in one process of several, whose keys go round; exact, and asks for `hosts`.

    Attributes:
        chunk: Tokens that each process runs in a forward pass.

    Each process has two pieces of every stretch of `hosts` times `chunk` tokens, the r-th from its start and
    from its end, so that all have as many pairs of query and key to compute.

    Raises:
        ParameterError: a value outside its range.
    Source: the forward pass of arXiv:2403.09347 (BurstAttention), whose gain is in its backward pass.
    """

    name, exact = "ring", True

    chunk: int = setting(
        2048, "Tokens of a process's forward pass.", expected="at least 2", holds=lambda value: value >= 2
    )

    def __post_init__(self) -> None:
        check_settings(self)
