"""The processes of one launcher as a team: the first decides, the others do what it does with models.

Whatever is above an engine, such as a run folder, runs in the first process alone. What it asks of a model
that is divided among all of them, it tells the others as an order, and all carry it out at once; after each
they compare what came of it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from types import FrameType
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist

from codesample.errors import CodesampleError, ModelError
from codesample.sampling.devices import local_device
from codesample.sampling.memory import free_memory, is_out_of_memory
from codesample.sampling.sharded.ranks import DEADLINE, LostError, first_line

__all__ = ["Order", "PartedError", "Team"]

# an order may be waited for as long as programs are judged; to load a large model from a slow disk takes long
_UNLIMITED, _LOADING = timedelta(days=30), timedelta(hours=2)
_FAULT = "codesample/fault"
# seconds: between two looks for a fault, and from one to the end of a process that waits on its GPU
_LOOK, _GRACE = 1.0, 15.0
T = TypeVar("T")


class Order(NamedTuple):
    """What all are to do: `what` with the object `number`, and with what is `given`."""

    what: str
    number: int = -1
    given: tuple[Any, ...] = ()


class PartedError(ModelError):
    """One rank fared otherwise than another; says which, and how."""


class Team:
    """Joins the processes of this launcher.

    Args:
        deadline: Seconds after which one that does not answer is given up.
    Attributes:
        rank: Which of them this is; 0 leads.
        size: How many there are.
        device: Where this one's shards are.
        over: Whether it has ended, or cannot go on.
        lost: Whether one of them is gone, or has been left in the midst of something.
        unused: Numbers of models that the first one has no more use for.

    Raises:
        ModelError: not all of them came, or there are more than GPUs.
    """

    def __init__(self, *, deadline: float = DEADLINE) -> None:
        self.device = local_device()
        in_main = threading.current_thread() is threading.main_thread()
        # at once until all are here: a process that waits for others runs no handler
        self._before = signal.signal(signal.SIGTERM, signal.SIG_DFL) if in_main else None
        if not dist.is_initialized():
            _join(self.device, timedelta(seconds=deadline))
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._orders, self._loads, self._answers = (
            dist.new_group(backend="gloo", timeout=each)
            for each in (_UNLIMITED, _LOADING, timedelta(seconds=deadline))
        )
        self._store = dist.distributed_c10d._get_default_store()
        self._lock, self._numbers = threading.RLock(), 0
        self.over = self.lost = False
        self.unused: list[int] = []
        if self.rank == 0:
            threading.Thread(target=self._look_for_faults, daemon=True).start()
        if in_main:
            # the first one decides when all end
            at, do = (signal.SIGINT, signal.SIG_IGN) if self.rank else (signal.SIGTERM, self._end_by_launcher)
            signal.signal(at, do)

    def new_number(self) -> int:
        """Return a number for an object that all will have."""
        self._numbers += 1
        return self._numbers

    def together(self, order: Order, do: Callable[[], T], said: Callable[[T], str] = lambda _: "") -> T:
        """Have all carry out an order, this process by `do`; for the first one.

        Args:
            said: What is compared of the results.

        Raises:
            PartedError: the others fared otherwise, or one has ended.
            CodesampleError: all of them fared so.
        """
        with self._lock:
            if self.over:
                raise PartedError(f"the {self.size} processes that hold the model have ended")
            try:
                dist.broadcast_object_list([order], src=0, group=self._orders)
            except RuntimeError as error:
                raise self._parted(error) from error
            return self.carried_out(do, said)

    def heard(self) -> Order:
        """Wait for the next order; for all but the first one."""
        found: list[Any] = [None]
        dist.broadcast_object_list(found, src=0, group=self._orders)
        order: Order = found[0]
        return order

    def carried_out(self, do: Callable[[], T], said: Callable[[T], str]) -> T:
        """Do it, and compare with the others what came of it.

        Raises:
            PartedError: see `compare`, or this one cannot go on or has lost another.
            CodesampleError: all of them fared so.
        """
        try:
            result = do()
        except PartedError:
            raise
        except LostError as error:
            raise self._parted(error) from error
        except CodesampleError as error:
            self.compare(f"{type(error).__name__}: {error}")
            raise
        except BaseException:
            self.over = self.lost = True
            raise
        self.compare(said(result))
        return result

    def compare(self, outcome: str, *, loading: bool = False) -> None:
        """Compare an outcome with those of the others.

        Raises:
            PartedError: another one has another, or is gone.
        """
        found: list[Any] = [None] * self.size
        try:
            dist.all_gather_object(found, outcome, group=self._loads if loading else self._answers)
        except RuntimeError as error:
            raise self._parted(error) from error
        other = next((rank for rank, each in enumerate(found) if each != found[0]), None)
        if other is not None:
            raise PartedError(
                f"rank {other} of {self.size} fared otherwise than rank 0: {found[other] or 'well'!r} "
                f"instead of {found[0] or 'well'!r}"
            )

    def devices(self) -> list[str]:
        """Return where the shards of each would be, with what is free there."""
        found: list[Any] = [None] * self.size
        own = f"{self.device}, {free_memory(self.device) / 2**30:.1f} GiB free"
        dist.all_gather_object(found, own, group=self._answers)
        return found

    def fault(self, reason: str) -> None:
        """Leave word why this process ends; for all but the first one."""
        self._store.set(_FAULT, f"rank {self.rank} of {self.size}: {reason}")

    def end(self) -> None:
        """Let the others end, too; for the first one."""
        with self._lock, suppress(RuntimeError):
            if not self.over:
                self.over = True
                dist.broadcast_object_list([Order("end")], src=0, group=self._orders)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._before or signal.SIG_DFL)

    def _parted(self, error: BaseException) -> PartedError:
        """Give up, and say why: by the word that another one has left, where there is any."""
        self.over = self.lost = True
        waited = time.monotonic() + (0 if self.rank else 2 * _LOOK)
        while time.monotonic() < waited:
            if self._store.check([_FAULT]):
                return PartedError(self._store.get(_FAULT).decode())
            time.sleep(_LOOK / 10)
        if isinstance(error.__cause__, MemoryError) or is_out_of_memory(error.__cause__ or error):
            return PartedError(str(error))
        return PartedError(
            f"one of the {self.size} processes that hold the model has ended or does not answer: "
            f"{first_line(error.__cause__ or error)}"
        )

    def _end_by_launcher(self, number: int, frame: FrameType | None) -> None:
        # it ends all as soon as one has ended, which is being told of by then
        if self.over:
            return
        if not callable(self._before):
            raise KeyboardInterrupt
        self._before(number, frame)

    def _look_for_faults(self) -> None:
        """End this process where it waits on a GPU for one that has ended, which nothing else interrupts."""
        store: Any = self._store
        store = store.clone()
        try:
            while not store.check([_FAULT]):
                time.sleep(_LOOK)
            time.sleep(_GRACE)
            if not self.over:
                sys.stderr.write(f"error: {store.get(_FAULT).decode()}\n")
                sys.stderr.flush()
                os._exit(2)
        except RuntimeError:
            # the store has ended with the launcher
            return


def _join(device: torch.device, deadline: timedelta) -> None:
    backend = "gloo" if device.type == "cpu" else dist.get_default_backend_for_device(device)
    try:
        dist.init_process_group(backend, timeout=deadline, device_id=device if backend == "nccl" else None)
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"not all of the {os.environ.get('WORLD_SIZE')} processes of this launcher could be joined: "
            f"{first_line(error)}; where this command is to run alone, unset RANK and WORLD_SIZE"
        ) from error
