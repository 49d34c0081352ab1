"""How many rows decode together and how large the KV store is, from the memory that is really free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from codesample.errors import ModelError
from codesample.sampling.memory import size_text
from codesample.sampling.prompts import Prompt

__all__ = ["CPU_ROWS", "GPU_ROWS", "StoreSize", "store_size_for"]

# rows beyond which a step of a small model gains nothing: CPU caches overflow, a GPU turns compute-bound
CPU_ROWS, GPU_ROWS = 128, 512


class StoreSize(NamedTuple):
    """Sizes of the KV store, in tokens and rows, and the bytes they take."""

    shared_tokens: int
    rows: int
    row_tokens: int
    bytes: int


def store_size_for(
    prompts: Sequence[Prompt],
    *,
    token_bytes: int,
    budget: int,
    max_rows: int,
) -> StoreSize:
    """Choose the sizes: all rows at once if the budget holds them, else as many as it holds.

    Args:
        prompts: With their headers.
        token_bytes: Bytes of one token's keys and values over all layers.
        budget: Bytes the store may take.
        max_rows: Upper limit of rows.
    Raises:
        ModelError: not even one row of the longest prompt fits; names the sizes.
    """
    row_tokens = max(p.limit for p in prompts)
    bodies = sorted((len(p.body_ids) for p in prompts), reverse=True)
    headers = sorted(map(len, {p.header_ids for p in prompts}), reverse=True)
    longest = max(len(p.ids) for p in prompts)
    fewest = min(len(p.indices) for p in prompts)
    rows = min(max_rows, sum(len(p.indices) for p in prompts))
    while True:
        # one prompt more than the rows need, so that the next is stored while the last rows of others end
        stored = min(len(bodies), -(-rows // max(fewest, 1)) + 1)
        shared = sum(headers[:stored]) + sum(bodies[:stored])
        size = (shared + rows * row_tokens) * token_bytes
        if size <= budget:
            return StoreSize(shared, rows, row_tokens, size)
        if rows == 1:
            break
        rows = max(1, rows // 2)
    smallest = (longest + row_tokens) * token_bytes
    if smallest <= budget:
        return StoreSize(longest, 1, row_tokens, smallest)
    raise ModelError(
        f"one candidate of the longest prompt ({longest} + {row_tokens} tokens) takes "
        f"{size_text(smallest)} of keys and values, and {size_text(budget)} may be used; "
        "lower max_new_tokens, shorten the prompt or raise memory_fraction"
    )
