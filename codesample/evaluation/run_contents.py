"""A saved run with everything in it, for whatever shows, compares, checks or learns from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codesample.errors import RunFolderError
from codesample.evaluation.frames import run_dataset, run_frame
from codesample.evaluation.kept_curves import kept_curve
from codesample.evaluation.member_scores import saved_members
from codesample.evaluation.problem_set import ProblemSet, covered_keys, problems_of_run
from codesample.evaluation.report import Report
from codesample.evaluation.reranking import load_report, open_run
from codesample.evaluation.scoring import Pool, Scores, pools, saved_scores
from codesample.records import Origin
from codesample.records.validation import validated
from codesample.rerankers.contract import Reranker
from codesample.runs import Key, Manifest, MemberScores, RunFolder, ScoreOrigin
from codesample.tasks.contract import Task

if TYPE_CHECKING:
    from datasets import Dataset
    from pandas import DataFrame

__all__ = ["RunContents", "read_run"]


@validated
@dataclass(frozen=True, slots=True)
class RunContents:
    """What a run folder holds, by problem.

    Attributes:
        path: The folder.
        manifest: What the run is.
        chosen: The task and the problems that its last call covered.
        pools: Per problem with at least one verdict, in the task's order, candidates with their programs and
            verdicts.
        scores: By reranker, of those that scored exactly these candidates.
        report: The figures; None where the run is not finished.
        origins: What is known of recorded candidates besides their texts.
        unjudged: How many candidates that were asked for have no verdict yet, drawn or not.
        curves: What scoring kept for best-of-n curves, by reranker, for `codesample.evaluation.kept_curves`.
        given_by: What gave the scores, by reranker, as far as it is known.
        members: By composition, what the rerankers within it gave of each problem, to the candidates that it
            asked them about, by their positions; runs of older versions have none.
    """

    path: Path
    manifest: Manifest
    chosen: ProblemSet
    pools: Sequence[Pool]
    scores: Mapping[str, Scores]
    report: Report | None
    origins: Mapping[Key, Origin]
    unjudged: int = 0
    curves: Mapping[str, Any] = field(default_factory=dict)
    given_by: Mapping[str, ScoreOrigin] = field(default_factory=dict)
    members: Mapping[str, MemberScores] = field(default_factory=dict)

    def to_pandas(self) -> DataFrame:
        """Return the candidates that have a verdict as a `pandas.DataFrame`; see `run_frame`.

        Raises:
            ParameterError: pandas is not installed.
        """
        return run_frame(self)

    def to_dataset(self) -> Dataset:
        """Return the same as a `datasets.Dataset`; see `run_dataset`.

        Raises:
            ParameterError: pandas or datasets is not installed.
        """
        return run_dataset(self)

    def are_of(self, reranker: Reranker) -> bool:
        """Whether the scores by a reranker's name were given by the very code and parameters that it has."""
        origin = self.given_by.get(reranker.name)
        return origin is not None and origin.fingerprint == reranker.fingerprint

    def __repr__(self) -> str:
        candidates = sum(len(pool.candidates) for pool in self.pools)
        return (
            f"RunContents({str(self.path)!r}: {self.manifest.task} by {self.manifest.model}, "
            f"{len(self.pools)} problems, {candidates} candidates, {len(self.scores)} rerankers)"
        )


@validated
def read_run(
    folder: str | Path, *, task: Task | None = None, data: Path | None = None, report: bool = True
) -> RunContents:
    """Read a run, finished or not; another process may be writing it.

    Args:
        folder: A run folder.
        task, data: As for `rerank_run`.
        report: Whether its figures are read; without, one whose results another version wrote can be read.

    Raises:
        RunFolderError: no run, one without any verdict, or results that cannot be read.
        CodesampleError: as `problems_of_run`, as far as it concerns the run and its problems.
    """
    with open_run(folder) as opened:
        chosen = problems_of_run(opened, task=task, data=data)
        wanted = covered_keys(opened, chosen.problems)
        strict = opened.manifest.settings.get("integrity") == "strict"
        gathered = pools(opened, chosen, wanted, strict=strict)
        if not gathered:
            raise RunFolderError(f"{folder}: has no verdict yet; finish it with --resume")
        scores = saved_scores(gathered, opened)
        return RunContents(
            path=opened.path,
            manifest=opened.manifest,
            chosen=chosen,
            pools=gathered,
            scores=scores,
            report=load_report(opened.path) if report and opened.results() is not None else None,
            origins=opened.origins(),
            unjudged=_unjudged(opened, wanted, gathered),
            curves={name: kept_curve(opened, name, gathered, column) for name, column in scores.items()},
            given_by={name: opened.score_origin(name) for name in scores},
            members=saved_members(gathered, scores, opened),
        )


def _unjudged(run: RunFolder, drawn: Collection[Key], gathered: Sequence[Pool]) -> int:
    """Return how many candidates of the last call have no verdict; it may have ended before it drew all."""
    asked: int = run.manifest.settings.get("candidates", 0)
    return max(asked, len(drawn)) - sum(len(pool.candidates) for pool in gathered)
