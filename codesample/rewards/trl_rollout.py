"""A `rollout_func` for GRPO of TRL: completions by the native engine, from the model in training as it is."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from codesample.errors import ModelError, ParameterError
from codesample.records import SamplingParams
from codesample.records.validation import validated
from codesample.rewards.asked import is_conversation
from codesample.rewards.trl_settings import expect_settings, prompt_tokens, room_behind, sampling_params

if TYPE_CHECKING:
    from codesample.sampling.prompts import Prompt
    from codesample.sampling.sampler import Sampler
    from codesample.sampling.trajectory import Trajectory

__all__ = ["TrlRollout", "rollout_for_trl"]


class _Moment(NamedTuple):
    """When in a training completions are drawn; another call of the same step has the next number."""

    step: int
    training: bool


class TrlRollout:
    """A `rollout_func` of TRL; made by `rollout_for_trl`.

    Args:
        stop: Ends a completion besides the model's end tokens.
        seed: Of the random streams; None takes the trainer's.
    """

    def __init__(self, stop: tuple[str, ...], seed: int | None) -> None:
        self._stop, self._seed = stop, seed
        self._drawn_from: tuple[Any, Sampler] | None = None
        self._moment, self._calls = _Moment(-1, True), 0

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_drawn_from": None}

    def __call__(self, prompts: list[Any], trainer: Any) -> dict[str, list[Any]]:
        """Return a completion for each prompt, in their order; equal prompts are stored and read once.

        Args:
            prompts: Texts or conversations, one for each completion wanted, as TRL repeats them.
            trainer: Whose model is sampled, with its temperature, filters and limit of tokens. Weights are
                those of the moment, adapters of peft among them; dropout is off while it is sampled.

        Returns: `prompt_ids` and `completion_ids`, token ids with what ended the completion; `logprobs`, of
            each token of the completion under the distribution drawn from, natural logarithm.

        Raises:
            ParameterError: the trainer is set to what this does not do, or a prompt does not fit.
            ModelError: weights that are in shards over several processes.
        """
        expect_settings(trainer, self._stop)
        places: dict[str, list[int]] = defaultdict(list)
        for place, prompt in enumerate(prompts):
            places[json.dumps(prompt, sort_keys=True, default=repr)].append(place)
        sampler, params = self._sampler_of(trainer), sampling_params(trainer, self._stop, self._seed)
        firsts = [(prompts[at[0]], len(at)) for at in places.values()]
        requests = _requests(sampler, trainer, firsts, params, self._name(trainer))
        drawn = _drawn(sampler, requests, params)
        by_place: dict[int, Trajectory] = {}
        for request, at in zip(requests, places.values(), strict=True):
            by_place |= {place: drawn[request.task_id, index] for index, place in enumerate(at)}
        ordered = [by_place[place] for place in range(len(prompts))]
        return {
            "prompt_ids": [list(each.prompt_ids) for each in ordered],
            "completion_ids": [list(each.token_ids) for each in ordered],
            "logprobs": [list(each.sampled_logprobs) for each in ordered],
        }

    def _sampler_of(self, trainer: Any) -> Sampler:
        from codesample.sampling.sampler import Sampler

        model = trainer.accelerator.unwrap_model(trainer.model)
        model = getattr(model, "_orig_mod", model)
        if any(hasattr(each, "ds_id") for each in model.parameters()):
            raise ModelError(
                "the model's weights are in shards over several processes (ZeRO 3); leave rollout_func out, "
                "or train with ZeRO 2"
            )
        if self._drawn_from is None or self._drawn_from[0] is not model:
            tokenizer = getattr(trainer.processing_class, "tokenizer", trainer.processing_class)
            with _as_it_is(model):
                self._drawn_from = model, Sampler(model, tokenizer=tokenizer, prefix_cache=0)
        elif trainer.is_deepspeed_enabled:
            # it writes weights by code that is not torch's, which cannot always be noticed
            self._drawn_from[1].forget()
        return self._drawn_from[1]

    def _name(self, trainer: Any) -> str:
        """Name the moment for the random streams, as a resumed training would, and no other rank."""
        moment = _Moment(trainer.state.global_step, trainer.model.training)
        self._calls = self._calls + 1 if moment == self._moment else 0
        self._moment = moment
        what = "train" if moment.training else "eval"
        return f"{what}/{moment.step}/{self._calls}/{trainer.accelerator.process_index}"


@validated
def rollout_for_trl(*, stop: tuple[str, ...] = (), seed: int | None = None) -> TrlRollout:
    """Return a `rollout_func` for `GRPOTrainer`: this package's sampler in place of the trainer's generation.

    Each prompt is stored and read once for all its completions. How tokens are chosen is taken from the
    trainer's own arguments. A training is repeatable: completions depend on seed, step and process alone.

    Args:
        stop: What ends a completion besides the model's end tokens, for models that continue texts; words of
            `codesample.stops` too. The stop's tokens were drawn and stay in the completion.
        seed: Of the random streams; None takes the trainer's.

    Raises:
        ParameterError: an empty stop.
    """
    if "" in stop:
        raise ParameterError("stop holds an empty text, which would end every completion at once")
    return TrlRollout(stop, seed)


def _requests(
    sampler: Sampler, trainer: Any, prompts: Sequence[tuple[Any, int]], params: SamplingParams, name: str
) -> list[Prompt]:
    """Return what to ask for: each prompt, and how many completions of it."""
    from codesample.sampling.prompts import Prompt

    conversation = bool(prompts) and is_conversation(prompts[0][0])
    ids = prompt_tokens(trainer, [prompt for prompt, _ in prompts], conversation=conversation)
    checkpoint = sampler.checkpoint
    # what ends at a token of the template's that TRL does not know is cut off to it
    chat = conversation and checkpoint.chat_ends <= set(trainer.eos_token_ids)
    return [
        Prompt(
            f"{name}/{number}",
            tuple(tokens),
            tuple(range(count)),
            room_behind(checkpoint, tokens, params),
            chat=chat,
        )
        for number, (tokens, (_, count)) in enumerate(zip(ids, prompts, strict=True))
    ]


def _drawn(
    sampler: Sampler, requests: Sequence[Prompt], params: SamplingParams
) -> dict[tuple[str, int], Trajectory]:
    drawn: dict[tuple[str, int], Trajectory] = {}

    def told(each: Trajectory) -> None:
        # a candidate that begins again, since the model has changed, is told of again
        drawn[each.task_id, each.index] = each

    with _as_it_is(sampler.checkpoint.model):
        for _ in sampler.stream_prompts(requests, params, told=told):
            pass
    return drawn


@contextmanager
def _as_it_is(model: Any) -> Iterator[None]:
    """Have a model in evaluation mode, in the type of its weights; behind the block all is as it was.

    Accelerate puts a forward of its own before the model's, which casts all that passes through it.
    """
    training = [module for module in model.modules() if module.training]
    casting = model.__dict__.get("forward") if "_original_forward" in model.__dict__ else None
    if casting is not None:
        model.forward = model._original_forward
    model.eval()
    try:
        yield
    finally:
        if casting is not None:
            model.forward = casting
        for module in training:
            module.training = True
