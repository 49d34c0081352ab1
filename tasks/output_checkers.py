"""How graders of contest problems compare what was printed: one checker each, as trusted source.

Each text defines `accept(given, printed, expected)`, as `codesample.records.ScriptTests.checker` takes it.
The rules are those of the data sets' own graders; the tasks' pages name what they let pass.
"""

from __future__ import annotations

__all__ = ["APPS_CHECKER", "CODE_CONTESTS_CHECKER", "LIVECODEBENCH_CHECKER"]

APPS_CHECKER = """
def accept(given, printed, expected):
    lines = printed.splitlines()
    whole = expected.strip()
    if whole in (printed.strip(), "\\n".join(lines).strip()):
        return True
    if whole == "\\n".join(line.strip() for line in lines).strip():
        return True
    wanted = [line.strip() for line in expected.split("\\n") if line]
    if lines == wanted:
        return True
    lines = [line for line in lines if line]
    if lines == wanted or close(lines, wanted):
        return True
    words, wanted_words = [line.split() for line in lines if line.split()], [line.split() for line in wanted]
    return sets(words, str) == sets(wanted_words, str) or rounded(words) == rounded(wanted_words) is not None


def close(lines, wanted):
    try:
        pairs = [(float(ours), float(theirs)) for ours, theirs in zip(lines, wanted, strict=True)]
    except ValueError:
        return False
    return all(a == b or abs(a - b) <= 1e-8 + 1e-5 * abs(b) < INFINITE for a, b in pairs)


def sets(lines, kind):
    return {frozenset(map(kind, words)) for words in lines}


def rounded(lines):
    try:
        return sets(lines, lambda word: round(float(word), 3))
    except (ValueError, OverflowError):
        return None


INFINITE = float("inf")
"""
"""Lines without outer blanks; else as many numbers, one a line, within 1e-8 and 1e-5 of the expected ones;
else the same sets of words, or of numbers to three decimals, in any order of lines and words."""

CODE_CONTESTS_CHECKER = """
import re

BLANKS = re.compile("[ \\\\n\\\\t\\\\r\\\\v]+")
WHOLE = re.compile("[+-]?[0-9]+")


def accept(given, printed, expected):
    ours, theirs = (words(text) for text in (printed, expected))
    return len(ours) == len(theirs) and all(map(same, ours, theirs))


def words(text):
    return [word.translate(LOWER) for word in BLANKS.split(text) if word]


LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def same(ours, theirs):
    if ours == theirs:
        return True
    if WHOLE.fullmatch(ours) and WHOLE.fullmatch(theirs):
        return whole(ours) == whole(theirs)
    try:
        return abs(float(ours) - float(theirs)) < 1e-5 and "_" not in ours
    except ValueError:
        return False


def whole(word):
    digits = word.lstrip("+-0")
    return digits, bool(digits) and word.startswith("-")
"""
"""The same words, what blanks part, without regard to ASCII case; numbers less than 1e-5 apart, whole ones
equal: as floats, long ones that differ would be the same."""

LIVECODEBENCH_CHECKER = """
from decimal import Decimal, InvalidOperation


def accept(given, printed, expected):
    ours, theirs = (text.strip().split("\\n") for text in (printed, expected))
    return len(ours) == len(theirs) and all(map(same, ours, theirs))


def same(ours, theirs):
    if ours.strip() == theirs.strip():
        return True
    try:
        return [Decimal(word) for word in ours.split()] == [Decimal(word) for word in theirs.split()]
    except InvalidOperation:
        return False
"""
"""The same lines, without regard to outer blanks; lines that differ are the same numbers, by exact value."""
