"""How many rows decode together and how large the KV store is, from the memory that is really free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from codesample.errors import ModelError
from codesample.sampling.work import PromptWork

__all__ = ["Plan", "plan_store", "shared_header"]

# rows beyond which a step of a small model gains nothing: CPU caches overflow, a GPU turns compute-bound
CPU_ROWS, GPU_ROWS = 128, 512
# a header shorter than this costs more in a second attention segment than its reuse saves
_MIN_HEADER = 64


class Plan(NamedTuple):
    """Sizes of the KV store, in tokens and rows, and the bytes they take."""

    shared_tokens: int
    rows: int
    row_tokens: int
    bytes: int


def shared_header(work: Sequence[PromptWork]) -> tuple[int, ...]:
    """Return the tokens that all prompts start with, when that is worth storing once; else ().

    At least one token of each prompt stays out of it, so that every prompt has a segment of its own.
    """
    if len(work) < 2:
        return ()
    # the common prefix of all is that of the smallest and the largest in lexicographic order
    first, last = min(w.ids for w in work), max(w.ids for w in work)
    differ = (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    length = min(next(differ, len(first)), min(len(w.ids) for w in work) - 1)
    return first[:length] if length >= _MIN_HEADER else ()


def plan_store(
    work: Sequence[PromptWork],
    header: Sequence[int],
    *,
    token_bytes: int,
    budget: int,
    max_rows: int,
) -> Plan:
    """Choose the sizes: all rows at once if the budget holds them, else as many as it holds.

    Args:
        work: The prompts.
        header: Tokens stored once for all prompts.
        token_bytes: Bytes of one token's keys and values over all layers.
        budget: Bytes the store may take.
        max_rows: Upper limit of rows.
    Raises:
        ModelError: not even one row of the longest prompt fits; names the sizes.
    """
    row_tokens = max(w.limit for w in work)
    own = sorted((len(w.ids) - len(header) for w in work), reverse=True)
    fewest = min(len(w.indices) for w in work)
    rows = min(max_rows, sum(len(w.indices) for w in work))
    while True:
        # one prompt more than the rows need, so that the next is stored while the last rows of others end
        prompts = min(len(own), -(-rows // max(fewest, 1)) + 1)
        shared = len(header) + sum(own[:prompts])
        size = (shared + rows * row_tokens) * token_bytes
        if size <= budget:
            return Plan(shared, rows, row_tokens, size)
        if rows == 1:
            break
        rows = max(1, rows // 2)
    smallest = (len(header) + own[0] + row_tokens) * token_bytes
    if smallest <= budget:
        return Plan(len(header) + own[0], 1, row_tokens, smallest)
    raise ModelError(
        f"one candidate of the longest prompt ({len(header) + own[0]} + {row_tokens} tokens) takes "
        f"{smallest / 2**30:.2f} GiB of keys and values, and {budget / 2**30:.2f} GiB may be used; "
        "lower max_new_tokens, shorten the prompt or raise memory_fraction"
    )
