"""The model of a checkpoint, loaded by transformers and compared with what the checkpoint holds."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from codesample.errors import CodesampleError, ModelError
from codesample.sampling.loading.checkpoint_origin import CheckpointOrigin
from codesample.sampling.loading.load_errors import load_error
from codesample.sampling.loading.model_kind import base_only, expect_causal, expect_language_model
from codesample.sampling.loading.stored_settings import stored_settings
from codesample.sampling.loading.weight_files import stored_weights
from codesample.sampling.loading.weights_check import expect_all_weights, expect_numbers, without_report
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
        ModelError: not a causal language model, damaged, too large for the device, with code of its own, or
            with weights that are missing, left over or misshapen.
    """
    settings = stored_settings(origin)
    expect_language_model(settings, name=origin.name)
    stored = stored_weights(origin)
    try:
        config = AutoConfig.from_pretrained(origin.source, **origin.options)
        check_fit(config, origin, device, dtype)
        with without_report():
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                origin.source,
                config=config,
                dtype=dtype,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                **origin.options,
            )
        model: PreTrainedModel = loaded[0]
        expect_all_weights(model, loaded[1], name=origin.name, base_only=base_only(settings), stored=stored)
        model.to(device)  # type: ignore[arg-type]
        expect_numbers(model, name=origin.name)
        expect_causal(model, name=origin.name)
        return model
    except CodesampleError:
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
    expect_language_model(stored_settings(origin), name=origin.name)
    try:
        config = AutoConfig.from_pretrained(origin.source, **origin.options)
        with torch.device("meta"):
            skeleton = AutoModelForCausalLM.from_config(config, trust_remote_code=origin.trusted)
            skeleton.tie_weights()
    except Exception as error:
        raise load_error(error, origin) from error
    return skeleton
