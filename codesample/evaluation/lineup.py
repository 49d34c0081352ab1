"""Several runs of the same problems, each compared with the first of them, with what each took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codesample.errors import ParameterError
from codesample.evaluation.comparison import Comparison, compare_contents
from codesample.evaluation.run_contents import RunContents
from codesample.records.policy import EXACT

__all__ = ["Lineup", "RunCost", "cost_of", "line_up"]


@dataclass(frozen=True, slots=True)
class RunCost:
    """What drawing the candidates of a run took; None where the run does not say.

    Attributes:
        run: The folder.
        tokens: Drawn.
        sampling_seconds: Wall time from the first request to the last candidate.
        policy: How keys of prompts were read, and what that missed: the policy and `Account.as_json`; the
            policy alone where it lets go of tokens uncounted; {} where every key was read.
    """

    run: str
    tokens: int | None
    sampling_seconds: float | None
    policy: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lineup:
    """Runs of the same problems.

    Attributes:
        costs: Of each run, the first one's first.
        comparisons: Of each other run with the first.
    """

    costs: tuple[RunCost, ...]
    comparisons: tuple[Comparison, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self) | {"kind": "lineup"}


def line_up(runs: Sequence[RunContents], *, k: Sequence[int] | None = None) -> Lineup:
    """Compare runs with the first of them, such as policies with exact reading, problem by problem.

    Args:
        runs: At least two.
        k: As `compare_contents`.

    Raises:
        ParameterError: a folder twice.
        RunFolderError, MetricError: as `compare_contents`.
    """
    known: dict[Path, Path] = {}
    for each in runs:
        if (place := each.path.resolve()) in known:
            raise ParameterError(f"{known[place]} and {each.path} are one run; name each once")
        known[place] = each.path
    first, *others = runs
    compared = tuple(compare_contents(first, each, k=k) for each in others)
    return Lineup(tuple(map(cost_of, runs)), compared)


def cost_of(run: RunContents) -> RunCost:
    """Return what drawing a run's candidates took, as its report says."""
    report = run.report
    if report is None:
        return RunCost(str(run.path), None, None, {})
    # of a run that only judged what was there, sampling took nothing
    sampled = report.seconds.sampling if report.tokens_per_second is not None else None
    return RunCost(str(run.path), report.tokens, sampled, report.policy or _uncounted(run))


def _uncounted(run: RunContents) -> dict[str, Any]:
    """Return the policy of a run that has no account of it, although not all tokens are read."""
    sessions = run.manifest.sessions
    spelt = sessions[-1].get("model", {}).get("policy", EXACT) if sessions else EXACT
    lossy = "decode_cache=" in spelt or ("prefill=" in spelt and "prefill=ring" not in spelt)
    return {"policy": spelt} if lossy else {}
