"""The model of a checkpoint, loaded by transformers and compared with what the checkpoint holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedModel

from codesample.errors import CodesampleError, ModelError
from codesample.quiet import without_bars
from codesample.sampling.loading.adapters import with_adapter
from codesample.sampling.loading.checkpoint_origin import CheckpointOrigin
from codesample.sampling.loading.gguf_files import GgufFile, dequantised, gguf_packages, read_gguf
from codesample.sampling.loading.load_errors import load_error
from codesample.sampling.loading.model_kind import auto_class, base_only, expect_causal, expect_language_model
from codesample.sampling.loading.quantised import expect_quantiser, quantised_by
from codesample.sampling.loading.stored_settings import stored_settings
from codesample.sampling.loading.tensor_plan import expect_plain_weights, expect_plan, sharding
from codesample.sampling.loading.weight_files import StoredWeight, stored_weights, weights_folder
from codesample.sampling.loading.weights_check import expect_all_weights, expect_numbers, without_report
from codesample.sampling.loading.weights_size import expect_room, weight_bytes

__all__ = ["load_model", "load_skeleton"]


@without_bars()
def load_model(
    origin: CheckpointOrigin, device: torch.device, dtype: torch.dtype | str, *, processes: int = 1
) -> PreTrainedModel:
    """Load a checkpoint's model, with its adapter.

    Args:
        origin: Where it is.
        device: Where it shall be.
        dtype: In which numbers; "auto" is the checkpoint's own.
        processes: Among how many its weights are divided; this is one of them.

    Raises:
        HubUnavailableError: it is not on this machine, with the hub out of reach.
        ModelError: not a causal language model, damaged, too large for the device, with code of its own, with
            weights that are missing, left over or misshapen, or needs a package that is not installed.
    """
    try:
        with _bare(origin) as bare:
            model = _loaded(bare, device, dtype, processes)
        if origin.adapter is not None:
            model = with_adapter(model, origin.adapter)
        expect_numbers(model, name=origin.name)
        expect_causal(model, name=origin.name)
    except CodesampleError:
        raise
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"{origin.name}: out of memory while loading onto {device}; choose a smaller dtype or device"
        ) from error
    except Exception as error:
        raise load_error(error, origin) from error
    return model


@without_bars()
def load_skeleton(origin: CheckpointOrigin) -> Any:
    """Make a checkpoint's model with weights that have no numbers; no weights are needed there.

    Raises:
        HubUnavailableError, ModelError: as `load_model`.
    """
    if origin.gguf_file is not None:
        gguf_packages(origin.name)
    expect_language_model(stored_settings(origin), name=origin.name)
    try:
        config = AutoConfig.from_pretrained(origin.source, **origin.options)
        with torch.device("meta"):
            skeleton = auto_class(config).from_config(config, trust_remote_code=origin.trusted)
            skeleton.tie_weights()
    except Exception as error:
        raise load_error(error, origin) from error
    return skeleton


def _loaded(
    origin: CheckpointOrigin, device: torch.device, dtype: torch.dtype | str, processes: int
) -> PreTrainedModel:
    if origin.gguf_file is not None:
        gguf_packages(origin.name)
    settings = stored_settings(origin)
    expect_language_model(settings, name=origin.name)
    expect_quantiser(settings, name=origin.name)
    if processes > 1:
        expect_plain_weights(origin, quantised_by(settings), processes)
    stored = stored_weights(origin) if origin.gguf_file is None else None
    config = AutoConfig.from_pretrained(origin.source, **origin.options)
    gguf = _gguf(origin)
    if gguf is not None:
        gguf.expect_settings(config)
    _expect_room(config, settings, origin, stored, device, dtype, processes)
    # a quantised model is made where it shall be, and moves no more
    placed = processes > 1 or (bool(quantised_by(settings)) and find_spec("accelerate") is not None)
    where = sharding(processes) if processes > 1 else {"device_map": {"": device}} if placed else {}
    with without_report():
        loaded: Any = auto_class(config).from_pretrained(
            origin.source,
            config=config,
            dtype=dtype,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **origin.options,
            **({} if gguf is None else dequantised()),
            **where,
        )
    model: PreTrainedModel = loaded[0]
    expect_all_weights(model, loaded[1], name=origin.name, base_only=base_only(settings), stored=stored)
    if gguf is not None:
        gguf.complete(model)
    if not placed:
        model.to(device)  # type: ignore[arg-type]
    return model


def _expect_room(
    config: Any,
    settings: Mapping[str, Any],
    origin: CheckpointOrigin,
    stored: Mapping[str, StoredWeight] | None,
    device: torch.device,
    dtype: torch.dtype | str,
    processes: int,
) -> None:
    with torch.device("meta"):
        skeleton = auto_class(config).from_config(config, trust_remote_code=origin.trusted)
    if processes > 1:
        expect_plan(skeleton, processes, name=origin.name)
    kept = dtype if isinstance(dtype, torch.dtype) else config.get_text_config().dtype or torch.float32
    need = weight_bytes(skeleton, settings, device=device, dtype=kept, stored=stored)
    if device.type != "cpu":
        # on a processor the shards are in the same memory
        need //= processes
    expect_room(need, settings, name=origin.name, device=device, kind=str(kept))


def _gguf(origin: CheckpointOrigin) -> GgufFile | None:
    if origin.gguf_file is None:
        return None
    folder = weights_folder(origin)
    if folder is None:
        raise ModelError(f"{origin.name}: {origin.gguf_file} is not among the files of {origin.source}")
    return read_gguf(folder / origin.gguf_file, name=origin.name)


@contextmanager
def _bare(origin: CheckpointOrigin) -> Iterator[CheckpointOrigin]:
    """Give a folder without the adapter in it, which transformers puts on where peft is installed."""
    if origin.adapter is None or not origin.adapter.inside:
        yield origin
        return
    with TemporaryDirectory() as place:
        for path in Path(origin.source).iterdir():
            if not path.name.startswith("adapter_"):
                os.symlink(path.resolve(), Path(place) / path.name)
        yield replace(origin, source=place, adapter=None)
