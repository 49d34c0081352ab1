"""What a packed weight owes its callers: it takes the rows that `nn.Linear` takes, and no others."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor

__all__ = ["PackedProduct"]


class PackedProduct(ABC):
    """A weight that a library has arranged for products with few or many rows.

    Args:
        weight: [O, I].
    """

    def __init__(self, weight: Tensor) -> None:
        self._shape = weight.shape

    def multiplied(self, rows: Tensor, bias: Tensor | None) -> Tensor:
        """Return rows [..., I] times the weight, plus the bias: [..., O], all float32.

        Raises:
            RuntimeError: rows of another width.
        """
        if rows.dim() > 1 and rows.shape[-1] == self._shape[1] and rows.numel():
            return self._product(rows, bias)
        if rows.dim() == 1 and len(rows) == self._shape[1]:
            return self._product(rows[None], bias)[0]
        # of no rows nothing is read, and rows of another width are refused in torch's words
        return F.linear(rows, rows.new_empty(self._shape), bias)

    @abstractmethod
    def _product(self, rows: Tensor, bias: Tensor | None) -> Tensor:
        """Do what `multiplied` says for at least one row, in two dimensions or more."""
