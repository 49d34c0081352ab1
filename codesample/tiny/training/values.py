"""Random inputs for the corpus's examples, and the pools its names and constants are drawn from."""

# A row per operation reads better than a field per line.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

import random
from typing import Any

__all__ = ["ANNOTATIONS", "ARGUMENTS", "ELEMENTS", "constant", "example_input"]

_WORDS = ["apple", "bread", "candle", "door", "eagle", "forest", "garden", "house", "island", "jacket", "kite", "lemon", "moon", "night", "ocean", "paper", "queen", "river", "stone", "table", "uncle", "violin", "water", "yellow", "zebra", "ant", "bee", "cat", "dog", "egg", "fox", "goat", "hat", "ink", "jam", "key", "leaf", "map", "nut", "owl", "pig", "rat", "sun", "tea", "urn", "van", "wax", "yak", "level", "noon", "radar", "civic", "Anna", "Bob", "Clara", "Dave", "Eva", "Frank", "Otto", "pear", "plum", "fig", "kiwi", "mango", "grape", "melon", "blue", "red", "green", "gray", "pink", "black", "white", "one", "two", "three", "four", "five", "six", "seven", "gold", "iron", "silver", "wood", "clay", "salt", "sand", "snow", "rain", "wind", "cloud", "storm", "sea", "hill", "road", "path", "tree", "bird", "fish", "wolf", "bear", "lion", "tiger", "mouse", "horse", "sheep", "Apple", "Moon", "Tree", "Paris", "Rome", "Oslo", "Lima", "Kyoto", "a", "be", "to", "of", "in"]
_NAMES = ["ann", "ben", "cal", "dan", "eve", "fay", "gus", "hal", "ivy", "jon", "kim", "lee", "max", "ned", "ola", "pat", "ray", "sue", "tom", "una", "vic", "wes", "zoe"]
_KEYS = [*_NAMES, "apple", "pear", "fig", "milk", "rice", "salt", "tea", "pen", "cup", "box", "hat", "red", "blue"]

ANNOTATIONS = {
    "ints": "list[int]", "words": "list[str]", "text": "str", "dict": "dict[str, int]", "pairs": "list[tuple[str, int]]",
    "rows": "list[list[int]]", "int": "int", "bool": "bool", "str": "str", "keys": "list", "lists": "list[list]", "row": "list[int]",
    "tally": "dict", "groups": "dict", "tuple": "tuple", "key": "str", "char": "str",
}

ARGUMENTS = {
    "ints": ["nums", "numbers", "values", "xs", "data", "items", "arr", "seq", "ints", "lst"],
    "words": ["words", "names", "strings", "tokens", "texts", "labels", "items", "terms"],
    "text": ["text", "s", "string", "line", "sentence", "phrase", "msg"],
    "dict": ["counts", "prices", "scores", "stock", "ages", "table", "d", "mapping"],
    "pairs": ["records", "pairs", "entries", "sales", "results", "rows"],
    "rows": ["rows", "grid", "matrix", "table", "lists", "groups", "m"],
    "twoints": ["left right", "first second", "xs ys", "nums others", "p q", "one two"],
}
"""Source type to the argument names a function may use."""

ELEMENTS = {
    "ints": ["x", "n", "num", "v", "value"], "words": ["w", "word", "s", "name"], "text": ["c", "ch", "char", "letter"],
    "rows": ["row", "r", "line"],
}
"""Element type to loop variable names."""

_CONSTANTS: dict[str, tuple[Any, ...]] = {
    "int": (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20), "div": (2, 3, 4, 5, 7), "few": (1, 2, 3, 4), "len": (2, 3, 4, 5),
    "digit": (0, 1, 2, 3, 5, 7), "low": (-2, 0, 1, 2, 3), "high": (5, 6, 8, 9, 10), "default": (0, -1, None),
    "letter": tuple("abcdegilnorst"), "mark": tuple("!-*?#."), "sep": ("-", ", ", "/", "+", "_", " and "),
    "hot": ("high", "big", "yes", "over", "large"), "cold": ("low", "small", "no", "under", "few"),
}


def constant(kind: str, rng: random.Random) -> Any:
    """Draw a constant of `kind`, one of the kinds that primitives and stages name."""
    return rng.choice(_CONSTANTS[kind])


def _number(rng: random.Random) -> int:
    return rng.randint(-9, 9) if rng.random() < 0.6 else rng.randint(0, 25)


def _text(rng: random.Random) -> str:
    if rng.random() < 0.25:
        return "".join(rng.choice("aabbeexyt1230 AT") for _ in range(rng.randint(3, 9)))
    words = rng.choices(_WORDS, k=rng.randint(1, 3))
    return " ".join(w.upper() if rng.random() < 0.1 else w for w in words)


def example_input(kind: str, rng: random.Random) -> Any:
    """Draw one value of a source type: "ints", "words", "text", "dict", "pairs", "rows" or a constant's kind."""
    size = rng.choice((2, 3, 3, 4, 4, 5))
    if kind == "ints":
        pool = [_number(rng) for _ in range(size)]
        return [rng.choice(pool) if rng.random() < 0.2 else x for x in pool]
    if kind == "words":
        return rng.choices(rng.sample(_WORDS, 9), k=min(size, 5))
    if kind == "text":
        return _text(rng)
    if kind == "dict":
        return {name: _number(rng) for name in rng.sample(_KEYS, rng.randint(2, 4))}
    if kind == "pairs":
        names = rng.sample(_NAMES, 3)
        return [(rng.choice(names), _number(rng)) for _ in range(rng.randint(2, 4))]
    if kind == "rows":
        width = rng.randint(2, 3)
        return [[_number(rng) for _ in range(width)] for _ in range(rng.randint(2, 3))]
    return constant(kind, rng)
