"""The contract of rerankers: one function over all candidates of one problem, one score for each of them."""

from __future__ import annotations

import copy
import functools
import math
import numbers
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Concatenate, overload

from codesample.errors import CodesampleError, ParameterError, RerankerError
from codesample.records import Candidate, PublicView
from codesample.rerankers.context import ABILITIES, Context
from codesample.rerankers.expression import Named, Value, is_name
from codesample.rerankers.parameters import Parameter, checked, parameters_of

__all__ = ["ListScorer", "OneScorer", "Reranker", "require_supplied", "reranker"]

# behind the three that all take may stand parameters, keyword-only
ListScorer = Callable[Concatenate[PublicView, Sequence[Candidate], Context, ...], Sequence[float | None]]
OneScorer = Callable[Concatenate[PublicView, Candidate, Context, ...], float | None]

_LONGEST_NAME = 1000


class Reranker:
    """A scorer with a name and declared needs. Make one with the decorator `reranker`.

    Attributes:
        name: As listed and as its file of scores is called.
        needs: Abilities it may use, of `ABILITIES`.
        independent: Whether a candidate's score (or its order to any other) does not depend on which other
            candidates there are; then best-of-n curves have a closed form.
        parts: The rerankers that it is made of; () for one of its own.
        takes: What its parameters are, the keyword-only arguments of its function, by name.
        parameters: Their values, as far as they are known.
    """

    def __init__(
        self,
        name: str,
        scorer: ListScorer,
        *,
        needs: Iterable[str] = (),
        independent: bool = False,
        parts: Iterable[Reranker] = (),
    ) -> None:
        self.name, self.needs, self.independent = _accepted(name), frozenset(needs), independent
        self.parts = tuple(parts)
        self._scorer, self._plain_name = scorer, name
        self.takes = parameters_of(scorer)
        self.parameters = _defaults(self.takes)
        if unknown := sorted(self.needs - ABILITIES.keys()):
            known = ", ".join(ABILITIES)
            raise ParameterError(f"reranker {name!r} needs {', '.join(unknown)}; abilities are: {known}")
        self.__doc__ = scorer.__doc__

    def with_parameters(self, **values: Value) -> Reranker:
        """Return this reranker with other values of its parameters; its name says those that are no defaults.

        Raises:
            ParameterError: a parameter that it does not have, a value of another type or beyond its bounds.
        """
        made = copy.copy(self)
        made.parameters = self.parameters | checked(self._plain_name, self.takes, values)
        changed = tuple(
            (name, value) for name, value in made.parameters.items() if self.takes[name].default != value
        )
        made.name = _accepted(str(Named(self._plain_name, changed)) if changed else self._plain_name)
        return made

    def expect_parameters(self) -> None:
        """Refuse a reranker of which a parameter without a default was not given.

        Raises:
            ParameterError: names the parameter.
        """
        for name, each in self.takes.items():
            if name not in self.parameters:
                raise ParameterError(
                    f"reranker {self.name!r} needs {name}, {each.expected}: {self._plain_name}({name}=...)"
                )
        for part in self.parts:
            part.expect_parameters()

    def score(self, view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        """Score all candidates of one problem.

        Returns: one finite float per candidate in their order, higher is better; None abstains. Equal
        scores are ties and stay ties.

        Raises:
            RerankerError: the scorer raised, used what it does not declare, or returned something else
                than one finite number or None per candidate; names the reranker and the problem.
            ParameterError: as `expect_parameters`.
        """
        if not candidates:
            return []
        self.expect_parameters()
        shown = [_narrowed(candidate, self.needs) for candidate in candidates]
        try:
            bound = ctx.bind(self.name, self.needs)
            given = self._scorer(_narrowed_view(view, self.needs), shown, bound, **self.parameters)
            scores = _checked(given, len(candidates))
            bound.keep(shown, scores)
            return scores
        except RerankerError as error:
            raise RerankerError(f"reranker {self.name!r}, problem {view.task_id!r}: {error}") from error
        except CodesampleError:
            raise
        except Exception as error:
            raise RerankerError(
                f"reranker {self.name!r}, problem {view.task_id!r}: raised {type(error).__name__}: {error}"
            ) from error

    def __repr__(self) -> str:
        return f"Reranker({self.name!r}, needs={sorted(self.needs)}, independent={self.independent})"


@overload
def reranker(name: ListScorer, /) -> Reranker: ...


@overload
def reranker(
    name: str | None = None, /, *, needs: Collection[str] = ..., independent: bool = ...
) -> Callable[[ListScorer], Reranker]: ...


@overload
def reranker(
    name: str | None = None, /, *, needs: Collection[str] = ..., per_candidate: bool
) -> Callable[[OneScorer], Reranker]: ...


def reranker(
    name: Any = None,
    /,
    *,
    needs: Collection[str] = frozenset(),
    per_candidate: bool = False,
    independent: bool = False,
) -> Any:
    """Turn a function into a reranker: `@reranker`, `@reranker(needs={"logprobs"})` or `@reranker("name")`.

    Args:
        name: Default: the function's own name.
        needs: Abilities the function may use, of `codesample.rerankers.context.ABILITIES`.
        per_candidate: The function scores a single candidate, `(view, candidate, ctx) -> float | None`,
            instead of `(view, candidates, ctx) -> [float | None, ...]`.
        independent: A list-wise function whose scores do not depend on the other candidates; implied by
            `per_candidate`.

    Keyword-only arguments behind these are parameters: `window: int = 32` is set by `name(window=16)` on the
    command line and by `with_parameters(window=16)` in Python.

    Raises:
        ParameterError: an unknown ability, or `needs` given as one string.
    """
    if isinstance(needs, str):
        raise ParameterError(f"needs={needs!r}: expected a set of abilities, such as needs={{{needs!r}}}")

    def wrap(function: Callable[..., Any]) -> Reranker:
        scorer = _each(function) if per_candidate else function
        return Reranker(
            name if isinstance(name, str) else function.__name__,
            scorer,
            needs=needs,
            independent=independent or per_candidate,
        )

    return wrap(name) if callable(name) else wrap


def require_supplied(
    rerankers: Iterable[Reranker], supplied: Collection[str], reasons: Mapping[str, str] | None = None
) -> None:
    """Refuse rerankers that need what this run cannot supply; call it before any work.

    Args:
        rerankers: Those the run was asked for.
        supplied: Abilities of this run.
        reasons: Why an ability is missing, by ability.

    Raises:
        RerankerError: names the reranker, the ability and the reason.
        ParameterError: a parameter without a default was not given.
    """
    for each in rerankers:
        each.expect_parameters()
        for need in sorted(each.needs - set(supplied)):
            why = (reasons or {}).get(need)
            raise RerankerError(
                f"reranker {each.name!r} needs {need!r} ({ABILITIES[need]}), which this run does not supply"
                + (f": {why}" if why else "")
            )


def _each(function: OneScorer) -> ListScorer:
    @functools.wraps(function)
    def score(
        view: PublicView, candidates: Sequence[Candidate], ctx: Context, **parameters: Value
    ) -> list[float | None]:
        return [function(view, candidate, ctx, **parameters) for candidate in candidates]

    return score


def _accepted(name: str) -> str:
    """Return a name of a reranker; files of scores are called so."""
    if not is_name(name) or len(name) > _LONGEST_NAME:
        raise ParameterError(
            f"reranker name {name!r}: expected letters, digits and any of '_.-', or an expression of such "
            f"names, up to {_LONGEST_NAME} characters"
        )
    return name


def _defaults(declared: Mapping[str, Parameter]) -> dict[str, Any]:
    return {name: each.default for name, each in declared.items() if each.default is not Parameter.REQUIRED}


def _checked(scores: object, expected: int) -> list[float | None]:
    if isinstance(scores, str | bytes) or not isinstance(scores, Iterable):
        raise RerankerError(f"returned {type(scores).__name__}, expected one score per candidate")
    values = list(scores)
    if len(values) != expected:
        raise RerankerError(f"returned {len(values)} scores for {expected} candidates")
    return [_score(value, position) for position, value in enumerate(values)]


def _score(value: object, position: int) -> float | None:
    if value is None:
        return None
    if not isinstance(value, numbers.Real):
        raise RerankerError(
            f"score {position} is {type(value).__name__}, expected a finite number, or None to abstain"
        )
    if not math.isfinite(value):
        raise RerankerError(f"score {position} is {value}, expected a finite number, or None to abstain")
    return float(value)


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


@dataclass(frozen=True)
class _NoExamples(PublicView):
    """A view whose examples cannot be read, likewise."""

    __slots__ = ()
    examples: Any = field(
        default=_undeclared("examples", "public_examples"), init=False, repr=False, compare=False
    )


def _narrowed(candidate: Candidate, needs: frozenset[str]) -> Candidate:
    hidden = ("logprobs" not in needs, "confidence" not in needs)
    kind = {(True, True): _NeitherOfThem, (True, False): _NoLogprobs, (False, True): _NoConfidence}.get(
        hidden
    )
    return candidate if kind is None else _without(candidate, kind)


def _narrowed_view(view: PublicView, needs: frozenset[str]) -> PublicView:
    return view if "public_examples" in needs else _without(view, _NoExamples)


def _without(record: Any, kind: type[Any]) -> Any:
    """Copy a record into a subclass that hides some of its fields."""
    return kind(**{each.name: getattr(record, each.name) for each in fields(kind) if each.init})
