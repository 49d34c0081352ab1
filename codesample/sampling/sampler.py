"""The native engine: any Hugging Face causal language model, each prompt stored and read once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from transformers import PreTrainedModel

from codesample.engines.contract import Progress, Reproducibility
from codesample.errors import ParameterError
from codesample.policies.accounting import Account
from codesample.records import (
    Candidate,
    GivenText,
    Policy,
    PromptLike,
    Reading,
    Request,
    SamplingParams,
    prompt_from,
)
from codesample.records.counted import counted
from codesample.records.validation import validated
from codesample.sampling.after_fork import OwnProcess, do_without_threads
from codesample.sampling.changed_params import changed_params
from codesample.sampling.checkpoint import load_checkpoint
from codesample.sampling.compiled import compiled
from codesample.sampling.decode_loop import DecodeLoop
from codesample.sampling.given_tokens import given_tokens
from codesample.sampling.logit_edits import LogitsProcessor
from codesample.sampling.memory import parse_size
from codesample.sampling.model_state import ModelState
from codesample.sampling.native import NATIVE_ABILITIES
from codesample.sampling.ordinary_loop import OrdinaryLoop
from codesample.sampling.packed_weights import matmul_of
from codesample.sampling.policy_choice import PolicyChoice
from codesample.sampling.prefix_cache import CacheInfo, PrefixCache
from codesample.sampling.prompts import Prompt, prompts_of
from codesample.sampling.read_loop import ReadLoop
from codesample.sampling.sharded.ranks import free_for
from codesample.sampling.store_making import store_for
from codesample.sampling.store_size import CPU_ROWS, GPU_ROWS
from codesample.sampling.token_sampler import TokenSampler
from codesample.sampling.trajectory import Trajectory
from codesample.sampling.work import Work

__all__ = ["Sampler"]

_log = logging.getLogger("codesample.sampling")

Step = Literal["auto", "plain", "compiled", "float32", "bfloat16", "int8"]


class _Part(NamedTuple):
    """Prompts of a call whose candidates end alike, by the path that they go."""

    token_sampler: TokenSampler
    shared: list[Prompt]
    others: list[Prompt]


@validated
class Sampler:
    """Draws candidates from a causal language model. An `Engine`.

    Args:
        model: A built-in name ("tiny"), a folder written by `save_pretrained`, a GGUF file, a hub id, or a
            loaded model of transformers or peft.
        tokenizer: Loaded, or the name of one. Needed with a loaded model, else found beside the weights.
        adapter: Folder or hub id of a PEFT adapter to put on the model.
        device: "auto", "cpu", "cuda", "cuda:N", "xpu" or "xpu:N"; see `device_of`.
        dtype: "auto" (the checkpoint's on CUDA, float32 on a CPU) or a torch dtype or its name.
        max_rows: Most candidates decoded together. Default: by device, as far as memory goes.
        prefix_cache: Keys and values of prompts kept across calls, in bytes or as "2GB"; 0 keeps none.
        memory_fraction: Share of the free memory that keys and values may take, in (0, 1].
        revision: Branch, tag or commit of a hub checkpoint.
        trust_remote_code: Run code that the checkpoint brings, with all rights of the caller.
        impl: Implementation of the attention: "auto", "torch", "triton" or "reference".
        step: How a model in float32 on a CPU is multiplied with. "float32": decode steps use a second copy of
            the linear weights, much faster and the same but for rounding; made where a quarter of the free
            memory holds it. "bfloat16": layers round inputs and weights to it, prompts' too; faster where
            the processor has the instructions. "int8": 8 bits for weights and inputs; faster still, and no
            longer quite the same model (docs/models.md). "auto": bfloat16 where the checkpoint is stored in
            it, its dtype is left open and the processor has the instructions; else float32. "plain": the
            weights as they are. "compiled": these through `torch.compile`; the first step takes long.
    Raises:
        ParameterError: an argument outside its range.
        UnknownNameError, HubUnavailableError, ModelError: see `load_checkpoint`.
    """

    def __init__(
        self,
        model: str | Path | PreTrainedModel | Any,
        *,
        tokenizer: Any = None,
        adapter: str | Path | None = None,
        device: str | torch.device = "auto",
        dtype: str | torch.dtype = "auto",
        max_rows: int | None = None,
        prefix_cache: int | str = "512MB",
        memory_fraction: float = 0.8,
        revision: str | None = None,
        impl: str = "auto",
        step: Step = "auto",
        trust_remote_code: bool = False,
    ) -> None:
        if max_rows is not None and max_rows < 1:
            raise ParameterError(f"max_rows = {max_rows}: expected at least 1")
        if not 0 < memory_fraction <= 1:
            raise ParameterError(f"memory_fraction = {memory_fraction}: expected a number in (0, 1]")
        do_without_threads()
        self._home = OwnProcess()
        # what another one can be made of, in another process
        self._made_of = {
            "model": model,
            "tokenizer": tokenizer,
            "adapter": adapter,
            "device": device,
            "dtype": dtype,
            "max_rows": max_rows,
            "prefix_cache": prefix_cache,
            "memory_fraction": memory_fraction,
            "revision": revision,
            "impl": impl,
            "step": step,
            "trust_remote_code": trust_remote_code,
        }
        self.checkpoint = load_checkpoint(
            model,
            tokenizer=tokenizer,
            adapter=adapter,
            device=device,
            dtype=dtype,
            revision=revision,
            trust_remote_code=trust_remote_code,
        )
        self.name = self.checkpoint.name
        self._max_rows = max_rows or (GPU_ROWS if self.checkpoint.model.device.type == "cuda" else CPU_ROWS)
        self._memory_fraction, self._impl = memory_fraction, impl
        self._forward = compiled(self.checkpoint.model) if step == "compiled" else None
        self._packs = step not in ("plain", "compiled")
        self._cache = PrefixCache(parse_size(prefix_cache))
        self._policy = PolicyChoice()
        self._probed = self.checkpoint.probed
        left_open = self.checkpoint.shared and dtype == "auto" and not isinstance(model, torch.nn.Module)
        matmul = matmul_of(self.checkpoint.model, step, left_open=left_open)
        self._state = ModelState(self.checkpoint.model, self._probed, matmul, exact=step == "auto")
        if self.checkpoint.notice:
            _log.warning("%s; sampling on the ordinary path: one cache per candidate", self.checkpoint.notice)

    @property
    def abilities(self) -> frozenset[str]:
        """`NATIVE_ABILITIES`, and "chat" where the tokenizer has a chat template."""
        return NATIVE_ABILITIES | ({"chat"} if self.checkpoint.takes_messages else set())

    @property
    def reproducibility(self) -> Reproducibility:
        """Exact; under a policy that leaves keys out a candidate depends on those drawn beside it."""
        return Reproducibility.EXACT if self._policy.draws_exactly else Reproducibility.SEEDED

    def with_policy(self, policy: str | Policy) -> Sampler:
        """Return a sampler of the same model that reads fewer keys of long prompts.

        Models, copies of weights and, where prompts are run in full, stored prompts are shared with this one;
        texts are read as ever. What was read is in `policy_account`.

        Args:
            policy: A record, or its text, such as "quest(keep=0.2)"; "exact" reads every key.

        Raises:
            UnknownNameError, PolicyError: no policy of that name, or one that cannot be used.
            ParameterError: a parameter that it does not take, or a model whose prompts are not shared.
        """
        choice = PolicyChoice(policy)
        other = object.__new__(type(self))
        checkpoint = choice.served(replace(self.checkpoint, **self._probed._asdict()))
        state = self._state.spread_over(choice.ranks)
        vars(other).update(vars(self), _policy=choice, _state=state, checkpoint=checkpoint)
        return other

    @property
    def policy_account(self) -> Account | None:
        """What was read of prompts under a policy so far; None where every key is."""
        return self._policy.account

    def __repr__(self) -> str:
        model = self.checkpoint.model
        kind = f"{type(model).__name__}, {model.dtype}".replace("torch.", "")
        policy = "" if self._policy.is_exact else f", {self._policy.policy}"
        return f"Sampler({self.name!r}: {kind} on {model.device}{policy})"

    def __reduce__(self) -> tuple[Any, tuple[dict[str, Any], Policy]]:
        if not isinstance(self._made_of["model"], str | Path):
            raise ParameterError(
                "a Sampler of a loaded model cannot be pickled; save the model with its tokenizer, and make "
                "the Sampler of that folder"
            )
        if self._state.renew():
            raise ParameterError(
                "a Sampler whose model was changed after it was loaded cannot be pickled: the copy would be "
                "of the model as it was; save the model, and make the Sampler of that folder"
            )
        return _remade, (self._made_of, self._policy.policy)

    def stream(
        self,
        requests: Sequence[Request],
        params: SamplingParams,
        *,
        progress: Progress | None = None,
        processors: Sequence[LogitsProcessor] = (),
    ) -> Iterator[Candidate]:
        """Yield every candidate as it finishes; see `Engine.stream`.

        Args:
            requests, params, progress: See `Engine.stream`.
            processors: Logits processors of transformers or like them. Rows of equal length are handed to
                them together, so one that keeps a state per row does not work here.

        Raises:
            ParameterError: a prompt or parameter that cannot be used, before any candidate is drawn.
            ModelError: keys and values of a single candidate do not fit into memory.
        """
        prompts = prompts_of(self.checkpoint, requests, params)
        return self.stream_prompts(prompts, params, progress=progress, processors=processors)

    def stream_prompts(
        self,
        prompts: Sequence[Prompt],
        params: SamplingParams,
        *,
        progress: Progress | None = None,
        processors: Sequence[LogitsProcessor] = (),
        told: Callable[[Trajectory], None] | None = None,
    ) -> Iterator[Candidate]:
        """Do what `stream` does for prompts that are tokens already; `told` gets every token drawn."""
        parts = self._parts(prompts, params, processors, told)
        if not parts:
            return iter(())
        first = self._of_one_kind(parts[0], progress)
        stream = _in_turn(chain([first], (self._of_one_kind(part, progress) for part in parts[1:])))
        return self._state.ranks.guarding(stream) if self._state.ranks else stream

    def _parts(
        self,
        prompts: Sequence[Prompt],
        params: SamplingParams,
        processors: Sequence[LogitsProcessor],
        told: Callable[[Trajectory], None] | None = None,
    ) -> list[_Part]:
        self._renew()
        self._policy.expect_own(max((p.limit for p in prompts), default=0))
        checkpoint, parts = self.checkpoint, []
        # what ends a row is one thing for each part
        for alike in ([p for p in prompts if not p.chat], [p for p in prompts if p.chat]):
            if not alike:
                continue
            shared = [p for p in alike if checkpoint.shares(len(p.ids) + p.limit)]
            others = [p for p in alike if not checkpoint.shares(len(p.ids) + p.limit)]
            if others and checkpoint.shared:
                _log.warning(
                    "%s may grow past %d tokens, where rotary positions change; sampled on the ordinary path",
                    counted(len(others), "prompt"),
                    checkpoint.rope_switch,
                )
            token_sampler = TokenSampler(
                checkpoint, params, chat=alike[0].chat, processors=processors, told=told
            )
            parts.append(_Part(token_sampler, self._policy.arranged(shared), others))
        return parts

    def _of_one_kind(self, part: _Part, progress: Progress | None) -> Iterator[Candidate]:
        work = Work(part.token_sampler, progress=progress, ranks=self._state.ranks)
        loop = OrdinaryLoop(self.checkpoint, work, max_rows=self._max_rows, state=self._state)
        streams = [self._loop_for(part.shared).run(work, part.shared)] if part.shared else []
        return _in_turn([*streams, *(loop.run(prompt) for prompt in part.others)])

    def sample(
        self,
        prompt: PromptLike,
        n: int = 1,
        *,
        params: SamplingParams | None = None,
        task_id: str = "prompt",
        **changes: Any,
    ) -> list[Candidate]:
        """Draw `n` candidates of one prompt.

        Args:
            prompt: Text to continue, or messages to answer, as in `Request`.
            n: How many; candidate i is the same for every n.
            params: How tokens are chosen. Default: `SamplingParams()`.
            task_id: Names the prompt in the random streams; other ids give other candidates.
            **changes: Fields of `SamplingParams` in place of those of `params`.
        Returns:
            Candidates by index.
        Raises:
            ParameterError: n below 1, an unknown or bad parameter, or a prompt that does not fit.
        """
        if n < 1:
            raise ParameterError(f"n = {n}: expected at least 1")
        request = Request(task_id, prompt_from(prompt), tuple(range(n)))
        settled = changed_params(params or SamplingParams(), changes)
        return sorted(self.stream([request], settled), key=lambda c: c.index)

    def read(self, given: Sequence[GivenText], *, progress: Progress | None = None) -> Iterator[Reading]:
        """Yield what the model makes of given texts, token by token; see `Reader.read`.

        A text that follows a prompt of text is tokenised behind the prompt's own tokens, which are those that
        sampling gives the model: where a tokenizer would join the two at their border, they stay apart.

        Args:
            given: Any number of texts; those behind one prompt read it once, on the shared path.
            progress: Called with the number of tokens read of texts since the last call.

        Raises:
            ParameterError: see `given_tokens`; before any is read.
            ModelError: keys and values of a single text do not fit into memory, or the logits are no numbers.
        """
        self._renew()
        texts = given_tokens(self.checkpoint, given)
        loop = ReadLoop(self.checkpoint, memory_fraction=self._memory_fraction, progress=progress)
        readings = self._settled(loop.run(texts))
        return self._state.ranks.guarding(readings) if self._state.ranks else readings

    def _settled(self, readings: Iterator[Reading]) -> Iterator[Reading]:
        for reading in readings:
            self._state.settle()
            yield reading

    def describe(self) -> dict[str, Any]:
        """Facts about the checkpoint for the record of a run."""
        facts = self.checkpoint.describe()
        matmul = self._state.matmul if self.checkpoint.shared else "float32"
        facts["matmul"] = facts["dtype"] if matmul == "float32" else matmul
        return facts | self._policy.facts

    @property
    def cache_info(self) -> CacheInfo:
        """How much of the prompts so far was stored already."""
        return self._cache.info

    def forget(self) -> None:
        """Drop all that was derived from the model: stored prompts, copies of weights, the choice of path.

        Needed only after a change that cannot be noticed: a few numbers written through `.data` or by code
        that is not torch's, or weights that a library keeps outside of the model. All else is noticed by
        the next call, and by open streams when their next candidate is asked for: rows in flight then begin
        again, so that every candidate is drawn by one state of the model.
        """
        self._state.forget()

    def _renew(self) -> None:
        """Drop what was derived from the model as it was before a change, as by a training step."""
        self._home.settle(self.checkpoint.model)
        self._cache.follow(self._state.renew())
        if (probed := self._state.probed) is not self._probed:
            self.checkpoint = self._policy.served(replace(self.checkpoint, **probed._asdict()))
            self._probed = probed
            if self._forward is not None:
                self._forward = compiled(self.checkpoint.model, anew=True)

    @property
    def _budget(self) -> int:
        """Bytes that keys and values may take."""
        return int(free_for(self.checkpoint.model, self._state.ranks) * self._memory_fraction)

    def _loop_for(self, prompts: Sequence[Prompt]) -> DecodeLoop:
        """Make a loop with room for prompts of the shared path; they are still to be added."""
        checkpoint = self.checkpoint
        store = store_for(checkpoint, prompts, self._policy, budget=self._budget, max_rows=self._max_rows)
        cache = self._policy.cache(self._cache, store)
        return DecodeLoop(
            checkpoint,
            store,
            cache,
            prepare=self._policy.preparing(self._impl),
            forward=self._forward,
            state=self._state,
            packs=self._packs,
            rounds=cache is self._cache,
            reads=self._policy.reads(store.layers),
            prefill_reads=self._policy.prefill_reads(len(store.layers)),
            apart=self._policy.apart,
        )


def _remade(made_of: dict[str, Any], policy: Policy) -> Sampler:
    return Sampler(**made_of).with_policy(policy)


def _in_turn(streams: Iterable[Iterator[Candidate]]) -> Iterator[Candidate]:
    for stream in streams:
        yield from stream
