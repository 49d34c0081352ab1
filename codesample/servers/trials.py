"""What a probe sends, in which order, and what it makes of the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codesample.engines.candidate_seeds import candidate_seed
from codesample.servers.answer import Answer, Choice
from codesample.servers.asking import PROBE_TOKENS, Asking
from codesample.servers.dialects import Dialect, dialect_of
from codesample.servers.refusals import RefusedError
from codesample.servers.server_facts import ServerFacts
from codesample.servers.sightings import (
    choices_fact,
    limit_fact,
    logprobs_fact,
    middle,
    seed_fact,
    stop_facts,
    temperature_fact,
)

__all__ = ["NEUTRAL", "Terms", "tried"]

NEUTRAL: Mapping[str, Any] = {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
"""What turns an option off for which servers have defaults of their own, or take the checkpoint's."""

_LOGPROBS: Mapping[str, Mapping[str, Any]] = {
    "chat": {"logprobs": True, "top_logprobs": 1},
    "completions": {"logprobs": 1},
}
_CHOICES = 2
# a server that has one temperature only would take 1
_TELLING = 0.9
_UNKNOWN = {"codesample_unknown_field": 1}


@dataclass(slots=True)
class Terms:
    """On which terms a server answers: fields that it takes, and how large its seeds are.

    Attributes:
        limit_field, bits: See `ServerFacts`.
        taken: By name, the optional fields that it takes.
        refused: Names of the others.
        first: Its answer to all that it takes, and to a request for several choices.
    """

    asking: Asking
    limit_field: str
    bits: int
    taken: dict[str, Mapping[str, Any]]
    refused: frozenset[str]
    first: Answer

    def fields(self, seed: int, *, temperature: float = 1.0, **more: Any) -> dict[str, Any]:
        """Return the fields of a request; each seed is a number that a candidate could have."""
        found: dict[str, Any] = {self.limit_field: PROBE_TOKENS}
        for name, fields in self.taken.items():
            found |= {} if name == "n" else fields
        own = {"temperature": temperature, "seed": candidate_seed(seed, "probe", 0, bits=self.bits)}
        return found | {name: value for name, value in own.items() if name in self.taken} | more

    async def draw(self, seed: int, *, temperature: float = 1.0, **more: Any) -> Choice:
        """Return one choice."""
        return await self.asking.choice(self.fields(seed, temperature=temperature, **more))


async def tried(asking: Asking, api: str, software: str) -> ServerFacts:
    """Return what an endpoint does.

    Raises:
        RefusedError, ModelError: it does not answer to the plainest request.
    """
    dialect = dialect_of(software)
    terms = await _terms(asking, api, dialect)
    first, refused, alone = terms.first, terms.refused, await terms.draw(1)
    # a server may have one random stream for everything that is under way
    again, other, _, twice, greedy = await asyncio.gather(
        terms.draw(1), terms.draw(2), terms.draw(3), terms.draw(1), terms.draw(1, temperature=0.0)
    )
    later, cool = await terms.draw(1), await terms.draw(1, temperature=0.5)
    greedy_again = await terms.draw(2, temperature=0.0)
    stop, names_stops = await _stops(terms, greedy_again.text)
    return ServerFacts(
        api=api,
        software=software,
        limit_field=terms.limit_field,
        choices=choices_fact(first, asked=_CHOICES, refused="n" in refused),
        logprobs=logprobs_fact(alone, cool, refused="logprobs" in refused),
        logprob_fields=_LOGPROBS[api] if alone.pieces is not None else {},
        token_ids=any(each.token_id is not None for each in alone.pieces or ()),
        seed=seed_fact(
            alone.whole, later.whole, [again.whole, twice.whole], other.whole, refused="seed" in refused
        ),
        seed_bits=terms.bits,
        temperature=temperature_fact(
            [alone.whole, other.whole, again.whole],
            [greedy.whole, greedy_again.whole],
            refused="temperature" in refused,
        ),
        stop=stop,
        names_stops=names_stops,
        unknown_fields="ignored" if await asking.is_taken(terms.fields(1, **_UNKNOWN)) else "refused",
        neutral={
            dialect.spelling.get(name, name): value for name, value in NEUTRAL.items() if name not in refused
        },
        token_id_fields=dict(terms.taken.get("return_token_ids", {})),
        spelling=dialect.spelling,
        extras={
            name: value
            for group, fields in dialect.extras.items()
            if group not in refused
            for name, value in fields.items()
        },
        usage=first.usage is not None,
        limit=limit_fact(first, asked=PROBE_TOKENS),
    )


async def _terms(asking: Asking, api: str, dialect: Dialect) -> Terms:
    bits = dialect.seed_bits
    optional: dict[str, Mapping[str, Any]] = {
        "temperature": {"temperature": _TELLING},
        "seed": {"seed": candidate_seed(0, "probe", 0, bits=bits)},
        "n": {"n": _CHOICES},
        "logprobs": _LOGPROBS[api],
        "return_token_ids": {"return_token_ids": True},
        **{name: {dialect.spelling.get(name, name): value} for name, value in NEUTRAL.items()},
        **dialect.extras,
    }
    limit = {"max_tokens": PROBE_TOKENS}
    try:
        first, refused = await asking.accepted(limit, optional)
    except RefusedError as refusal:
        if not refusal.names(limit):
            raise
        limit = {"max_completion_tokens": PROBE_TOKENS}
        first, refused = await asking.accepted(limit, optional)
    if "seed" in refused and bits > 31:
        smaller = {"seed": candidate_seed(0, "probe", 0, bits=31)}
        if await asking.is_taken({**limit, **smaller}):
            bits = 31
            del refused["seed"]
    taken = {name: fields for name, fields in optional.items() if name not in refused}
    return Terms(asking, next(iter(limit)), bits, taken, frozenset(refused), first)


async def _stops(terms: Terms, greedy: str) -> tuple[str, bool]:
    """Return what becomes of stop strings, and whether they are named."""
    part = middle(greedy)
    if not part:
        return "unclear", False
    try:
        return stop_facts(greedy, await terms.draw(2, temperature=0.0, stop=[part]), part)
    except RefusedError:
        return "refused", False
