"""Devices and dtypes by name."""

from __future__ import annotations

import os

import torch

from codesample.errors import ModelError, ParameterError

__all__ = ["device_of", "dtype_of", "local_device", "named_device"]

_DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,
}

_KINDS = {"cpu": "CPU", "cuda": "CUDA", "xpu": "Intel XPU", "mps": "Apple MPS"}
_EXPECTED = "expected auto, cpu, cuda, cuda:N, xpu, xpu:N or mps"


def device_of(device: str | torch.device) -> torch.device:
    """Return the device of that name; "auto" takes CUDA when there is one, and else the CPU.

    An Intel GPU is taken where it is named; nothing here was measured on one. Apple's is not: tokens are
    drawn in float64, which it does not have.

    Raises:
        ParameterError: no such device here; says which there are.
    """
    if str(device) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = named_device(device)
    if found.type not in _KINDS:
        raise ParameterError(f"device = {str(device)!r}: {_EXPECTED}")
    count = _count(found.type)
    if not count:
        raise ParameterError(
            f"device = {str(device)!r}: this machine shows no {_KINDS[found.type]} device; it has {_here()}"
        )
    if (found.index or 0) >= count:
        shown = f"{count} {_KINDS[found.type]} device" + ("" if count == 1 else "s")
        raise ParameterError(
            f"device = {str(device)!r}: this machine shows {shown}, counted from 0; it has {_here()}"
        )
    if found.type == "mps":
        raise ParameterError(
            f"device = {str(device)!r}: tokens are drawn in float64, which MPS does not have; use "
            "--device cpu"
        )
    return found


def local_device() -> torch.device:
    """Return the device of this process among those that a launcher has started here, and make it current.

    Raises:
        ModelError: there are more of them than devices.
    """
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if found is None or found.type == "mps":
        return torch.device("cpu")
    index, count = int(os.environ.get("LOCAL_RANK", 0)), torch.accelerator.device_count()
    if index >= count:
        raise ModelError(
            f"process {index + 1} of this machine has no device of its own: it shows {count} of "
            f"{found.type}; start {count} with --nproc-per-node, or hide them all to use the processor"
        )
    torch.accelerator.set_device_index(index)
    return torch.device(found.type, index)


def named_device(device: str | torch.device) -> torch.device:
    """Return the device of that name, whether or not it is here.

    Raises:
        ParameterError: torch knows none of that name.
    """
    try:
        return torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ParameterError(f"device = {device!r}: {_EXPECTED}") from error


def _count(kind: str) -> int:
    if kind == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "xpu":
        return torch.xpu.device_count() if torch.xpu.is_available() else 0
    return int(kind == "cpu" or torch.backends.mps.is_available())


def _here() -> str:
    many = [f"{kind}:{index}" for kind in ("cuda", "xpu") for index in range(_count(kind))]
    return ", ".join(["cpu", *many, *(["mps"] if _count("mps") else [])])


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
