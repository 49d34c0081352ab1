"""Blocks of a prompt that read an anchor and themselves alone: the first phase of Star Attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from codesample.policies.prefill.prefill_policy import PrefillAsk, PrefillPass, PrefillPolicy, Stretch
from codesample.records.fields import check_settings, setting

__all__ = ["Star", "StarLayout"]

_QUARTERS = 4


@dataclass(frozen=True)
class StarLayout:
    """How a run of `stop` tokens is cut.

    Attributes:
        block: Tokens of a block.
        anchor: First tokens, which every block reads.
        tail: Where the last tokens begin, which read everything.
        stop: Where the run ends.
    """

    block: int
    anchor: int
    tail: int
    stop: int

    def own(self, position: int) -> int:
        """Return the first key besides the anchor that the token at a position reads; 0: it reads all."""
        first = position - position % self.block
        return 0 if position >= self.tail or first <= self.anchor else first

    def border(self, position: int) -> int:
        """Return the next position at which another block, the tail or the end begins."""
        after = position - position % self.block + self.block
        return min(each for each in (after, self.tail, self.stop) if each > position)


@dataclass(frozen=True)
class Star(PrefillPolicy):
    """Let each block of a prompt attend to itself and the first tokens, and the prompt's end to everything.

    Attributes:
        block: Tokens of a block; 0 is a quarter of the run.
        anchor: First tokens that every block reads too; 0 is as many as a block has.
        tail: Last tokens, which read everything, as those do that are drawn.
        guard: Runs that end before so many tokens are run in full.
        audit: Of every so manieth stretch some queries measure what they miss; 0: none.

    Positions are the true ones, so an anchor's keys are the same for all blocks and are computed once.

    Raises:
        ParameterError: a value outside its range.
    Source: arXiv:2411.17116, its first phase; the second is `hosts=N`.
    """

    name = "star"

    block: int = setting(
        0,
        "Tokens of a block; 0: a quarter of the run.",
        expected="a number of tokens, 0 for a quarter",
        holds=lambda value: value >= 0,
    )
    anchor: int = setting(
        0,
        "First tokens that every block reads; 0: as many as a block has.",
        expected="a number of tokens, 0 for as many as a block has",
        holds=lambda value: value >= 0,
    )
    tail: int = setting(
        512, "Last tokens, which read everything.", expected="at least 1", holds=lambda value: value >= 1
    )
    guard: int = setting(
        32768, "Shorter runs are run in full.", expected="at least 0", holds=lambda value: value >= 0
    )
    audit: int = setting(
        0,
        "Measure at every so manieth stretch what is missed.",
        expected="a number of stretches, 0 for none",
        holds=lambda value: value >= 0,
    )

    def __post_init__(self) -> None:
        check_settings(self)

    def layout(self, stop: int) -> StarLayout:
        """Cut a run that ends behind `stop` tokens."""
        block = self.block or -(-stop // _QUARTERS)
        return StarLayout(block, min(self.anchor or block, stop), max(0, stop - self.tail), stop)

    def begin(self) -> PrefillPass:
        """Begin a pass, which needs to know nothing."""
        return _StarPass(self)


class _StarPass(PrefillPass):
    def __init__(self, policy: Star) -> None:
        self._policy = policy

    def stretches(self, ask: PrefillAsk) -> Sequence[Stretch]:
        """Cut the tokens where blocks begin."""
        layout = self._policy.layout(ask.stop)
        anchor = torch.arange(layout.anchor, device=ask.keys.device).expand(len(ask.keys), -1)
        found: list[Stretch] = []
        begin = ask.begin
        while begin < ask.end:
            end, own = min(layout.border(begin), ask.end), layout.own(begin)
            if own:
                found.append(Stretch(begin, end, own, anchor))
            elif found and found[-1].earlier is None:
                found[-1] = found[-1]._replace(end=end)
            else:
                found.append(Stretch(begin, end))
            begin = end
        return found
