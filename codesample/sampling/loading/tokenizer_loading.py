"""The tokenizer of a checkpoint: the one that was named, its adapter's, or the one beside its weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer

from codesample.errors import HubUnavailableError, ModelError, ParameterError, UnknownNameError
from codesample.quiet import without_bars
from codesample.sampling.checkpoint_source import BUILT_IN_MODELS, is_on_hub
from codesample.sampling.loading.checkpoint_origin import CheckpointOrigin
from codesample.sampling.loading.gguf_files import gguf_packages
from codesample.sampling.loading.load_errors import load_error

__all__ = ["given_tokenizer", "load_tokenizer"]

_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt", "tekken.json")
_ENDINGS = (".model", ".tiktoken")
_TOLD_OF_LENGTH = "sequence-length-is-longer-than-the-specified-maximum"
_OPTION = "name one: --tokenizer FOLDER or HUB_ID (tokenizer=...)"


@without_bars()
def load_tokenizer(origin: CheckpointOrigin, named: str | Path | None = None) -> Any:
    """Load the tokenizer of a checkpoint.

    Args:
        origin: Of the checkpoint.
        named: A built-in name, a folder, a GGUF file or a hub id to take it from. Default: where the adapter
            is, if that brings one, or beside the weights.

    Raises:
        UnknownNameError: `named` is none of these.
        HubUnavailableError: it is not on this machine, with the hub out of reach.
        ModelError: there is none, it is damaged, or it brings code of its own.
    """
    place = origin if named is None else _named(str(named), trusted=origin.trusted)
    adapter = origin.adapter
    if named is None and adapter is not None and _has_one(adapter.source):
        place = CheckpointOrigin(adapter.name, adapter.source, adapter.revision, origin.trusted)
    local = os.path.isdir(place.source)
    if local and place.gguf_file is None and not _has_one(place.source):
        raise ModelError(f"{place.name}: no tokenizer in this folder; {_OPTION}")
    if place.gguf_file is not None:
        gguf_packages(place.name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place.source, **place.options)
    except Exception as error:
        kind = "model" if named is None else "tokenizer"
        raise (_config_error(place) or _tokenizer_error(error, place, kind)) from error
    if not _has_words(tokenizer):
        # transformers makes one of the model's kind where there are no files
        raise ModelError(f"{place.name}: its tokenizer has no vocabulary; {_OPTION}")
    # transformers would warn of texts that are refused here anyway, or that some policies take
    getattr(tokenizer, "deprecation_warnings", {})[_TOLD_OF_LENGTH] = True
    return tokenizer


def given_tokenizer(tokenizer: Any) -> Any:
    """Return a loaded tokenizer that was given; of a processor, the tokenizer in it.

    Raises:
        ParameterError: it is none.
    """
    inner = getattr(tokenizer, "tokenizer", None)
    if inner is not None and not hasattr(tokenizer, "convert_ids_to_tokens"):
        tokenizer = inner
    lacks = [each for each in ("decode", "convert_ids_to_tokens", "__call__") if not hasattr(tokenizer, each)]
    if lacks:
        raise ParameterError(
            f"tokenizer = {tokenizer!r:.80}: expected a tokenizer of transformers, or the name of one"
        )
    return tokenizer


def _named(name: str, *, trusted: bool) -> CheckpointOrigin:
    path = Path(name).expanduser()
    if name in BUILT_IN_MODELS:
        return CheckpointOrigin(name, str(BUILT_IN_MODELS[name]))
    if name and path.is_dir():
        return CheckpointOrigin(name, str(path), trusted=trusted)
    if path.is_file() and path.suffix.lower() == ".gguf":
        return CheckpointOrigin(name, str(path.parent), trusted=trusted, gguf_file=path.name)
    if path.is_file():
        # a tokenizer.json, named by itself
        return CheckpointOrigin(name, str(path.parent), trusted=trusted)
    if is_on_hub(name):
        return CheckpointOrigin(name, name, trusted=trusted)
    raise UnknownNameError("tokenizer", name, BUILT_IN_MODELS, "Give a folder with one, or a hub id.")


def _has_one(source: str) -> bool:
    """Whether a folder holds a tokenizer; of a hub id, as far as it is on this machine."""
    if os.path.isdir(source):
        return any(each.name in _FILES or each.suffix in _ENDINGS for each in Path(source).iterdir())
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(source, _FILES[1]), str)


def _has_words(tokenizer: Any) -> bool:
    try:
        words = set(tokenizer.get_vocab())
    except (AttributeError, NotImplementedError):
        return True
    added = getattr(tokenizer, "added_tokens_encoder", {})
    return bool(words - set(added) - set(getattr(tokenizer, "all_special_tokens", ())))


def _config_error(place: CheckpointOrigin) -> ModelError | HubUnavailableError | None:
    """Return what is wrong with the settings beside a tokenizer, which loading it reads too."""
    if place.gguf_file is None and not (Path(place.source) / "config.json").is_file():
        return None
    try:
        AutoConfig.from_pretrained(place.source, **place.options)
    except Exception as error:
        return load_error(error, place)
    return None


def _tokenizer_error(
    error: Exception, place: CheckpointOrigin, kind: str
) -> ModelError | HubUnavailableError:
    said = load_error(error, place, kind=kind)
    if isinstance(said, HubUnavailableError) or "trust-remote-code" in str(said):
        return said
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ModelError(f"{place.name}: its tokenizer cannot be loaded: {first[:200]}; mend it, or {_OPTION}")
