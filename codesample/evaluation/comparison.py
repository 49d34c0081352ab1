"""Two runs, or two rerankers of one run, compared on the same problems."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from codesample.errors import ParameterError, RerankerError, RunFolderError
from codesample.evaluation.intervals import Draws, Estimate
from codesample.evaluation.metrics import best_of_n, pass_at_k
from codesample.evaluation.options import choose_k
from codesample.evaluation.paired import Paired, paired
from codesample.evaluation.run_contents import RunContents, read_run
from codesample.evaluation.run_lookup import known_as
from codesample.evaluation.scoring import Pool, outdated_notices
from codesample.records import SamplingParams
from codesample.records.counted import counted
from codesample.records.policy import EXACT
from codesample.runs import Manifest, ScoreOrigin

__all__ = [
    "BOUNDS",
    "ComparedFigure",
    "Comparison",
    "ProblemChange",
    "SettingChange",
    "compare_contents",
    "compare_rerankers",
    "compare_runs",
]

_RANDOM = "random"
_ORACLE = "oracle"
BOUNDS = (_RANDOM, _ORACLE)
"""Names that stand beside rerankers' in `compare_rerankers`."""

_PER_POOL = Callable[[Pool], float]
_SAME = 1e-9
_UNKNOWN = ScoreOrigin()


@dataclass(frozen=True, slots=True)
class ProblemChange:
    """A problem on which the two differ.

    Attributes:
        first, second: The figure there, of each.
    """

    task_id: str
    first: float
    second: float

    @property
    def difference(self) -> float:
        """How much the second is above the first."""
        return self.second - self.first


@dataclass(frozen=True, slots=True)
class ComparedFigure:
    """One figure of both, over the same problems.

    Attributes:
        name: "pass@1", "oracle", or a reranker, whose best-of-n it is.
        first, second: Mean over problems.
        paired: How much the second is above the first.
        changes: Problems on which they differ, what the second loses most first.
    """

    name: str
    first: Estimate
    second: Estimate
    paired: Paired
    changes: tuple[ProblemChange, ...] = ()


@dataclass(frozen=True, slots=True)
class SettingChange:
    """Something in which two runs were made differently; None where a run does not say."""

    name: str
    first: Any
    second: Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two of a kind, over the problems that both have.

    Attributes:
        first, second: What is compared: run folders, or rerankers.
        problems: How many both have, with a grade.
        figures: Of both.
        settings: In what two runs differ; empty for rerankers.
        only_first, only_second: Task ids that the other has not, or has no grade of; they count in no figure.
        notices: What weakens the comparison; a sentence each.
        run: The run whose rerankers are compared; "" for two runs.
    """

    first: str
    second: str
    problems: int
    figures: tuple[ComparedFigure, ...]
    settings: tuple[SettingChange, ...] = ()
    only_first: tuple[str, ...] = ()
    only_second: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    run: str = ""
    kind: str = field(default="runs")

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)


def compare_runs(
    first: Path,
    second: Path,
    *,
    k: Sequence[int] | None = None,
    data: Path | None = None,
) -> Comparison:
    """Compare two runs, such as those of two models, temperatures or prompts, problem by problem.

    Args:
        first, second: Run folders, finished or not.
        k: The k of pass@k; None takes those of both runs, as far as every problem reaches them.
        data: The problems' file, where it is not where the runs found it.

    Raises:
        RunFolderError: the runs have no problem in common, or are of different data with other ids; or as
            `read_run`.
        ParameterError: both are the same folder.
        MetricError: a k that a problem does not reach.
    """
    return compare_contents(read_run(first, data=data), read_run(second, data=data), k=k)


def compare_contents(
    first: RunContents, second: RunContents, *, k: Sequence[int] | None = None
) -> Comparison:
    """Compare two runs that were read; see `compare_runs`."""
    if first.path.resolve() == second.path.resolve():
        raise ParameterError(f"{first.path} and {second.path} are one run; name two, or two rerankers of it")
    pools = [{pool.problem.task_id: pool for pool in each.pools if pool.graded} for each in (first, second)]
    ids = [task_id for task_id in pools[0] if task_id in pools[1]]
    _expect_alike(first, second, pools)
    rows = [(pools[0][task_id], pools[1][task_id]) for task_id in ids]
    measures = _pass_measures(first, second, rows, k)
    for name in first.scores:
        if name in second.scores:
            measures.append((name, _chosen(first, name), _chosen(second, name)))
    measures.append((_ORACLE, _at_k(None), _at_k(None)))
    return Comparison(
        first=str(first.path),
        second=str(second.path),
        problems=len(ids),
        figures=tuple(_compared(measures, rows)),
        settings=tuple(_settings(first.manifest, second.manifest)),
        only_first=tuple(task_id for task_id in pools[0] if task_id not in pools[1]),
        only_second=tuple(task_id for task_id in pools[1] if task_id not in pools[0]),
        notices=tuple(_notices(first, second, rows)),
    )


def compare_rerankers(contents: RunContents, first: str, second: str) -> Comparison:
    """Compare two rerankers on one run, problem by problem.

    Args:
        first, second: Names of saved scores, in any spelling; "random" stands for a choice at random,
            "oracle" for the hidden tests'.

    Raises:
        RerankerError: no scores of that name; says which there are and how to make them.
        ParameterError: both names are one's.
    """
    rows = [(pool, pool) for pool in contents.pools if pool.graded]
    if not rows:
        raise RunFolderError(f"{contents.path}: has no problem with a grade; finish it with --resume")
    first, second = (known_as(contents, each) or each for each in (first, second))
    measure = (f"{first} and {second}", _chooser(contents, first), _chooser(contents, second))
    if first == second:
        raise ParameterError(f"both are {first!r}; name two rerankers that differ")
    return Comparison(
        first=first,
        second=second,
        problems=len(rows),
        figures=tuple(_compared([measure], rows)),
        notices=(
            *_unjudged(contents),
            *outdated_notices({name: contents.given_by.get(name, _UNKNOWN) for name in (first, second)}),
        ),
        run=str(contents.path),
        kind="rerankers",
    )


_Measure = tuple[str, _PER_POOL, _PER_POOL]


def _compared(measures: Sequence[_Measure], rows: Sequence[tuple[Pool, Pool]]) -> list[ComparedFigure]:
    draws = Draws(len(rows))
    ours = [[of(pool) for pool, _ in rows] for _, of, _ in measures]
    theirs = [[of(pool) for _, pool in rows] for _, _, of in measures]
    pairs = paired(list(zip(theirs, ours, strict=True)), draws)
    ends = zip(draws.shares(ours), draws.shares(theirs), strict=True)
    return [
        ComparedFigure(name, *estimates, pair, _changes(rows, before, after))
        for (name, _, _), estimates, pair, before, after in zip(
            measures, ends, pairs, ours, theirs, strict=True
        )
    ]


def _changes(
    rows: Sequence[tuple[Pool, Pool]], before: Sequence[float], after: Sequence[float]
) -> tuple[ProblemChange, ...]:
    every = [
        ProblemChange(pool.problem.task_id, one, other)
        for (pool, _), one, other in zip(rows, before, after, strict=True)
    ]
    # equal differences stay in the task's order
    return tuple(sorted((each for each in every if abs(each.difference) > _SAME), key=_loss))


def _loss(change: ProblemChange) -> float:
    return round(change.difference, 9)


def _pass_measures(
    first: RunContents, second: RunContents, rows: Sequence[tuple[Pool, Pool]], k: Sequence[int] | None
) -> list[_Measure]:
    least = min(len(pool.graded) for row in rows for pool in row)
    if k is not None:
        chosen = choose_k(k, least)
    else:
        both = [each.manifest.settings.get("k") or [1] for each in (first, second)]
        chosen = tuple(sorted({1, *(set(both[0]) & set(both[1]))}))
    return [(f"pass@{each}", _at_k(each), _at_k(each)) for each in chosen if each <= least]


def _at_k(k: int | None) -> _PER_POOL:
    def of(pool: Pool) -> float:
        passed = pool.passed
        return pass_at_k(len(passed), sum(passed), len(passed) if k is None else k)

    return of


def _chosen(contents: RunContents, name: str) -> _PER_POOL:
    column = contents.scores[name]

    def of(pool: Pool) -> float:
        scores = column[pool.problem.task_id]
        return best_of_n([scores[at] for at in pool.graded], pool.passed)

    return of


def _chooser(contents: RunContents, name: str) -> _PER_POOL:
    if name in contents.scores:
        return _chosen(contents, name)
    if name in (_RANDOM, _ORACLE):
        return _at_k(1 if name == _RANDOM else None)
    known = ", ".join([*contents.scores, _RANDOM, _ORACLE])
    raise RerankerError(
        f"{contents.path}: has no scores by {name!r}; it has: {known}; "
        f"make them: codesample rerank {shlex.quote(str(contents.path))} -r {shlex.quote(name)}"
    )


def _expect_alike(first: RunContents, second: RunContents, pools: Sequence[Mapping[str, Pool]]) -> None:
    """Refuse runs of which no problem, or not the same problems, can be compared."""
    one, other = first.manifest, second.manifest
    if not pools[0].keys() & pools[1].keys():
        raise RunFolderError(
            f"{first.path} ({one.task}) and {second.path} ({other.task}) have no problem in common "
            "that both have a grade of; compare runs of the same problems"
        )
    known = [{problem.task_id for problem in each.chosen.problems} for each in (first, second)]
    alike = (one.task, one.data_hash) == (other.task, other.data_hash)
    if not alike and not (known[0] <= known[1] or known[1] <= known[0]):
        raise RunFolderError(
            f"{first.path} is of {one.task}, {second.path} of {other.task}: their data differ, and the ids "
            "of their problems do not match; compare runs of the same problems"
        )


def _notices(first: RunContents, second: RunContents, rows: Sequence[tuple[Pool, Pool]]) -> list[str]:
    said = [*_unjudged(first), *_unjudged(second)]
    if first.manifest.task != second.manifest.task:
        said.append("the tasks differ, and their tests with them; problems are paired by id")
    elif first.manifest.data_hash != second.manifest.data_hash:
        said.append("the data differ, and perhaps their tests; problems are paired by id")
    counts = [sorted({len(row[side].graded) for row in rows}) for side in (0, 1)]
    if counts[0] != counts[1]:
        one, other = (f"{each[0]} to {each[-1]}" if len(each) > 1 else f"{each[0]}" for each in counts)
        said.append(f"of a problem the first has {one}, the second {other} candidates: best of n is of these")
    return said


def _unjudged(contents: RunContents) -> list[str]:
    if not contents.unjudged:
        return []
    left_out = counted(contents.unjudged, "candidate")
    return [f"{contents.path}: unfinished; figures leave out {left_out} without a verdict yet"]


def _settings(first: Manifest, second: Manifest) -> list[SettingChange]:
    """List in what two runs differ, by what their manifests say."""
    sides = [_flat(first), _flat(second)]
    names = dict.fromkeys([*sides[0], *sides[1]])
    return [
        SettingChange(name, *(side.get(name) for side in sides))
        for name in names
        if sides[0].get(name) != sides[1].get(name)
    ]


def _flat(manifest: Manifest) -> dict[str, Any]:
    """Return what settles a run's figures, by name; where several calls wrote into it, of the last."""
    last = manifest.sessions[-1] if manifest.sessions else {}
    named = ("task", "task_version", "data_hash", "model", "n", "shard")
    found = {name: getattr(manifest, name) for name in named}
    found["n"] = manifest.settings.get("n", manifest.n)
    found |= {each.name: _plain(getattr(manifest.params, each.name)) for each in fields(SamplingParams)}
    found |= {f"prompt {name}": value for name, value in manifest.prompt.items()}
    found["imports"] = list(manifest.imports)
    loaded = last.get("model", {})
    kept = ("revision", "checkpoint", "parameters", "dtype", "matmul", "device")
    found |= {name: loaded.get(name) for name in kept}
    found["policy"] = loaded.get("policy", EXACT)
    found["isolation"] = last.get("isolation", {}).get("level")
    found["integrity"] = manifest.settings.get("integrity", "any")
    return found | {f"version of {name}": value for name, value in last.get("versions", {}).items()}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
