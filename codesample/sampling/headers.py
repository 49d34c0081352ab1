"""Which prompts start alike, so that what they share is stored and prefilled once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from codesample.sampling.prefix_cache import common_start
from codesample.sampling.prompts import Prompt

__all__ = ["with_headers"]

# a header shorter than this costs more in a second attention segment than its reuse saves
_MIN_HEADER = 64


class _Interval(NamedTuple):
    """Prompts [begin, end) in lexicographic order, cut into runs so that sharing saves most tokens.

    Runs are (begin, end, header); together they save `saved` tokens of storage and prefill.
    """

    begin: int
    end: int
    saved: int
    runs: list[tuple[int, int, int]]


def with_headers(prompts: Sequence[Prompt]) -> list[Prompt]:
    """Find which prompts start alike, and return them side by side with what they share as their header.

    Of all ways to share, the one that stores fewest tokens is taken, so that one prompt unlike the others
    does not cost them theirs. At least one token of each prompt stays out of its header.
    """
    order = sorted(range(len(prompts)), key=lambda i: prompts[i].ids)
    runs = _runs([prompts[i].ids for i in order])
    grouped: list[Prompt] = []
    for begin, end, common in sorted(runs, key=lambda run: min(order[run[0] : run[1]])):
        members = sorted(order[begin:end])
        header = min([common, *(len(prompts[i].ids) - 1 for i in members)])
        grouped += [replace(prompts[i], header=header if header >= _MIN_HEADER else 0) for i in members]
    return grouped


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
