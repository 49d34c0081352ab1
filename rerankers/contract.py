"""The contract of rerankers: one function over all candidates of one problem, one score for each of them."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Concatenate, NamedTuple, overload

from codesample.errors import ExecutionError, ParameterError, RerankerError, RunFolderError
from codesample.records import Candidate, PublicView
from codesample.records.validation import validated
from codesample.rerankers.abilities import ABILITIES
from codesample.rerankers.blame import home_of, is_told, place_in, said
from codesample.rerankers.context import Context
from codesample.rerankers.expression import Named, Value, is_name
from codesample.rerankers.fingerprint import fingerprint_of
from codesample.rerankers.forks import none_coming_back
from codesample.rerankers.narrowing import narrowed, narrowed_view
from codesample.rerankers.own_loop import all_of, finished
from codesample.rerankers.parameters import Parameter, checked, parameters_of
from codesample.rerankers.returned import checked_scores
from codesample.rerankers.shield import Shield, shielded
from codesample.rerankers.slate import at_work

__all__ = ["Job", "ListScorer", "OneScorer", "Reranker", "require_supplied", "reranker"]

_Scores = Sequence[float | None]
# behind the three that all take may stand parameters, keyword-only
ListScorer = Callable[
    Concatenate[PublicView, Sequence[Candidate], Context, ...], _Scores | Awaitable[_Scores]
]
OneScorer = Callable[Concatenate[PublicView, Candidate, Context, ...], float | Awaitable[float | None] | None]

_LONGEST_NAME = 1000
# neither is about what was scored
_NOT_ITS_FAULT = (ExecutionError, RunFolderError)


@validated
class Job(NamedTuple):
    """What a reranker is given of one problem; as for `Reranker.score`."""

    view: PublicView
    candidates: Sequence[Candidate]
    ctx: Context


class _Call(NamedTuple):
    """What a scorer gave, to be awaited or not, and what it was given."""

    given: Any
    shown: Sequence[Candidate]
    ctx: Context

    def kept(self, scores: Any) -> list[float | None]:
        """Check the scores, and keep them for whoever asked for them."""
        found = checked_scores(scores, len(self.shown))
        self.ctx.keep(self.shown, found)
        return found


@validated
class Reranker:
    """A scorer with a name and declared needs. Make one with the decorator `reranker`.

    Attributes:
        name: As listed and as its file of scores is called.
        plain_name: The same without parameters.
        needs: Abilities it may use, of `ABILITIES`.
        independent: Whether a candidate's score (or its order to any other) does not depend on which other
            candidates there are; then best-of-n curves have a closed form.
        parts: The rerankers that it is made of; () for one of its own.
        place: Where it was written: modules, or files that were named by their paths.
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
        self.place: str = ", ".join(dict.fromkeys(each.place for each in self.parts)) or home_of(scorer)
        self._scorer, self.plain_name = scorer, name
        self._fingerprint: str | None = None
        self.takes = parameters_of(scorer)
        self.parameters = _defaults(self.takes)
        if unknown := sorted(self.needs - ABILITIES.keys()):
            known = ", ".join(ABILITIES)
            raise ParameterError(f"reranker {name!r} needs {', '.join(unknown)}; abilities are: {known}")
        self.__doc__ = scorer.__doc__

    @property
    def fingerprint(self) -> str:
        """What tells it from other code and other parameters: what it scored before holds while this does.

        As its files are when this is asked for first.
        """
        if self._fingerprint is None:
            parts = [part.fingerprint for part in self.parts]
            settings = (self.name, self.needs, self.independent, self.parameters, parts)
            self._fingerprint = fingerprint_of(*settings, self._scorer)
        return self._fingerprint

    def stands_for(self, other: Reranker) -> bool:
        """Whether this is the other one, whatever the parameters of the two are."""
        return self._scorer is other._scorer

    @property
    def is_async(self) -> bool:
        """Whether the scorer was defined by `async def`, so that several problems are scored at a time."""
        return inspect.iscoroutinefunction(inspect.unwrap(self._scorer))

    def with_parameters(self, **values: Any) -> Reranker:
        """Return this reranker with other values of its parameters; its name says those that are no defaults.

        Raises:
            ParameterError: a parameter that it does not have, a value of another type or beyond its bounds.
        """
        made = copy.copy(self)
        made._fingerprint = None
        made.parameters = self.parameters | checked(self.plain_name, self.takes, values)
        known = ((name, made.parameters[name]) for name in self.takes if name in made.parameters)
        changed = tuple((name, value) for name, value in known if self.takes[name].default != value)
        made.name = _accepted(str(Named(self.plain_name, changed)) if changed else self.plain_name)
        return made

    def fallen(self, what: str) -> Reranker:
        """Return one that stands for this and only raises `what`: that this one ended an earlier process."""

        def score(*given: Any, **parameters: Any) -> _Scores:
            error = RerankerError(what)
            error.told = True
            raise error

        made = copy.copy(self)
        made._fingerprint, made._scorer = self.fingerprint, score
        return made

    def expect_parameters(self) -> None:
        """Refuse a reranker of which a parameter without a default was not given.

        Raises:
            ParameterError: names the parameter.
        """
        for name, each in self.takes.items():
            if name not in self.parameters:
                raise ParameterError(
                    f"reranker {self.name!r} needs {name}, {each.expected}: {self.plain_name}({name}=...)"
                )
        for part in self.parts:
            part.expect_parameters()

    def score(self, view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        """Score all candidates of one problem.

        What the scorer changes of the process is put back: the folder, the environment, standard streams.
        One that is to be awaited runs in an event loop of its own, wherever this is called from.

        Returns: one finite float per candidate in their order, higher is better; None abstains. Equal
        scores are ties and stay ties.

        Raises:
            RerankerError: the scorer raised or exited, used what it does not declare, or returned something
                else than one finite number or None per candidate; names the reranker, the problem, and the
                line of the scorer's file.
            ParameterError: as `expect_parameters`.
            ExecutionError, RunFolderError: the harness failed.
        """
        if not candidates:
            return []
        self.expect_parameters()
        job = Job(view, candidates, ctx)
        with shielded(), self._blamed(job):
            call = self._called(job)
            if inspect.isawaitable(call.given):
                with closing(finished([functools.partial(_awaited, call.given)])) as results:
                    ((_, scores),) = results
                return call.kept(scores)
            return call.kept(call.given)

    def score_all(self, jobs: Iterable[Job]) -> Generator[tuple[int, list[float | None]]]:
        """Score several problems, and yield the number of each with its scores as they are there.

        In their order, one at a time; those of a scorer by `async def` several at a time, as they finish.

        Raises:
            CodesampleError: as `score`, for the first problem that fails.
        """
        self.expect_parameters()
        if not self.is_async:
            yield from ((number, self.score(*job)) for number, job in enumerate(jobs))
            return
        shield = Shield()
        with closing(finished(functools.partial(self._score, job) for job in jobs)) as results:
            try:
                shield.raise_()
                for each in results:
                    # others are being scored meanwhile
                    shield.mend()
                    yield each
            finally:
                shield.put_back()

    async def _score(self, given: Job) -> list[float | None]:
        if not given.candidates:
            return []
        job = given._replace(ctx=given.ctx.bind(self.name, self.needs))
        with self._blamed(job):
            call = self._called(job)
            return call.kept(await call.given if inspect.isawaitable(call.given) else call.given)

    def _called(self, job: Job) -> _Call:
        shown = [narrowed(candidate, self.needs) for candidate in job.candidates]
        ctx = job.ctx.bind(self.name, self.needs)
        given = self._scorer(narrowed_view(job.view, self.needs), shown, ctx, **self.parameters)
        return _Call(given, shown, ctx)

    @contextmanager
    def _blamed(self, job: Job) -> Iterator[None]:
        """Name the reranker and the problem, and the scorer's own line, in whatever a block raises."""
        try:
            with at_work(self.name, job.view.task_id, self._scorer), none_coming_back():
                yield
        except (KeyboardInterrupt, *_NOT_ITS_FAULT):
            raise
        except BaseException as error:
            if is_told(error) and str(error).startswith(f"reranker {self.name!r}"):
                raise
            # one that a reranker made of rerankers passes on names both already
            about = "" if is_told(error) else f", problem {job.view.task_id!r}"
            place = "" if is_told(error) else place_in(self._scorer, error)
            told = RerankerError(f"reranker {self.name!r}{about}: {said(error)}{place}")
            told.told = True
            raise told from error

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


@validated
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
        ParameterError: an unknown ability, or `needs` that are no set of texts.
    """

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


def _each(function: OneScorer) -> ListScorer:
    """Make a scorer of all candidates of one that scores a single one, some at a time if it is awaited."""

    @functools.wraps(function)
    def score(view: PublicView, candidates: Sequence[Candidate], ctx: Context, **parameters: Value) -> Any:
        found = [function(view, candidate, ctx, **parameters) for candidate in candidates]
        return all_of(found) if any(map(inspect.isawaitable, found)) else found

    return score


async def _awaited(value: Awaitable[Any]) -> Any:
    # its loop is of another thread, which is the one that goes on in a process that it forks
    with none_coming_back():
        return await value
