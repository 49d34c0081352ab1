"""What an implementation keeps of one batch, so that no layer and no step works it out again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Self

import torch

from codesample.errors import ShapeError
from codesample.kernels.bifurcated_decode.batch import DecodeBatch
from codesample.kernels.bifurcated_decode.call import (
    Call,
    DecodeOutput,
    LayerStore,
    check_call,
    check_store,
)
from codesample.kernels.bifurcated_decode.selection import ALL_KEYS, KeySelection
from codesample.kernels.bifurcated_decode.step_schedule import StepSchedule

__all__ = ["MOST_STORES", "PreparedBatch"]

# more than the layers of any model, so only a caller that makes a new store per call reaches it
MOST_STORES = 1024


class PreparedBatch(ABC):
    """A batch made ready for one implementation; `prepare_batch` makes it.

    Args:
        batch: The layout.
        device: Of all tensors of its calls.
        selection: Which keys of shared segments are read.
        schedule: How a step is divided. Default: as the implementation does.
    Attributes:
        impl: Name of the implementation.
        batch, device, selection, schedule: As given; `take_over` puts another batch in place.
        restricted: The segments of which `selection` may leave keys out.
        attended: The selection's own method where there are such segments, or it counts what is read whole,
            and it has one; else None.
    Raises:
        ImplUnavailableError: the implementation cannot honour `selection` or `schedule`.
    """

    impl: ClassVar[str]

    def __init__(
        self,
        batch: DecodeBatch,
        device: torch.device | str,
        selection: KeySelection = ALL_KEYS,
        schedule: StepSchedule | None = None,
    ) -> None:
        self.batch, self.device, self.selection = batch, _numbered(torch.device(device)), selection
        self.schedule = schedule
        self.restricted = frozenset(s for s in batch.segments if selection.restricts(s))
        self.attended: Callable[[Call, DecodeOutput], None] | None = None
        if self.restricted or getattr(selection, "counts", False):
            self.attended = getattr(selection, "attended", None)
        # holding a store keeps its id from naming another
        self._checked: dict[int, LayerStore] = {}

    def anew(self, batch: DecodeBatch) -> Self:
        """Prepare another batch for the same implementation, device, selection and schedule."""
        return type(self)(batch, self.device, self.selection, self.schedule)

    def take_over(self, batch: DecodeBatch) -> bool:
        """Let captured launches compute another batch of as many rows.

        A CUDA graph that was captured with this object reads its layout from tables on the device; these
        are filled with the other layout, which is `self.batch` from then on.

        Returns: whether that was possible; if not, nothing has changed: prepare and capture anew.
        """
        return False

    def check(self, call: Call) -> None:
        """Refuse what does not fit; a store is looked at once.

        Raises:
            ShapeError, ParameterError, ImplUnavailableError: see `bifurcated_decode`.
        """
        store = call.store
        if id(store) not in self._checked:
            check_store(store, self.batch)
            if store.k_shared.device != self.device:
                raise ShapeError(
                    f"bifurcated_decode: the store is on {store.k_shared.device}; the batch was prepared "
                    f"for {self.device}"
                )
            if len(self._checked) >= MOST_STORES:
                self._checked.clear()
            self._checked[id(store)] = store
        check_call(call, self.batch)

    @abstractmethod
    def decode(self, call: Call) -> DecodeOutput:
        """Do what `bifurcated_decode` states, for a call that `check` lets pass, last strides 1."""


def _numbered(device: torch.device) -> torch.device:
    # tensors say which GPU they are on, where "cuda" leaves it open
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device
