"""The contract of rerankers: one function over all candidates of one problem, one score for each of them."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property, partial, wraps
from typing import Any, NamedTuple, overload

from codesample.errors import ExecutionError, ParameterError, RerankerError, RunFolderError
from codesample.records import Candidate, PublicView
from codesample.rerankers.abilities import ABILITIES
from codesample.rerankers.context import Context
from codesample.rerankers.faults import is_told, place_in, said
from codesample.rerankers.fingerprint import fingerprint_of
from codesample.rerankers.narrowing import narrowed, narrowed_view
from codesample.rerankers.own_loop import all_of, finished
from codesample.rerankers.returned import checked_scores
from codesample.rerankers.shield import Shield, shielded

__all__ = ["Job", "ListScorer", "OneScorer", "Reranker", "require_supplied", "reranker"]

_Scores = Sequence[float | None]
ListScorer = Callable[[PublicView, Sequence[Candidate], Context], _Scores | Awaitable[_Scores]]
OneScorer = Callable[[PublicView, Candidate, Context], float | Awaitable[float | None] | None]

# neither is about what was scored
_NOT_ITS_FAULT = (ExecutionError, RunFolderError)


class Job(NamedTuple):
    """What a reranker is given of one problem; as for `Reranker.score`."""

    view: PublicView
    candidates: Sequence[Candidate]
    ctx: Context


class Reranker:
    """A scorer with a name and declared needs. Make one with the decorator `reranker`.

    Attributes:
        name: As listed and as its file of scores is called.
        needs: Abilities it may use, of `ABILITIES`.
        independent: Whether a candidate's score (or its order to any other) does not depend on which other
            candidates there are; then best-of-n curves have a closed form.
    """

    def __init__(
        self, name: str, scorer: ListScorer, *, needs: Iterable[str] = (), independent: bool = False
    ) -> None:
        if not name or any(not (char.isalnum() or char in "_.,-") for char in name):
            raise ParameterError(f"reranker name {name!r}: expected letters, digits and any of '_.,-'")
        self.name, self.needs, self.independent = name, frozenset(needs), independent
        self._scorer = scorer
        if unknown := sorted(self.needs - ABILITIES.keys()):
            known = ", ".join(ABILITIES)
            raise ParameterError(f"reranker {name!r} needs {', '.join(unknown)}; abilities are: {known}")
        self.__doc__ = scorer.__doc__

    @cached_property
    def fingerprint(self) -> str:
        """What tells it from other code and other parameters: what it scored before holds while this does."""
        return fingerprint_of(self.name, self.needs, self.independent, self._scorer)

    @property
    def is_async(self) -> bool:
        """Whether the scorer was defined by `async def`, so that several problems are scored at a time."""
        return inspect.iscoroutinefunction(inspect.unwrap(self._scorer))

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
            ExecutionError, RunFolderError: the harness failed.
        """
        if not candidates:
            return []
        job = Job(view, candidates, ctx)
        with shielded(), self._blamed(job):
            scores = self._called(job)
            if inspect.isawaitable(scores):
                with closing(finished([partial(_awaited, scores)])) as results:
                    ((_, scores),) = results
            return checked_scores(scores, len(candidates))

    def score_all(self, jobs: Iterable[Job]) -> Generator[tuple[int, list[float | None]]]:
        """Score several problems, and yield the number of each with its scores as they are there.

        In their order, one at a time; those of a scorer by `async def` several at a time, as they finish.

        Raises:
            CodesampleError: as `score`, for the first problem that fails.
        """
        if not self.is_async:
            yield from ((number, self.score(*job)) for number, job in enumerate(jobs))
            return
        shield = Shield()
        with closing(finished(partial(self._score, job) for job in jobs)) as results:
            try:
                shield.raise_()
                for each in results:
                    shield.put_back()
                    yield each
                    shield.raise_()
            finally:
                shield.put_back()

    async def _score(self, job: Job) -> list[float | None]:
        if not job.candidates:
            return []
        with self._blamed(job):
            scores: Any = self._called(job)
            return checked_scores(await scores, len(job.candidates))

    def _called(self, job: Job) -> Any:
        shown = [narrowed(candidate, self.needs) for candidate in job.candidates]
        ctx = job.ctx.bind(self.name, self.needs)
        return self._scorer(narrowed_view(job.view, self.needs), shown, ctx)

    @contextmanager
    def _blamed(self, job: Job) -> Iterator[None]:
        """Name the reranker and the problem, and the scorer's own line, in whatever a block raises."""
        try:
            yield
        except (KeyboardInterrupt, *_NOT_ITS_FAULT):
            raise
        except BaseException as error:
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
    """
    for each in rerankers:
        for need in sorted(each.needs - set(supplied)):
            why = (reasons or {}).get(need)
            raise RerankerError(
                f"reranker {each.name!r} needs {need!r} ({ABILITIES[need]}), which this run does not supply"
                + (f": {why}" if why else "")
            )


def _each(function: OneScorer) -> ListScorer:
    """Make a scorer of all candidates of one that scores a single one, some at a time if it is awaited."""

    @wraps(function)
    def score(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Any:
        found = [function(view, candidate, ctx) for candidate in candidates]
        return all_of(found) if any(map(inspect.isawaitable, found)) else found

    return score


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value
