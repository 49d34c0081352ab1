"""Where the checkpoint is that a model's name means: built in, a folder, or on the hub."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from codesample.errors import ModelError, UnknownNameError

__all__ = ["BUILT_IN_MODELS", "checkpoint_source", "is_on_hub"]

BUILT_IN_MODELS = {"tiny": Path(__file__).parents[1] / "tiny" / "weights"}
"""Models shipped in the package, by name."""

# owner and name, or the name alone of the first models there
_HUB_ID = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_NEAR = 0.5
_WEIGHTS = {".bin", ".pt", ".pth", ".ckpt", ".safetensors", ".gguf", ".ggml", ".onnx"}
_HINT = "Give a built-in name (codesample list models), a folder or a hub id (owner/name, or gpt2)."


def checkpoint_source(name: str) -> str:
    """Return the folder or the hub id that a model's name means.

    Raises:
        UnknownNameError: it is neither a built-in name, nor a folder, nor the form of a hub id; a name
            without an owner that is nearly a built-in one counts as that, misspelt.
        ModelError: a folder without a checkpoint, or a file; says what loads it.
    """
    if name in BUILT_IN_MODELS:
        return str(BUILT_IN_MODELS[name])
    path = Path(name).expanduser()
    # no name at all would be the current folder
    if name and path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(
                f"{name}: no config.json in this folder; expected one written by save_pretrained"
                + _gguf_inside(path)
            )
        return str(path)
    if path.is_file():
        raise ModelError(_of_file(path, name))
    if is_on_hub(name):
        return name
    raise UnknownNameError("model", name, BUILT_IN_MODELS, _HINT)


def is_on_hub(name: str) -> bool:
    """Whether a name means a checkpoint of the hub: its form, where it is nothing on this machine."""
    if name in BUILT_IN_MODELS or not _HUB_ID.fullmatch(name) or "--" in name or ".." in name:
        return False
    if name.endswith((".", "-", ".git")) or Path(name).expanduser().exists():
        return False
    if "/" in name:
        return True
    is_file_name = Path(name).suffix.lower() in _WEIGHTS
    return not is_file_name and not difflib.get_close_matches(name, BUILT_IN_MODELS, n=1, cutoff=_NEAR)


def _of_file(path: Path, name: str) -> str:
    if path.suffix.lower() == ".gguf":
        return f"{name}: {_gguf(path)}"
    if path.suffix.lower() in _WEIGHTS and (path.parent / "config.json").is_file():
        return f"{name} is a file of a checkpoint; name its folder: --model {path.parent}"
    return f"{name} is a file; expected a folder written by save_pretrained, or a hub id"


def _gguf(path: Path) -> str:
    where = f"({str(path.parent)!r}, gguf_file={path.name!r}).save_pretrained('DIR')"
    return (
        "codesample reads no GGUF; transformers converts it (pip install gguf): "
        f"AutoModelForCausalLM.from_pretrained{where}, the same with AutoTokenizer, then --model DIR"
    )


def _gguf_inside(folder: Path) -> str:
    found = sorted(folder.glob("*.gguf"))
    return f"; of {found[0].name}: {_gguf(found[0])}" if found else ""
