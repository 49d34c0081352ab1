"""What is sampled in a decode benchmark: prompts of random tokens, candidates for each, tokens of each."""

from __future__ import annotations

import random
from typing import NamedTuple

__all__ = ["WORKLOADS", "Workload"]


class Workload(NamedTuple):
    """Prompts and how much is drawn from each.

    Attributes:
        header: Tokens that all prompts start with.
        lengths: Tokens of each prompt behind the header.
        n: Candidates per prompt.
        new: Tokens per candidate; no candidate ends earlier.
    """

    header: int
    lengths: tuple[int, ...]
    n: int
    new: int

    def prompts(self, vocabulary: int) -> list[list[int]]:
        """Return random tokens of these lengths; the same at every call."""
        draw = random.Random(0)
        header = [draw.randrange(vocabulary) for _ in range(self.header)]
        return [header + [draw.randrange(vocabulary) for _ in range(size)] for size in self.lengths]


WORKLOADS = {
    # the 5th, 35th, 65th and 95th percentile of HumanEval's prompts at 3.3 characters a token
    "humaneval": Workload(0, (70, 112, 153, 264), 32, 128),
    # three solved examples in front, as MBPP is asked
    "mbpp-three-shot": Workload(420, (60, 75, 90, 140), 32, 128),
    "2k": Workload(0, (2048,), 32, 64),
    "8k": Workload(0, (8192,), 32, 64),
}
"""Workloads by name."""
