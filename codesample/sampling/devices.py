"""Devices and dtypes by name."""

from __future__ import annotations

import torch

from codesample.errors import ParameterError

__all__ = ["device_of", "dtype_of", "named_device"]

_DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,
}


def device_of(device: str | torch.device) -> torch.device:
    """Return the device of that name; "auto" takes CUDA when there is one.

    Raises:
        ParameterError: no such device here.
    """
    if str(device) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = named_device(device)
    if found.type not in ("cpu", "cuda"):
        raise ParameterError(f"device = {str(device)!r}: expected auto, cpu, cuda or cuda:N")
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ParameterError(f"device = {device!r}: this machine shows no CUDA device; use --device cpu")
    return found


def named_device(device: str | torch.device) -> torch.device:
    """Return the device of that name, whether or not it is here.

    Raises:
        ParameterError: torch knows none of that name.
    """
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise ParameterError(f"device = {device!r}: expected auto, cpu, cuda or cuda:N") from error


def dtype_of(dtype: str | torch.dtype) -> torch.dtype:
    """Return the dtype of that name.

    Raises:
        ParameterError: there is none.
    """
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype not in _DTYPES:
        raise ParameterError(f"dtype = {dtype!r}: expected one of {', '.join(_DTYPES)}")
    return _DTYPES[dtype]
