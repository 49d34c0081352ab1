"""The model of a checkpoint, loaded by transformers."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from codesample.errors import ModelError
from codesample.sampling.loading.checkpoint_origin import CheckpointOrigin
from codesample.sampling.loading.load_errors import load_error
from codesample.sampling.loading.weights_size import check_fit

__all__ = ["load_model", "load_skeleton"]


def load_model(origin: CheckpointOrigin, device: torch.device, dtype: torch.dtype | str) -> PreTrainedModel:
    """Load a checkpoint's model.

    Args:
        origin: Where it is.
        device: Where it shall be.
        dtype: In which numbers; "auto" is the checkpoint's own.

    Raises:
        HubUnavailableError: it is not on this machine, with the hub out of reach.
        ModelError: not a causal language model, damaged, too large for the device, or with code of its own.
    """
    try:
        config = AutoConfig.from_pretrained(origin.source, **origin.options)
        check_fit(config, origin, device, dtype)
        model = AutoModelForCausalLM.from_pretrained(
            origin.source, config=config, dtype=dtype, **origin.options
        )
        model.to(device)  # type: ignore[arg-type]
        return model
    except ModelError:
        raise
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"{origin.name}: out of memory while loading onto {device}; choose a smaller dtype or device"
        ) from error
    except Exception as error:
        raise load_error(error, origin) from error


def load_skeleton(origin: CheckpointOrigin) -> Any:
    """Make a checkpoint's model with weights that have no numbers; no weights are needed there.

    Raises:
        HubUnavailableError, ModelError: as `load_model`.
    """
    try:
        config = AutoConfig.from_pretrained(origin.source, **origin.options)
        with torch.device("meta"):
            skeleton = AutoModelForCausalLM.from_config(config, trust_remote_code=origin.trusted)
            skeleton.tie_weights()
    except Exception as error:
        raise load_error(error, origin) from error
    return skeleton
