"""What is allocated within moves to huge pages, with its contents, and nothing else is touched."""

import ctypes
import mmap
import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.sampling import huge_pages as module
from codesample.sampling.huge_pages import huge_pages

PAGE = 2**21
SMALL = 2**12
POLICY = Path("/sys/kernel/mm/transparent_hugepage/enabled")
EDGES = st.lists(st.integers(0, 12 * PAGE // SMALL), unique=True, max_size=12)


def ranges(edges):
    """Ranges in order, of which no two touch."""
    return [(SMALL * begin, SMALL * end) for begin, end in zip(*[iter(sorted(edges))] * 2, strict=False)]


def private(size):
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def held(mappings):
    return {at for begin, end in mappings for at in range(begin, end, SMALL)}


@pytest.fixture
def asked(monkeypatch):
    """What the kernel is asked for, which refuses nothing: (advice, begin, end)."""
    calls = []

    def advise(begin, size, advice):
        calls.append((advice, begin, begin + size))
        return 0

    library = type("Library", (), {"madvise": staticmethod(advise)})
    advise.argtypes = None
    monkeypatch.setattr(module.ctypes, "CDLL", lambda *_: library)
    return calls


def seen(monkeypatch, *mappings):
    """Let these be what is looked at, one after the other."""
    left = list(mappings)
    monkeypatch.setattr(module, "_writable", lambda: left.pop(0))


class TestWhatIsAskedFor:
    @given(before=EDGES, added=EDGES)
    def test_holds_every_new_page_that_can_be_huge_and_only_neighbours_of_new_memory(self, before, added):
        old = ranges(before)
        new = held(ranges(added)) - held(old)
        after = ranges_of(held(old) | new)
        found = module._grown(old, after)
        assert all(begin % PAGE == 0 == end % PAGE and begin < end for begin, end in found)
        assert held(found) <= held(after)
        for page in range(0, 12 * PAGE, PAGE):
            inside = held([(page, page + PAGE)])
            if inside <= new:
                assert inside <= held(found)
            if inside & held(found):
                assert inside & new

    def test_is_nothing_where_nothing_grew_by_a_page(self, monkeypatch, asked):
        seen(monkeypatch, [(PAGE, 4 * PAGE)], [(PAGE, 5 * PAGE - SMALL)])
        with huge_pages():
            pass
        assert asked == []

    def test_is_advised_at_once_and_collapsed_in_parts(self, monkeypatch, asked):
        seen(monkeypatch, [], [(0, 70 * PAGE)])
        monkeypatch.setattr(module, "monotonic", iter([0.0, 1.0, 2.0, 3.0, 3.9]).__next__)
        with huge_pages():
            pass
        assert asked == [
            (14, 0, 70 * PAGE),
            (25, 0, 32 * PAGE),
            (25, 32 * PAGE, 64 * PAGE),
            (25, 64 * PAGE, 70 * PAGE),
        ]

    def test_ends_when_the_time_is_up(self, monkeypatch, asked):
        seen(monkeypatch, [], [(0, 70 * PAGE)])
        monkeypatch.setattr(module, "monotonic", iter([0.0, 1.0, 2.0, 4.1]).__next__)
        with huge_pages():
            pass
        assert [advice for advice, *_ in asked] == [14, 25]

    def test_is_nothing_on_other_systems(self, monkeypatch, asked):
        monkeypatch.setattr(sys, "platform", "darwin")
        with huge_pages():
            kept = private(8 * PAGE)
        kept.close()
        assert asked == []

    def test_is_nothing_where_the_system_hides_the_map(self, monkeypatch, asked, tmp_path):
        monkeypatch.setattr(module, "_MAPS", tmp_path / "none")
        with huge_pages():
            pass
        assert asked == []

    def test_is_left_alone_where_the_kernel_refuses_it(self, monkeypatch, asked):
        seen(monkeypatch, [], [(0, 2 * PAGE), (4 * PAGE, 6 * PAGE)])
        monkeypatch.setattr(module, "monotonic", iter([0.0, 1.0, 2.0]).__next__)
        library = module.ctypes.CDLL(None)
        answers = iter([-1, 0, 0])
        library.madvise = lambda *given: (asked.append(given), next(answers))[1]
        with huge_pages():
            pass
        assert asked == [(0, 2 * PAGE, 14), (4 * PAGE, 2 * PAGE, 14), (4 * PAGE, 2 * PAGE, 25)]

    def test_a_failure_within_is_passed_on(self, asked):
        with pytest.raises(ZeroDivisionError), huge_pages():
            raise ZeroDivisionError
        assert asked == []


def ranges_of(addresses):
    """Mappings of these pages, neighbours joined as the kernel joins them."""
    pages = sorted(addresses)
    firsts = [at for before, at in pairwise([-SMALL * 2, *pages]) if at != before + SMALL]
    lasts = [at for at, after in pairwise([*pages, 2**60]) if after != at + SMALL]
    return [(first, last + SMALL) for first, last in zip(firsts, lasts, strict=True)]


@pytest.mark.skipif(
    not POLICY.exists() or "[never]" in POLICY.read_text(), reason="this kernel gives no huge pages"
)
class TestOfThisKernel:
    def test_memory_is_in_huge_pages_and_holds_what_it_held(self):
        content = bytes(range(256)) * (16 * PAGE // 256)
        with huge_pages():
            kept = private(len(content))
            kept.write(content)
        assert kept[:] == content
        assert advised(ctypes.addressof(ctypes.c_char.from_buffer(kept)) + 8 * PAGE)

    def test_memory_from_before_is_not_touched(self):
        kept = private(16 * PAGE)
        kept.write(bytes(16 * PAGE))
        at = ctypes.addressof(ctypes.c_char.from_buffer(kept)) + 8 * PAGE
        with huge_pages():
            pass
        assert not advised(at)


def advised(address):
    """Whether huge pages are wanted for the mapping that holds an address."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(found[1], 16) <= address < int(found[2], 16)
        elif inside and line.startswith("VmFlags:"):
            return "hg" in line.split()
    raise AssertionError(f"{address:x} is not mapped")
