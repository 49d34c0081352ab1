"""Rerankers that were learnt from the scores of others: a small model in a file of plain JSON."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from codesample.errors import ParameterError, RerankerError
from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker
from codesample.rerankers.expression import leaves, parse

__all__ = [
    "FORMS",
    "Feature",
    "FittedFile",
    "Logistic",
    "Stump",
    "Stumps",
    "feature_values",
    "load_fitted",
    "prompt_digest",
]

FORMS = ("raw", "rank", "z", "abstained")
"""What is made of a method's scores of one problem: the score; its rank among the candidates, from 0 to 1,
ties in the middle; how many standard deviations it is above their mean; and whether there is none."""

_FORMAT = 1
# standard deviations from the mean
_FARTHEST = 1e6


class Feature(msgspec.Struct, frozen=True):
    """A column of the model's input.

    Attributes:
        method: What scores; one of `FittedFile.methods`.
        form: Of `FORMS`.
        mean, scale: What is taken off the value, and what it is then divided by.
    """

    method: str
    form: Literal["raw", "rank", "z", "abstained"]
    mean: float
    scale: float

    def scaled(self, column: Sequence[float | None]) -> list[float]:
        """Return the model's input; a missing score is as the mean, and none is beyond all numbers."""
        # each by itself, for what lies between two large numbers is no float
        centre = self.mean / self.scale
        return [
            0.0 if each is None else min(max(each / self.scale - centre, -_FARTHEST), _FARTHEST)
            for each in column
        ]


class Logistic(msgspec.Struct, frozen=True, tag_field="kind", tag="logistic"):
    """Logistic regression: the intercept with the sum of coefficient times feature, in log-odds."""

    intercept: float
    coefficients: tuple[float, ...]

    def value(self, row: Sequence[float]) -> float:
        """Return the log-odds that a candidate is right."""
        return self.intercept + math.fsum(map(_times, self.coefficients, row))


class Stump(msgspec.Struct, frozen=True):
    """A tree of one question: `low` where the feature is at most the threshold, else `high`."""

    feature: int
    threshold: float
    low: float
    high: float


class Stumps(msgspec.Struct, frozen=True, tag_field="kind", tag="stumps"):
    """Gradient-boosted stumps: the base with what each stump adds, in log-odds."""

    base: float
    stumps: tuple[Stump, ...]

    def value(self, row: Sequence[float]) -> float:
        """Return the log-odds that a candidate is right."""
        return self.base + math.fsum(
            each.low if row[each.feature] <= each.threshold else each.high for each in self.stumps
        )


class FittedFile(msgspec.Struct, frozen=True, kw_only=True):
    """The whole content of a file.

    Attributes:
        methods: Rerankers whose scores it takes, by name, with what loads each.
        features: Columns, in the order of the model's numbers.
        model: What is made of a row.
        prompts: `prompt_digest` of every problem it was fitted on.
        trained_on: Task, its version and hash, model and sizes of each run.
        cross_validation: What it gave on problems that were held out, beside each method.
        versions: Of what fitted it.
        seed: Of folds and of fitting.
        kind, format: What the file is.
    """

    methods: dict[str, str]
    features: tuple[Feature, ...]
    model: Logistic | Stumps
    prompts: tuple[str, ...] = ()
    trained_on: tuple[dict[str, Any], ...] = ()
    cross_validation: dict[str, Any] = {}
    versions: dict[str, str] = {}
    seed: int = 0
    kind: Literal["fitted reranker of codesample"] = "fitted reranker of codesample"
    format: int = _FORMAT

    def values(self, columns: Mapping[str, Sequence[float | None]]) -> list[float]:
        """Return the log-odds of each candidate of a problem, from each method's scores of them."""
        made = {name: feature_values(column) for name, column in columns.items()}
        scaled = [each.scaled(made[each.method][each.form]) for each in self.features]
        return [self.model.value(row) for row in zip(*scaled, strict=True)]


def feature_values(column: Sequence[float | None]) -> dict[str, list[float | None]]:
    """Return, by form, what is made of one method's scores of one problem; a missing score ranks lowest."""
    # squares of large numbers, and sums of very large ones, are no floats
    size = max((abs(each) for each in column if each is not None), default=0.0) or 1.0
    there = [each / size for each in column if each is not None]
    mean = math.fsum(there) / len(there) if there else 0.0
    spread = math.sqrt(math.fsum((each - mean) ** 2 for each in there) / len(there)) if there else 0.0
    # sums of equal numbers are off by the last bit
    flat = spread <= 1e-12
    return {
        "raw": list(column),
        "rank": list(_ranks(column)),
        "z": [0.0 if each is None or flat else (each / size - mean) / spread for each in column],
        "abstained": [float(each is None) for each in column],
    }


def prompt_digest(prompt: str) -> str:
    """Return a short text that tells prompts apart."""
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def load_fitted(path: Path, find: Callable[[str], Reranker]) -> Reranker:
    """Return the reranker that a file holds; needs nothing but the methods that it takes.

    Args:
        path: A file that `codesample rerankers fit` wrote.
        find: Loads the methods.

    Raises:
        RerankerError: it cannot be read, or is no such file.
        CodesampleError: a method cannot be found.
    """
    content = _read(path)
    methods = {name: find(place) for name, place in content.methods.items()}
    known = frozenset(content.prompts)

    def score(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        if known and prompt_digest(view.prompt) in known:
            ctx.note("fitted on problems of this run, of which its figure says too much")
        columns = {name: each.score(view, candidates, ctx) for name, each in methods.items()}
        nothing = [all(score is None for score in row) for row in zip(*columns.values(), strict=True)]
        values = content.values(columns)
        return [None if silent else value for silent, value in zip(nothing, values, strict=True)]

    kind = type(content.model).__name__.lower()
    score.__doc__ = f"Log-odds of being right, by {kind} over {', '.join(methods)}; {path}."
    needs = frozenset().union(*(each.needs for each in methods.values()))
    return Reranker(_name_of(path), score, needs=needs)


def _read(path: Path) -> FittedFile:
    try:
        content = msgspec.json.decode(path.read_bytes(), type=FittedFile)
    except OSError as error:
        raise RerankerError(f"{path}: cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RerankerError(
            f"{path}: no reranker that was fitted here ({error}); make one: codesample rerankers fit RUN "
            "--out FILE.json"
        ) from error
    if content.format != _FORMAT:
        raise RerankerError(f"{path}: has format {content.format}, and this version reads {_FORMAT}")
    if fault := _fault(content):
        raise RerankerError(f"{path}: {fault}")
    return content


def _fault(content: FittedFile) -> str:
    count = len(content.features)
    if not content.methods or not count:
        return "takes no scores of any reranker"
    if own := next(filter(_is_fitted, content.methods.values()), None):
        return f"takes the scores of {own}, another fitted one; those of plain methods are taken"
    if stranger := next((each for each in content.features if each.method not in content.methods), None):
        return f"has a feature of {stranger.method!r}, which is not among its methods"
    if any(not each.scale or not _is_finite(each.scale, each.mean) for each in content.features):
        return "has a feature whose scale is 0 or not finite"
    if isinstance(content.model, Logistic):
        numbers = [content.model.intercept, *content.model.coefficients]
        if len(content.model.coefficients) != count:
            return f"has {len(content.model.coefficients)} coefficients for {count} features"
    else:
        stumps = content.model.stumps
        numbers = [content.model.base, *(n for each in stumps for n in (each.threshold, each.low, each.high))]
        if any(not 0 <= each.feature < count for each in stumps):
            return f"has a stump of a feature that is not one of its {count}"
    return "" if all(map(math.isfinite, numbers)) else "has numbers that are not finite"


def _is_finite(scale: float, mean: float) -> bool:
    return math.isfinite(scale) and math.isfinite(mean / scale)


def _is_fitted(place: str) -> bool:
    """Whether something names a file such as this one, which could go round in a circle."""
    try:
        named = [each.name for each in leaves(parse(place))]
    except ParameterError:
        named = []
    return any(each.endswith(".json") for each in (place, *named))


def _ranks(column: Sequence[float | None]) -> list[float]:
    """Return the share of the others that each is above, ties counting half; 0.5 for a single one."""
    keys = [(each is not None, each or 0.0) for each in column]
    places: dict[tuple[bool, float], list[int]] = {}
    for at, key in enumerate(sorted(keys)):
        places.setdefault(key, []).append(at)
    most = len(keys) - 1
    return [(places[key][0] + places[key][-1]) / 2 / most if most else 0.5 for key in keys]


def _name_of(path: Path) -> str:
    kept = "".join(char if char.isalnum() or char in "_-" else "_" for char in path.stem)
    return kept if kept[:1].isalpha() or kept[:1] == "_" else f"_{kept}"


def _times(left: float, right: float) -> float:
    return left * right
