"""Marks for outcomes: one each, and bars that keep what is rare."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from codesample.records import Status
from codesample.reports.status_marks import STYLES, legend, mark, status_bar


def test_every_status_has_a_mark_of_its_own_and_a_colour() -> None:
    assert STYLES.keys() == set(Status)
    for plain in (True, False):
        marks = [mark(status, plain=plain) for status in Status]
        assert len(set(marks)) == len(marks)
        assert all(cell_len(each) == 1 for each in marks)
    assert all(mark(status, plain=True).isascii() for status in Status)


@given(st.dictionaries(st.sampled_from(list(Status)), st.integers(0, 300)), st.integers(10, 60))
def test_a_bar_fits_and_shows_every_status_that_occurs(counts: dict[Status, int], width: int) -> None:
    bar = status_bar(counts, width=width, plain=True).plain
    total = sum(counts.values())
    assert len(bar) == min(total, width)
    for status in Status:
        shown = bar.count(mark(status, plain=True))
        assert (shown > 0) == (counts.get(status, 0) > 0)
        if total <= width:
            assert shown == counts.get(status, 0)


def test_a_legend_names_what_is_there_in_a_fixed_order() -> None:
    assert legend([Status.CPU_TIMEOUT, Status.PASSED], plain=True) == "+ passed  t cpu timeout"
