"""What a policy read, in bytes and tokens, and what it missed, in attention mass."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from codesample.policies.storage_accounting import StorageAccount
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["Account", "Audit", "PrefillAccount", "PrefillTally", "Tally"]


@validated
@dataclass(frozen=True, slots=True)
class Audit:
    """Attention mass of what was not read, of all a query sees, over the steps that were looked at.

    Attributes:
        queries: How many queries were looked at in each layer and head.
        mean, most: By layer, then query head; nan in layers that read everything.
    """

    queries: int
    mean: tuple[tuple[float, ...], ...]
    most: tuple[tuple[float, ...], ...]

    __repr__ = one_line

    @property
    def overall(self) -> float:
        """The mean over all layers and heads that leave keys out."""
        known = [each for layer in self.mean for each in layer if not math.isnan(each)]
        return sum(known) / len(known) if known else 0.0

    @property
    def worst(self) -> tuple[float, int, int]:
        """The largest mean of a head, with its layer and its number."""
        known = [
            (each, layer, head)
            for layer, heads in enumerate(self.mean)
            for head, each in enumerate(heads)
            if not math.isnan(each)
        ]
        return max(known, key=lambda each: each[0], default=(0.0, 0, 0))


@validated
@dataclass(frozen=True, slots=True)
class PrefillAccount:
    """What the tokens of prompts read while these were run, where a policy left keys out.

    Attributes:
        tokens: Of runs as long as the guard, that were run and not known already.
        pairs: Of a query's token and a key, summed over layers without a window and KV heads: as full causal
            attention computes them.
        pairs_read: Those that were computed.
        audit: None where nothing was looked at.
    """

    tokens: int = 0
    pairs: int = 0
    pairs_read: int = 0
    audit: Audit | None = None

    __repr__ = one_line

    @property
    def share(self) -> float:
        """Pairs that were computed, of those of full attention; 1 where nothing was as long as the guard."""
        return self.pairs_read / self.pairs if self.pairs else 1.0

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data; of the audit the mean over all heads, and the worst head."""
        return asdict(self) | {"share": round(self.share, 4), "audit": _audit_json(self.audit)}


@validated
@dataclass(frozen=True, slots=True)
class Account:
    """What decode steps read of stored prompts that a policy was asked about.

    Attributes:
        prefixes: How many stored runs were prepared.
        steps: How often a layer attended to such a run.
        refreshes: How often a choice was made anew.
        tokens: Of the runs, summed over steps, KV heads and, where each chooses for itself, rows.
        tokens_kept: Those of them that were read.
        exact_bytes: Of keys and values that reading everything would have read.
        read_bytes: That were read by attention itself, stand-ins included.
        scored_bytes: Of keys or summaries, to choose by.
        gathered_bytes: Of chosen keys and values, to put them side by side.
        state_bytes: Most memory that was held at a time besides the stored prompts themselves.
        prepare_seconds, refresh_seconds: Wall time.
        audit: None where nothing was looked at.
        prefill: What prompts read while they were run; None where that is everything.
        storage: What prompts took in 8 bits; None where none are held so.
    """

    prefixes: int = 0
    steps: int = 0
    refreshes: int = 0
    tokens: int = 0
    tokens_kept: int = 0
    exact_bytes: int = 0
    read_bytes: int = 0
    scored_bytes: int = 0
    gathered_bytes: int = 0
    state_bytes: int = 0
    prepare_seconds: float = 0.0
    refresh_seconds: float = 0.0
    audit: Audit | None = None
    prefill: PrefillAccount | None = None
    storage: StorageAccount | None = None

    __repr__ = one_line

    @property
    def share(self) -> float:
        """Bytes read in all, of those that reading everything would have read; 1 where nothing was asked."""
        read = self.read_bytes + self.scored_bytes + self.gathered_bytes
        return read / self.exact_bytes if self.exact_bytes else 1.0

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data; of the audit the mean over all heads, and the worst head."""
        content = asdict(self) | {"share": round(self.share, 4)}
        content |= {name: round(content[name], 3) for name in ("prepare_seconds", "refresh_seconds")}
        content["audit"] = _audit_json(self.audit)
        if self.prefill is None:
            del content["prefill"]
        else:
            content["prefill"] = self.prefill.as_json()
        if self.storage is not None:
            errors = {name: round(getattr(self.storage, name), 6) for name in ("output_error", "worst_error")}
            content["storage"] = asdict(self.storage) | errors
        return content


def _audit_json(audit: Audit | None) -> dict[str, Any] | None:
    if audit is None:
        return None
    mass, layer, head = audit.worst
    return {
        "queries": audit.queries,
        "missed": round(audit.overall, 6),
        "worst": round(mass, 6),
        "worst_layer": layer,
        "worst_head": head,
    }


class _Masses:
    """Adds up by layer the mass that queries missed."""

    def __init__(self) -> None:
        # by layer: [H] sums and largest values, fp64 on the host, and how many queries
        self._missed: dict[int, tuple[Tensor, Tensor, int]] = {}
        self._layers = 0

    def missed(self, layer: int, mass: Tensor, *, layers: int) -> None:
        """Add the mass that queries [n, H] of a layer missed."""
        mass = mass.double().cpu()
        total, most, queries = self._missed.get(layer, (torch.zeros(mass.shape[1]).double(),) * 2 + (0,))
        self._missed[layer] = (
            total + mass.sum(dim=0),
            torch.maximum(most, mass.amax(dim=0)),
            queries + len(mass),
        )
        self._layers = layers

    def _audit(self) -> Audit | None:
        if not self._missed:
            return None
        heads = len(next(iter(self._missed.values()))[0])
        nothing = (math.nan,) * heads
        found = [self._missed.get(layer) for layer in range(self._layers)]
        return Audit(
            max(each[2] for each in self._missed.values()),
            tuple(nothing if each is None else tuple((each[0] / each[2]).tolist()) for each in found),
            tuple(nothing if each is None else tuple(each[1].tolist()) for each in found),
        )


class PrefillTally(_Masses):
    """Adds up what becomes a `PrefillAccount`."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = {"tokens": 0, "pairs": 0, "pairs_read": 0}

    def add(self, **numbers: int) -> None:
        """Add to the numbers of that name."""
        for name, value in numbers.items():
            self._numbers[name] += value

    @property
    def account(self) -> PrefillAccount:
        """All so far."""
        return PrefillAccount(**self._numbers, audit=self._audit())


class Tally(_Masses):
    """Adds up what becomes an `Account`; one for all that a sampler does under a policy."""

    def __init__(self) -> None:
        super().__init__()
        kept = Account.__slots__
        self.numbers = dict.fromkeys(
            (name for name in kept if name not in ("audit", "prefill", "storage")), 0
        )
        self.seconds = {"prepare_seconds": 0.0, "refresh_seconds": 0.0}

    def add(self, **numbers: int) -> None:
        """Add to the numbers of that name."""
        for name, value in numbers.items():
            self.numbers[name] += value

    def holds(self, state_bytes: int) -> None:
        """Take note of how much memory is held now."""
        self.numbers["state_bytes"] = max(self.numbers["state_bytes"], state_bytes)

    @property
    def account(self) -> Account:
        """All so far."""
        return Account(**self.numbers | self.seconds, audit=self._audit())  # type: ignore[arg-type]
