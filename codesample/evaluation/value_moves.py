"""Ways to make another number of a number, and another text of a text."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

__all__ = ["FLOATS", "TEXTS", "WHOLE"]


def _put(value: str, at: int, what: str, drop: int = 0) -> str:
    return value[:at] + what + value[at + drop :]


WHOLE: tuple[Callable[[int, random.Random, int], int], ...] = (
    lambda value, rng, most: value + rng.choice((-1, 1)),
    lambda value, rng, most: value + rng.choice((-3, -2, 2, 3)),
    lambda value, rng, most: rng.randint(-most, most),
    lambda value, rng, most: rng.randint(-most, most),
    lambda value, rng, most: rng.choice((0, 1, 2, most)),
    lambda value, rng, most: value // 2,
    lambda value, rng, most: -value,
    lambda value, rng, most: value * 2,
)
FLOATS: tuple[Callable[[float, random.Random, float], float], ...] = (
    lambda value, rng, most: value + rng.choice((-1.0, 1.0, -0.5, 0.5, 0.1)),
    lambda value, rng, most: rng.uniform(-most, most),
    lambda value, rng, most: float(rng.choice((0, 1, 2))),
    lambda value, rng, most: value / 2,
    lambda value, rng, most: -value,
)


_Texts = Callable[[str, random.Random, str, Sequence[str]], str]
TEXTS: tuple[_Texts, ...] = (
    lambda value, rng, letters, texts: _put(value, rng.randint(0, len(value)), "", 1),
    lambda value, rng, letters, texts: _put(value, rng.randint(0, len(value)), rng.choice(letters)),
    lambda value, rng, letters, texts: _put(value, rng.randint(0, len(value)), rng.choice(letters), 1),
    lambda value, rng, letters, texts: value[::-1],
    lambda value, rng, letters, texts: "".join(rng.sample(value, len(value))),
    lambda value, rng, letters, texts: value[: rng.randint(0, len(value))],
    lambda value, rng, letters, texts: value + rng.choice(texts or [value]),
    lambda value, rng, letters, texts: rng.choice(texts or [value]),
    lambda value, rng, letters, texts: "".join(rng.choice(letters) for _ in range(rng.randint(1, 8))),
    lambda value, rng, letters, texts: value.swapcase(),
)
