"""The door of vLLM's offline engine: opens a checkpoint in it by the options that it honours."""

from __future__ import annotations

from dataclasses import replace

from codesample.engines.contract import Engine
from codesample.engines.model_options import ModelOptions
from codesample.errors import ParameterError

__all__ = ["HONOURED", "open_vllm"]

HONOURED = ("revision", "tokenizer", "dtype", "max_rows", "trust_remote_code", "engine_options")
"""Fields of `ModelOptions` that this engine takes, besides the model; the others are refused by name."""

_INSTEAD = {
    "memory_fraction": "--engine-option gpu_memory_utilization=0.9",
    "device": "CUDA_VISIBLE_DEVICES in the environment",
}


def open_vllm(model: str, options: ModelOptions) -> Engine:
    """Draw with vLLM in this process (extra vllm): paged keys and values, several GPUs, quantised weights.

    Raises:
        ParameterError: an option that it does not honour, or as `VllmEngine`.
        UnknownNameError, HubUnavailableError, ModelError: as `VllmEngine`.
    """
    for name, instead in _INSTEAD.items():
        if (value := getattr(options, name)) != getattr(ModelOptions(), name):
            raise ParameterError(f"{name} = {value!r}: vLLM has a setting of its own for that: {instead}")
    options.expect_only(HONOURED, engine="vllm")
    from codesample.vllm_offline.vllm_engine import VllmEngine

    return VllmEngine(model, replace(options, model=model))
