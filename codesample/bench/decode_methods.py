"""Ways of drawing n continuations of a prompt, behind one signature."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel

from codesample.errors import ModelError
from codesample.records import SamplingParams
from codesample.sampling.prompts import Prompt
from codesample.sampling.sampler import Sampler

__all__ = ["METHODS", "Drawn", "Method", "sampler_without_text"]


class Drawn(NamedTuple):
    """What one method drew.

    Attributes:
        tokens: Per prompt [n, new], int64.
        first: Seconds until the first token of the first candidate was known.
    """

    tokens: list[Tensor]
    first: float


Method = Callable[[PreTrainedModel, Sequence[Sequence[int]], int, int, bool], Drawn]
"""(model, prompts, n, new tokens, greedy) -> Drawn."""


def _sampling(greedy: bool) -> dict[str, Any]:
    return (
        {"do_sample": False} if greedy else {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    )


def generate(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], n: int, new: int, greedy: bool
) -> Drawn:
    """Call `generate(num_return_sequences=n)` prompt by prompt, as transformers' users do."""
    begun = time.perf_counter()
    first: list[float] = []

    def stamp(_: Tensor, scores: Tensor) -> Tensor:
        first.append(time.perf_counter() - begun)
        return scores

    tokens = []
    generator: Any = model
    for prompt in prompts:
        ids = torch.tensor([prompt], device=model.device)
        if greedy:
            ids = ids.repeat(n, 1)
        out = generator.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            num_return_sequences=1 if greedy else n,
            max_new_tokens=new,
            min_new_tokens=new,
            logits_processor=LogitsProcessorList([stamp]),
            **_sampling(greedy),
        )
        tokens.append(out[:, len(prompt) :])
    return Drawn(tokens, first[0])


@torch.inference_mode()
def repeated_cache(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], n: int, new: int, greedy: bool
) -> Drawn:
    """Run each prompt once, repeat its cache n times, and decode with plain multinomial draws."""
    begun, first, tokens = time.perf_counter(), 0.0, []
    for prompt in prompts:
        output = model(torch.tensor([prompt], device=model.device), use_cache=True, logits_to_keep=1)
        cache, logits = output.past_key_values, output.logits[:, -1].expand(n, -1)
        cache.batch_repeat_interleave(n)
        drawn: list[Tensor] = []
        while True:
            chosen = logits.argmax(-1) if greedy else torch.multinomial(logits.float().softmax(-1), 1)[:, 0]
            drawn.append(chosen)
            first = first or time.perf_counter() - begun
            if len(drawn) == new:
                break
            output = model(chosen[:, None], past_key_values=cache, use_cache=True)
            logits = output.logits[:, -1]
        tokens.append(torch.stack(drawn, dim=1))
    return Drawn(tokens, first)


def continuous_batching(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], n: int, new: int, greedy: bool
) -> Drawn:
    """Call transformers' `generate_batch`, its cache sized to what is asked for.

    It computes a prompt once where it samples. On a CPU its rows attend to the keys of all others, masked,
    so that fewer at a time and small pages were fastest of what was tried.
    """
    from transformers import ContinuousBatchingConfig

    on_cpu = model.device.type == "cpu"
    page = 32 if on_cpu else 256
    pages = sum(n * (-(-(len(prompt) + new) // page) + 1) for prompt in prompts)
    config = ContinuousBatchingConfig(
        page_size=page,
        num_blocks=pages,
        max_batch_tokens=2048,
        max_requests_per_batch=n if on_cpu else n * len(prompts),
    )
    # greedy candidates are alike, and transformers refuses to return several of them
    copies, returned = (n, 1) if greedy else (1, n)
    generator: Any = model
    out = generator.generate_batch(
        [list(prompt) for prompt in prompts for _ in range(copies)],
        generation_config=GenerationConfig(
            max_new_tokens=new,
            eos_token_id=-1,
            pad_token_id=0,
            num_return_sequences=returned,
            **_sampling(greedy),
        ),
        continuous_batching_config=config,
        record_timestamps=True,
    )
    # in the order of the prompts, those of one side by side
    results = list(out.values())
    tokens = [torch.tensor(result.generated_tokens) for result in results]
    begun = min(result.created_time for result in results)
    first = min(result.timestamps[0] for result in results) - begun
    return Drawn([torch.stack(tokens[i : i + n]) for i in range(0, len(tokens), n)], first)


class _NoText:
    """Stands in for a tokenizer, since random weights speak no language."""

    bos_token = eos_token = None
    bos_token_id = eos_token_id = None

    @staticmethod
    def decode(ids: Sequence[int], **_: Any) -> str:
        return "x" * len(ids)

    @staticmethod
    def convert_ids_to_tokens(ids: int | Sequence[int]) -> str | list[str]:
        return "x" if isinstance(ids, int) else ["x"] * len(ids)

    def __call__(self, text: str, **_: Any) -> Any:
        raise NotImplementedError("prompts are given as tokens")


def sampler_without_text(model: PreTrainedModel, *, shared: bool = True) -> Sampler:
    """Return a sampler of prompts that are tokens, on the shared path or the ordinary one."""
    sampler = Sampler(model, tokenizer=_NoText(), prefix_cache=0)
    if not shared:
        sampler.checkpoint = replace(sampler.checkpoint, kv_shapes=())
    return sampler


def _ours(shared: bool) -> Method:
    def draw(
        model: PreTrainedModel, prompts: Sequence[Sequence[int]], n: int, new: int, greedy: bool
    ) -> Drawn:
        sampler = sampler_without_text(model, shared=shared)
        if shared and not sampler.checkpoint.shared:
            raise ModelError("the model takes the ordinary path; its shared one cannot be measured")
        params = SamplingParams(temperature=0 if greedy else 1, top_p=1.0, max_new_tokens=new)
        work = [Prompt(str(i), tuple(ids), tuple(range(n)), new) for i, ids in enumerate(prompts)]
        begun, first = time.perf_counter(), 0.0

        def stamp(_: int) -> None:
            nonlocal first
            first = first or time.perf_counter() - begun

        got: dict[tuple[str, int], Tensor] = {}
        for candidate in sampler.stream_prompts(work, params, progress=stamp):
            got[candidate.task_id, candidate.index] = torch.tensor(candidate.token_ids)
        rows = [torch.stack([got[str(i), j] for j in range(n)]) for i in range(len(prompts))]
        return Drawn(rows, first)

    return draw


METHODS: dict[str, Method] = {
    "generate": generate,
    "repeated cache": repeated_cache,
    "generate_batch": continuous_batching,
    "codesample, own caches": _ours(shared=False),
    "codesample": _ours(shared=True),
}
"""Methods by name; the last is the one measured, the first the usual baseline."""
