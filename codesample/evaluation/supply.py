"""Which abilities of rerankers a run supplies, and why not the others: known before anything is sampled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from codesample.evaluation.plan import Able, EvaluationPlan, ModelSource
from codesample.records import Candidate
from codesample.rerankers.contract import Reranker, require_supplied

__all__ = [
    "BY_MODEL",
    "RECORDED",
    "TOKEN_NUMBERS",
    "Supply",
    "able_of",
    "held_by",
    "needed",
    "opened_once",
    "reads",
    "supply_of",
    "supply_of_plan",
]

TOKEN_NUMBERS = ("logprobs", "confidence")
"""Abilities that are numbers of a candidate's tokens: recorded with it, or read anew."""

RECORDED = "recorded samples have no model: name one by --model MODEL"
"""Why a run of recorded samples writes and reads no text."""

BY_MODEL = ("generate", "tests", "prompt_logprobs")
"""Abilities that take a model."""

_BY_PROGRAMS = frozenset({"run", "public_examples", "outputs"})
_BY_WRITING = frozenset({"generate", "tests"})


@dataclass(frozen=True, slots=True)
class Supply:
    """What a run can give its rerankers.

    Attributes:
        abilities: Of `codesample.rerankers.context.ABILITIES`.
        reasons: Of each other one, why it is missing and what to do about it.
        reads: Those of `TOKEN_NUMBERS` that candidates lack and the model reads anew.
    """

    abilities: frozenset[str]
    reasons: Mapping[str, str] = field(default_factory=dict)
    reads: frozenset[str] = frozenset()

    def require(self, rerankers: Iterable[Reranker]) -> None:
        """Refuse rerankers that need more; raises RerankerError as `require_supplied`."""
        require_supplied(rerankers, self.abilities, self.reasons)

    def lacking(self, reranker: Reranker) -> str:
        """Say why a reranker has not what it needs; "" where it has."""
        missing = sorted(reranker.needs - self.abilities)
        return "; ".join(self.reasons.get(need, need) for need in missing)

    def reads_for(self, reranker: Reranker) -> bool:
        """Whether candidates have to be read anew for a reranker."""
        return bool(self.reads & reranker.needs)


def supply_of(
    held: Iterable[str], *, holder: str, model: Able | None, lacking: str = RECORDED, estranged: str = ""
) -> Supply:
    """Say what a run supplies.

    Args:
        held: Those of `TOKEN_NUMBERS` that every candidate has, or is going to have.
        holder: What keeps them, for messages: an engine, a run or a file.
        model: Writes and reads text; None where there is none.
        lacking: Why there is none.
        estranged: Why the model's numbers would not be those of the candidates; "" where they would be.
    """
    numbers = frozenset(held) & set(TOKEN_NUMBERS)
    missing = frozenset(TOKEN_NUMBERS) - numbers
    if model is None:
        reasons = dict.fromkeys((*_BY_WRITING, "prompt_logprobs"), lacking)
        reasons |= dict.fromkeys(missing, f"{holder} records none, and {lacking}")
        return Supply(_BY_PROGRAMS | numbers, reasons)
    given = _BY_PROGRAMS | _BY_WRITING | numbers
    if not reads(model):
        silent = f"{model.name} reads no given text; choose another model, such as a native one"
        reasons = dict.fromkeys(missing, f"{holder} records none, and {model.name} reads no given text")
        return Supply(given, {"prompt_logprobs": silent, **reasons})
    given |= {"prompt_logprobs"}
    if estranged:
        return Supply(given, dict.fromkeys(missing, f"{holder} records none, and {estranged}"))
    return Supply(given | missing, {}, missing)


def supply_of_plan(plan: EvaluationPlan, engine: Able, reader: Able | None = None) -> Supply:
    """Say what a run supplies that is about to be made.

    Args:
        plan: Settled for the engine.
        engine: Gives the candidates.
        reader: Writes and reads text where these are recorded ones; None where nothing does.
    """
    held = engine.abilities & set(TOKEN_NUMBERS)
    if plan.recorded:
        return supply_of(held, holder=engine.name, model=reader)
    if not plan.manifest.params.confidence:
        held -= {"confidence"}
    return supply_of(held, holder=engine.name, model=engine)


@dataclass(frozen=True, slots=True)
class Promised:
    """What is known of an engine that is not open yet; see `Able`."""

    name: str
    abilities: frozenset[str]


def able_of(source: ModelSource | None) -> Able | None:
    """Return what says which abilities a model has, opening it only where nothing else does.

    Args:
        source: From `opened_once`.

    Raises:
        CodesampleError: as opening the engine.
    """
    if source is None:
        return None
    return source.open() if source.abilities is None else Promised(source.name, source.abilities)


def opened_once(source: ModelSource | None) -> ModelSource | None:
    """Return a source that gives the same engine whenever it is opened."""
    return source and replace(source, open=cache(source.open))


def reads(model: Able) -> bool:
    """Whether a model reads given text."""
    return "prompt_logprobs" in model.abilities


def held_by(candidates: Iterable[Candidate]) -> frozenset[str]:
    """Return those of `TOKEN_NUMBERS` that every one of some candidates has."""
    every = list(candidates)
    found = set()
    if all(each.logprobs is not None for each in every):
        found.add("logprobs")
    if all(each.certainties is not None and each.confidences is not None for each in every):
        found.add("confidence")
    return frozenset(found)


def needed(rerankers: Sequence[Reranker], *abilities: str) -> bool:
    """Whether one of some rerankers needs one of some abilities."""
    return any(each.needs.intersection(abilities) for each in rerankers)
