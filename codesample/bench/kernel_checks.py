"""What must be right on a card before anything is timed there: attention, against fp64 over joined keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import NamedTuple

import torch

from codesample.bench.schedule_speed import SCHEDULES
from codesample.kernels.bifurcated_decode import PackedKind, StepSchedule
from codesample.kernels.bifurcated_decode.packed_keys import PACKED_DTYPES
from codesample.kernels.bifurcated_decode.rounding import beyond_rounding
from codesample.testing.attention import (
    DecodeCase,
    joined_attention,
    make_decode_inputs,
    pack_inputs,
    unpacked,
)

__all__ = ["LARGE", "SMALL", "Check", "kernel_checks", "schedule_checks", "storage_checks"]

_REPEATS = 3

LARGE = (
    DecodeCase(groups=((1, 8192),), lens=(100,), heads=(32, 8), width=128),
    DecodeCase(groups=((32, 4096),), lens=tuple(range(0, 320, 10)), heads=(32, 32), width=128),
    DecodeCase(groups=((70, 1000), (3, 77), (1, 0)), lens=(17,) * 74, heads=(28, 4), width=128),
    DecodeCase(groups=((6, 700),), lens=(5,) * 6, heads=(8, 4), width=256, softcap=50.0, window=512),
    DecodeCase(
        groups=((20, 900), (3, 41)),
        lens=tuple(range(23)),
        slots=tuple(range(40, 17, -1)),
        header=100,
        heads=(16, 4),
        width=128,
        queries=2,
        window=700,
        sinks=True,
    ),
)
"""Calls for a GPU: one row, many rows, several prompts, and every option; unread memory is NaN."""

SMALL = (DecodeCase(groups=((3, 20), (2, 33)), lens=(4, 0, 1, 7, 2), header=19, heads=(4, 2)),)
"""A call for a CPU."""


class Check(NamedTuple):
    """One thing that must hold.

    Attributes:
        what: In words.
        seconds: How long it should take.
        wrong: Does it; returns what is wrong, or None.
    """

    what: str
    seconds: float
    wrong: Callable[[], str | None]


def kernel_checks(
    cases: tuple[DecodeCase, ...],
    *,
    impl: str,
    device: torch.device,
    dtypes: tuple[torch.dtype, ...],
    seconds: float,
) -> Iterator[Check]:
    """Yield a check per call and dtype: within rounding of fp64 over joined keys, and the same bits again."""
    for case in cases:
        for dtype in dtypes:
            name = str(dtype).removeprefix("torch.")
            what = f"attention ({impl}), {name}, {case}"
            yield Check(what, seconds, partial(_wrong_attention, case, dtype, impl, device))


def schedule_checks(
    cases: tuple[DecodeCase, ...],
    *,
    impl: str,
    device: torch.device,
    dtypes: tuple[torch.dtype, ...],
    seconds: float,
) -> Iterator[Check]:
    """Yield the same checks of the other schedules of a step."""
    for name, schedule in SCHEDULES.items():
        if schedule is not None:
            for case, dtype in product(cases, dtypes):
                what = f"attention ({impl}, {name}), {str(dtype).removeprefix('torch.')}, {case}"
                yield Check(what, seconds, partial(_wrong_attention, case, dtype, impl, device, schedule))


def storage_checks(
    cases: tuple[DecodeCase, ...],
    *,
    impl: str,
    device: torch.device,
    dtype: torch.dtype,
    seconds: float,
) -> Iterator[Check]:
    """Yield the same checks of shared keys in 8 bits, against attention over what the pool holds."""
    for case, kind in product(cases, PACKED_DTYPES):
        what = f"attention ({impl}, {kind}), {str(dtype).removeprefix('torch.')}, {case}"
        yield Check(what, seconds, partial(_wrong_attention, case, dtype, impl, device, kind=kind))


def _wrong_attention(
    case: DecodeCase,
    dtype: torch.dtype,
    impl: str,
    device: torch.device,
    schedule: StepSchedule | None = None,
    *,
    kind: PackedKind | None = None,
) -> str | None:
    inputs = make_decode_inputs(case, dtype=dtype, device=device)
    if kind is None:
        exact, plain = joined_attention(inputs.to(torch.float64)), joined_attention(inputs)
    else:
        inputs = pack_inputs(inputs, kind)
        exact, plain = (joined_attention(unpacked(inputs, each)) for each in (torch.float64, dtype))
    run = partial(inputs.run, impl, schedule=schedule)
    got = run()
    for name in got._fields:
        one = getattr(got, name)
        if wrong := beyond_rounding(one, getattr(exact, name), getattr(plain, name)):
            return f"{name}: {wrong}"
    for _ in range(_REPEATS):
        again = run()
        if not (torch.equal(got.out, again.out) and torch.equal(got.lse, again.lse)):
            return "a repeated call gives other bits"
    return None
