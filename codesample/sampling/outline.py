"""A model looked at before it is loaded: its tokens, its template, and what sampling from it would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from codesample.engines.model_options import ModelOptions
from codesample.errors import ModelError
from codesample.policies.axes import axis_choice
from codesample.policies.prefill.frozen_prompt import FrozenPrompt
from codesample.records import Policy, Prompt, Request, SamplingParams
from codesample.sampling.chat import chat_notices
from codesample.sampling.checkpoint import load_without_weights
from codesample.sampling.devices import device_of, dtype_of
from codesample.sampling.encoding import Boundary
from codesample.sampling.headers import with_headers
from codesample.sampling.kv_store import token_bytes
from codesample.sampling.loading.weights_size import weight_bytes
from codesample.sampling.memory import free_memory
from codesample.sampling.native import NATIVE_ABILITIES
from codesample.sampling.prefix_cache import common_start
from codesample.sampling.prompts import prompts_of
from codesample.sampling.store_making import holding_of
from codesample.sampling.store_size import CPU_ROWS, GPU_ROWS, store_size_for
from codesample.sampling.template_facts import TemplateFacts, template_facts

__all__ = ["MemoryPlan", "Outline", "TokenText"]


@dataclass(frozen=True, slots=True)
class TokenText:
    """One token, and the text that it stands for."""

    id: int
    text: str


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What sampling would take, as far as it can be known beforehand; sizes in bytes.

    Attributes:
        device, dtype: Where the model would be, and in which numbers.
        weights: Of the model.
        free: On the device now.
        budget: What keys and values may take, once the weights are there.
        per_candidate: Keys and values of one candidate's own tokens at their limit; None where the path that
            stores prompts once does not serve the model.
        shared: Tokens of prompts that are stored at a time.
        rows: Candidates that decode together.
        store: Keys and values in all.
        fault: Why it would not fit; "" where it does.
    """

    device: str
    dtype: str
    weights: int
    free: int
    budget: int
    per_candidate: int | None = None
    shared: int | None = None
    rows: int | None = None
    store: int | None = None
    fault: str = ""


class Outline:
    """A native model without its weights.

    Args:
        options: Of the model.

    Raises:
        UnknownNameError, HubUnavailableError, ModelError: as `load_checkpoint`.
        ParameterError: a policy that cannot be read.
    """

    def __init__(self, options: ModelOptions) -> None:
        self._options, self._policy = options, Policy.parse(options.policy)
        prefill = axis_choice(self._policy, "prefill")
        self._frozen = prefill if isinstance(prefill, FrozenPrompt) else None
        found = load_without_weights(
            options.model,
            tokenizer=options.tokenizer,
            adapter=options.adapter,
            revision=options.revision,
            trust_remote_code=options.trust_remote_code,
        )
        self._checkpoint = replace(found, prompt_tokens=self._frozen.kept if self._frozen else None)
        self.name = found.name

    @property
    def abilities(self) -> frozenset[str]:
        """What the engine will be able to do; see `Sampler.abilities`."""
        return NATIVE_ABILITIES | ({"chat"} if self._checkpoint.takes_messages else set())

    @property
    def max_positions(self) -> int | None:
        """Longest prompt plus candidate, in tokens, or None where the model states no limit."""
        return self._checkpoint.max_positions

    def room_behind(self, tokens: int) -> int | None:
        """Return how many tokens a model's positions leave behind a prompt of so many, 0 or less for none.

        None where the model states no limit.
        """
        most = self.max_positions
        return None if most is None else most - self._checkpoint.positions(tokens)

    def end_tokens(self, prompt: Prompt) -> tuple[TokenText, ...]:
        """Return the tokens that end a candidate of a prompt; a template's own end answers alone."""
        checkpoint = self._checkpoint
        return self.texts(sorted(checkpoint.eos_ids if isinstance(prompt, str) else checkpoint.chat_ends))

    @property
    def bos(self) -> TokenText | None:
        """The token that begins texts, where the tokenizer has one."""
        id_ = self._checkpoint.tokenizer.bos_token_id
        return None if id_ is None else self.texts([id_])[0]

    @cached_property
    def template(self) -> TemplateFacts | None:
        """What the chat template does to turns, where there is one."""
        return template_facts(self._checkpoint.tokenizer)

    def notices(self, prompt: Prompt) -> tuple[str, ...]:
        """Say what the chat template does to messages unasked; nothing of a text."""
        return () if isinstance(prompt, str) else chat_notices(self._checkpoint.tokenizer, prompt)

    def encode(self, prompt: Prompt) -> tuple[int, ...]:
        """Tokenise a prompt exactly as sampling does; raises ParameterError as that does."""
        return self._checkpoint.encode(prompt)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of tokens, special ones included."""
        tokenizer = self._checkpoint.tokenizer
        text = tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return str(text)

    def texts(self, ids: Sequence[int]) -> tuple[TokenText, ...]:
        """Return tokens with their texts; a part of a character shows as the vocabulary has it."""
        tokenizer = self._checkpoint.tokenizer
        names = tokenizer.convert_ids_to_tokens(list(ids))
        return tuple(
            TokenText(id_, str(name) if "\ufffd" in (text := self.decode([id_])) or not text else text)
            for id_, name in zip(ids, names, strict=True)
        )

    def boundary(self, prompt: Prompt, text: str) -> Boundary | None:
        """Compare the tokens of a prompt alone with those it has before `text`, in one tokenisation.

        Args:
            prompt: As for `encode`.
            text: What a model would write.

        Returns:
            None where a template's text does not give its tokens back, so that nothing can be said.

        Raises:
            ParameterError: as `encode`.
        """
        if isinstance(prompt, str):
            return self._checkpoint.boundary(prompt, text)
        apart, tokenizer = self.encode(prompt), self._checkpoint.tokenizer
        whole = self.decode(apart)
        if tuple(tokenizer(whole, add_special_tokens=False)["input_ids"]) != apart:
            return None
        together = tuple(tokenizer(whole + text, add_special_tokens=False)["input_ids"])
        common = common_start(apart, together)
        before = len(self.decode(apart[:common]))
        return Boundary(apart, together, common, whole[before:], self.decode(together[: common + 1])[before:])

    def memory(self, requests: Sequence[Request], params: SamplingParams) -> MemoryPlan:
        """Plan the memory of a call, from the configuration and from what is free now.

        Args:
            requests, params: As for `Sampler.stream`.

        Raises:
            ParameterError: no such device or dtype, or a prompt that cannot be used.
        """
        options, checkpoint = self._options, self._checkpoint
        device = device_of(options.device)
        # as `load_checkpoint` chooses
        kept = checkpoint.model.config.dtype
        stored = kept if device.type != "cpu" and isinstance(kept, torch.dtype) else torch.float32
        dtype = stored if options.dtype == "auto" else dtype_of(options.dtype)
        settings = checkpoint.model.config.to_dict()
        weights = weight_bytes(checkpoint.model, settings, device=device, dtype=dtype)
        free = free_memory(device)
        plan = MemoryPlan(
            device=str(device),
            dtype=str(dtype).removeprefix("torch."),
            weights=weights,
            free=free,
            budget=int(max(0, free - weights) * options.memory_fraction),
        )
        if weights > free:
            return replace(plan, fault="the weights do not fit")
        prompts = prompts_of(checkpoint, requests, params)
        if not checkpoint.kv_shapes or not prompts:
            return plan
        each = token_bytes(checkpoint.kv_shapes, dtype)
        storage, cascade = (axis_choice(self._policy, axis) for axis in ("storage", "decode_cache"))
        own = max(prompt.limit for prompt in prompts)
        plan = replace(plan, per_candidate=each * (min(own, cascade.slot_tokens) if cascade else own))
        longest = max(len(prompt.ids) for prompt in prompts)
        packed = storage.kind if storage is not None and longest >= storage.guard else None
        try:
            size = store_size_for(
                prompts if self._frozen else with_headers(prompts),
                holding=holding_of(checkpoint.kv_shapes, packed, cascade, self._frozen),
                token_bytes=each,
                budget=plan.budget,
                max_rows=options.max_rows or (GPU_ROWS if device.type == "cuda" else CPU_ROWS),
            )
        except ModelError as error:
            return replace(plan, fault=str(error))
        return replace(plan, shared=size.shared_tokens, rows=size.rows, store=size.bytes)
