"""The rules are those of the data sets' own graders; each case was worked out by hand from those rules."""

from __future__ import annotations

from typing import Any

import pytest

from codesample.tasks.output_checkers import APPS_CHECKER, CODE_CONTESTS_CHECKER, LIVECODEBENCH_CHECKER

CHECKERS = {
    "apps": APPS_CHECKER,
    "code_contests": CODE_CONTESTS_CHECKER,
    "livecodebench": LIVECODEBENCH_CHECKER,
}
LONG = "1" * 5000


def accepts(name: str, printed: str, expected: str) -> bool:
    names: dict[str, Any] = {"__name__": "tests"}
    exec(CHECKERS[name], names)
    return bool(names["accept"]("", printed, expected))


@pytest.mark.parametrize(
    ("printed", "expected", "by"),
    [
        ("3\n", "3\n", "apps code_contests livecodebench"),
        ("3", "3\n\n", "apps code_contests livecodebench"),
        (" 3 \n 4 ", "3\n4", "apps code_contests livecodebench"),
        ("\n\n3\n", "3", "apps code_contests livecodebench"),
        ("", "", "apps code_contests livecodebench"),
        ("a\u2028b\x0cc\n", "a\u2028b\x0cc", "apps code_contests livecodebench"),
        ("4", "3", ""),
        ("", "3", ""),
        ("3\n3", "3", "apps"),
        ("1 2", "1  2", "apps code_contests livecodebench"),
        ("1\n2", "1 2", "code_contests"),
        ("1 2 3", "1 2", ""),
        ("2 1", "1 2", "apps"),
        ("b\na", "a\nb", "apps"),
        ("YES", "yes", "code_contests"),
        ("Ä", "ä", ""),
        ("1.0", "1", "apps code_contests livecodebench"),
        ("0.50", ".5", "apps code_contests livecodebench"),
        ("0.333333", "0.3333333333", "apps code_contests"),
        ("0.3333", "0.3333333333", "apps"),
        ("0.33", "0.3333333333", ""),
        ("100000.5", "100000.6", "apps"),
        ("100000.5 1", "100000.6 1", ""),
        ("x 1.0001 y", "x 1.0001001 y", "code_contests"),
        ("nan", "nan", "apps code_contests livecodebench"),
        ("nan", "1", ""),
        ("inf", "1e400", "apps"),
        ("100000000000000001", "100000000000000000", "apps"),
        ("12345678901 0", "12345678902 0", ""),
        ("007", "7", "apps code_contests livecodebench"),
        ("-0", "0", "apps code_contests livecodebench"),
        ("+5", "5", "apps code_contests livecodebench"),
        (LONG, LONG + " ", "apps code_contests livecodebench"),
        (LONG + "2", LONG + "1", "apps"),
        ("1_0", "10", "apps livecodebench"),
        ("a\n\nb", "a\nb", "apps code_contests"),
        ("a\r\nb\r\n", "a\nb", "apps code_contests livecodebench"),
        ("a\tb", "a b", "apps code_contests"),
        ("sNaN", "1", ""),
    ],
)
@pytest.mark.parametrize("name", CHECKERS)
def test_what_each_grader_lets_pass(name: str, printed: str, expected: str, by: str) -> None:
    assert accepts(name, printed, expected) is (name in by.split())
