"""What each of two processes finds of models that both hold a shard of; run by torchrun, says it as JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from transformers import AutoModelForCausalLM

from codesample import CodesampleError, GivenText, generate
from codesample.sampling import decode_step
from codesample.sampling.checkpoint import load_checkpoint
from codesample.sampling.loading.tensor_plan import sharding
from codesample.sampling.sampler import Sampler
from codesample.sampling.sharded import ranks

PROMPT = "def add(a, b):\n"
WAYS: dict[str, dict[str, Any]] = {
    "greedy": {"n": 1, "temperature": 0.0},
    "sampled": {"n": 5, "temperature": 0.8, "top_k": 20, "top_p": 0.95, "confidence": True},
}


def main(models: Path, out: Path) -> None:
    dist.init_process_group("gloo")
    found = {
        "equal": {
            f"{name} {dtype}": compared(models / name, dtype)
            for name, dtype in (("llama", "float64"), ("llama", "float32"), ("qwen2", "float32"))
        },
        **of_one_mind(models / "llama"),
        "lost": lost(models / "llama"),
    }
    (out / f"rank{dist.get_rank()}.json").write_text(json.dumps(found), encoding="utf-8")
    # the end of the one is what the other one waits for
    os._exit(0)


def compared(folder: Path, dtype: str) -> dict[str, Any]:
    """Compare with the model that one process has alone."""
    divided = Sampler(load_checkpoint(folder, dtype=dtype, processes=2))
    whole = Sampler(folder, dtype=dtype, step="plain")
    facts = divided.describe()
    found: dict[str, Any] = {"path": facts["path"], "processes": facts["tensor_parallel"]["processes"]}
    found["heads"] = [shape.heads for shape in divided.checkpoint.kv_shapes]
    for name, way in WAYS.items():
        got, expected = (each.sample(PROMPT, max_new_tokens=24, **way) for each in (divided, whole))
        found[name] = {
            "tokens": [each.token_ids for each in got] == [each.token_ids for each in expected],
            "drawn": sum(len(each.token_ids) for each in got),
            "apart": apart([each.logprobs for each in got], [each.logprobs for each in expected]),
        }
    given = [GivenText(PROMPT, "    return a + b\n"), GivenText(PROMPT, "    pass\n")]
    read = [[each.logprobs for each in sampler.read(given)] for sampler in (divided, whole)]
    found["read"] = apart(*read)
    ids = torch.tensor([divided.checkpoint.encode(PROMPT)])
    settings = {"max_new_tokens": 12, "do_sample": False}
    found["generate"] = torch.equal(
        *(generate(s.checkpoint.model, ids, **settings) for s in (divided, whole))
    )
    return found


def apart(got: Any, expected: Any) -> float:
    pairs = [(x, y) for a, b in zip(got, expected, strict=True) for x, y in zip(a, b, strict=True)]
    return max(abs(x - y) for x, y in pairs)


def of_one_mind(folder: Path) -> dict[str, Any]:
    """Try what one process sees otherwise than the other."""
    rank = dist.get_rank()
    # as a user loads it
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, **sharding(2))
    sampler = Sampler(model, tokenizer=load_checkpoint(folder).tokenizer)
    before = sampler.sample(PROMPT, 2, max_new_tokens=8)
    with torch.no_grad():
        if rank == 1:
            model.model.layers[0].mlp.gate_proj.weight.to_local().mul_(4)
    after = sampler.sample(PROMPT, 2, max_new_tokens=8)
    real = ranks.free_memory
    ranks.free_memory = lambda device: 10**9 * (2 - rank)
    free = ranks.free_for(model)
    ranks.free_memory = real
    return {
        "changed": [each.logprobs for each in before] != [each.logprobs for each in after],
        "after": [each.token_ids for each in after],
        "free": free,
        "int8": said(lambda: Sampler(model, tokenizer=sampler.checkpoint.tokenizer, step="int8")),
        "parted": said(lambda: sampler.sample(PROMPT, 3, max_new_tokens=24, seed=rank)),
    }


def lost(folder: Path) -> str:
    """Let one process run out of memory in the midst of a call; the last thing, for the two then end."""
    sampler = Sampler(load_checkpoint(folder, processes=2))
    if dist.get_rank() == 1:

        def refuse(*_: Any, **__: Any) -> None:
            raise MemoryError

        decode_step.DecodeStep.launch = refuse  # type: ignore[method-assign]
    return said(lambda: sampler.sample(PROMPT, 4, max_new_tokens=8))


def said(call: Any) -> str:
    try:
        call()
    except CodesampleError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was refused"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
