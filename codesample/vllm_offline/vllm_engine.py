"""The engine over vLLM, which draws tokens; texts, stops and ends are made of them as natively."""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from codesample.engines.contract import Progress, Reproducibility
from codesample.engines.model_options import ModelOptions
from codesample.errors import CodesampleError, ModelError, ParameterError
from codesample.hub import expect_hub
from codesample.records import Candidate, Request, SamplingParams
from codesample.records.validation import validated
from codesample.sampling.checkpoint import Checkpoint, load_without_weights
from codesample.sampling.checkpoint_source import is_on_hub
from codesample.sampling.loading.checkpoint_origin import CheckpointOrigin
from codesample.sampling.loading.origins import origin_of
from codesample.sampling.loading.vocabulary import rows_of
from codesample.sampling.prompts import prompts_of
from codesample.vllm_offline.step_desk import StepDesk
from codesample.vllm_offline.vllm_library import one_line_of, vllm_library
from codesample.vllm_offline.vllm_params import drawn_with, known_fields
from codesample.vllm_offline.vllm_settings import arguments_for, facts_of
from codesample.vllm_offline.vllm_stream import Call, drawn

__all__ = ["VllmEngine"]


@validated
class VllmEngine:
    """Draws candidates with vLLM, on its GPUs. An `Engine`.

    One request for each candidate, with a seed of its own; all of a call are given to vLLM as it has room for
    them, and its prefix cache reads a prompt once. Tokens, not texts, pass between the two. Threads may share
    it: what they ask for is drawn together. Its processes end with it, or with the interpreter.

    Args:
        model: A built-in name ("tiny"), a folder written by `save_pretrained`, or a hub id.
        options: `revision`, `tokenizer`, `dtype`, `max_rows` (vLLM's max_num_seqs), `trust_remote_code`, and
            as `engine_options` any argument of `vllm.LLM`, such as gpu_memory_utilization, max_model_len,
            tensor_parallel_size, quantization, enable_prefix_caching or logprobs_mode.

    Attributes:
        name: "vllm:" with the model.
        abilities: "stop_words"; "chat" where the tokenizer has a chat template; "logprobs" unless
            logprobs_mode is "processed_logprobs", with which there are `sampled_logprobs` alone.
        reproducibility: Exact with VLLM_BATCH_INVARIANT=1; else seeded: what is computed beside a candidate
            moves its logits by rounding, which in low precision now and then moves a draw.

    Raises:
        ParameterError: vLLM is not installed, or an option or argument that it does not have.
        UnknownNameError, HubUnavailableError: no such model, or none that can be reached.
        ModelError: vLLM finds no GPU, or cannot load the model.
    """

    def __init__(self, model: str, options: ModelOptions | None = None) -> None:
        asked = options or ModelOptions(model)
        self.name = f"vllm:{model}"
        vllm = self._vllm = vllm_library()
        if any(is_on_hub(each) for each in (model, asked.tokenizer) if each is not None):
            expect_hub()
        origin = _origin(model, asked)
        arguments = arguments_for(vllm, asked, origin)
        checkpoint = load_without_weights(
            model,
            tokenizer=asked.tokenizer,
            revision=asked.revision,
            trust_remote_code=asked.trust_remote_code,
        )
        try:
            self._llm = vllm.LLM(**arguments)
        except CodesampleError:
            raise
        except Exception as error:
            raise ModelError(f"{self.name}: vLLM cannot load it: {one_line_of(error)}") from error
        engine = self._llm.llm_engine
        self._invariant = bool(vllm.envs.VLLM_BATCH_INVARIANT)
        self._facts = facts_of(vllm, engine, invariant=self._invariant)
        positions = [checkpoint.max_positions, self._facts["max_model_len"]]
        self._checkpoint: Checkpoint = replace(
            checkpoint, name=self.name, max_positions=min(each for each in positions if each is not None)
        )
        self._options, self._process, self._desk = asked, os.getpid(), StepDesk(engine)
        # registered last and so run first: multiprocessing would wait for vLLM's process, which never ends
        atexit.register(weakref.finalize(self, _end, engine, self._process))

    @property
    def abilities(self) -> frozenset[str]:
        """See `codesample.engines.contract.Engine`."""
        found = {"stop_words"} | (set() if self._processed else {"logprobs"})
        return frozenset(found | ({"chat"} if self._checkpoint.takes_messages else set()))

    @property
    def reproducibility(self) -> Reproducibility:
        """See `codesample.engines.contract.Engine`."""
        return Reproducibility.EXACT if self._invariant else Reproducibility.SEEDED

    def __repr__(self) -> str:
        facts = self._facts
        return f"VllmEngine({self.name!r}: {facts['engine']}, {facts['dtype']} on {facts['device']})"

    def stream(
        self, requests: Sequence[Request], params: SamplingParams, *, progress: Progress | None = None
    ) -> Iterator[Candidate]:
        """Yield every candidate as it finishes; see `codesample.engines.contract.Engine`.

        Raises:
            ParameterError: a prompt that does not fit, or a parameter that vLLM cannot honour, before any
                candidate.
            ModelError: vLLM failed, or this process was forked from the one that opened it.
        """
        if os.getpid() != self._process:
            raise ModelError(
                f"{self.name}: was opened in another process, which has its GPU; open it anew in this one"
            )
        rows = rows_of(self._checkpoint.model)
        prompts = prompts_of(self._checkpoint, requests, params)
        call = Call(
            vllm=self._vllm,
            checkpoint=self._checkpoint,
            params=params,
            fields=drawn_with(self._vllm, params, rows=rows),
            known=known_fields(params, processed=self._processed),
            at_once=2 * self._facts["max_num_seqs"],
            rows=rows,
        )
        return drawn(self._desk, prompts, call, progress)

    def describe(self) -> dict[str, Any]:
        """Return facts for the record of a run: the model, vLLM's version, and how it was opened."""
        model = self._checkpoint.model
        return {
            "name": self.name,
            "revision": self._checkpoint.revision,
            "architecture": type(model).__name__,
            "parameters": sum(each.numel() for each in model.parameters()),
            **self._facts,
            "engine_options": dict(self._options.engine_options),
            "trust_remote_code": self._options.trust_remote_code,
        }

    @property
    def _processed(self) -> bool:
        return str(self._facts["logprobs_mode"]) == "processed_logprobs"


def _end(engine: Any, process: int) -> None:
    """End what vLLM runs beside this process, and free its GPUs."""
    if os.getpid() == process:
        with suppress(Exception):
            engine.engine_core.shutdown()


def _origin(model: str, options: ModelOptions) -> CheckpointOrigin:
    origin = origin_of(model, revision=options.revision, trusted=options.trust_remote_code)
    if origin.adapter is not None:
        raise ParameterError(
            f"vllm:{model}: is an adapter, or holds one; merge it into its base with peft "
            "(merge_and_unload) and name the result, or load it natively"
        )
    if origin.gguf_file is not None:
        raise ParameterError(
            f"vllm:{model}: is a GGUF file, which vLLM does not read by itself; load it natively, or name "
            "the checkpoint that it was made of"
        )
    return origin
