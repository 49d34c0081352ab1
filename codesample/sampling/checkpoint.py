"""Load a causal language model with its tokenizer, and find out which path it can be sampled on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
)

from codesample.errors import HubUnavailableError, ModelError, ParameterError, UnknownNameError
from codesample.records import Prompt
from codesample.sampling.attention_probe import layer_shapes, probe_shared_path
from codesample.sampling.chat import chat_ids
from codesample.sampling.kv_store import KVShape
from codesample.sampling.memory import free_memory

__all__ = [
    "BUILT_IN_MODELS",
    "Checkpoint",
    "device_of",
    "dtype_of",
    "load_checkpoint",
    "load_without_weights",
]

BUILT_IN_MODELS = {"tiny": Path(__file__).parents[1] / "tiny" / "weights"}
"""Models shipped in the package, by name."""

_DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,
}


@dataclass(frozen=True)
class Checkpoint:
    """A model ready to be sampled from.

    Attributes:
        name: As the caller gave it.
        model, tokenizer: Of transformers; the model is in evaluation mode.
        kv_shapes: Per layer, when the shared path serves this model; () otherwise.
        notice: Why the shared path does not serve it; "" when it does.
        rope_switch: Longest prompt plus candidate, in tokens, whose rotary positions do not depend on what
            runs beside it; None where none does.
        eos_ids: Tokens that end a candidate.
        max_positions: Longest prompt plus candidate, in tokens, or None where the model states no limit.
        revision: Commit of a hub checkpoint, where known.
    """

    name: str
    model: PreTrainedModel
    tokenizer: Any
    eos_ids: frozenset[int]
    max_positions: int | None
    revision: str | None = None
    kv_shapes: tuple[KVShape, ...] = ()
    notice: str = ""
    rope_switch: int | None = None

    @property
    def shared(self) -> bool:
        """Whether prompts are stored once and read once for all their rows."""
        return bool(self.kv_shapes)

    def shares(self, tokens: int) -> bool:
        """Whether that holds for a prompt that takes so many tokens together with its candidate."""
        return self.shared and (self.rope_switch is None or tokens <= self.rope_switch)

    def encode(self, prompt: Prompt) -> tuple[int, ...]:
        """Tokenise a prompt with the special tokens its tokenizer adds, a BOS never twice, no EOS at the end.

        Messages are what `apply_chat_template` of the tokenizer makes of them, to the token.

        Raises:
            ParameterError: the prompt gives no token at all.
        """
        tokenizer = self.tokenizer
        if not isinstance(prompt, str):
            return chat_ids(tokenizer, prompt, name=self.name)
        bos = tokenizer.bos_token
        has_bos = bool(bos) and prompt.startswith(bos)
        ids = list(tokenizer(prompt, add_special_tokens=not has_bos)["input_ids"])
        if ids and ids[-1] in self.eos_ids:
            # an EOS of the prompt's own stays
            own = list(tokenizer(prompt, add_special_tokens=False)["input_ids"])
            if not own or ids[-len(own) :] != own:
                ids.pop()
        if not ids and tokenizer.bos_token_id is not None:
            ids = [tokenizer.bos_token_id]
        if not ids:
            raise ParameterError(
                "the prompt gives no tokens and this tokenizer has no BOS token; give a longer prompt"
            )
        return tuple(ids)

    def describe(self) -> dict[str, Any]:
        """Plain JSON facts for the record of a run."""
        return {
            "name": self.name,
            "revision": self.revision,
            "architecture": type(self.model).__name__,
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "device": str(self.model.device),
            "path": "shared" if self.shared else "ordinary",
            "notice": self.notice,
        }


def load_checkpoint(
    model: str | Path | PreTrainedModel,
    *,
    tokenizer: Any = None,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
    revision: str | None = None,
) -> Checkpoint:
    """Load a checkpoint and probe it.

    Args:
        model: A built-in name, a folder written by `save_pretrained`, a hub id, or a loaded model.
        tokenizer: Loaded tokenizer; needed with a loaded model, else found beside the weights.
        device: "auto" takes CUDA when there is one; a loaded model stays where it is.
        dtype: "auto" is the checkpoint's own dtype on CUDA and float32 on a CPU, or a loaded model's own.
        revision: Branch, tag or commit of a hub checkpoint.
    Raises:
        ParameterError: no such device or dtype, or a loaded model without its tokenizer or with another
            device, dtype or revision than its own.
        UnknownNameError: neither a built-in name, nor a folder, nor the form of a hub id.
        HubUnavailableError: a hub id that is not on this machine, with the hub out of reach.
        ModelError: not a causal language model, damaged, or too large for the device.
    """
    if isinstance(model, PreTrainedModel):
        if tokenizer is None:
            raise ParameterError(
                "a loaded model needs its tokenizer as well: Sampler(model, tokenizer=tokenizer)"
            )
        _check_loaded(model, device, dtype, revision)
        loaded, name = model, model.name_or_path or type(model).__name__
    else:
        name = str(model)
        source = _source(name)
        target = device_of(device)
        kept = "auto" if target.type == "cuda" else torch.float32
        loaded = _load_model(source, name, target, kept if dtype == "auto" else dtype_of(dtype), revision)
        tokenizer = tokenizer or _load_tokenizer(source, name, revision)
    config = loaded.config.get_text_config()
    found = Checkpoint(
        name=name,
        model=loaded,
        tokenizer=tokenizer,
        eos_ids=_eos_ids(loaded, tokenizer),
        max_positions=getattr(config, "max_position_embeddings", None),
        revision=getattr(loaded.config, "_commit_hash", None),
    )
    probed = probe_shared_path(loaded)
    return replace(found, **probed._asdict())


def load_without_weights(model: str, *, revision: str | None = None) -> Checkpoint:
    """Return a checkpoint to look at: its tokenizer, end tokens and limits, and weights that have no numbers.

    Args:
        model: A built-in name, a folder or a hub id; no weights are needed there.
        revision: Branch, tag or commit of a hub checkpoint.

    Raises:
        UnknownNameError, HubUnavailableError, ModelError: as `load_checkpoint`.
    """
    source = _source(model)
    tokenizer = _load_tokenizer(source, model, revision)
    try:
        config = AutoConfig.from_pretrained(source, revision=revision)
        with torch.device("meta"):
            skeleton = AutoModelForCausalLM.from_config(config)
            skeleton.tie_weights()
    except Exception as error:
        raise _load_error(error, source, model) from error
    with suppress(OSError):
        skeleton.generation_config = GenerationConfig.from_pretrained(source, revision=revision or "main")
    shapes: tuple[KVShape, ...] = ()
    with suppress(Exception):
        shapes = layer_shapes(skeleton)
    return Checkpoint(
        name=model,
        model=skeleton,
        tokenizer=tokenizer,
        eos_ids=_eos_ids(skeleton, tokenizer),
        max_positions=getattr(config.get_text_config(), "max_position_embeddings", None),
        revision=getattr(config, "_commit_hash", None),
        kv_shapes=shapes,
    )


def _source(name: str) -> str:
    if name in BUILT_IN_MODELS:
        return str(BUILT_IN_MODELS[name])
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(
                f"{name}: no config.json in this folder; expected one written by save_pretrained"
            )
        return str(path)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return name
    raise UnknownNameError(
        "model",
        name,
        BUILT_IN_MODELS,
        "Give a built-in name (codesample list models), a folder or a hub id (owner/name).",
    )


def _check_loaded(
    model: PreTrainedModel, device: str | torch.device, dtype: str | torch.dtype, revision: str | None
) -> None:
    """Refuse what a model that is loaded already cannot be given any more."""
    own = model.device
    if device != "auto":
        asked = device_of(device)
        if asked.type != own.type or asked.index not in (None, own.index):
            raise ParameterError(
                f"device = {str(device)!r}: the loaded model is on {own}; move it with .to()"
            )
    if dtype != "auto" and dtype_of(dtype) != model.dtype:
        raise ParameterError(
            f"dtype = {str(dtype)!r}: the loaded model has {model.dtype}; cast it with .to()"
        )
    if revision is not None and revision != getattr(model.config, "_commit_hash", None):
        raise ParameterError(f"revision = {revision!r}: the model is loaded already; give its name instead")


def device_of(device: str | torch.device) -> torch.device:
    """Return the device of that name; "auto" takes CUDA when there is one.

    Raises:
        ParameterError: no such device here.
    """
    if str(device) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ParameterError(f"device = {device!r}: expected auto, cpu, cuda or cuda:N") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ParameterError(f"device = {device!r}: this machine shows no CUDA device; use --device cpu")
    return found


def dtype_of(dtype: str | torch.dtype) -> torch.dtype:
    """Return the dtype of that name.

    Raises:
        ParameterError: there is none.
    """
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype not in _DTYPES:
        raise ParameterError(f"dtype = {dtype!r}: expected one of {', '.join(_DTYPES)}")
    return _DTYPES[dtype]


def _load_model(
    source: str, name: str, device: torch.device, dtype: torch.dtype | str, revision: str | None
) -> PreTrainedModel:
    try:
        config = AutoConfig.from_pretrained(source, revision=revision)
        _check_fit(config, name, device, dtype)
        model = AutoModelForCausalLM.from_pretrained(source, config=config, dtype=dtype, revision=revision)
        model.to(device)  # type: ignore[arg-type]
        return model
    except ModelError:
        raise
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"{name}: out of memory while loading onto {device}; choose a smaller dtype or device"
        ) from error
    except Exception as error:
        raise _load_error(error, source, name) from error


def _load_tokenizer(source: str, name: str, revision: str | None) -> Any:
    try:
        return AutoTokenizer.from_pretrained(source, revision=revision)
    except Exception as error:
        raise _load_error(error, source, name) from error


def _load_error(error: Exception, source: str, name: str) -> ModelError | HubUnavailableError:
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    if not os.path.isdir(source) and isinstance(error, OSError | ConnectionError):
        return HubUnavailableError(
            f"model {name!r} is not on this machine and the hub gave no answer for it ({first[:160]}); "
            "check the name and the connection, or give --model a folder"
        )
    return ModelError(f"{name}: cannot be loaded as a causal language model: {first[:300]}")


def _check_fit(config: Any, name: str, device: torch.device, dtype: torch.dtype | str) -> None:
    with torch.device("meta"):
        skeleton = AutoModelForCausalLM.from_config(config)
    stored = dtype if isinstance(dtype, torch.dtype) else (config.dtype or torch.float32)
    need = sum(p.numel() for p in skeleton.parameters()) * stored.itemsize
    have = free_memory(device)
    if need > have:
        raise ModelError(
            f"{name}: its weights take {need / 2**30:.1f} GiB in {stored}, and {device} has "
            f"{have / 2**30:.1f} GiB free; choose a smaller model, --dtype bfloat16 or another --device"
        )


def _eos_ids(model: PreTrainedModel, tokenizer: Any) -> frozenset[int]:
    stated: Any = model.generation_config.eos_token_id if model.generation_config else None
    ids: Sequence[int | None] = stated if isinstance(stated, Sequence) else [stated]
    return frozenset(i for i in [*ids, tokenizer.eos_token_id] if i is not None)
