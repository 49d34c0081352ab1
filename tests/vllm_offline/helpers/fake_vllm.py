"""A stand-in for vLLM: its documented objects, over a model that is a table of random numbers.

Names of classes, fields and arguments are vLLM's own; `NAMES` lists them, and a test holds them against its
source wherever that is to be had. Draws depend on a request's prompt, seed and position alone.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from enum import Enum
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

__all__ = ["EOS", "NAMES", "FakeEngine", "installed"]

EOS = 2


@dataclass
class Logprob:
    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


@dataclass
class CompletionOutput:
    index: int
    text: str
    token_ids: Sequence[int]
    cumulative_logprob: float | None
    logprobs: list[dict[int, Logprob]] | None
    finish_reason: str | None = None
    stop_reason: int | str | None = None


@dataclass
class RequestOutput:
    request_id: str
    prompt: str | None
    prompt_token_ids: list[int] | None
    prompt_logprobs: Any
    outputs: list[CompletionOutput]
    finished: bool


class RequestOutputKind(Enum):
    CUMULATIVE = 0
    DELTA = 1
    FINAL_ONLY = 2


class VLLMValidationError(Exception):
    """As vLLM's, which is no ValueError in every version."""


@dataclass
class SamplingParams:
    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    logit_bias: dict[int, float] | None = None
    allowed_token_ids: list[int] | None = None
    seed: int | None = None
    stop_token_ids: list[int] | None = None
    ignore_eos: bool = False
    max_tokens: int | None = 16
    logprobs: int | None = None
    detokenize: bool = True
    output_kind: RequestOutputKind = RequestOutputKind.CUMULATIVE
    skip_clone: bool = False

    def __post_init__(self) -> None:
        # as vLLM: raised without a word to the caller
        if 0 < self.temperature < 1e-2:
            self.temperature = 1e-2
        if not -2.0 <= self.frequency_penalty <= 2.0:
            raise VLLMValidationError(f"frequency_penalty must be in [-2, 2], got {self.frequency_penalty}.")
        if self.temperature > 2.0:
            raise VLLMValidationError(f"temperature must be in [0, 2], got {self.temperature}.")
        if self.temperature < 1e-5:
            self.top_p, self.top_k, self.min_p = 1.0, 0, 0.0


@dataclass
class EngineArgs:
    model: str = ""
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    logprobs_mode: str = "raw_logprobs"
    enable_prefix_caching: bool | None = None
    use_tqdm_on_load: bool = True


@dataclass
class _Running:
    name: str
    prompt: list[int]
    params: SamplingParams
    stream: random.Random
    drawn: list[int] = field(default_factory=list)


class FakeEngine:
    """What `vllm.LLM.llm_engine` is: requests are added, stepped and aborted.

    Attributes:
        added, aborted: Names, in their order; `most`: most requests that it held at a time.
        fail_after: Steps after which it is dead.
        end_early: Ends every request at once, for this reason.
        chunk: Tokens that a step draws for each request.
    """

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.arguments = arguments
        self.running: dict[str, _Running] = {}
        self.added: list[str] = []
        self.params: list[SamplingParams] = []
        self.prompts: list[list[int]] = []
        self.aborted: list[str] = []
        self.most = self.steps = 0
        self.fail_after: int | None = None
        self.end_early: str | None = None
        self.forgets = False
        self.chunk = 1
        self.ended = 0
        self.engine_core = SimpleNamespace(shutdown=self._shutdown)
        self.vllm_config = SimpleNamespace(
            device_config=SimpleNamespace(device_type="cuda"),
            model_config=SimpleNamespace(
                dtype="torch.bfloat16",
                quantization=arguments.get("quantization"),
                max_model_len=arguments.get("max_model_len") or 1024,
                logprobs_mode=arguments.get("logprobs_mode", "raw_logprobs"),
            ),
            scheduler_config=SimpleNamespace(max_num_seqs=arguments.get("max_num_seqs") or 256),
            parallel_config=SimpleNamespace(tensor_parallel_size=arguments.get("tensor_parallel_size", 1)),
            cache_config=SimpleNamespace(gpu_memory_utilization=0.92, enable_prefix_caching=True),
        )

    def add_request(self, request_id: str, prompt: Any, params: SamplingParams) -> str:
        assert prompt["type"] == "token"
        assert request_id not in self.running
        ids = list(prompt["prompt_token_ids"])
        seed = f"{ids}/{params.seed}" if params.temperature else f"{ids}"
        self.running[request_id] = _Running(request_id, ids, params, random.Random(seed))
        self.added.append(request_id)
        self.params.append(params)
        self.prompts.append(ids)
        self.most = max(self.most, len(self.running))
        return f"{request_id}-internal"

    def _shutdown(self, timeout: float | None = None) -> None:
        self.ended += 1

    def has_unfinished_requests(self) -> bool:
        return bool(self.running) and not self.forgets

    def abort_request(self, request_ids: list[str], internal: bool = False) -> None:
        self.aborted += request_ids
        for name in request_ids:
            self.running.pop(name, None)

    def step(self) -> list[RequestOutput]:
        self.steps += 1
        if self.fail_after is not None and self.steps > self.fail_after:
            raise RuntimeError("EngineCore encountered an issue.\nSee stack trace (above)")
        at_once = self.vllm_config.scheduler_config.max_num_seqs
        return [self._advanced(each) for each in list(self.running.values())[:at_once]]

    def _advanced(self, each: _Running) -> RequestOutput:
        new: list[int] = []
        told: list[dict[int, Logprob]] = []
        reason, ended_by = None, None
        while reason is None and len(new) < self.chunk:
            token, logprob = _drawn(each)
            each.drawn.append(token)
            new.append(token)
            # the one drawn first, then others that were as likely as it
            told.append({token: Logprob(logprob, 1), token + 1: Logprob(logprob - 1.0, 2)})
            if token in (each.params.stop_token_ids or ()):
                reason, ended_by = "stop", token
            elif len(each.drawn) == each.params.max_tokens:
                reason = "length"
        if self.end_early is not None:
            reason = self.end_early
        if reason is not None:
            del self.running[each.name]
        completion = CompletionOutput(0, "", new, None, told, reason, ended_by)
        return RequestOutput(each.name, None, each.prompt, None, [completion], reason is not None)


def _drawn(each: _Running) -> tuple[int, float]:
    bias = each.params.logit_bias or {}
    # rows 300 to 340 of the built-in vocabulary are pieces of code
    tokens = [EOS, *range(300, 340)]
    table = random.Random(f"{each.prompt}/{len(each.drawn)}")
    logits = [table.gauss(0, 1.5) + bias.get(token, 0.0) - 2.0 * (token == EOS) for token in tokens]
    top = max(logits)
    total = math.fsum(math.exp(each - top) for each in logits)
    logprobs = [each - top - math.log(total) for each in logits]
    weights = [math.exp(each) for each in logprobs]
    at = each.stream.choices(range(len(tokens)), weights)[0] if each.params.temperature else logits.index(top)
    return tokens[at], logprobs[at]


class LLM:
    def __init__(
        self,
        model: str,
        *,
        dtype: str = "auto",
        revision: str | None = None,
        trust_remote_code: bool = False,
        skip_tokenizer_init: bool = False,
        quantization: str | None = None,
        tensor_parallel_size: int = 1,
        gpu_memory_utilization: float = 0.92,
        **kwargs: Any,
    ) -> None:
        if gpu_memory_utilization > 1:
            raise ValueError("1 validation error for CacheConfig\ngpu_memory_utilization\n  Input should be")
        arguments = {
            "model": model,
            "dtype": dtype,
            "skip_tokenizer_init": skip_tokenizer_init,
            "quantization": quantization,
            "tensor_parallel_size": tensor_parallel_size,
            **kwargs,
        }
        self.llm_engine = FakeEngine(arguments)


def _tokens_input(prompt_token_ids: list[int]) -> dict[str, Any]:
    return {"type": "token", "prompt_token_ids": prompt_token_ids}


NAMES: dict[str, tuple[str, set[str]]] = {
    "Logprob": ("logprobs.py", {each.name for each in fields(Logprob)}),
    "CompletionOutput": ("outputs.py", {each.name for each in fields(CompletionOutput)}),
    "RequestOutput": ("outputs.py", {each.name for each in fields(RequestOutput)}),
    "SamplingParams": ("sampling_params.py", {each.name for each in fields(SamplingParams)}),
    "RequestOutputKind": ("sampling_params.py", {each.name for each in RequestOutputKind}),
    "EngineArgs": ("engine/arg_utils.py", {each.name for each in fields(EngineArgs)}),
    "LLM": ("entrypoints/llm.py", {"dtype", "revision", "trust_remote_code", "skip_tokenizer_init"}),
    "LLMEngine": (
        "v1/engine/llm_engine.py",
        {"add_request", "has_unfinished_requests", "abort_request", "step", "vllm_config", "engine_core"},
    ),
    "EngineCoreClient": ("v1/engine/core_client.py", {"shutdown"}),
}
"""By class of vLLM: the file of its package that holds it, and the names that are relied on."""


@contextmanager
def installed(
    patch: pytest.MonkeyPatch, *, device: str = "cuda", invariant: bool = False, version: str = "0.33.0"
) -> Iterator[ModuleType]:
    """Let `import vllm` give the stand-in, in here."""
    vllm: Any = ModuleType("vllm")
    vllm.__version__, vllm.LLM, vllm.EngineArgs = version, LLM, EngineArgs
    vllm.SamplingParams = SamplingParams
    platforms: Any = ModuleType("vllm.platforms")
    platforms.current_platform = SimpleNamespace(device_type=device)
    vllm.platforms = platforms
    vllm.envs = SimpleNamespace(VLLM_BATCH_INVARIANT=invariant)
    vllm.sampling_params = SimpleNamespace(RequestOutputKind=RequestOutputKind)
    vllm.inputs = SimpleNamespace(tokens_input=_tokens_input)
    with patch.context() as within:
        within.setitem(sys.modules, "vllm", vllm)
        within.setitem(sys.modules, "vllm.platforms", platforms)
        for name in ("VLLM_LOGGING_STREAM", "VLLM_LOGGING_LEVEL", "VLLM_NO_USAGE_STATS"):
            within.setenv(name, "")
        yield vllm
