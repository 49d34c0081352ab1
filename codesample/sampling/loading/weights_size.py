"""How large a checkpoint's weights are on a device, known before they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import PreTrainedModel

from codesample.errors import ModelError
from codesample.sampling.loading.quantised import bits_of, quantised_by, unpacks
from codesample.sampling.loading.weight_files import StoredWeight
from codesample.sampling.memory import free_memory

__all__ = ["expect_room", "weight_bytes"]


def weight_bytes(
    skeleton: PreTrainedModel,
    settings: Mapping[str, Any],
    *,
    device: torch.device,
    dtype: torch.dtype,
    stored: Mapping[str, StoredWeight] | None = None,
) -> int:
    """Return the bytes that a model's weights take once they are loaded.

    Args:
        skeleton: The model, with or without numbers; as it is before its layers are quantised.
        settings: Of config.json.
        device, dtype: Where they shall be and in which numbers.
        stored: What the checkpoint's files hold, where that is known: what quantised weights take. Else they
            are counted by the bits that the settings say.
    """
    numbers = sum(each.numel() for each in skeleton.parameters())
    if not quantised_by(settings) or unpacks(settings, device):
        return numbers * dtype.itemsize
    if stored is not None:
        return sum(each.nbytes for each in stored.values())
    ends = {id(each): each for each in (skeleton.get_input_embeddings(), skeleton.get_output_embeddings())}
    plain = sum(p.numel() for each in ends.values() if each is not None for p in each.parameters())
    return int(min(plain, numbers) * dtype.itemsize + max(0, numbers - plain) * bits_of(settings) / 8)


def expect_room(
    need: int, settings: Mapping[str, Any], *, name: str, device: torch.device, kind: str
) -> None:
    """Refuse weights for which there is no room.

    Args:
        need: Their bytes.
        settings: Of config.json.
        name: The checkpoint's, for messages.
        device: Where they shall be.
        kind: The numbers they are in, for messages.

    Raises:
        ModelError: they take more than is free there.
    """
    have = free_memory(device)
    if need <= have:
        return
    method = quantised_by(settings)
    stored = f"quantised by {method}" if method and not unpacks(settings, device) else f"in {kind}"
    raise ModelError(
        f"{name}: its weights take {need / 2**30:.1f} GiB {stored}, and {device} has {have / 2**30:.1f} GiB "
        "free; choose a smaller model, --dtype bfloat16 or another --device"
    )
