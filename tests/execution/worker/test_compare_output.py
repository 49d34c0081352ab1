"""What counts as the expected output."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.execution.worker.compare_output import as_text, same_output

TEXTS = st.text("12.e-+ \t\r\n\x0c\u2028x", max_size=20)


@pytest.mark.parametrize(
    ("got", "expected", "same"),
    [
        ("1\n2\n", "1\n2", True),
        ("1 \t\n2  ", "1\n2\n", True),
        ("1\r\n2\r\n", "1\n2\n", True),
        ("1\n2\n\n \n\t\n", "1\n2", True),
        ("", "\n\n", True),
        ("1\n\n2", "1\n2", False),
        ("\n1", "1", False),
        (" 1", "1", False),
        ("1  2", "1 2", False),
        ("1\r2", "1\n2", False),
        *((f"1{mark}2", "1\n2", False) for mark in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"),
        *((f"1{mark}", "1", False) for mark in "\x0b\x0c\x1c\x1f\x85\xa0\u2003\u2028"),
        *((f"1{mark}2", f"1{mark}2\n", True) for mark in "\x0c\x85\u2028"),
        ("1.0", "1", False),
    ],
)  # fmt: skip
def test_only_line_feeds_end_lines_and_blanks_at_their_ends_do_not_count(
    got: str, expected: str, same: bool
) -> None:
    assert same_output(got, expected) is same


@pytest.mark.parametrize(
    ("got", "expected", "tolerance", "same"),
    [
        ("1.0", "1", {"atol": 1e-9}, True),
        ("1e-99999999999999999999", "1", {"atol": 1e-9}, False),
        ("1e-99999999999999999999", "0", {"atol": 1e-9}, True),
        ("0", "-0.0e99999999999999999999", {"atol": 1e-9}, True),
        ("1.000001", "1", {"atol": 1e-6}, True),
        ("1.0000011", "1", {"atol": 1e-6}, False),
        ("-1.000001", "-1", {"atol": 1e-6}, True),
        ("1", "-1", {"atol": 0.5}, False),
        ("101", "100", {"rtol": 0.01}, True),
        ("100", "101.1", {"rtol": 0.01}, False),
        ("101.5", "100", {"rtol": 0.01, "atol": 0.5}, True),
        ("101.6", "100", {"rtol": 0.01, "atol": 0.5}, False),
        ("0.1", "0", {"rtol": 0.5}, False),
        ("1e3", "1000", {"atol": 1e-9}, True),
        (".5 +5. 5E-1", "0.5 5 0.5", {"atol": 1e-9}, True),
        ("x 1.0 y", "x 1 y", {"atol": 1e-9}, True),
        ("x 1.0 z", "x 1 y", {"atol": 1e-9}, False),
        ("x1.0", "x1", {"atol": 1.0}, False),
        ("1.0,2.0", "1,2", {"atol": 1.0}, False),
        (" 9.9999 10.0", "10.0000  10", {"atol": 1e-3}, True),
        ("1 2", "1", {"atol": 9.0}, False),
        ("1", "1\n2", {"atol": 9.0}, False),
        ("1\n2", "1 2", {"atol": 9.0}, False),
        ("inf", "inf", {"atol": 1.0}, True),
        ("inf", "Infinity", {"atol": 1.0}, False),
        ("nan", "nan", {"atol": 1.0}, True),
        ("nan", "NaN", {"atol": 1.0}, False),
        ("nan", "1", {"atol": 1e300}, False),
        ("1e999", "1e998", {"atol": 1e300}, False),
        ("1e-999999999", "0", {"atol": 1e-9}, True),
        (f"1e-{'9' * 30}", "0", {"atol": 1e-9}, True),
        (f"1e-{'9' * 30}", "1", {"atol": 1e-9}, False),
        (f"0e{'9' * 30}", "0", {"rtol": 1e-9}, True),
        (f"1e{'9' * 30}", "0", {"atol": 1e300}, False),
        ("1_0", "10", {"atol": 1.0}, False),
        ("0x10", "16", {"atol": 1.0}, False),
        ("\u0661", "1", {"atol": 1.0}, False),
        ("12345678901234567891", "12345678901234567890", {"atol": 0.5}, False),
        ("12345678901234567891", "12345678901234567890", {"atol": 1.0}, True),
        ("0.30000000000000004", "0.3", {"atol": 1e-9}, True),
    ],
)  # fmt: skip
def test_a_tolerance_is_for_finite_decimal_numbers_word_by_word(
    got: str, expected: str, tolerance: dict[str, float], same: bool
) -> None:
    assert same_output(got, expected, **tolerance) is same
    assert got == expected or not same_output(got, expected)


@given(TEXTS, TEXTS)
def test_a_tolerance_only_ever_allows_more(got: str, expected: str) -> None:
    if same_output(got, expected):
        assert same_output(got, expected, atol=1e-9)
    assert same_output(got, expected) is same_output(expected, got)
    assert same_output(got, got)


def test_bytes_that_are_no_text_equal_no_expected_text() -> None:
    assert as_text("\xe9\U0001f600".encode()) == "\xe9\U0001f600"
    assert not same_output(as_text(b"\xff"), "\ufffd")
    assert not same_output(as_text(b"\xff"), "\xff")
