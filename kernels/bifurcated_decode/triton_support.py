"""What the Triton kernels serve; Triton is imported where there is a GPU for them."""

from __future__ import annotations

import importlib.util
import logging
import os
from functools import cache

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode.cost import most_queries

__all__ = ["why_not_here", "why_not_served"]

_log = logging.getLogger("codesample.kernels")


@cache
def why_not_here(device: torch.device) -> str | None:
    """Say why the kernels cannot run on a device, or None where they can."""
    if importlib.util.find_spec("triton") is None:
        return "needs the package triton"
    if os.environ.get("TRITON_INTERPRET") == "1":
        return None
    if device.type != "cuda":
        return f"needs a CUDA device, not {device} (or TRITON_INTERPRET=1, to run slowly on a CPU)"
    capability = torch.cuda.get_device_capability(device)
    if capability < (8, 0):
        return f"needs compute capability 8.0, not {capability}"
    from codesample.kernels.bifurcated_decode.triton_trial import why_not_made

    if reason := why_not_made(device):
        _log.warning("Triton makes no kernel for %s, so that attention is PyTorch's: %s", device, reason)
        return f"makes no kernel for {device} here ({reason})"
    return None


def why_not_served(q: Tensor, kv_heads: int, *, packed: bool = False) -> str | None:
    """Say why the kernels do not serve queries [R, Q, H, D] over G KV heads, or None where they do.

    `packed` says whether shared keys are in 8 bits.
    """
    _, queries, heads, width = q.shape
    if q.dtype == torch.float64:
        return f"does not serve {q.dtype}"
    if width > 256:
        return f"serves head widths up to 256, not D = {width}"
    per_row, most = queries * heads // kv_heads, most_queries(width, q.element_size(), packed=packed)
    if per_row > most:
        return (
            f"serves up to {most} queries per row and KV head with D = {width} in {q.dtype}"
            f"{' beside keys in 8 bits' if packed else ''}, not Q * H / G = {per_row}"
        )
    return None
