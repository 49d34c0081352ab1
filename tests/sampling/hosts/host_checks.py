"""What each of some processes finds of prompts that are spread over them; run by torchrun, says it as JSON.

Words: a folder with models, and where to write.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import torch.distributed as dist

from codesample import CodesampleError, GivenText, ModelOptions, Request, SamplingParams, tensor_parallel
from codesample.engines.contract import Engine
from codesample.engines.registry import open_engine
from codesample.sampling import decode_step
from codesample.sampling.sampler import Sampler
from codesample.testing.models import byte_tokenizer, random_model

PROMPT = Path(__file__).read_text(encoding="utf-8")
# of several lengths, the last too short for every process to have some of it
ALIKE = (PROMPT[:400], PROMPT[300:420], PROMPT[:300] + PROMPT[500:530], "a")
# a star of one process cuts what prompts share by itself
APART = (PROMPT[:400], PROMPT[300:420], PROMPT[500:830], "a")
STAR = "prefill=star(block=24, tail=5, guard=0)"
WAYS = {
    "full": "exact",
    "ring": "prefill=ring(chunk=8)",
    "ring at once": "prefill=ring",
    "star": STAR,
    "star below its guard": "prefill=star",
    "star with a small anchor": "prefill=star(block=17, anchor=9, tail=3, guard=0)",
    "star with a large anchor": "prefill=star(block=10, anchor=27, tail=3, guard=0)",
}


def main(models: Path, out: Path) -> None:
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    found: dict[str, Any] = {}
    few = {way: WAYS[way] for way in ("full", "ring", "star")}
    for name, dtype in (("llama", "float64"), ("qwen2", "float32")):
        whole = Sampler(models / name, dtype=dtype, step="plain")
        sharp = Sampler(models / name, dtype="float64", step="plain") if dtype == "float32" else None
        for way, policy in (WAYS if (size, dtype) == (2, "float64") else few).items():
            found[f"{way} {dtype}"] = compared(whole, policy, sharp)
    usual = Sampler(random_model("qwen2", spread=0.02), tokenizer=byte_tokenizer(), step="plain")
    for way, policy in few.items():
        found[f"{way} usual"] = compared(usual, policy)
    whole = Sampler(models / "llama", dtype="float64")
    spread = whole.with_policy(f"prefill=ring(chunk=8), hosts={size}")
    found["held"] = held(spread)
    found["described"] = spread.describe()["policy"]
    given = [GivenText(PROMPT[:90], PROMPT[90:120])]
    found["read"] = next(spread.read(given)).logprobs == next(whole.read(given)).logprobs
    back = spread.with_policy("exact")
    found["back"] = apart(drawn(back, ALIKE), drawn(whole, ALIKE))
    found["refused"] = [
        said(lambda policy=policy: whole.with_policy(policy))
        for policy in (
            f"hosts={size + 1}",
            "prefill=ring",
            f"quest(keep=0.5), hosts={size}",
            f"prefill=criti, hosts={size}",
        )
    ]
    found["led"] = led(models / "llama", whole)
    found["parted"] = said(lambda: spread.sample(PROMPT[:200], 3, max_new_tokens=24, seed=rank))
    found["lost"] = lost(spread)
    (out / f"rank{rank}.json").write_text(json.dumps(found), encoding="utf-8")
    # the end of the one is what the other one waits for
    os._exit(0)


def drawn(sampler: Engine, prompts: Sequence[str]) -> dict[str, Any]:
    requests = [Request(str(i), prompt, tuple(range(3))) for i, prompt in enumerate(prompts)]
    # a flat distribution has so many borders that rounding to float32 may carry a draw over one of them
    temperature = 0.8 if sampler.describe()["dtype"] == "float64" else 0.0
    params = SamplingParams(max_new_tokens=10, temperature=temperature, top_p=0.95)
    return {f"{c.task_id}/{c.index}": (c.token_ids, c.logprobs) for c in sampler.stream(requests, params)}


def prompts_for(policy: str) -> Sequence[str]:
    return APART if "star" in policy else ALIKE


def spread_and_alone(whole: Sampler, policy: str) -> tuple[Sampler, Sampler]:
    spread = whole.with_policy(f"{policy}, hosts={dist.get_world_size()}")
    # a ring is exact, a star is that of one process
    return spread, whole if "ring" in policy else whole.with_policy(policy)


def compared(whole: Sampler, policy: str, sharp: Sampler | None = None) -> dict[str, Any]:
    """Compare several processes with one, and in the mean with a model in float64 if there is one."""
    prompts, (spread, alone) = prompts_for(policy), spread_and_alone(whole, policy)
    got, expected = drawn(spread, prompts), drawn(alone, prompts)
    found = compared_draws(got, expected)
    if sharp is not None:
        truth = drawn(spread_and_alone(sharp, policy)[1], prompts)
        found |= {"several": fmean(differences(got, truth)), "one": fmean(differences(expected, truth))}
    return found


def compared_draws(got: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    return {
        "tokens": {key: each[0] for key, each in got.items()}
        == {key: each[0] for key, each in expected.items()},
        "drawn": sum(len(each[0]) for each in got.values()),
        "apart": apart(got, expected),
    }


def apart(got: dict[str, Any], expected: dict[str, Any]) -> float:
    return max(differences(got, expected))


def differences(got: dict[str, Any], expected: dict[str, Any]) -> list[float]:
    return [abs(x - y) for key in expected for x, y in zip(got[key][1], expected[key][1], strict=False)]


def held(sampler: Sampler) -> list[int]:
    """Return how many of a prompt's tokens there are, how many are stored here, and the size of the pool."""
    from codesample.sampling.prompts import prompts_of

    params = SamplingParams(max_new_tokens=4)
    prompts = prompts_of(sampler.checkpoint, [Request("t", PROMPT[:400], (0, 1))], params)
    store = sampler._loop_for(prompts)._store
    tokens = len(prompts[0].ids)
    return [tokens, store.held(tokens), store.pool.capacity]


def led(folder: Path, whole: Sampler) -> Any:
    """Let the first process alone ask for candidates, as the command line does; None in the others."""
    size = dist.get_world_size()
    with tensor_parallel() as first:
        if not first:
            return None
        engine = open_engine(ModelOptions(str(folder), dtype="float64", policy=f"prefill=ring, hosts={size}"))
        return {
            **compared_draws(drawn(engine, ALIKE), drawn(whole, ALIKE)),
            "policy": engine.describe()["policy"],
            "reproducibility": engine.reproducibility,
            "refused": said(
                lambda: open_engine(ModelOptions(str(folder), policy="quest(keep=0.5)")),
            ),
        }


def lost(sampler: Sampler) -> str:
    """Let the last process run out of memory in the midst of a call; the last thing, for all then end."""
    if dist.get_rank() == dist.get_world_size() - 1:

        def refuse(*_: Any, **__: Any) -> None:
            raise MemoryError

        decode_step.DecodeStep.launch = refuse  # type: ignore[method-assign]
    return said(lambda: sampler.sample(PROMPT[:100], 4, max_new_tokens=8))


def said(call: Any) -> str:
    try:
        call()
    except CodesampleError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was refused"


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
