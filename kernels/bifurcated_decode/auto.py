"""The choice on a GPU: Triton for the calls that it serves, PyTorch for the rest.

Whether a kernel compiles, and has the registers and the shared memory that it needs, is known when it is
made: where it has not, as with wide heads on a card for desktops, PyTorch takes the batch.
"""

from __future__ import annotations

import logging
from functools import cache

import torch
from triton.errors import TritonError

from codesample.kernels.bifurcated_decode.batch import DecodeBatch
from codesample.kernels.bifurcated_decode.call import Call, DecodeOutput
from codesample.kernels.bifurcated_decode.prepared_batch import PreparedBatch
from codesample.kernels.bifurcated_decode.selection import ALL_KEYS, KeySelection
from codesample.kernels.bifurcated_decode.step_schedule import StepSchedule
from codesample.kernels.bifurcated_decode.torch_fixed import torch_form
from codesample.kernels.bifurcated_decode.triton import PreparedTriton
from codesample.kernels.bifurcated_decode.triton_support import why_not_served

__all__ = ["PreparedAuto"]

_log = logging.getLogger("codesample.kernels")
# how a failure of a pass of Triton's compiler begins, which is of no class of its own
_PASS = "PassManager"


class PreparedAuto(PreparedBatch):
    """Hands each call on; where a key selection restricts the batch, all of them to PyTorch."""

    impl = "auto"

    def __init__(
        self,
        batch: DecodeBatch,
        device: torch.device | str,
        selection: KeySelection = ALL_KEYS,
        schedule: StepSchedule | None = None,
    ) -> None:
        super().__init__(batch, device, selection, schedule)
        self._triton = None if self.restricted else PreparedTriton(batch, device, selection, schedule)
        # made when a call needs it
        self._torch: PreparedBatch | None = None

    def decode(self, call: Call) -> DecodeOutput:
        """See `PreparedBatch.decode`."""
        packed = call.store.packed is not None
        if self._triton is not None and not why_not_served(call.q, call.kv_heads, packed=packed):
            try:
                return self._triton.decode(call)
            except (RuntimeError, TritonError) as error:
                if not _is_of_compiler(error):
                    raise
                _warn((str(error).strip() or type(error).__name__).splitlines()[-1][:160])
                self._triton = None
        if self._torch is None:
            form = torch_form(self.schedule)
            self._torch = form(self.batch, self.device, self.selection, self.schedule)
        return self._torch.decode(call)

    def take_over(self, batch: DecodeBatch) -> bool:
        """See `PreparedBatch.take_over`; not where PyTorch took part, which lays out steps on the host."""
        if self._torch is not None or self._triton is None or not self._triton.take_over(batch):
            return False
        self.batch = batch
        self._checked.clear()
        return True


def _is_of_compiler(error: Exception) -> bool:
    return isinstance(error, TritonError) or str(error).startswith(_PASS)


@cache
def _warn(reason: str) -> None:
    """Say a reason once."""
    _log.warning("a kernel of Triton cannot be made for this GPU, so that PyTorch attends: %s", reason)
