"""Load a causal language model with its tokenizer, and find out which path it can be sampled on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig, PreTrainedModel

from codesample.errors import ParameterError
from codesample.records import Prompt
from codesample.sampling.attention_probe import Probed, probe_shared_path
from codesample.sampling.chat import chat_ends, chat_ids, takes_messages
from codesample.sampling.devices import device_of, dtype_of, named_device
from codesample.sampling.encoding import Boundary, boundary_of, text_ids
from codesample.sampling.kv_store import KVShape
from codesample.sampling.layer_masks import layer_shapes
from codesample.sampling.loading.checkpoint_origin import CheckpointOrigin
from codesample.sampling.loading.given_models import given_model
from codesample.sampling.loading.model_loading import load_model, load_skeleton
from codesample.sampling.loading.origins import origin_of
from codesample.sampling.loading.tokenizer_loading import given_tokenizer, load_tokenizer
from codesample.sampling.loading.vocabulary import expect_rows, expect_vocabulary, rows_of
from codesample.sampling.sharded.ranks import ranks_of

if TYPE_CHECKING:
    from codesample.sampling.rotary_shift import RotaryShift

__all__ = ["Checkpoint", "load_checkpoint", "load_without_weights"]


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
        cached: Whether the model's own steps over its own cache give what a pass over all tokens gives.
        eos_ids: Tokens that end a candidate of a text.
        max_positions: Longest prompt plus candidate, in tokens, or None where the model states no limit.
        revision: Commit of a hub checkpoint, where known.
        trusted: Whether code that the checkpoint brings may have been run.
        adapter: Name of the PEFT adapter that was put on it, or None.
        prompt_tokens: Most tokens of a prompt that are kept, which then take as many positions; None: all.
        shift: Turns keys to other positions, where some are kept.
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
    cached: bool = True
    trusted: bool = False
    adapter: str | None = None
    prompt_tokens: int | None = None
    shift: RotaryShift | None = None

    @property
    def probed(self) -> Probed:
        """What `probe_shared_path` said of the model."""
        return Probed(*(getattr(self, name) for name in Probed._fields))

    @property
    def shared(self) -> bool:
        """Whether prompts are stored once and read once for all their rows."""
        return bool(self.kv_shapes)

    def positions(self, tokens: int) -> int:
        """Return how many positions a prompt of so many tokens takes."""
        return tokens if self.prompt_tokens is None else min(tokens, self.prompt_tokens)

    def shares(self, tokens: int) -> bool:
        """Whether that holds for a prompt that takes so many tokens together with its candidate."""
        return self.shared and (self.rope_switch is None or tokens <= self.rope_switch)

    @property
    def takes_messages(self) -> bool:
        """Whether prompts may be messages: the tokenizer has a chat template."""
        return takes_messages(self.tokenizer)

    @cached_property
    def chat_ends(self) -> frozenset[int]:
        """Tokens that end an answer to messages: `eos_ids`, and what its chat template ends turns with."""
        return self.eos_ids | chat_ends(self.tokenizer)

    def encode(self, prompt: Prompt) -> tuple[int, ...]:
        """Tokenise a prompt with the special tokens its tokenizer adds, a BOS never twice, no EOS at the end.

        Messages are what `apply_chat_template` of the tokenizer makes of them, to the token.

        Raises:
            ParameterError: the prompt gives no token at all or one that the model does not know, or the chat
                template refuses it.
        """
        if isinstance(prompt, str):
            ids = text_ids(self.tokenizer, prompt, eos_ids=self.eos_ids)
        else:
            ids = chat_ids(self.tokenizer, prompt, name=self.name)
        expect_rows(ids, self.tokenizer, rows=self._rows, name=self.name)
        return ids

    @cached_property
    def _rows(self) -> int:
        return rows_of(self.model)

    def boundary(self, prompt: str, continuation: str) -> Boundary:
        """Compare the tokens of a text alone with those it has before what follows it, such as a reference.

        Raises:
            ParameterError: as `encode`.
        """
        return boundary_of(self.tokenizer, prompt, continuation, eos_ids=self.eos_ids)

    def describe(self) -> dict[str, Any]:
        """Plain JSON facts for the record of a run."""
        return {
            "name": self.name,
            "revision": self.revision,
            "architecture": type(self.model).__name__,
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "device": str(self.model.device),
            **({} if self.adapter is None else {"adapter": self.adapter}),
            **self._division(),
            "path": "shared" if self.shared else "ordinary",
            "trust_remote_code": self.trusted,
            "notice": self.notice,
        }

    def _division(self) -> dict[str, Any]:
        ranks = ranks_of(self.model)
        if ranks is None:
            return {}
        return {"tensor_parallel": {"processes": ranks.size, "plan": dict(self.model.tp_plan)}}


def load_checkpoint(
    model: str | Path | PreTrainedModel | Any,
    *,
    tokenizer: Any = None,
    adapter: str | Path | None = None,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
    processes: int = 1,
    loaded: Callable[[], None] = lambda: None,
) -> Checkpoint:
    """Load a checkpoint and probe it; one that is loaded is returned as it is.

    Args:
        model: A built-in name, a folder written by `save_pretrained`, of a model or of an adapter that says
            which model it is for, a GGUF file, a hub id, or a loaded model of transformers or peft.
        tokenizer: Loaded, or the name of one: a folder, a GGUF file or a hub id. Needed with a loaded model,
            else found beside the adapter or beside the weights.
        adapter: Folder or hub id of a PEFT adapter to put on the model.
        device: See `device_of`; a loaded model stays where it is.
        dtype: "auto" is the checkpoint's own dtype on a GPU and float32 on a CPU, or a loaded model's own.
        revision: Branch, tag or commit of a hub checkpoint.
        trust_remote_code: Run code that the checkpoint brings; without it one that needs any is refused.
        processes, loaded: Among how many it is divided; what is called before they try it, all at once.
    Raises:
        ParameterError: no such device or dtype, or a loaded model without its tokenizer, with another
            device, dtype, revision or adapter than its own, or that is none of transformers.
        UnknownNameError: see `checkpoint_source`.
        HubUnavailableError: a hub id that is not on this machine, with the hub out of reach.
        ModelError: not a causal language model, damaged, too large for the device, with code of its own, with
            weights that are not its model's, or a tokenizer that is not.
    """
    if isinstance(model, Checkpoint):
        return model
    if isinstance(model, str | Path):
        on = None if adapter is None else str(adapter)
        origin = origin_of(str(model), adapter=on, revision=revision, trusted=trust_remote_code)
        target = device_of(device)
        kept = dtype_of(dtype) if dtype != "auto" else "auto" if target.type != "cpu" else torch.float32
        # the smaller first: what is amiss with it is known before gigabytes are read
        given = _tokenizer(tokenizer, origin)
        found_model = load_model(origin, target, kept, processes=processes)
        loaded()
    else:
        found_model = given_model(model)
        _check_loaded(found_model, tokenizer, device, dtype, revision, adapter)
        name = found_model.name_or_path or type(found_model).__name__
        origin = CheckpointOrigin(name, name, trusted=trust_remote_code)
        given = _tokenizer(tokenizer, origin)
    return _tried(origin, found_model, given)


def _tried(origin: CheckpointOrigin, model: PreTrainedModel, tokenizer: Any) -> Checkpoint:
    """Return a checkpoint of what was loaded, and what is found out about it by trying it."""
    expect_vocabulary(model, tokenizer, name=origin.name)
    found = Checkpoint(
        name=origin.name,
        model=model,
        tokenizer=tokenizer,
        eos_ids=_eos_ids(model, tokenizer),
        max_positions=getattr(model.config.get_text_config(), "max_position_embeddings", None),
        revision=getattr(model.config, "_commit_hash", None),
        trusted=origin.trusted,
        adapter=origin.adapter.name if origin.adapter else None,
    )
    return replace(found, **probe_shared_path(model)._asdict())


def load_without_weights(
    model: str,
    *,
    tokenizer: str | None = None,
    adapter: str | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Checkpoint:
    """Return a checkpoint to look at: its tokenizer, end tokens and limits, and weights that have no numbers.

    Args:
        model, tokenizer, adapter, revision, trust_remote_code: As for `load_checkpoint`; no weights are
            needed there, and an adapter changes nothing but perhaps the tokenizer.

    Raises:
        UnknownNameError, HubUnavailableError, ModelError: as `load_checkpoint`.
    """
    origin = origin_of(model, adapter=adapter, revision=revision, trusted=trust_remote_code)
    found = load_tokenizer(origin, tokenizer)
    skeleton = load_skeleton(origin)
    with suppress(OSError):
        skeleton.generation_config = GenerationConfig.from_pretrained(
            origin.source, revision=origin.revision or "main"
        )
    shapes: tuple[KVShape, ...] = ()
    with suppress(Exception):
        shapes = layer_shapes(skeleton)
    return Checkpoint(
        name=model,
        model=skeleton,
        tokenizer=found,
        eos_ids=_eos_ids(skeleton, found),
        max_positions=getattr(skeleton.config.get_text_config(), "max_position_embeddings", None),
        revision=getattr(skeleton.config, "_commit_hash", None),
        kv_shapes=shapes,
        trusted=trust_remote_code,
        adapter=origin.adapter.name if origin.adapter else None,
    )


def _tokenizer(given: Any, origin: CheckpointOrigin) -> Any:
    if given is None or isinstance(given, str | Path):
        return load_tokenizer(origin, given)
    return given_tokenizer(given)


def _check_loaded(
    model: PreTrainedModel,
    tokenizer: Any,
    device: str | torch.device,
    dtype: str | torch.dtype,
    revision: str | None,
    adapter: str | Path | None,
) -> None:
    """Refuse what a model that is loaded already cannot be given any more."""
    if tokenizer is None:
        raise ParameterError(
            "a loaded model needs its tokenizer as well: Sampler(model, tokenizer=tokenizer)"
        )
    own = model.device
    if device != "auto":
        asked = named_device(device)
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
    if adapter is not None:
        raise ParameterError(
            f"adapter = {str(adapter)!r}: the model is loaded already; put the adapter on with peft "
            "(PeftModel.from_pretrained) and give the result"
        )


def _eos_ids(model: PreTrainedModel, tokenizer: Any) -> frozenset[int]:
    stated: Any = model.generation_config.eos_token_id if model.generation_config else None
    ids: Sequence[int | None] = stated if isinstance(stated, Sequence) else [stated]
    return frozenset(i for i in [*ids, tokenizer.eos_token_id] if i is not None)
