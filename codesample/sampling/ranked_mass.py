"""Where in the order of falling value a sum of probability is reached, without sorting a vocabulary.

Values are put into bins of equal width, whose mass is summed once; the bin in which a sum is reached holds
few values as a rule, and only these are sorted. Mass is held in whole numbers, so that sums do not depend on
the order in which a device adds them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["WHOLE", "Place", "RankedMass", "as_units"]

WHOLE = 1 << 60
"""How many units of mass a probability of 1 is: finer than float64 tells probabilities near 1 apart."""

_BINS = 2048


class Place(NamedTuple):
    """A position in each row's order.

    Attributes:
        where: [R], int64, the index of the value there.
        upto: [R], int64, the mass of all up to there, its own included.
        bins: [R, V], int64, the bin of every value.
        bin: [R, 1], int64, that of this one.
        inside: [R, W], int64, the values of its bin by their order; rows with fewer are filled up.
        nth: [R], int64, which of these it is.
    """

    where: Tensor
    upto: Tensor
    bins: Tensor
    bin: Tensor
    inside: Tensor
    nth: Tensor

    @property
    def kept(self) -> Tensor:
        """Which values lie up to there, [R, V] bool."""
        ranks = torch.arange(self.inside.shape[-1], device=self.inside.device)
        upto = torch.where(ranks <= self.nth[:, None], self.inside, self.where[:, None])
        return (self.bins < self.bin).scatter_(-1, upto, True)


class RankedMass:
    """Mass by falling value, equal values by rising index.

    Args:
        values: [R, V], float32 or float64, no NaN; -inf for what has no mass.
        units: [R, V], int64, the mass of each.
    """

    def __init__(self, values: Tensor, units: Tensor) -> None:
        self._values, self._units = values, units
        top = values.amax(-1, keepdim=True)
        least = values.amin(-1, keepdim=True)
        if bool(least.isneginf().any()):
            least = values.where(values > float("-inf"), top).amin(-1, keepdim=True)
        # rounding keeps the order, and equal values together
        scaled = (top - values).mul_((_BINS - 1) / (top - least).clamp_min(1e-30))
        self._bins = scaled.clamp_(0, _BINS - 1).long()
        sums = torch.zeros(len(values), _BINS, dtype=torch.int64, device=values.device)
        self._upto = sums.scatter_add_(1, self._bins, units).cumsum(-1)

    @property
    def total(self) -> Tensor:
        """All mass of each row, [R] int64."""
        return self._upto[:, -1]

    def reached(self, target: Tensor) -> Place:
        """Find the first place up to which there is more mass than `target`, [R] int64, below `total`."""
        target = torch.minimum(target, self.total - 1).clamp_min(0)[:, None]
        at = (self._upto <= target).sum(-1, keepdim=True).clamp_max(_BINS - 1)
        before = torch.where(at > 0, self._upto.gather(-1, (at - 1).clamp_min(0)), 0)
        inside, units = self._sorted(at)
        upto = before + units.cumsum(-1)
        nth = (upto <= target).sum(-1, keepdim=True).clamp_max(inside.shape[-1] - 1)
        index = inside.gather(-1, nth)[:, 0]
        return Place(index, upto.gather(-1, nth)[:, 0], self._bins, at, inside, nth[:, 0])

    def share(self, part: float) -> Place:
        """Find the first place up to which there is at least a share of all mass."""
        return self.reached((self.total.double() * part).ceil().long() - 1)

    def _sorted(self, bins: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values in one bin per row, [R, 1], by their order: indices and mass, each [R, W]."""
        rows, columns = (self._bins == bins).nonzero(as_tuple=True)
        counts = rows.bincount(minlength=len(bins))
        begins = counts.cumsum(-1) - counts
        places = torch.arange(len(rows), device=rows.device) - begins[rows]
        shape = (len(bins), int(counts.max()))
        ids = columns.new_zeros(shape).index_put((rows, places), columns)
        units = columns.new_zeros(shape).index_put((rows, places), self._units[rows, columns])
        values = self._values.new_full(shape, float("-inf"))
        values = values.index_put((rows, places), self._values[rows, columns])
        order = values.argsort(dim=-1, descending=True, stable=True)
        return ids.gather(-1, order), units.gather(-1, order)


def as_units(probabilities: Tensor) -> Tensor:
    """Return probabilities as whole numbers of units, int64."""
    return (probabilities.double() * WHOLE).long()
