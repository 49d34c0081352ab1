"""Where the checkpoint is that a model's name means: built in, a folder, or on the hub."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from codesample.errors import ModelError, UnknownNameError

__all__ = ["BUILT_IN_MODELS", "checkpoint_source", "hub_file", "is_on_hub"]

BUILT_IN_MODELS = {"tiny": Path(__file__).parents[1] / "tiny" / "weights"}
"""Models shipped in the package, by name."""

# owner and name, or the name alone of the first models there
_HUB_ID = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
# a file of a repository: OWNER/NAME/FILE.gguf
_HUB_FILE = re.compile(
    r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]{0,95})/((?:[\w.-]+/)*[\w.-]+\.gguf)", re.ASCII | re.I
)
_NEAR = 0.5
_WEIGHTS = {".bin", ".pt", ".pth", ".ckpt", ".safetensors", ".gguf", ".ggml", ".onnx"}
_HINT = (
    "Give a built-in name (codesample list models), a folder, a GGUF file or a hub id (owner/name, or gpt2)."
)


def checkpoint_source(name: str) -> str:
    """Return the folder, the GGUF file or the hub id that a model's name means.

    Raises:
        UnknownNameError: it is neither a built-in name, nor a folder, nor the form of a hub id; a name
            without an owner that is nearly a built-in one counts as that, misspelt.
        ModelError: a folder without a checkpoint, or another file; says what loads it.
    """
    if name in BUILT_IN_MODELS:
        return str(BUILT_IN_MODELS[name])
    path = Path(name).expanduser()
    # no name at all would be the current folder
    if name and path.is_dir():
        return _of_folder(path, name)
    if path.is_file():
        return _of_file(path, name)
    if is_on_hub(name):
        return name
    raise UnknownNameError("model", name, BUILT_IN_MODELS, _HINT)


def is_on_hub(name: str) -> bool:
    """Whether a name means a checkpoint of the hub: its form, where it is nothing on this machine."""
    if (file := _HUB_FILE.fullmatch(name)) is not None and not Path(name).expanduser().exists():
        return is_on_hub(file[1])
    if name in BUILT_IN_MODELS or not _HUB_ID.fullmatch(name) or "--" in name or ".." in name:
        return False
    if name.endswith((".", "-", ".git")) or Path(name).expanduser().exists():
        return False
    if "/" in name:
        return True
    is_file_name = Path(name).suffix.lower() in _WEIGHTS
    return not is_file_name and not difflib.get_close_matches(name, BUILT_IN_MODELS, n=1, cutoff=_NEAR)


def hub_file(source: str) -> tuple[str, str] | None:
    """Take OWNER/NAME/FILE.gguf apart into the hub id and the file; None for any other source."""
    found = _HUB_FILE.fullmatch(source)
    return None if found is None or Path(source).exists() else (found[1], found[2])


def _of_folder(path: Path, name: str) -> str:
    if any((path / file).is_file() for file in ("config.json", "adapter_config.json")):
        return str(path)
    found = sorted(each for each in path.iterdir() if _is_gguf(each.name))
    if len(found) == 1:
        return str(found[0])
    if found:
        names = ", ".join(each.name for each in found)
        raise ModelError(f"{name}: holds several GGUF files ({names}); name one: --model {found[0]}")
    raise ModelError(f"{name}: no config.json in this folder; expected one written by save_pretrained")


def _of_file(path: Path, name: str) -> str:
    if _is_gguf(path.name):
        return str(path)
    if path.suffix.lower() in _WEIGHTS and (path.parent / "config.json").is_file():
        raise ModelError(f"{name} is a file of a checkpoint; name its folder: --model {path.parent}")
    raise ModelError(
        f"{name} is a file; expected a folder written by save_pretrained, a GGUF file, or a hub id"
    )


def _is_gguf(name: str) -> bool:
    return name.lower().endswith(".gguf")
