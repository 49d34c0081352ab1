"""Hides what a reranker has not declared: reading it is an error that says what to declare."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from codesample.errors import RerankerError
from codesample.records import Candidate, PublicView

__all__ = ["narrowed", "narrowed_view"]


def _undeclared(name: str, need: str) -> Any:
    def refuse(self: object) -> Any:
        raise RerankerError(f"read {name!r}, an ability it does not declare; add {need!r} to needs={{...}}")

    return property(refuse)


@dataclass(frozen=True, repr=False)
class _NoLogprobs(Candidate):
    """A candidate whose log-probabilities cannot be read, and are left out when it is compared or printed."""

    __slots__ = ()
    logprobs: Any = field(default=_undeclared("logprobs", "logprobs"), init=False, repr=False, compare=False)
    sampled_logprobs: Any = field(
        default=_undeclared("sampled_logprobs", "logprobs"), init=False, repr=False, compare=False
    )


@dataclass(frozen=True, repr=False)
class _NoConfidence(Candidate):
    """A candidate of which cannot be read how sure the model was, likewise."""

    __slots__ = ()
    certainties: Any = field(
        default=_undeclared("certainties", "confidence"), init=False, repr=False, compare=False
    )
    confidences: Any = field(
        default=_undeclared("confidences", "confidence"), init=False, repr=False, compare=False
    )


@dataclass(frozen=True, repr=False)
class _NeitherOfThem(_NoLogprobs):
    """A candidate of which neither can be read."""

    __slots__ = ()
    certainties: Any = field(
        default=_undeclared("certainties", "confidence"), init=False, repr=False, compare=False
    )
    confidences: Any = field(
        default=_undeclared("confidences", "confidence"), init=False, repr=False, compare=False
    )


@dataclass(frozen=True, repr=False)
class _NoExamples(PublicView):
    """A view whose examples cannot be read, likewise."""

    __slots__ = ()
    examples: Any = field(
        default=_undeclared("examples", "public_examples"), init=False, repr=False, compare=False
    )


def narrowed(candidate: Candidate, needs: frozenset[str]) -> Candidate:
    """Return a candidate of which no more can be read than `needs` allow."""
    hidden = ("logprobs" not in needs, "confidence" not in needs)
    kind = {(True, True): _NeitherOfThem, (True, False): _NoLogprobs, (False, True): _NoConfidence}.get(
        hidden
    )
    return candidate if kind is None else _without(candidate, kind)


def narrowed_view(view: PublicView, needs: frozenset[str]) -> PublicView:
    """Return a view of which no more can be read than `needs` allow."""
    return view if "public_examples" in needs else _without(view, _NoExamples)


def _without(record: Any, kind: type[Any]) -> Any:
    """Copy a record into a subclass that hides some of its fields."""
    return kind(**{each.name: getattr(record, each.name) for each in fields(kind) if each.init})
