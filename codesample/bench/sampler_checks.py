"""What must be right on a card before anything is timed there: what a sampler draws, and says of it."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import partial

import torch
from torch import Tensor
from transformers import LlamaConfig, PreTrainedModel
from transformers.models.auto import AutoModelForCausalLM

from codesample.bench.decode_methods import sampler_without_text
from codesample.bench.kernel_checks import Check
from codesample.kernels.bifurcated_decode.rounding import beyond_rounding
from codesample.records import SamplingParams
from codesample.sampling.prompts import Prompt

__all__ = ["sampler_checks"]

_NEW = 48


def sampler_checks(*, prompts: tuple[int, ...], device: torch.device, seconds: float) -> Iterator[Check]:
    """Yield a check per dtype: what a sampler says of its draws is what the model in fp64 on a CPU says.

    Args:
        prompts: Tokens of each prompt; one above 2,048 is prefilled in chunks.
        device: Where the sampler's model is.
        seconds: How long a check should take.
    """
    for dtype in (torch.float32, torch.bfloat16):
        what = f"sampler, {str(dtype).removeprefix('torch.')}, prompts of {prompts} tokens"
        yield Check(what, seconds, partial(_wrong_draws, prompts, dtype, device))


def _model(dtype: torch.dtype) -> PreTrainedModel:
    config = LlamaConfig(
        vocab_size=300,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
    )
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(std=0.2)
    model.generation_config.eos_token_id = None
    model.to(dtype)  # type: ignore[arg-type]
    model.eval()
    return model


def _wrong_draws(lengths: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> str | None:
    model = _model(dtype)
    wide = deepcopy(model).double()
    model.to(device)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    texts = [tuple(torch.randint(0, 300, (length,), generator=generator).tolist()) for length in lengths]
    prompts = [Prompt(str(i), ids, (0, 1, 2), _NEW) for i, ids in enumerate(texts)]
    sampler = sampler_without_text(model)
    if not sampler.checkpoint.shared:
        return "the model takes the ordinary path: its logits over shared keys are not its own"
    for temperature in (0.0, 0.8):
        params = SamplingParams(temperature=temperature, max_new_tokens=_NEW)
        said, exact, plain, likeliest = [], [], [], []
        for drawn in sampler.stream_prompts(prompts, params):
            tokens = drawn.token_ids or ()
            if len(tokens) != _NEW:
                return f"{len(tokens)} tokens were drawn, not {_NEW}"
            said.append(torch.tensor(drawn.logprobs, dtype=torch.float64))
            of_wide, most = _read(wide, texts[int(drawn.task_id)], tokens)
            exact.append(of_wide)
            likeliest.append(most)
            plain.append(_read(model, texts[int(drawn.task_id)], tokens)[0])
        if len(said) != 3 * len(prompts):
            return f"{len(said)} candidates came of {3 * len(prompts)}"
        known, rounded = torch.cat(exact), torch.cat(plain)
        if wrong := beyond_rounding(torch.cat(said).to(dtype), known, rounded):
            return f"log-probabilities at temperature {temperature}: {wrong}"
        # two log-probabilities that change places differ by no more than both are rounded
        missed = float((torch.cat(likeliest) - known).max())
        if temperature == 0 and missed > 2 * float((rounded - known).abs().max()):
            return f"a greedy token is {missed:.3g} less likely than the likeliest"
    return None


@torch.inference_mode()
def _read(model: PreTrainedModel, prompt: tuple[int, ...], tokens: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return the log-probabilities of tokens, and of the likeliest in their places: [T], fp64, on the CPU."""
    ids = torch.tensor([[*prompt, *tokens]], device=model.device)
    logits = model(ids, use_cache=False).logits[0, len(prompt) - 1 : -1].double().log_softmax(-1).cpu()
    return logits.gather(-1, torch.tensor(tokens)[:, None])[:, 0], logits.amax(-1)
