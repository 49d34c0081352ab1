"""What a scorer returned, made into scores: finite floats, or None for abstaining."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Iterable, Mapping, Set
from itertools import islice
from typing import Any

from codesample.errors import RerankerError

__all__ = ["checked_scores"]


def checked_scores(scores: object, expected: int) -> list[float | None]:
    """Return one finite float, or None, for each candidate.

    Lists, tuples, generators and one-dimensional arrays are taken, of numbers of any kind: bools (True is 1),
    fractions, decimals, scalars of numpy and torch.

    Args:
        scores: What was returned.
        expected: How many candidates there are.

    Raises:
        RerankerError: something else; says what.
    """
    if isinstance(scores, str | bytes | Mapping | Set) or not isinstance(scores, Iterable):
        raise RerankerError(f"returned {type(scores).__name__}, expected one score per candidate")
    shape = getattr(scores, "shape", None)
    if shape is not None and len(shape) != 1:
        raise RerankerError(f"returned an array of shape {tuple(shape)}, expected ({expected},)")
    # one that never ends is cut
    values = list(islice(scores, expected + 1))
    if len(values) != expected:
        got = len(scores) if isinstance(scores, Collection) else len(values)
        more = "at least " if got > expected and not isinstance(scores, Collection) else ""
        raise RerankerError(f"returned {more}{got} scores for {expected} candidates")
    return [_score(value, position) for position, value in enumerate(values)]


def _score(value: Any, position: int) -> float | None:
    if value is None:
        return None
    wanted = "expected a finite number, or None to abstain"
    if not _is_number(value):
        raise RerankerError(f"score {position} is {type(value).__name__}, {wanted}")
    detach = getattr(value, "detach", None)
    try:
        # torch warns of what a gradient could still be asked of
        number = float(detach() if callable(detach) else value)
    except (OverflowError, ValueError, TypeError, RuntimeError) as error:
        raise RerankerError(f"score {position} is no float ({error}), {wanted}") from error
    if not math.isfinite(number):
        raise RerankerError(f"score {position} is {number}, {wanted}")
    return number


def _is_number(value: Any) -> bool:
    """Whether something is one real number; an array of one number is none."""
    if isinstance(value, numbers.Complex):
        return isinstance(value, numbers.Real)
    return hasattr(value, "__float__") and len(getattr(value, "shape", ())) == 0 and not _is_complex(value)


def _is_complex(value: Any) -> bool:
    kind = getattr(value, "is_complex", None)
    return bool(kind()) if callable(kind) else False
