"""Finds what a model's name and an adapter's mean: a base, an adapter on it, a file of a folder."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from codesample.errors import ModelError, ParameterError, UnknownNameError
from codesample.sampling.checkpoint_source import checkpoint_source, hub_file, is_on_hub
from codesample.sampling.loading.checkpoint_origin import AdapterOrigin, CheckpointOrigin

__all__ = ["adapter_of", "origin_of"]

_CONFIG = "adapter_config.json"


def origin_of(
    name: str, *, adapter: str | None = None, revision: str | None = None, trusted: bool = False
) -> CheckpointOrigin:
    """Return where a checkpoint comes from.

    Args:
        name: A built-in name, a folder, a GGUF file, or a hub id; of a model, or of an adapter that says
            which model it is for.
        adapter: Folder or hub id of an adapter to put on it.
        revision: Branch, tag or commit of a hub id: of the one that `name` is.
        trusted: Whether code that it brings may be run.

    Raises:
        UnknownNameError: see `checkpoint_source`.
        ModelError: a folder without a checkpoint or without an adapter, or an adapter without its base.
        ParameterError: an adapter on an adapter.
    """
    source = checkpoint_source(name)
    if source.lower().endswith(".gguf"):
        place, file = hub_file(source) or os.path.split(source)
        on = None if adapter is None else adapter_of(adapter)
        return CheckpointOrigin(name, place or ".", revision, trusted, file, on)
    own = _own_adapter(source, revision)
    if own is None:
        on = None if adapter is None else adapter_of(adapter)
        return CheckpointOrigin(name, source, revision, trusted, adapter=on)
    if adapter is not None:
        raise ParameterError(
            f"adapter = {adapter!r}: {name} is an adapter, or holds one, itself; name its base as the model, "
            "or merge the two with peft and save the result"
        )
    if (Path(source) / "config.json").is_file():
        inside = AdapterOrigin(name, source, revision, inside=True)
        return CheckpointOrigin(name, source, revision, trusted, adapter=inside)
    base = own.get("base_model_name_or_path")
    if not base:
        raise ModelError(
            f"{name}: {_CONFIG} does not say which model the adapter is for (base_model_name_or_path); give "
            f"both: --model BASE --adapter {name}"
        )
    try:
        found = checkpoint_source(str(base))
    except (UnknownNameError, ModelError) as error:
        raise ModelError(
            f"{name}: is an adapter for {base}, which is not here ({error}); give both: "
            f"--model BASE --adapter {name}"
        ) from error
    return CheckpointOrigin(
        name, found, own.get("revision"), trusted, adapter=AdapterOrigin(name, source, revision)
    )


def adapter_of(name: str) -> AdapterOrigin:
    """Return where an adapter comes from.

    Raises:
        UnknownNameError: neither a folder nor the form of a hub id.
        ModelError: a folder without an adapter, or a file.
    """
    path = Path(name).expanduser()
    if name and path.is_dir():
        if (path / _CONFIG).is_file():
            return AdapterOrigin(name, str(path))
        within = sorted(each.parent.name for each in path.glob(f"*/{_CONFIG}"))
        hint = f"; it has some inside: {', '.join(within)}" if within else ""
        raise ModelError(f"{name}: no {_CONFIG} in this folder; expected an adapter that peft wrote{hint}")
    if path.is_file():
        raise ModelError(f"{name} is a file; expected the folder of an adapter: --adapter {path.parent}")
    if is_on_hub(name):
        return AdapterOrigin(name, name)
    raise UnknownNameError("adapter", name, [], "Give a folder written by peft, or a hub id (owner/name).")


def _own_adapter(source: str, revision: str | None) -> dict[str, Any] | None:
    """Return the adapter's settings where a name means an adapter; None where it means a model."""
    found: str | None = None
    if os.path.isdir(source):
        path = Path(source) / _CONFIG
        found = str(path) if path.is_file() else None
    else:
        from transformers.utils.peft_utils import find_adapter_config_file

        # what is wrong with the name or the network is said by whoever loads the model
        with suppress(OSError, ValueError):
            found = find_adapter_config_file(source, revision=revision)
    if found is None:
        return None
    try:
        settings = json.loads(Path(found).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{source}: {_CONFIG} cannot be read ({error})") from error
    if not isinstance(settings, dict):
        raise ModelError(f"{source}: {_CONFIG} is no table of settings; expected a JSON object")
    return settings
