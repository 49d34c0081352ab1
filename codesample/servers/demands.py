"""What a run asks for, held against what its server does: what would be dropped is refused first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from codesample.engines.candidate_seeds import candidate_seed
from codesample.errors import ParameterError
from codesample.records import Message, Prompt, SamplingParams
from codesample.servers.asking import PROBE_TOKENS, Asking
from codesample.servers.refusals import RefusedError
from codesample.servers.server_facts import ServerFacts

__all__ = ["expect_continued", "expect_honoured", "expect_taken", "stops_taken"]

# what hosted servers take at most
_STOPS = 4
_BIAS = 100.0

# By option, the extreme at which nothing is left to chance: two seeds give one text where it is honoured.
_COLLAPSE = {"top_p": 1e-3, "top_k": 1, "min_p": 0.999}
# By option, the extreme at which a greedy text that repeats itself no longer does.
_CHANGE = {"repetition_penalty": 2.0, "frequency_penalty": 2.0}
_OFF = {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "frequency_penalty": 0.0}
_NEVER = {"typical_p": 1.0, "allowed_tokens": (), "banned_tokens": (), "confidence": False}

_REPEATING: dict[str, Prompt] = {
    "chat": (Message("user", "Write the word la thirty times, in one line, and nothing else."),),
    "completions": "la la la la la la la la la la la la la la la la",
}


def expect_taken(params: SamplingParams, facts: ServerFacts, *, name: str, max_requests: int) -> None:
    """Refuse parameters that the probe showed to be ignored, or that no server of this kind has.

    Raises:
        ParameterError: names the option and what to do.
    """
    for option, off in _NEVER.items():
        if (value := getattr(params, option)) != off:
            raise _refusal(name, option, value, "has no such option", "leave it out, or load the model here")
    if facts.limit == "ignored":
        why = "it draws more tokens than it is told to"
        raise _refusal(name, "max_new_tokens", params.token_limit, why, "choose another server")
    _expect_temperature(params, facts, name)
    if params.seed != 0 and facts.seed not in ("honoured", "alone"):
        raise _refusal(
            name, "seed", params.seed, f"seeds are {facts.seed}", "leave it out: candidates will not repeat"
        )
    if params.seed != 0 and facts.seed == "alone" and max_requests > 1:
        raise _refusal(
            name,
            "seed",
            params.seed,
            "it has one random stream for all requests",
            "leave it out, or ask for one at a time: --max-requests 1",
        )
    for token, amount in params.logit_bias:
        if abs(amount) > _BIAS:
            raise _refusal(
                name, "logit_bias", (token, amount), "it takes amounts up to 100", "give a smaller one"
            )


def _expect_temperature(params: SamplingParams, facts: ServerFacts, name: str) -> None:
    value, does = params.temperature, facts.temperature
    if does == "greedy" and value > 0:
        raise _refusal(
            name,
            "temperature",
            value,
            "it gives one text whatever the temperature",
            "let it sample (do_sample in the checkpoint's generation_config.json), or use --greedy",
        )
    if does == "sampled":
        raise _refusal(
            name,
            "temperature",
            value,
            "it draws at temperature 0 as well, so it heeds none",
            "choose another server or endpoint (--api)",
        )
    if does == "refused" and value != 1:
        raise _refusal(name, "temperature", value, "it takes none but its own", "say --temperature 1")


async def expect_honoured(params: SamplingParams, facts: ServerFacts, asking: Asking, *, name: str) -> None:
    """Try every option that the probe did not, at its extreme, where its effect must show.

    Raises:
        ParameterError: it shows none, or is refused; names the option and what to do.
        ModelError: as `Asking.answer`.
    """
    for option, off in _OFF.items():
        if (value := getattr(params, option)) == off:
            continue
        try:
            works = await (_collapses if option in _COLLAPSE else _changes)(option, facts, asking)
        except RefusedError as refusal:
            raise _refusal(name, option, value, f"it says {refusal}", _turn_off(option)) from None
        # greedy text has nothing to be narrowed, so that nothing is lost where it is not
        if not works and not (option in _COLLAPSE and params.temperature == 0):
            raise _refusal(name, option, value, "it was tried and has no effect", _turn_off(option))
    if params.logit_bias:
        await _expect_bias(params, facts, asking, name)


async def _collapses(option: str, facts: ServerFacts, asking: Asking) -> bool:
    extreme = facts.spelt({option: _COLLAPSE[option]})
    texts = [(await asking.choice(_drawn(facts, seed, 1.0, **extreme))).whole for seed in range(4, 7)]
    # hidden reasoning shows nothing
    return bool(texts[0]) and all(one == other for one, other in pairwise(texts))


async def _changes(option: str, facts: ServerFacts, asking: Asking) -> bool:
    prompt, limit = _REPEATING[facts.api], {facts.limit_field: 3 * PROBE_TOKENS}
    fields = _drawn(facts, 1, 0.0) | limit
    plain = await asking.choice(fields, prompt=prompt)
    changed = await asking.choice({**fields, **facts.spelt({option: _CHANGE[option]})}, prompt=prompt)
    return plain.whole != changed.whole


async def _expect_bias(params: SamplingParams, facts: ServerFacts, asking: Asking, name: str) -> None:
    token, amount = params.logit_bias[0]
    try:
        plain = await asking.choice(_drawn(facts, 1, 0.0))
        biased = await asking.choice(_drawn(facts, 1, 0.0, logit_bias={str(token): _BIAS}))
    except RefusedError as refusal:
        raise _refusal(name, "logit_bias", (token, amount), f"it says {refusal}", "leave it out") from None
    if plain.whole == biased.whole:
        raise _refusal(name, "logit_bias", (token, amount), "it was tried and has no effect", "leave it out")


async def expect_continued(facts: ServerFacts, asking: Asking, *, name: str) -> None:
    """Refuse answers that have begun, unless the server shows that it goes on with them.

    It shows it by its count of the prompt's tokens, which lacks the end of the turn.

    Raises:
        ParameterError: it does not.
    """
    begun = (Message("user", "Count to nine."), Message("assistant", "1, 2, 3, 4,"))
    marks = {"continue_final_message": False, "add_generation_prompt": True}
    try:
        on = await asking.answer(_drawn(facts, 1, 0.0), prompt=begun)
        anew = await asking.answer({**_drawn(facts, 1, 0.0), **marks}, prompt=begun)
    except RefusedError as refusal:
        said = f"it says {refusal}"
    else:
        if on.usage and anew.usage and 0 < on.usage.prompt_tokens < anew.usage.prompt_tokens:
            return
        said = "it does not show that it goes on with an answer that has begun"
    raise ParameterError(f"{name}: messages that end with the assistant's: {said}; leave --prefill out")


async def stops_taken(stops: Sequence[str], facts: ServerFacts, asking: Asking) -> tuple[str, ...]:
    """Return the stops that the server is sent: all, the first few, or none; the others are cut here."""
    if facts.stop in ("ignored", "refused"):
        return ()
    for some in (tuple(stops), tuple(stops[:_STOPS])):
        if not some or len(some) <= 1 or await asking.is_taken(_drawn(facts, 1, 1.0, stop=list(some))):
            return some
    return ()


def _drawn(facts: ServerFacts, seed: int, temperature: float, **more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {facts.limit_field: PROBE_TOKENS, **facts.neutral, **facts.extras}
    if facts.temperature != "refused":
        fields["temperature"] = temperature
    if facts.seed != "refused":
        fields["seed"] = candidate_seed(seed, "probe", 0, bits=facts.seed_bits)
    return fields | more


def _turn_off(option: str) -> str:
    off = f"{_OFF[option]:g}"
    return f"turn it off: --{option.replace('_', '-')} {off}"


def _refusal(name: str, option: str, value: object, why: str, remedy: str) -> ParameterError:
    return ParameterError(f"{option} = {value!r}: {name}: {why}; {remedy}")
