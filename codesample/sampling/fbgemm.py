"""FBGEMM, the library in torch that packs weights of 8 and of 16 bits for x86 processors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import torch

__all__ = ["with_fbgemm"]

_T = TypeVar("_T")
# which library packs is one setting for all threads
_SETTING = threading.Lock()
_ITS_NAMES = ("fbgemm", "x86")


def with_fbgemm(pack: Callable[[], _T]) -> _T:
    """Return what `pack` returns while torch packs with FBGEMM, whichever library is chosen otherwise.

    Raises:
        RuntimeError: torch was built without it.
    """
    with _SETTING:
        before = torch.backends.quantized.engine
        if before not in _ITS_NAMES:
            torch.backends.quantized.engine = "fbgemm"
            try:
                return pack()
            finally:
                torch.backends.quantized.engine = before
    return pack()
