"""With what vLLM is opened, from the options of a run; and what it says of itself once it is."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from codesample.engines.model_options import ModelOptions
from codesample.errors import ParameterError
from codesample.sampling.loading.checkpoint_origin import CheckpointOrigin

__all__ = ["arguments_for", "facts_of"]

# what the run's own options say
_OURS = {
    "model": "--model",
    "tokenizer": "--tokenizer",
    "revision": "--revision",
    "dtype": "--dtype",
    "max_num_seqs": "--max-rows",
    "trust_remote_code": "--trust-remote-code",
}
# texts are made of tokens here, by the tokenizer that the native engine would have
_FIXED = ("skip_tokenizer_init", "tokenizer_mode", "tokenizer_revision", "runner", "convert")
_LOGPROBS = ("raw_logprobs", "processed_logprobs")


def arguments_for(vllm: Any, options: ModelOptions, origin: CheckpointOrigin) -> dict[str, Any]:
    """Return the arguments of `vllm.LLM`.

    Raises:
        ParameterError: an engine option that vLLM does not have, that another option says, or that would make
            candidates something else.
    """
    given = dict(options.engine_options)
    _expect_known(given, vllm)
    found: dict[str, Any] = {
        "model": origin.source,
        "revision": origin.revision,
        "dtype": options.dtype,
        "trust_remote_code": options.trust_remote_code,
        "skip_tokenizer_init": True,
        "use_tqdm_on_load": False,
    }
    if options.max_rows is not None:
        found["max_num_seqs"] = options.max_rows
    return found | given


def _expect_known(given: dict[str, Any], vllm: Any) -> None:
    known = {*inspect.signature(vllm.LLM).parameters, *(each.name for each in fields(vllm.EngineArgs))}
    for name, value in given.items():
        if name in _OURS:
            raise ParameterError(f"engine option {name} = {value!r}: say {_OURS[name]} instead")
        if name in _FIXED:
            raise ParameterError(f"engine option {name} = {value!r}: is settled here; leave it out")
        if name not in known:
            raise ParameterError(
                f"engine option {name!r}: vLLM {vllm.__version__} has no such argument{_near(name, known)}"
            )
    mode = given.get("logprobs_mode", _LOGPROBS[0])
    if mode not in _LOGPROBS:
        raise ParameterError(
            f"engine option logprobs_mode = {mode!r}: expected {' or '.join(_LOGPROBS)}: others are no "
            "log-probabilities"
        )


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else "; see those of vllm.EngineArgs"


def facts_of(vllm: Any, engine: Any, *, invariant: bool) -> dict[str, Any]:
    """Return plain JSON facts for the record of a run.

    Args:
        engine: `vllm.LLM.llm_engine`.
        invariant: Whether what is computed of a candidate is the same whatever is beside it.
    """
    config = engine.vllm_config
    return {
        "engine": f"vllm {vllm.__version__}",
        "device": str(config.device_config.device_type),
        "dtype": str(config.model_config.dtype).removeprefix("torch."),
        "quantization": _plain(config.model_config.quantization),
        "max_model_len": config.model_config.max_model_len,
        "max_num_seqs": config.scheduler_config.max_num_seqs,
        "tensor_parallel_size": config.parallel_config.tensor_parallel_size,
        "gpu_memory_utilization": config.cache_config.gpu_memory_utilization,
        "prefix_caching": bool(config.cache_config.enable_prefix_caching),
        "logprobs_mode": str(config.model_config.logprobs_mode),
        "batch_invariant": invariant,
    }


def _plain(value: Any) -> str | None:
    return None if value is None else str(value)
