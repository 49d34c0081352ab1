"""Variations of what scripts read, as a prompt's examples show it."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator, Sequence

__all__ = ["script_variations"]

_WORD = re.compile(r"\S+")
_WHOLE, _DECIMAL = re.compile(r"[+-]?\d{1,18}"), re.compile(r"[+-]?\d{1,15}\.\d{1,10}")


def script_variations(texts: Sequence[str], rng: random.Random) -> Iterator[str]:
    """Yield inputs without end in which some words of an example's are others of their kind.

    Lines keep their number of words, and numbers that count words or lines stay.
    """
    while True:
        lines = rng.choice(texts).split("\n")
        words = [_WORD.findall(line) for line in lines]
        free = [
            (line, at)
            for line, row in enumerate(words)
            for at, word in enumerate(row)
            if not _counts(word, words, line)
        ]
        if not free:
            free = [(line, at) for line, row in enumerate(words) for at, _ in enumerate(row)]
        if not free:
            return
        most = max([10, *(abs(int(word)) for row in words for word in row if _WHOLE.fullmatch(word))])
        signed = any(word.startswith("-") for row in words for word in row)
        for line, at in rng.sample(free, min(len(free), rng.choice((1, 1, 2, 3)))):
            words[line][at] = _other_word(words[line][at], rng, most=most, signed=signed)
        yield "\n".join(
            "".join(itertools.chain.from_iterable(zip(_gaps(text), [*row, ""], strict=True)))
            for text, row in zip(lines, words, strict=True)
        )


def _gaps(line: str) -> list[str]:
    """Return what stands before, between and behind the words of a line."""
    return _WORD.split(line)


def _counts(word: str, words: Sequence[Sequence[str]], line: int) -> bool:
    """Whether a word is the number of words, letters or lines that follow on later lines."""
    if not word.isascii() or not word.isdecimal():
        return False
    number, later = int(word[:18]), words[line + 1 :]
    return (
        number == sum(map(bool, later))
        or any(number == len(row) and number > 1 for row in later)
        or any(number == len(each) and number > 1 for row in later for each in row if not each.isdecimal())
        # the first of two sizes, such as of a table
        or (len(words[line]) <= 3 and 1 < number <= len(later) and any(len(row) > 1 for row in later))
    )


def _other_word(word: str, rng: random.Random, *, most: int, signed: bool) -> str:
    if _WHOLE.fullmatch(word):
        value = int(word)
        number = rng.choice(
            (value + 1, value - 1, value * 2, value // 2, rng.randint(1, most), rng.randint(1, most))
        )
        return str(number if signed else abs(number) or 1)
    if _DECIMAL.fullmatch(word):
        places = len(word.partition(".")[2])
        return f"{float(word) * rng.choice((0.5, 2.0, 1.1)) + rng.choice((0.0, 1.0)):.{places}f}"
    letters = list(word)
    if rng.random() < 0.5:
        rng.shuffle(letters)
        return "".join(letters)
    at = rng.randrange(len(letters))
    letters[at] = rng.choice(word if len(set(word)) > 1 or not word.isalpha() else "abcxyz")
    return "".join(letters)
