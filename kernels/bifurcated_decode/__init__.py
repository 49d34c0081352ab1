"""Attention of a decode step whose rows share keys: one operation, three implementations."""

from codesample.kernels.bifurcated_decode.api import bifurcated_decode, prepare_batch, usable_impls
from codesample.kernels.bifurcated_decode.batch import DecodeBatch, Segment
from codesample.kernels.bifurcated_decode.call import Call, DecodeOutput, LayerStore, ScoreOptions
from codesample.kernels.bifurcated_decode.prepared_batch import PreparedBatch
from codesample.kernels.bifurcated_decode.selection import ALL_KEYS, AllKeys, KeptKeys, KeySelection
from codesample.kernels.bifurcated_decode.step_schedule import FixedSplits, StepSchedule, StreamK

__all__ = [
    "ALL_KEYS",
    "AllKeys",
    "Call",
    "DecodeBatch",
    "DecodeOutput",
    "FixedSplits",
    "KeptKeys",
    "KeySelection",
    "LayerStore",
    "PreparedBatch",
    "ScoreOptions",
    "Segment",
    "StepSchedule",
    "StreamK",
    "bifurcated_decode",
    "prepare_batch",
    "usable_impls",
]
