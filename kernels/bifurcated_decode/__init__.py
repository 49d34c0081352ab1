"""Attention of a decode step whose rows share their context: one operation, three implementations."""

from codesample.kernels.bifurcated_decode.api import (
    DecodeOutput,
    LayerStore,
    bifurcated_decode,
    take_over,
    usable_impls,
)
from codesample.kernels.bifurcated_decode.batch import DecodePlan, Segment

__all__ = [
    "DecodeOutput",
    "DecodePlan",
    "LayerStore",
    "Segment",
    "bifurcated_decode",
    "take_over",
    "usable_impls",
]
