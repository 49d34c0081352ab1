"""Attention of a decode step whose rows share keys: one operation, three implementations."""

from codesample.kernels.bifurcated_decode.api import bifurcated_decode, prepare_batch, usable_impls
from codesample.kernels.bifurcated_decode.batch import DecodeBatch, Segment
from codesample.kernels.bifurcated_decode.block_pattern import (
    PATTERN_SETTINGS,
    BlockPattern,
    stated_pattern,
)
from codesample.kernels.bifurcated_decode.call import (
    Call,
    DecodeOutput,
    LayerStore,
    PackedStore,
    ScoreOptions,
)
from codesample.kernels.bifurcated_decode.packed_keys import GROUP, PackedKeys, PackedKind, whole_groups
from codesample.kernels.bifurcated_decode.prepared_batch import PreparedBatch
from codesample.kernels.bifurcated_decode.selection import ALL_KEYS, AllKeys, KeptKeys, KeySelection
from codesample.kernels.bifurcated_decode.step_schedule import FixedSplits, StepSchedule, StreamK

__all__ = [
    "ALL_KEYS",
    "GROUP",
    "PATTERN_SETTINGS",
    "AllKeys",
    "BlockPattern",
    "Call",
    "DecodeBatch",
    "DecodeOutput",
    "FixedSplits",
    "KeptKeys",
    "KeySelection",
    "LayerStore",
    "PackedKeys",
    "PackedKind",
    "PackedStore",
    "PreparedBatch",
    "ScoreOptions",
    "Segment",
    "StepSchedule",
    "StreamK",
    "bifurcated_decode",
    "prepare_batch",
    "stated_pattern",
    "usable_impls",
    "whole_groups",
]
