"""What a served candidate took, as its server says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["Usage"]


@validated
@dataclass(frozen=True, slots=True)
class Usage:
    """What a request took, as the server that answered it says.

    Attributes:
        prompt_tokens: Tokens of the prompt; a server may have them stored.
        completion_tokens: Tokens that were drawn, those of reasoning included.
        cost: Price, in the server's currency; None where it names none.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None

    __repr__ = one_line

    @classmethod
    def total(cls, usages: Iterable[Usage]) -> Usage:
        """Return the sum; its cost is of those that name one."""
        given = list(usages)
        costs = [each.cost for each in given if each.cost is not None]
        return cls(
            prompt_tokens=sum(each.prompt_tokens for each in given),
            completion_tokens=sum(each.completion_tokens for each in given),
            cost=sum(costs) if costs else None,
        )
