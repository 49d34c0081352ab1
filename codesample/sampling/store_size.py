"""How many rows decode together and how large the KV store is, from the memory that is really free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from codesample.errors import ModelError
from codesample.sampling.memory import size_text
from codesample.sampling.prefix_cache import common_start
from codesample.sampling.work import PromptWork

__all__ = ["CPU_ROWS", "GPU_ROWS", "Plan", "plan_store", "with_headers"]

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


class _Interval(NamedTuple):
    """Prompts [begin, end) in lexicographic order, cut into runs so that sharing saves most tokens.

    Runs are (begin, end, header); together they save `saved` tokens of storage and prefill.
    """

    begin: int
    end: int
    saved: int
    runs: list[tuple[int, int, int]]


def with_headers(work: Sequence[PromptWork]) -> list[PromptWork]:
    """Find which prompts start alike, and return them side by side with what they share as their header.

    Of all ways to share, the one that stores fewest tokens is taken, so that one prompt unlike the others
    does not cost them theirs. At least one token of each prompt stays out of its header.
    """
    order = sorted(range(len(work)), key=lambda i: work[i].ids)
    runs = _runs([work[i].ids for i in order])
    planned: list[PromptWork] = []
    for begin, end, common in sorted(runs, key=lambda run: min(order[run[0] : run[1]])):
        members = sorted(order[begin:end])
        header = min([common, *(len(work[i].ids) - 1 for i in members)])
        planned += [replace(work[i], header=header if header >= _MIN_HEADER else 0) for i in members]
    return planned


def _runs(prompts: Sequence[tuple[int, ...]]) -> list[tuple[int, int, int]]:
    """Cut sorted prompts into runs with one header each, through the tree of their common starts."""
    # an open interval and what its prompts have in common, which grows towards the top of the stack
    stack: list[tuple[int, list[_Interval]]] = [(0, [])]
    for i, ids in enumerate(prompts):
        node = _Interval(i, i + 1, 0, [(i, i + 1, 0)])
        common = common_start(ids, prompts[i + 1]) if i + 1 < len(prompts) else 0
        while stack[-1][0] > common:
            shared, parts = stack.pop()
            node = _closed(shared, [*parts, node])
        if stack[-1][0] == common:
            stack[-1][1].append(node)
        else:
            stack.append((common, [node]))
    return [run for part in stack[0][1] for run in part.runs]


def _closed(common: int, parts: Sequence[_Interval]) -> _Interval:
    begin, end, apart = parts[0].begin, parts[-1].end, sum(part.saved for part in parts)
    together = (end - begin - 1) * common if common >= _MIN_HEADER else 0
    if together >= max(apart, 1):
        return _Interval(begin, end, together, [(begin, end, common)])
    return _Interval(begin, end, apart, [run for part in parts for run in part.runs])


def plan_store(
    work: Sequence[PromptWork],
    *,
    token_bytes: int,
    budget: int,
    max_rows: int,
) -> Plan:
    """Choose the sizes: all rows at once if the budget holds them, else as many as it holds.

    Args:
        work: The prompts, with their headers.
        token_bytes: Bytes of one token's keys and values over all layers.
        budget: Bytes the store may take.
        max_rows: Upper limit of rows.
    Raises:
        ModelError: not even one row of the longest prompt fits; names the sizes.
    """
    row_tokens = max(w.limit for w in work)
    own = sorted((len(w.own_ids) for w in work), reverse=True)
    headers = sorted(map(len, {w.header_ids for w in work}), reverse=True)
    longest = max(len(w.ids) for w in work)
    fewest = min(len(w.indices) for w in work)
    rows = min(max_rows, sum(len(w.indices) for w in work))
    while True:
        # one prompt more than the rows need, so that the next is stored while the last rows of others end
        prompts = min(len(own), -(-rows // max(fewest, 1)) + 1)
        shared = sum(headers[:prompts]) + sum(own[:prompts])
        size = (shared + rows * row_tokens) * token_bytes
        if size <= budget:
            return Plan(shared, rows, row_tokens, size)
        if rows == 1:
            break
        rows = max(1, rows // 2)
    smallest = (longest + row_tokens) * token_bytes
    if smallest <= budget:
        return Plan(longest, 1, row_tokens, smallest)
    raise ModelError(
        f"one candidate of the longest prompt ({longest} + {row_tokens} tokens) takes "
        f"{size_text(smallest)} of keys and values, and {size_text(budget)} may be used; "
        "lower max_new_tokens, shorten the prompt or raise memory_fraction"
    )
