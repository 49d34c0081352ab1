"""The greedy candidate of each problem, from a run of its own, beside what choosing among many gives."""

from __future__ import annotations

from dataclasses import replace

from codesample.errors import RunFolderError
from codesample.evaluation.environment import engine_facts
from codesample.evaluation.intervals import Draws
from codesample.evaluation.paired import paired
from codesample.evaluation.report import Greedy, Report
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool

__all__ = ["with_greedy"]


def with_greedy(report: Report, run: RunContents, greedy: RunContents) -> Report:
    """Return a report that also says what the likeliest tokens give on its problems.

    Args:
        report: Of `run`.
        run: Its candidates.
        greedy: A run of temperature 0 of the same model and task; or recorded samples, one of each problem,
            of which the report then says that how they were drawn is not known.

    Raises:
        RunFolderError: `greedy` holds several recorded samples of a problem, was drawn at another
            temperature, is of another model or other problems, or lacks some of them.
    """
    recorded = engine_facts(greedy.manifest.sessions).recorded
    _expect_greedy(run, greedy, recorded=recorded)
    found = {pool.problem.task_id: _share(pool) for pool in greedy.pools if pool.graded}
    graded = [pool for pool in run.pools if pool.graded]
    lacking = [pool.problem.task_id for pool in graded if pool.problem.task_id not in found]
    if lacking:
        raise RunFolderError(
            f"{greedy.path}: has no verdict on {len(lacking)} of {len(graded)} problems, such as "
            f"{lacking[0]}; draw it of the same problems"
        )
    ours = [found[pool.problem.task_id] for pool in graded]
    draws = Draws(len(graded))
    (estimate,) = draws.shares([ours])
    (over,) = paired([(ours, [_share(pool) for pool in graded])], draws)
    notices = report.notices
    if recorded:
        notices = (*notices, f"{greedy.path} holds recorded samples, taken as greedy; how is not known here")
    elif greedy.manifest.prompt != run.manifest.prompt:
        notices = (*notices, f"{greedy.path} puts problems to the model in another form than this run")
    return replace(report, greedy=Greedy(estimate, str(greedy.path), over), notices=notices)


def _share(pool: Pool) -> float:
    return sum(pool.passed) / len(pool.passed)


def _expect_greedy(run: RunContents, greedy: RunContents, *, recorded: bool) -> None:
    ours, theirs = run.manifest, greedy.manifest
    if recorded and max(len(pool.candidates) for pool in greedy.pools) > 1:
        raise RunFolderError(
            f"{greedy.path}: holds recorded samples, several of a problem; --greedy takes one of each"
        )
    if not recorded and theirs.params.temperature != 0:
        raise RunFolderError(
            f"{greedy.path}: was drawn at temperature {theirs.params.temperature:g}, and --greedy takes a "
            "run of temperature 0; make one: codesample eval TASK --greedy"
        )
    for name in ("task", "data_hash", *(() if recorded else ("model",))):
        if getattr(ours, name) != getattr(theirs, name):
            raise RunFolderError(
                f"{greedy.path}: its {name} is {getattr(theirs, name)!r}, that of {run.path} is "
                f"{getattr(ours, name)!r}; --greedy takes a run of the same model and problems"
            )
