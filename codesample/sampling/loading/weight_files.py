"""The weights that a checkpoint's safetensors files hold, by name, read from their headers alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesample.errors import ModelError
from codesample.sampling.loading.checkpoint_origin import CheckpointOrigin

__all__ = ["StoredWeight", "headers_of", "named_some", "stored_weights", "weights_folder"]

_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
# a header is JSON with a few dozen bytes for each weight
_LONGEST_HEADER = 100_000_000
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class StoredWeight:
    """One tensor of a file.

    Attributes:
        dtype: As safetensors names it: "F32", "BF16", "U8".
        shape: Of the tensor.
        nbytes: What it takes in the file.
        file: Which file.
    """

    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    file: Path

    @property
    def floating(self) -> bool:
        """Whether its numbers are floats of at least two bytes, which a load can turn into others."""
        return self.dtype in ("F64", "F32", "F16", "BF16")

    @property
    def count(self) -> int:
        """How many numbers."""
        found = 1
        for side in self.shape:
            found *= side
        return found


def weights_folder(origin: CheckpointOrigin) -> Path | None:
    """Return the folder where a checkpoint's files lie on this machine; None for one that has none here."""
    if os.path.isdir(origin.source):
        return Path(origin.source)
    from huggingface_hub import try_to_load_from_cache

    file = origin.gguf_file or "config.json"
    found = try_to_load_from_cache(origin.source, file, revision=origin.revision)
    return Path(found).parent if isinstance(found, str) else None


def stored_weights(origin: CheckpointOrigin) -> dict[str, StoredWeight] | None:
    """Return a checkpoint's weights by name; None where they are not here or in files of another kind.

    Raises:
        ModelError: a file is cut short, is none, or is missing, or the index names weights that its files do
            not hold; says which.
    """
    folder = weights_folder(origin)
    if folder is None:
        return None
    if (folder / _WHOLE).is_file():
        return headers_of([folder / _WHOLE], name=origin.name)
    if not (folder / _INDEX).is_file():
        return None
    placed = _index(folder / _INDEX, origin)
    files = [folder / file for file in sorted(set(placed.values()))]
    absent = [file.name for file in files if not file.is_file()]
    if absent:
        # of a hub id the files may come yet
        if not os.path.isdir(origin.source):
            return None
        raise ModelError(
            f"{origin.name}: {named_some(absent)} of the {len(files)} weight files that {_INDEX} names "
            f"{'is' if len(absent) == 1 else 'are'} not in the folder; download or copy it completely"
        )
    found = headers_of(files, name=origin.name)
    lost = [name for name, file in placed.items() if name not in found or found[name].file.name != file]
    if lost:
        raise ModelError(
            f"{origin.name}: {_INDEX} promises weights that are not in the file it names: "
            f"{named_some(lost)}; download the folder again"
        )
    return found


def headers_of(files: list[Path], *, name: str) -> dict[str, StoredWeight]:
    """Return what safetensors files hold; `name` is the checkpoint's, for messages.

    Raises:
        ModelError: a file is cut short or is none.
    """
    return {key: weight for file in files for key, weight in _header(file, name)}


def named_some(names: list[str]) -> str:
    """Return the first of some names and how many more there are: "a, b, c and 18 more"."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _index(path: Path, origin: CheckpointOrigin) -> dict[str, str]:
    try:
        placed = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        return {str(name): str(file) for name, file in placed.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{origin.name}: {path.name} is no index of weights ({error})") from error


def _header(path: Path, name: str) -> Iterator[tuple[str, StoredWeight]]:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or not 2 <= length <= min(_LONGEST_HEADER, size - 8):
                raise ModelError(
                    f"{name}: {path.name} is cut short or no safetensors file ({size} bytes); "
                    f"download it again{_pointer_hint(path, size)}"
                )
            header: Mapping[str, Any] = json.loads(file.read(length))
        entries = {key: value for key, value in header.items() if key != "__metadata__"}
        weights = {
            key: StoredWeight(
                str(entry["dtype"]),
                tuple(int(side) for side in entry["shape"]),
                int(entry["data_offsets"][1]) - int(entry["data_offsets"][0]),
                path,
            )
            for key, entry in entries.items()
        }
        end = 8 + length + max((int(entry["data_offsets"][1]) for entry in entries.values()), default=0)
    except OSError as error:
        raise ModelError(f"{name}: {path.name} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelError(f"{name}: {path.name} is damaged: its header cannot be read ({error})") from error
    if end != size:
        raise ModelError(
            f"{name}: {path.name} has {size} bytes where its header promises {end}: it is "
            f"{'cut short' if size < end else 'damaged'}; download it again"
        )
    yield from weights.items()


def _pointer_hint(path: Path, size: int) -> str:
    if size > 1024 or b"git-lfs" not in path.read_bytes():
        return ""
    return " (it is a pointer of git-lfs: git lfs pull)"
