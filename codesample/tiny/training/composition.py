"""Draws compositions: a source type, then stages that read one another's result, each with its constants."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from codesample.tiny.training.primitives import (
    CHAR_MAPS,
    CHAR_TESTS,
    INT_MAPS,
    INT_TESTS,
    ITEM_MAPS,
    PAIR_MAPS,
    ROW_MAPS,
    ROW_TESTS,
    WORD_MAPS,
    WORD_TESTS,
    ElementMap,
    Test,
)
from codesample.tiny.training.stages import FOLDS, OPERATIONS, Fold, Operation
from codesample.tiny.training.values import constant

__all__ = ["MIXES", "Composition", "Filter", "Map", "Mix", "Stage", "draw_composition", "slots_of"]


@dataclass(frozen=True, slots=True)
class Filter:
    """Keep the elements for which `test` holds of `part`: "x" the element, "a" or "b" half of a pair."""

    test: Test
    part: str = "x"

    @property
    def key(self) -> str:
        """Canonical name."""
        return f"filter.{self.test.key}" if self.part == "x" else f"filter.{self.part}.{self.test.key}"


@dataclass(frozen=True, slots=True)
class Map:
    """Replace each element; with `test`, by `map` where the test holds and by `other` elsewhere."""

    map: ElementMap
    dst: str
    test: Test | None = None
    other: ElementMap | None = None

    @property
    def key(self) -> str:
        """Canonical name."""
        if self.test is None:
            return f"map.{self.map.key}"
        return f"choose.{self.test.key}.{self.map.key}.{self.other.key if self.other else 'same'}"


Stage = Filter | Map | Fold | Operation


@dataclass(frozen=True, slots=True)
class Composition:
    """A source type and the stages applied to it.

    Attributes:
        source: Type of the first argument, such as "ints".
        stages: In the order they are applied.
        types: Type before each stage, and after the last.
        constants: For each stage, slot name to value.
    """

    source: str
    stages: tuple[Stage, ...]
    types: tuple[str, ...]
    constants: tuple[dict[str, Any], ...] = field(default=())

    @property
    def signature(self) -> str:
        """What is computed, without constants, names and wording; what the hold-out compares."""
        return " > ".join([self.source, *(s.key for s in self.stages)])


_SPLIT = Operation(
    "split",
    "words",
    ("words",),
    ("the words of <v>", "the words in <v>"),
    ("split <v> into words",),
    ("<v>.split()",),
)
_TESTS = {"ints": INT_TESTS, "words": WORD_TESTS, "text": CHAR_TESTS, "rows": ROW_TESTS}
_MAPS = {"ints": INT_MAPS, "words": WORD_MAPS, "text": CHAR_MAPS}
_KIND_TYPES = {"int": "ints", "str": "words"}


@dataclass(frozen=True, slots=True)
class Mix:
    """How often what is drawn.

    Attributes:
        filter, map, fold: Probability of each kind of stage; an operation has the rest.
        plain: Probability that an operation is drawn from those that ask no test of the elements alone; the
            families that do ("all", "any", "first place" ... of each test) outnumber them otherwise.
        lengths: Numbers of stages, each drawn equally often.
    """

    filter: float
    map: float
    fold: float
    plain: float
    lengths: tuple[int, ...]


MIXES = {
    "broad": Mix(0.34, 0.28, 0.2, 0.0, (1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 4)),
    "plain": Mix(0.28, 0.24, 0.2, 0.85, (1, 2, 2, 2, 2, 2, 3, 3, 3)),
}
"""The corpus of the first part of training, equally many of everything, and of the second."""


def _filter(kind: str, rng: random.Random) -> Filter | None:
    if kind in _TESTS:
        return Filter(rng.choice(_TESTS[kind]))
    if kind in ("dict", "pairs"):
        return (
            Filter(rng.choice(INT_TESTS), "b") if rng.random() < 0.65 else Filter(rng.choice(WORD_TESTS), "a")
        )
    return Filter(rng.choice(INT_TESTS), "b") if kind == "tally" else None


def _map(kind: str, rng: random.Random) -> Map | None:
    if kind == "pairs":
        chosen = rng.choice(PAIR_MAPS)
    elif kind == "dict" and rng.random() < 0.6:
        chosen = rng.choice(ITEM_MAPS)
    elif kind == "dict":
        return Map(rng.choice(INT_MAPS[:-1]), "dict")
    elif kind == "rows":
        chosen = rng.choice(ROW_MAPS)
    elif kind in _MAPS:
        chosen = rng.choice(_MAPS[kind])
        if not chosen.kind and rng.random() < 0.2:
            same = [m for m in _MAPS[kind] if not m.kind and m is not chosen]
            return Map(
                chosen, kind, rng.choice(_TESTS[kind]), rng.choice(same) if rng.random() < 0.6 else None
            )
    else:
        return None
    return Map(chosen, _KIND_TYPES.get(chosen.kind, kind))


def _draw_stage(kind: str, first: bool, mix: Mix, rng: random.Random) -> Stage | None:
    if kind == "text" and first and rng.random() < 0.35:
        return _SPLIT
    roll = rng.random()
    if roll < mix.filter:
        return _filter(kind, rng)
    roll -= mix.filter
    if roll < mix.map:
        return _map(kind, rng)
    roll -= mix.map
    if roll < mix.fold:
        return rng.choice(FOLDS[kind]) if kind in FOLDS else None
    options: Sequence[Operation] = OPERATIONS.get(kind, ())
    if mix.plain and rng.random() < mix.plain:
        options = [o for o in options if "." not in o.key]
    return rng.choice(options) if options else None


def _result_type(stage: Stage, kind: str) -> str:
    if isinstance(stage, Filter):
        return kind
    if stage.dst == "same":
        return kind
    if stage.dst == "lists":
        return "rows" if kind == "ints" else "lists"
    return stage.dst


def slots_of(stage: Stage) -> dict[str, str]:
    """Return the constants a stage needs: slot name to kind; those of a choice carry the mark t, m or o."""
    if isinstance(stage, Filter):
        return stage.test.constants
    if not isinstance(stage, Map):
        return stage.constants
    if stage.test is None:
        return stage.map.constants
    slots = {f"{name}t": kind for name, kind in stage.test.constants.items()}
    slots |= {f"{name}m": kind for name, kind in stage.map.constants.items()}
    return slots | {f"{name}o": kind for name, kind in (stage.other.constants if stage.other else {}).items()}


def draw_composition(rng: random.Random, mix: Mix) -> Composition:
    """Draw one composition of one to four stages; the last never is the mere splitting of a text."""
    source = rng.choice(
        ("ints", "ints", "ints", "words", "words", "text", "text", "dict", "pairs", "rows", "twoints")
    )
    length = rng.choice(mix.lengths)
    stages: list[Stage] = []
    types = [source]
    while len(stages) < length:
        stage = _draw_stage(types[-1], not stages, mix, rng)
        if stage is None:
            if types[-1] in FOLDS or types[-1] in OPERATIONS:
                continue
            break
        if any(stage.key == s.key for s in stages):
            continue
        stages.append(stage)
        types.append(_result_type(stage, types[-1]))
    if stages[-1] is _SPLIT:
        return draw_composition(rng, mix)
    drawn = tuple({name: constant(kind, rng) for name, kind in slots_of(s).items()} for s in stages)
    return Composition(source, tuple(stages), tuple(types), drawn)
