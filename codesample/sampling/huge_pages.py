"""Huge pages under memory that each step reads, where Linux has them to give.

A step reads every weight once. In pages of 4 KiB that is some hundred thousand places to look up, and a
virtual processor looks up each of those places again. In pages of 2 MiB it is some hundred. Linux gives
those to any process, but many distributions only where they are asked for; libraries that arrange weights
do not ask, and do not say where they put them. So the process's memory is compared before and after.
"""

from __future__ import annotations

import ctypes
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

__all__ = ["huge_pages"]

# of Linux's madvise: what is here now shall become huge (since 6.1); the kernel shall see to it in its time
_COLLAPSE, _ADVISE = 25, 14
# bytes moved at once, where a page has no more: between them the time is looked at
_AT_ONCE = 2**26
# beside the time of what allocated: a host that has no memory ready takes a second for 250 MB of it
_TIMES = 3.0
_MAPS, _PLACES = Path("/proc/self/maps"), Path("/proc/self/numa_maps")
_SETTINGS, _NODES = Path("/sys/kernel/mm/transparent_hugepage"), Path("/sys/devices/system/node/online")

_Range = tuple[int, int]


@contextmanager
def huge_pages() -> Iterator[None]:
    """Move what the process grows by within to huge pages, in about three times as long as it took at most.

    What the time does not suffice for is left to the kernel, and so is all of it before Linux 6.1. What other
    threads allocate meanwhile is moved, too. Contents stay, and where memory cannot be moved it stays as it
    is. Nothing is done on other systems, where huge pages are turned off, or where memory is spread page by
    page over processors, as by `numactl --interleave`: huge ones would all be beside one of them.
    """
    page = _page_size()
    before, began = _writable() if page else None, monotonic()
    yield
    now, after = monotonic(), _writable() if page else None
    if before is not None and after is not None:
        _move(_grown(before, after, page), page, now + _TIMES * (now - began))


def _page_size() -> int:
    """Return how many bytes a huge page has; 0: there shall be none."""
    if sys.platform != "linux":
        return 0
    try:
        if "[never]" in (_SETTINGS / "enabled").read_text():
            return 0
        several = _NODES.exists() and _NODES.read_text().strip() != "0"
        if several and b" interleave" in _PLACES.read_bytes():
            return 0
        return int((_SETTINGS / "hpage_pmd_size").read_text())
    except (OSError, ValueError):
        return 0


def _writable() -> list[_Range] | None:
    """Return where this process has memory of its own to write to, in order; None where nobody says."""
    try:
        # names are those of files, and may hold anything but a line's end
        lines = [line.split(maxsplit=5) for line in _MAPS.read_bytes().split(b"\n")]
    except OSError:
        return None
    named = (b"[heap]", b"[anon:")
    own = [each for each in lines if each[1:2] == [b"rw-p"] and (len(each) == 5 or each[5].startswith(named))]
    ends = [each[0].split(b"-") for each in own]
    return [(int(begin, 16), int(end, 16)) for begin, end in ends]


def _grown(before: Sequence[_Range], after: Sequence[_Range], page: int) -> list[_Range]:
    """Return the huge pages that can be made of what came, together with what was beside it before.

    Args:
        before: In order; neighbours may touch.
        after: Likewise.
        page: Bytes of a huge page; where less came in one piece, it is left alone.
    Returns:
        Ranges in order, none twice, each within one of `after`.
    """
    ends = [end for _, end in before]
    grown: list[_Range] = []
    for begin, end in after:
        at = begin
        for old_begin, old_end in [*before[bisect_right(ends, begin) :], (end, end)]:
            last = min(old_begin, end)
            if last - at >= page:
                # whole pages of this mapping, of which the last range may have had the first
                least = max(begin, grown[-1][1] if grown else 0)
                whole = max(at // page, -(-least // page)) * page, min(-(-last // page), end // page) * page
                grown += [whole] if whole[0] < whole[1] else []
            at = max(at, old_end)
            if old_begin >= end:
                break
    return grown


def _move(ranges: Sequence[_Range], page: int, until: float) -> None:
    if not ranges:
        return
    advise = _madvise()
    step = -(-_AT_ONCE // page) * page
    parts = [(at, min(step, end - at)) for begin, end in ranges for at in range(begin, end, step)]
    done = moved = 0
    while done < len(parts) and monotonic() <= until:
        moved += advise(*parts[done], _COLLAPSE) == 0
        done += 1
    # a kernel that moves nothing when asked may do so later; one that moves had its reason to refuse
    for part in parts[done if moved else 0 :]:
        advise(*part, _ADVISE)


def _madvise() -> Callable[[int, int, int], int]:
    function = ctypes.CDLL(None).madvise
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return function
