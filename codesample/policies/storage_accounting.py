"""What prompts take as they are stored, and how far that moves the outputs of attention."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["StorageAccount", "StorageTally"]


@validated
@dataclass(frozen=True, slots=True)
class StorageAccount:
    """What stored prompts took in 8 bits, and what was measured of it.

    Attributes:
        runs: How many runs of prompts were stored so.
        bytes: That they took, scales included.
        exact_bytes: That they would have taken in the model's own dtype.
        queries: How many outputs of attention were computed both ways, over all layers and heads.
        output_error: Mean distance of the two, as a share of the output's norm; 0 where none was looked at.
        worst_error: The largest.
    """

    runs: int = 0
    bytes: int = 0
    exact_bytes: int = 0
    queries: int = 0
    output_error: float = 0.0
    worst_error: float = 0.0

    __repr__ = one_line


class StorageTally:
    """Adds up what becomes a `StorageAccount`.

    Args:
        audit: Whether outputs are to be compared.
    """

    def __init__(self, *, audit: bool = False) -> None:
        self.audit = audit
        self._runs = self._bytes = self._exact_bytes = self._queries = 0
        self._errors = self._worst = 0.0

    def stored(self, held: int, whole: int) -> None:
        """Take note of a run: its bytes as they are held, and in the model's dtype."""
        self._runs += 1
        self._bytes += held
        self._exact_bytes += whole

    def moved(self, exact: Tensor, stored: Tensor) -> None:
        """Take note of outputs [S, H, D] over keys as they were, and as they are stored."""
        exact, stored = exact.double(), stored.double()
        errors = (stored - exact).norm(dim=2) / exact.norm(dim=2).clamp_min(1e-30)
        self._queries += errors.numel()
        self._errors += float(errors.sum())
        self._worst = max(self._worst, float(errors.max()))

    @property
    def account(self) -> StorageAccount:
        """All so far."""
        mean = self._errors / self._queries if self._queries else 0.0
        return StorageAccount(self._runs, self._bytes, self._exact_bytes, self._queries, mean, self._worst)
