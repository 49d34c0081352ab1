"""What is allocated within moves to huge pages, with its contents, and little else is touched."""

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
SOME = 12
COLLAPSE, ADVISE = 25, 14
# small pages in blocks of a quarter of a huge one, so that whole ones come about
MAPPED = st.sets(st.integers(0, 4 * SOME - 1)).map(
    lambda quarters: {at for q in quarters for at in range(q * PAGE // 4, (q + 1) * PAGE // 4, SMALL)}
)


def mappings(addresses, cuts=()):
    """Mappings of these small pages; neighbours are joined, as the kernel joins them, but at `cuts`."""
    pages = sorted(addresses)
    firsts = [at for before, at in pairwise([-PAGE, *pages]) if at != before + SMALL or at in cuts]
    lasts = [at for at, after in pairwise([*pages, 2**60]) if after != at + SMALL or after in cuts]
    return [(first, last + SMALL) for first, last in zip(firsts, lasts, strict=True)]


def held(ranges):
    return [at for begin, end in ranges for at in range(begin, end, SMALL)]


def private(size):
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def settings(folder, *, enabled="always [madvise] never", size=PAGE, nodes="0", places=""):
    (folder / "enabled").write_text(enabled + "\n")
    (folder / "hpage_pmd_size").write_text(f"{size}\n")
    (folder / "nodes").write_text(nodes + "\n")
    (folder / "places").write_text(places)


class Kernel:
    """Keeps what it is asked for, and gives `maps`, `seconds` and `answers` one after the other."""

    def __init__(self, monkeypatch, folder):
        self.calls, self.answers = [], iter(lambda: 0, 1)
        settings(folder)
        for name, file in {"_SETTINGS": ".", "_NODES": "nodes", "_PLACES": "places"}.items():
            monkeypatch.setattr(module, name, folder / file)
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(module, "_madvise", lambda: self._advise)
        self.give(monkeypatch)

    def _advise(self, at, size, advice):
        self.calls.append((advice, at // PAGE, (at + size) // PAGE))
        return next(self.answers)

    def give(self, monkeypatch, maps=(), seconds=()):
        left, now = list(maps or [[], [(0, 70 * PAGE)]]), [0.0, 1.0, *seconds, *[1.0] * 9]
        monkeypatch.setattr(module, "_writable", lambda: left.pop(0))
        monkeypatch.setattr(module, "monotonic", lambda: now.pop(0))


@pytest.fixture
def kernel(monkeypatch, tmp_path):
    return Kernel(monkeypatch, tmp_path)


PARTS = [(0, 32), (32, 64), (64, 70)]


class TestWhatMoves:
    @given(before=MAPPED, after=MAPPED, cuts=st.sets(st.integers(0, 4 * SOME)))
    def test_is_every_new_huge_page_and_no_page_without_new_memory(self, before, after, cuts):
        cuts = {quarter * PAGE // 4 for quarter in cuts}
        lying = mappings(after, cuts)
        found = module._grown(mappings(before, cuts), lying, PAGE)
        assert all(begin % PAGE == 0 == end % PAGE and begin < end for begin, end in found)
        assert all(any(begin >= at and end <= to for at, to in lying) for begin, end in found)
        addresses = held(found)
        assert len(addresses) == len(set(addresses))
        assert addresses == sorted(addresses)
        wanted = set(addresses)
        for page in range(0, SOME * PAGE, PAGE):
            inside = set(held([(page, page + PAGE)]))
            if inside & wanted:
                assert inside & (after - before)
            if inside <= after - before and not any(page < cut < page + PAGE for cut in cuts):
                assert inside <= wanted

    def test_goes_in_parts(self, kernel):
        with huge_pages():
            pass
        assert kernel.calls == [(COLLAPSE, *part) for part in PARTS]

    def test_is_what_there_is_time_for_and_the_kernel_has_the_rest(self, kernel, monkeypatch):
        kernel.give(monkeypatch, seconds=[2.0, 4.1])
        with huge_pages():
            pass
        assert kernel.calls == [(COLLAPSE, *PARTS[0]), (ADVISE, *PARTS[1]), (ADVISE, *PARTS[2])]

    def test_is_left_to_a_kernel_that_does_not_know_how(self, kernel):
        kernel.answers = iter([-1] * 6)
        with huge_pages():
            pass
        assert kernel.calls == [(what, *part) for what in (COLLAPSE, ADVISE) for part in PARTS]

    def test_is_not_asked_for_twice_where_the_kernel_had_a_reason(self, kernel):
        kernel.answers = iter([0, -1, 0])
        with huge_pages():
            pass
        assert kernel.calls == [(COLLAPSE, *part) for part in PARTS]

    def test_has_the_size_of_pages_of_this_processor(self, kernel, tmp_path):
        settings(tmp_path, size=16 * PAGE)
        with huge_pages():
            pass
        assert kernel.calls == [(COLLAPSE, *part) for part in [(0, 32), (32, 64)]]

    def test_is_nothing_where_nothing_grew_by_a_page(self, kernel, monkeypatch):
        kernel.give(monkeypatch, [[(PAGE, 4 * PAGE)], [(PAGE, 5 * PAGE - SMALL)]])
        with huge_pages():
            pass
        assert kernel.calls == []

    @pytest.mark.parametrize("maps", [[None, [(0, 8 * PAGE)]], [[], None]], ids=["before", "after"])
    def test_is_nothing_where_the_system_hides_its_map(self, kernel, monkeypatch, maps):
        kernel.give(monkeypatch, maps)
        with huge_pages():
            pass
        assert kernel.calls == []

    @pytest.mark.parametrize(
        "changed",
        [
            {"enabled": "always madvise [never]"},
            {"nodes": "0-1", "places": "7f00 default anon=1\n7f01 interleave:0-1 anon=512\n"},
            {"size": "?"},
        ],
        ids=["turned off", "spread by the page", "of unknown size"],
    )
    def test_is_nothing_where_huge_pages_are(self, kernel, tmp_path, changed):
        settings(tmp_path, **changed)
        with huge_pages():
            pass
        assert kernel.calls == []

    def test_is_all_where_memory_is_beside_the_processor_that_asked(self, kernel, tmp_path):
        settings(tmp_path, nodes="0-1", places="7f00 default file=/lib/interleave.so anon=1\n")
        with huge_pages():
            pass
        assert len(kernel.calls) == 3

    def test_is_nothing_on_other_systems(self, kernel, monkeypatch):
        monkeypatch.setattr(sys, "platform", "darwin")
        with huge_pages():
            pass
        assert kernel.calls == []

    def test_is_nothing_of_what_failed(self, kernel):
        with pytest.raises(ZeroDivisionError), huge_pages():
            raise ZeroDivisionError
        assert kernel.calls == []


def test_memory_of_its_own_is_what_no_file_and_no_stack_has(monkeypatch, tmp_path):
    lines = [
        b"00400000-00600000 r-xp 00000000 08:01 7    /usr/bin/python",
        b"00600000-00800000 rw-p 00200000 08:01 7    /usr/bin/python",
        b"01000000-03000000 rw-p 00000000 00:00 0    [heap]",
        b"7f0000000000-7f0000800000 rw-p 00000000 00:00 0 ",
        b"7f0000800000-7f0000a00000 ---p 00000000 00:00 0 ",
        b"7f0000a00000-7f0001000000 rw-p 00000000 00:00 0    [anon:malloc chunks]",
        b"7f0002000000-7f0002800000 rw-s 00000000 00:01 9    /dev/zero (deleted)",
        b"7f0003000000-7f0003800000 rw-p 00000000 08:01 9    /tmp/\xff\x0b\x85 no name.bin (deleted)",
        b"7ffc00000000-7ffc00200000 rw-p 00000000 00:00 0    [stack]",
        b"",
    ]
    monkeypatch.setattr(module, "_MAPS", tmp_path / "maps")
    assert module._writable() is None
    module._MAPS.write_bytes(b"\n".join(lines))
    expected = [(0x1000000, 0x3000000), (0x7F0000000000, 0x7F0000800000), (0x7F0000A00000, 0x7F0001000000)]
    assert module._writable() == expected


def moves_pages():
    """Whether this kernel moves memory when it is asked to, tried."""
    if module._page_size() != PAGE:
        return False
    trial = private(4 * PAGE)
    trial.write(bytes(4 * PAGE))
    at = -(-address_of(trial) // PAGE) * PAGE
    return module._madvise()(at, PAGE, COLLAPSE) == 0


def address_of(memory):
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def in_huge_pages(address):
    """Bytes in huge pages of the mapping that holds an address."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(found[1], 16) <= address < int(found[2], 16)
        elif inside and line.startswith("AnonHugePages:"):
            return 1024 * int(line.split()[1])
    raise AssertionError(f"{address:x} is not mapped")


@pytest.mark.skipif(not moves_pages(), reason="this kernel does not move memory to huge pages when asked")
class TestOfThisKernel:
    def test_memory_is_in_huge_pages_and_holds_what_it_held(self, monkeypatch):
        monkeypatch.setattr(module, "_TIMES", 1000.0)
        content = bytes(range(256)) * (16 * PAGE // 256)
        with huge_pages():
            kept = private(len(content))
            kept.write(content)
        assert in_huge_pages(address_of(kept) + 8 * PAGE) >= 14 * PAGE
        assert kept[:] == content

    def test_memory_from_before_is_not_moved(self):
        if "[always]" in (module._SETTINGS / "enabled").read_text():
            pytest.skip("all memory is in huge pages here")
        kept = private(16 * PAGE)
        kept.write(bytes(16 * PAGE))
        with huge_pages():
            pass
        assert in_huge_pages(address_of(kept) + 8 * PAGE) == 0
