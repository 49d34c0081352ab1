"""A trainer's settings as the native engine takes them, and those that it does not serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from codesample.errors import ParameterError
from codesample.records import SamplingParams

if TYPE_CHECKING:
    from codesample.sampling.checkpoint import Checkpoint

__all__ = ["expect_settings", "prompt_tokens", "room_behind", "sampling_params"]

# what of a trainer's settings is not done here, and what to do about it
_NOT_DONE = {
    "use_vllm": "leave use_vllm out, or rollout_func",
    "use_transformers_continuous_batching": "leave it out; prompts are stored and read once anyhow",
    "tools": "tools are called by TRL's own generation; leave rollout_func out",
    "environment_factories": "environments act in TRL's own generation; leave rollout_func out",
}


def expect_settings(trainer: Any, stop: Sequence[str]) -> None:
    """Refuse a trainer that is set to what the native engine does not do; raises ParameterError."""
    for name, instead in _NOT_DONE.items():
        if getattr(trainer, name, None):
            raise ParameterError(f"rollout_func of codesample does not serve {name}: {instead}")
    if trainer.args.generation_kwargs:
        raise ParameterError(
            f"generation_kwargs = {trainer.args.generation_kwargs!r}: rollout_func of codesample takes "
            "temperature, top_p, top_k, min_p and repetition_penalty of the trainer, and stop of its own"
        )
    if stop and trainer.mask_truncated_completions:
        raise ParameterError(
            "mask_truncated_completions masks what a stop has ended, as TRL knows end tokens alone; leave it "
            "out, or stop"
        )


def prompt_tokens(trainer: Any, prompts: Sequence[Any], *, conversation: bool) -> list[list[int]]:
    """Tokenise prompts as TRL does."""
    if not prompts:
        return []
    if not conversation:
        ids: list[list[int]] = trainer.processing_class(text=list(prompts))["input_ids"]
        return ids
    made = trainer.processing_class.apply_chat_template(
        conversation=list(prompts),
        chat_template=trainer.chat_template,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        **trainer.chat_template_kwargs,
    )
    found: list[list[int]] = made["input_ids"]
    return found


def room_behind(checkpoint: Checkpoint, ids: Sequence[int], params: SamplingParams) -> int:
    """Return how many tokens may follow a prompt; raises ParameterError where there is room for none."""
    most = checkpoint.max_positions
    room = params.token_limit if most is None else min(params.token_limit, most - len(ids))
    if room < 1 or not ids:
        raise ParameterError(
            f"a prompt has {len(ids)} tokens, and the model takes 1 to {most} together with what it writes; "
            "leave such prompts out of the data set"
        )
    return room


def sampling_params(trainer: Any, stop: tuple[str, ...], seed: int | None) -> SamplingParams:
    """Return how the trainer chooses tokens; a seed of None is the trainer's."""
    return SamplingParams(
        temperature=trainer.temperature,
        top_p=trainer.top_p,
        top_k=trainer.top_k or 0,
        min_p=trainer.min_p or 0.0,
        repetition_penalty=trainer.repetition_penalty,
        max_new_tokens=trainer.max_completion_length,
        stop=stop,
        seed=trainer.args.seed if seed is None else seed,
    )
