"""How stored prompts are held: in the model's own numbers, or in 8 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from codesample.kernels.bifurcated_decode import PackedKind
from codesample.policies.parametrised import Parametrised
from codesample.records.fields import check_settings, setting

__all__ = ["Fp8", "Int8", "Storage"]


@dataclass(frozen=True)
class Storage(Parametrised):
    """Hold prompts in 8 bits, keys by channel and values by token; see `PackedKeys`.

    Keys and values are packed as each layer makes them, so the whole prompt is never there unpacked; a pass
    over the prompt attends to what earlier passes stored as it is stored, to its own tokens as they are.

    Attributes:
        guard: A call whose prompts are all shorter, in tokens, stores them as ever.
        audit: Measure, as prompts are stored, how far the outputs of their last queries move.
    """

    kind: ClassVar[PackedKind]

    guard: int = setting(
        4096,
        "Calls of shorter prompts store them as ever.",
        expected="a number of tokens, at least 0",
        holds=lambda value: value >= 0,
    )
    audit: bool = setting(False, "Measure how far outputs move.")

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class Int8(Storage):
    """Integers of 8 bits: 255 steps over the range of a channel or a value."""

    name = "int8"
    kind = "int8"


@dataclass(frozen=True)
class Fp8(Storage):
    """Floating point of 8 bits, e4m3: finer near the middle of a range, coarser at its ends."""

    name = "fp8"
    kind = "fp8"
