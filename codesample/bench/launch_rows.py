"""Rows of the attention benchmark as calls of the kernels that were timed on one GPU, launch by launch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from codesample.bench.measurements import Measurement
from codesample.bench.model_shapes import HEADS
from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import DecodeBatch, Segment
from codesample.kernels.bifurcated_decode.cost import CallShape

__all__ = ["TimedCall", "timed_calls"]

_KIND = "attention"
_BYTES = {"bfloat16": 2, "float16": 2}
# what all rows must have in common, or they are of several machines or kernels
_SAME = ("device", "commit", "torch", "triton")
_NUMBERS = {"rows": 1 << 20, "prompts": 1 << 20, "context": 1 << 31, "own": 1 << 31}


class TimedCall(NamedTuple):
    """A call whose launches were timed.

    Attributes:
        model: Whose heads it has.
        batch, shape, own_tokens: As the cost model takes them.
        shared: Whether it took two launches.
        seconds: Of its launches together.
    """

    model: str
    batch: DecodeBatch
    shape: CallShape
    own_tokens: int
    shared: bool
    seconds: float


def timed_calls(rows: Iterable[Measurement]) -> list[TimedCall]:
    """Return the calls of a card's rows that were timed launch by launch, in 16 bits.

    Args:
        rows: Of `codesample bench gpu` or `codesample bench attention`; those of other kinds say what the
            machine is, or nothing.

    Raises:
        ParameterError: rows of a rehearsal, of a CPU or of several machines, a row that is none, or not one
            call among them.
    """
    found = list(rows)
    own = [(at, row) for at, row in enumerate(found, 1) if row.get("kind") == _KIND]
    # of a cell that was never begun, or failed, nothing more is known
    _expect_one_gpu(
        [row for row in found if row.get("kind") in (_KIND, "environment") and "refused" not in row],
        [(at, row) for at, row in own if "refused" not in row],
    )
    why: Counter[str] = Counter()
    calls = []
    for at, row in own:
        try:
            if reason := _no_call(row):
                why[reason] += 1
            else:
                calls.append(_call(row, _multiprocessors(found)))
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            said = f"row {at}, {_name(row)}: it is no row of a benchmark: {type(error).__name__}: {error}"
            raise ParameterError(said) from error
    if not calls:
        told = "; ".join(f"{count} {reason}" for reason, count in why.items()) or "none of the kind attention"
        raise ParameterError(f"no row has launches that were timed one by one: {told}")
    return calls


def _expect_one_gpu(rows: Sequence[Measurement], own: Sequence[tuple[int, Measurement]]) -> None:
    if any(row.get("rehearsal") for row in rows):
        raise ParameterError("these are rows of a rehearsal; its times are of a CPU and of small shapes")
    for at, row in own:
        if row.get("clock") != "CUDA events":
            raise ParameterError(
                f"row {at}, {_name(row)}: it was timed by {row.get('clock')!r}; expected a GPU's CUDA events"
            )
    for name in _SAME:
        values = {str(row.get(name)) for row in rows}
        if len(values) > 1:
            raise ParameterError(f"rows of more than one {name}: {', '.join(sorted(values))}; name one's")


def _no_call(row: Measurement) -> str:
    if "refused" in row or row.get("no_time"):
        return "without a figure"
    launches = row.get("launches")
    if not isinstance(launches, dict) or "refused" in launches:
        return "without launches"
    return "" if row.get("dtype") in _BYTES else "not in 16 bits, which arithmetic decides"


def _call(row: Measurement, multiprocessors: int | None) -> TimedCall:
    rows, prompts, context, own = (_number(row, name, most) for name, most in _NUMBERS.items())
    if rows * prompts > _NUMBERS["rows"]:
        raise ValueError(f"{rows} x {prompts} rows")
    heads, kv_heads, width = HEADS[row["model"]]
    tiling, launches = row["launches"]["tiling"], row["launches"]["seconds"]
    shared = tiling["shared"]
    seconds = [_seconds(value) for value in launches.values()]
    if not isinstance(shared, bool) or len(seconds) != 1 + shared:
        raise ValueError(f"{len(seconds)} launches where the tiling says shared = {shared!r}")
    segments = [Segment(i * context, context, i * rows, (i + 1) * rows, 0) for i in range(prompts)]
    count = rows * prompts
    if multiprocessors is None:
        # as many workers as fit, one or two of them at a time
        multiprocessors = max(1, int(tiling["workers"]) // (2 if tiling["block_m"] <= 64 else 1))
    return TimedCall(
        model=row["model"],
        batch=DecodeBatch.build(segments, slots=range(count), own_starts=[context] * count),
        shape=CallShape(
            queries=1,
            group=heads // kv_heads,
            kv_heads=kv_heads,
            width=width,
            element_size=_BYTES[row["dtype"]],
            capacity=-(-(own + 1) // 16) * 16,
            multiprocessors=multiprocessors,
        ),
        # the new token of each row is read as well
        own_tokens=own + 1,
        shared=shared,
        seconds=sum(seconds),
    )


def _multiprocessors(rows: Sequence[Measurement]) -> int | None:
    told = (row.get("multiprocessors") for row in rows if row.get("kind") == "environment")
    return next((each for each in told if isinstance(each, int) and each > 0), None)


def _number(row: Measurement, name: str, most: int) -> int:
    value = row[name]
    least = 0 if name in ("context", "own") else 1
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} = {value!r}")
    return value


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not (math.isfinite(value) and value > 0):
        raise ValueError(f"seconds = {value!r}")
    return float(value)


def _name(row: Measurement) -> str:
    return f"{row.get('model')}, n {row.get('rows')}, context {row.get('context')}"
