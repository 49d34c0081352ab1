"""Tells whether a checkpoint folder still holds what it held, without reading all of its weights."""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import replace
from pathlib import Path

from codesample.engines.model_options import ModelOptions
from codesample.engines.registry import NATIVE, split_model
from codesample.errors import ModelError
from codesample.sampling.checkpoint_source import BUILT_IN_MODELS

__all__ = ["fingerprint", "model_fingerprint"]

# engines that load the model which is named, here
_LOADED_HERE = (NATIVE, "vllm")

_SUFFIXES = {".bin", ".gguf", ".jinja", ".json", ".model", ".safetensors", ".txt"}
_BLOCKS = 64
_BLOCK_BYTES = 1 << 14


def model_fingerprint(options: ModelOptions) -> str | None:
    """Return what tells a model, with what is put on it, from others by files; None where none are here.

    Raises:
        ModelError: what the name leads to cannot be looked at.
    """
    engine, rest = split_model(options)
    named = replace(options, model=rest) if engine in _LOADED_HERE else options
    own = named.model if named.revision is None else f"{named.model}@{named.revision}"
    places = {own: named.folder or BUILT_IN_MODELS.get(named.model), **named.parts}
    if not any(places.values()):
        return None
    found = "+".join(fingerprint(place) if place else name for name, place in places.items())
    # two engines draw different candidates of one model
    return found if engine == NATIVE else f"{engine}:{found}"


def fingerprint(place: Path) -> str:
    """Return a hash over the files that loading a checkpoint may read: weights, settings, tokenizer.

    Args:
        place: Its folder, or its one file.

    Of each file its name, its size and 64 evenly spaced blocks count, of one below a megabyte all. A copy
    of the folder has the same fingerprint; further training changes weights everywhere, and so changes it.

    Raises:
        ModelError: a file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for path in [place] if place.is_file() else sorted(place.iterdir()):
            if path.suffix.lower() in _SUFFIXES and path.is_file():
                _add(digest, path)
    except OSError as error:
        raise ModelError(f"{error.filename or place}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()[:16]


def _add(digest: hashlib._Hash, path: Path) -> None:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        digest.update(f"{path.name}\0{size}\0".encode("utf-8", "surrogateescape"))
        last = max(size - _BLOCK_BYTES, 0)
        blocks = min(_BLOCKS, 1 + math.ceil(last / _BLOCK_BYTES))
        for block in range(blocks):
            file.seek(last * block // max(blocks - 1, 1))
            digest.update(file.read(_BLOCK_BYTES))
