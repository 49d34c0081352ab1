"""Huge pages under memory that each step reads, where Linux has them to give.

A step reads every weight once. In pages of 4 KiB a processor looks up where they are half a million times for
2 GB, and a virtual one looks up each of those places again. Linux gives pages of 2 MiB to any process, but
most distributions give them only to memory that was asked for; libraries that arrange weights do not ask, and
do not say where they put them. So memory is compared before and after.
"""

from __future__ import annotations

import ctypes
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

__all__ = ["huge_pages"]

_PAGE = 2**21
# of Linux's madvise: what is allocated here later shall be huge; what is here now shall become so
_ADVISE, _COLLAPSE = 14, 25
# collapsed at once: between them the time is looked at
_AT_ONCE = 32 * _PAGE
# beside the time of what allocated: a host that has no memory ready takes a second for 250 MB of it
_TIMES = 3.0
_MAPS = Path("/proc/self/maps")

_Range = tuple[int, int]


@contextmanager
def huge_pages() -> Iterator[None]:
    """Move what is allocated within to huge pages at the end, for at most three times as long as it took.

    What the time does not suffice for is left to the kernel, as all of it is before Linux 6.1. Nothing is
    done on other systems, or where huge pages are turned off; contents stay as they are in any case.
    """
    before, began = _writable(), monotonic()
    yield
    now = monotonic()
    _collapse(_grown(before, _writable()), now + _TIMES * (now - began))


def _writable() -> list[_Range]:
    """Return where this process has memory of its own to write to, in order; nothing on other systems."""
    if sys.platform != "linux":
        return []
    try:
        lines = [line.split(maxsplit=5) for line in _MAPS.read_text().splitlines()]
    except OSError:
        return []
    # of no file, and no stack of the main thread's
    own = [line[0] for line in lines if line[1] == "rw-p" and (len(line) == 5 or line[5] == "[heap]")]
    return [(int(begin, 16), int(end, 16)) for begin, end in (each.split("-") for each in own)]


def _grown(before: Sequence[_Range], after: Sequence[_Range]) -> list[_Range]:
    """Return which ranges of `after` were not in `before`, wherever they hold a whole huge page.

    Args:
        before: In order; neighbours may touch.
        after: Likewise.
    """
    ends = [end for _, end in before]
    grown: list[_Range] = []
    for begin, end in after:
        at = begin
        for old_begin, old_end in before[bisect_right(ends, begin) :]:
            if old_begin >= end:
                break
            grown += _whole_pages((at, old_begin), (begin, end))
            at = old_end
        grown += _whole_pages((at, end), (begin, end))
    return grown


def _whole_pages(inner: _Range, outer: _Range) -> list[_Range]:
    """Return a range with the huge pages that it begins and ends in, where `outer` has those whole."""
    if inner[1] - inner[0] < _PAGE:
        return []
    first = max(inner[0] // _PAGE, -(-outer[0] // _PAGE)) * _PAGE
    last = min(-(-inner[1] // _PAGE), outer[1] // _PAGE) * _PAGE
    return [(first, last)] if first < last else []


def _collapse(ranges: Sequence[_Range], until: float) -> None:
    if not ranges:
        return
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    # a kernel without huge pages refuses, and one for memory that another thread has given back meanwhile
    ready = [(begin, end) for begin, end in ranges if advise(begin, end - begin, _ADVISE) == 0]
    for begin, end in ready:
        for at in range(begin, end, _AT_ONCE):
            if monotonic() > until:
                return
            advise(at, min(_AT_ONCE, end - at), _COLLAPSE)
