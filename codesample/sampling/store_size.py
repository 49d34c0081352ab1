"""How many rows decode together and how large the KV store is, from the memory that is really free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from codesample.errors import ModelError
from codesample.sampling.memory import size_text
from codesample.sampling.prompts import Prompt

__all__ = ["CPU_ROWS", "GPU_ROWS", "PLAIN", "Holding", "StoreSize", "grown_size", "store_size_for"]

# rows beyond which a step of a small model gains nothing: CPU caches overflow, a GPU turns compute-bound
CPU_ROWS, GPU_ROWS = 128, 512


def _as_many(tokens: int) -> int:
    return tokens


class Holding(NamedTuple):
    """How a store holds tokens, where not all alike.

    Attributes:
        shared_bytes: Of one shared token over all layers. None: as of an own one.
        places: How many tokens of the pool a stored run of so many takes.
        most_own: Own tokens that a row keeps at most.
    """

    shared_bytes: int | None = None
    places: Callable[[int], int] = _as_many
    most_own: int | None = None

    def own(self, limit: int) -> int:
        """Return how many own tokens a row has that draws so many."""
        return limit if self.most_own is None else min(limit, self.most_own)

    def bytes(self, shared: int, own: int, token_bytes: int) -> int:
        """Return what so many shared and own tokens take."""
        each = token_bytes if self.shared_bytes is None else self.shared_bytes
        return shared * each + own * token_bytes


PLAIN = Holding()


class StoreSize(NamedTuple):
    """Sizes of the KV store, in tokens and rows, and the bytes they take."""

    shared_tokens: int
    rows: int
    row_tokens: int
    bytes: int

    @classmethod
    def of(
        cls,
        shared_tokens: int,
        rows: int,
        row_tokens: int,
        *,
        token_bytes: int,
        holding: Holding = PLAIN,
    ) -> StoreSize:
        """Work out the bytes that so much takes."""
        taken = holding.bytes(shared_tokens, rows * row_tokens, token_bytes)
        return cls(shared_tokens, rows, row_tokens, taken)


def store_size_for(
    prompts: Sequence[Prompt],
    *,
    token_bytes: int,
    budget: int,
    max_rows: int,
    holding: Holding = PLAIN,
) -> StoreSize:
    """Choose the sizes: all rows at once if the budget holds them, else as many as it holds.

    Args:
        prompts: With their headers.
        token_bytes: Bytes of one token's keys and values over all layers.
        budget: Bytes the store may take.
        max_rows: Upper limit of rows.
        holding: How tokens are held.
    Raises:
        ModelError: not even one row of the longest prompt fits; names the sizes.
    """
    row_tokens = holding.own(max(p.limit for p in prompts))
    bodies = sorted((holding.places(len(p.body_ids)) for p in prompts), reverse=True)
    headers = sorted((holding.places(len(ids)) for ids in {p.header_ids for p in prompts}), reverse=True)
    longest = max(holding.places(p.header) + holding.places(len(p.body_ids)) for p in prompts)
    fewest = min(len(p.indices) for p in prompts)
    rows = min(max_rows, sum(len(p.indices) for p in prompts))
    while True:
        # one prompt more than the rows need, so that the next is stored while the last rows of others end
        stored = min(len(bodies), -(-rows // max(fewest, 1)) + 1)
        shared = sum(headers[:stored]) + sum(bodies[:stored])
        size = holding.bytes(shared, rows * row_tokens, token_bytes)
        if size <= budget:
            return StoreSize(shared, rows, row_tokens, size)
        if rows == 1:
            break
        rows = max(1, rows // 2)
    smallest = holding.bytes(longest, row_tokens, token_bytes)
    if smallest <= budget:
        return StoreSize(longest, 1, row_tokens, smallest)
    raise ModelError(
        f"one candidate of the longest prompt ({longest} + {row_tokens} tokens) takes "
        f"{size_text(smallest)} of keys and values, and {size_text(budget)} may be used; "
        "lower max_new_tokens, shorten the prompt or raise memory_fraction"
    )


def grown_size(
    size: StoreSize,
    prompts: Sequence[Prompt],
    *,
    token_bytes: int,
    budget: int,
    max_rows: int,
    holding: Holding = PLAIN,
) -> StoreSize | None:
    """Choose to what a store grows that more prompts come to; None where the budget does not hold that.

    Where it can, it grows to powers of two, so that it seldom does.

    Args:
        size: What it has, and keeps.
        prompts: All that it is to serve; at most so many at a time as there are rows, and each fits alone.
        token_bytes, budget, max_rows, holding: As in `store_size_for`.
    """
    lengths = sorted(
        (holding.places(p.header) + holding.places(len(p.body_ids)) for p in prompts), reverse=True
    )
    limit = holding.own(max(p.limit for p in prompts))
    rows = min(max_rows, sum(len(p.indices) for p in prompts))
    stored = sum(lengths[: rows + 1])
    for shared, slots, own in (
        (_power(stored), min(max_rows, _power(rows)), limit),
        (stored, rows, limit),
        (lengths[0], 1, limit),
    ):
        grown = StoreSize.of(
            max(size.shared_tokens, shared),
            max(size.rows, slots),
            max(size.row_tokens, own),
            token_bytes=token_bytes,
            holding=holding,
        )
        if grown.bytes <= budget:
            return grown
    return None


def _power(number: int) -> int:
    return 1 << (number - 1).bit_length()
