"""Rates of the cost model fitted to launches that were timed on one GPU, beside those that it ships with.

What the model expects of a call is a sum: launches, bytes from memory and bytes from the L2 cache, each times
what one of them costs. So it is asked about machines on which everything but one of these is free, and what
it says are the columns of a linear least-squares problem; errors count by their share of the time measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from codesample.bench.launch_rows import TimedCall
from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode.cost import HOPPER, Machine, estimate

__all__ = ["CostFit", "FittedCall", "Rate", "fit_costs"]

FEWEST = 8
"""Calls below which a fit says more about noise than about a machine."""

# by the names of `Machine`; what follows is told from what was before it
_RATES = ("memory", "launch", "cache")
# of the columns' singular values, the least beside the largest: with less, two of them are one
_DISTINCT = 1e-3
_FREE = Machine(memory=math.inf, cache=math.inf, cache_bytes=0, program=math.inf, launch=0.0)
# where one of them costs a second
_ONE = {
    "memory": replace(_FREE, memory=1.0),
    "launch": replace(_FREE, launch=1.0),
    "cache": replace(_FREE, cache=1.0),
}


class Rate(NamedTuple):
    """One rate of `Machine`, in its unit.

    Attributes:
        name, shipped: Of the machine.
        fitted: None where the calls do not tell it; the shipped one holds then.
        error: Standard error of `fitted`.
        why: Why there is none.
    """

    name: str
    shipped: float
    fitted: float | None = None
    error: float | None = None
    why: str = ""


class FittedCall(NamedTuple):
    """A measured call, and the seconds that the model expects of it with fitted and with shipped rates."""

    call: TimedCall
    fitted: float
    shipped: float


class CostFit(NamedTuple):
    """What came of a fit.

    Attributes:
        machine: With the fitted rates, and the shipped ones where there are none.
        rates: One for each that was looked for.
        calls: All that were fitted to.
        unfit: Why others were not, and how many.
    """

    machine: Machine
    rates: tuple[Rate, ...]
    calls: tuple[FittedCall, ...]
    unfit: dict[str, int]


def fit_costs(calls: Sequence[TimedCall], shipped: Machine = HOPPER) -> CostFit:
    """Fit memory rate, launch cost and L2 rate to calls of one GPU.

    Args:
        calls: From `launch_rows.timed_calls`.
        shipped: What stands for rates that the calls do not tell, and beside those that they do.

    Raises:
        ParameterError: fewer than `FEWEST` calls that these rates decide, or they do not even tell the rate
            of memory.
    """
    used = [call for call in calls if not _waits_for_programs(call, shipped)]
    unfit = {"few programs run, and another rate decides": len(calls) - len(used)}
    if len(used) < FEWEST:
        raise ParameterError(
            f"{len(used)} timed calls that launches and bytes decide, of {len(calls)}; a fit takes at least "
            f"{FEWEST}: measure more with `codesample bench gpu` or `codesample bench attention`"
        )
    # [calls, rates]: how many there are of each in a second that was measured
    counted = [[_seconds(c, _only(name, shipped)) / c.seconds for name in _RATES] for c in used]
    columns = torch.tensor(counted, dtype=torch.float64)
    rates = _solved(columns, shipped)
    memory, launch, cache = (rate.shipped if rate.fitted is None else rate.fitted for rate in rates)
    fitted = replace(shipped, memory=memory, launch=launch, cache=cache)
    told = tuple(FittedCall(call, _seconds(call, fitted), _seconds(call, shipped)) for call in used)
    return CostFit(fitted, rates, told, {why: count for why, count in unfit.items() if count})


def _seconds(call: TimedCall, machine: Machine) -> float:
    found = estimate(call.batch, call.shape, call.own_tokens, machine)
    return found.shared if call.shared else found.single


def _only(name: str, shipped: Machine) -> Machine:
    return replace(_ONE[name], cache_bytes=shipped.cache_bytes)


def _waits_for_programs(call: TimedCall, shipped: Machine) -> bool:
    return _seconds(call, shipped) > _seconds(call, replace(shipped, program=math.inf))


def _solved(columns: torch.Tensor, shipped: Machine) -> tuple[Rate, ...]:
    """Find what one launch and one byte cost, such that columns times these come to 1."""
    why: dict[str, str] = {}
    while True:
        told = _told_apart(columns, why)
        if _RATES[0] not in told:
            raise ParameterError(f"the calls do not tell the rate of memory: {why[_RATES[0]]}")
        at = [_RATES.index(name) for name in told]
        held = [i for i in range(len(_RATES)) if i not in at]
        shipped_costs = torch.tensor([_cost(shipped, name) for name in _RATES], dtype=columns.dtype)
        wanted = 1 - columns[:, held] @ shipped_costs[held]
        chosen = columns[:, at]
        scale = chosen.norm(dim=0)
        pseudo = torch.linalg.pinv(chosen / scale)
        costs = (pseudo @ wanted) / scale
        negative = [name for name, cost in zip(told, costs.tolist(), strict=True) if not cost > 0]
        if not negative:
            break
        why[negative[-1]] = "it comes out below zero"
    off = wanted - chosen @ costs
    variance = off.square().sum() / (len(off) - len(told))
    errors = (pseudo.square().sum(1) * variance).sqrt() / scale
    found = dict(zip(told, zip(costs.tolist(), errors.tolist(), strict=True), strict=True))
    return tuple(_rate(name, shipped, found.get(name), why.get(name, "")) for name in _RATES)


def _told_apart(columns: torch.Tensor, why: dict[str, str]) -> list[str]:
    """Return the rates that the columns tell from one another; why not is added for the others."""
    told: list[str] = []
    for i, name in enumerate(_RATES):
        if name in why:
            continue
        if not columns[:, i].any():
            why[name] = "no call reads what it is the rate of"
            continue
        some = columns[:, [*map(_RATES.index, told), i]]
        sizes = torch.linalg.svdvals(some / some.norm(dim=0))
        if sizes[-1] < _DISTINCT * sizes[0]:
            why[name] = "the calls are too alike to tell it from the others"
            continue
        told.append(name)
    return told


def _cost(machine: Machine, name: str) -> float:
    return machine.launch if name == "launch" else 1 / float(getattr(machine, name))


def _rate(name: str, shipped: Machine, found: tuple[float, float] | None, why: str) -> Rate:
    before = float(getattr(shipped, name))
    if found is None:
        return Rate(name, before, why=why)
    cost, error = found
    if name == "launch":
        return Rate(name, before, cost, error)
    return Rate(name, before, 1 / cost, error / cost**2)
