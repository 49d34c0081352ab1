"""A prompt of any length run in strides into a bounded number of tokens, which then stand still."""

from __future__ import annotations

from dataclasses import dataclass

from codesample.policies.cascade import Cascade
from codesample.records.fields import setting

__all__ = ["FrozenPrompt"]


@dataclass(frozen=True)
class FrozenPrompt(Cascade):
    """Keep a cascade of a prompt's tokens, chosen while it is run, for prompts past a model's positions.

    A prompt of at most `capacity` + `first` tokens is run and stored as ever. A longer one is run in strides,
    each of which attends to what is kept by then and to itself; then its own tokens compete for a place. What
    is left behind the last stride is stored once, read by all rows, and never changes. Tokens stand at the
    positions of their ranks among those that are kept, so that no position is past what a model knows.

    Attributes:
        stride: Tokens that are run at once.

    Raises:
        ParameterError: see `Cascade`; or `stride` is below 1.
    Source: arXiv:2406.17808, with rings that all take everything until they are full.
    """

    name = "cascade"

    stride: int = setting(
        1024, "Tokens that are run at once.", expected="at least 1", holds=lambda value: value >= 1
    )

    def held(self, tokens: int) -> int:
        """Return how many of a prompt's tokens are stored."""
        return min(tokens, self.kept)
