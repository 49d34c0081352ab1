"""Whether the weights of a checkpoint fit on a device, known before they are read."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM

from codesample.errors import ModelError
from codesample.sampling.loading.checkpoint_origin import CheckpointOrigin
from codesample.sampling.memory import free_memory

__all__ = ["check_fit"]


def check_fit(config: Any, origin: CheckpointOrigin, device: torch.device, dtype: torch.dtype | str) -> None:
    """Refuse weights for which there is no room.

    Args:
        config: Of transformers.
        origin: Where the weights are.
        device: Where they shall be.
        dtype: In which numbers; "auto" is the config's own.

    Raises:
        ModelError: they take more than is free there.
    """
    with torch.device("meta"):
        skeleton = AutoModelForCausalLM.from_config(config, trust_remote_code=origin.trusted)
    stored = dtype if isinstance(dtype, torch.dtype) else (config.dtype or torch.float32)
    need = sum(p.numel() for p in skeleton.parameters()) * stored.itemsize
    have = free_memory(device)
    if need > have:
        raise ModelError(
            f"{origin.name}: its weights take {need / 2**30:.1f} GiB in {stored}, and {device} has "
            f"{have / 2**30:.1f} GiB free; choose a smaller model, --dtype bfloat16 or another --device"
        )
