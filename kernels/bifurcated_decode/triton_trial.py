"""Tries whether Triton makes kernels that run: it takes a C compiler, Python's headers and a driver."""

# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

from contextlib import nullcontext

import torch
import triton
import triton.language as tl

__all__ = ["why_not_made"]

_MOST = 160


@triton.jit
def _one_kernel(out):
    tl.store(out, 1)


def why_not_made(device: torch.device) -> str | None:
    """Say what Triton, its compilers or the driver answers to the smallest kernel, or None where it runs."""
    here = torch.cuda.device(device) if device.type == "cuda" else nullcontext()
    try:
        with here:
            out = torch.zeros(1, dtype=torch.int32, device=device)
            _one_kernel[(1,)](out)
            found = int(out)
    except Exception as error:
        said = str(error).strip() or type(error).__name__
        return said.splitlines()[0][:_MOST]
    return None if found == 1 else "a kernel ran and did nothing"
