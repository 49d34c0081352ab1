"""What torch allows in a process that was forked from one that used it, and what is refused.

Threads do not survive a fork: those of OpenMP are waited for by the next product of two matrices, for ever,
unless torch is told to do without any. Nor does CUDA.
"""

from __future__ import annotations

import logging
import os

import torch
from transformers import PreTrainedModel

from codesample.errors import ModelError
from codesample.sampling.attention_hook import in_use

__all__ = ["OwnProcess", "do_without_threads"]

_log = logging.getLogger("codesample.sampling")
_REMEDY = 'make the Sampler in the new process, or start processes by "spawn"'
_forked = _told = False


def _in_child() -> None:
    global _forked
    _forked = True


os.register_at_fork(after_in_child=_in_child)


def do_without_threads() -> None:
    """Let torch compute in this thread alone, where this process was forked from one that had torch."""
    global _told
    if not _forked or torch.get_num_threads() == 1:
        return
    torch.set_num_threads(1)
    if not _told:
        _told = True
        _log.warning(
            "this process was forked from one that had torch loaded, whose threads did not come along: torch "
            'computes with one thread here; start processes by "spawn" for more'
        )


class OwnProcess:
    """Remembers in which process a model is at home."""

    def __init__(self) -> None:
        self._process = os.getpid()

    def settle(self, model: PreTrainedModel) -> None:
        """Make a model that was forked along usable here, where that can be done.

        Raises:
            ModelError: it is on a GPU, or another thread was using it at the fork.
        """
        if os.getpid() == self._process:
            return
        if model.device.type != "cpu":
            raise ModelError(f"this process was forked, and {model.device} cannot follow a fork; {_REMEDY}")
        if in_use(model):
            raise ModelError(f"this process was forked while another thread was sampling; {_REMEDY}")
        do_without_threads()
        self._process = os.getpid()
