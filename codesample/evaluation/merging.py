"""Makes one run of the shards of a run, equal to what one process would have made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from codesample.errors import RunFolderError
from codesample.evaluation.environment import session_facts, versions, weakest_session
from codesample.evaluation.joined_scores import join_curves, join_scores
from codesample.evaluation.merged_report import merged_report
from codesample.evaluation.problem_set import ProblemSet, covered_keys, problems_of_run
from codesample.evaluation.report import Report
from codesample.evaluation.run_place import new_run_folder
from codesample.evaluation.scoring import pools, saved_scores
from codesample.evaluation.shard_checks import expect_one_run, expect_whole, open_shards
from codesample.evaluation.shard_run import ShardRun
from codesample.records.validation import validated
from codesample.runs import Manifest, RunFolder
from codesample.runs.joining import in_one_step, join_artefacts, join_lines
from codesample.tasks.contract import Task

__all__ = ["expect_outside", "merge_runs"]


@validated
def merge_runs(
    runs: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    task: Task | None = None,
    data: Path | None = None,
) -> Report:
    """Make one run of the shards of a run: the one that a single process would have made.

    Samples, verdicts and scores are the shards' own lines, byte for byte, problem by problem in the task's
    order; figures are computed anew over all problems. No model is opened and no program run. The shards are
    only read. The merged run appears under its name once it is complete.

    Args:
        runs: Folders of all shards of one count, in any order; those that have no problem may be left out.
        out: A new folder; None makes one under `runs/`.
        task: The task itself, for shards that were made with a task of one's own.
        data: The task's data, or one's own problems, where they are no longer where the shards found them.

    Returns:
        The merged run's report; its times are those of all shards together.

    Raises:
        RunFolderError: a folder is no shard; shards are missing, doubled, not finished, of different counts
            or of runs that differ (names them, with both values); or `out` is not empty or is in a shard.
        CodesampleError: as `read_problems`, as far as it concerns the task.
    """
    shards = open_shards([Path(each) for each in runs])
    first = expect_one_run(shards)
    chosen = problems_of_run(first.run, task=task, data=data, of_all_shards=True)
    expect_whole(shards, [each.task_id for each in chosen.problems])
    manifest = _manifest(shards, first, chosen)
    place = Path(out) if out is not None else new_run_folder(manifest.task, f"{manifest.model}-merged")
    expect_outside(place, [each.run.path for each in shards])
    with in_one_step(Path(os.path.abspath(place))) as folder, RunFolder.create(folder, manifest) as run:
        report = replace(_joined(run, shards, chosen), run=place)
        run.write_results(report.as_json())
    return report


def _joined(run: RunFolder, shards: Sequence[ShardRun], chosen: ProblemSet) -> Report:
    """Fill the folder of the merged run, up to its results."""
    by_number = {each.shard.number: each for each in shards if each.candidates}
    count = shards[0].shard.of
    homes = {
        problem.task_id: by_number[at % count + 1]
        for at, problem in enumerate(chosen.problems)
        if at % count + 1 in by_number
    }
    filled = list(by_number.values())
    join_lines({name: home.samples for name, home in homes.items()}, run.path / "samples.jsonl")
    join_lines({name: home.verdicts for name, home in homes.items()}, run.path / "verdicts.jsonl")
    run.write_origins(origin for each in filled for origin in each.run.origins().values())
    join_artefacts([each.run.path for each in filled], run.path)
    notices = join_scores(run, filled, homes)
    strict = run.manifest.settings.get("integrity") == "strict"
    wanted = covered_keys(run, chosen.problems)
    gathered = pools(run, chosen, wanted, strict=strict, with_tokens=False)
    saved = saved_scores(gathered, run)
    asked = [name for name in run.manifest.settings["rerankers"] if name in saved]
    scores = {name: saved[name] for name in dict.fromkeys([*asked, *saved])}
    join_curves(run, filled, homes, gathered, scores)
    return merged_report(run, filled, chosen, gathered, scores, notices=notices)


def _manifest(shards: Sequence[ShardRun], first: ShardRun, chosen: ProblemSet) -> Manifest:
    """Return what the merged run is, with all sessions of its shards, and one that says what it covers."""
    filled = [each for each in shards if each.candidates]
    sessions = [
        {**session, "shard": str(each.shard)} for each in filled for session in each.run.manifest.sessions
    ]
    asked = [set(each.settings["rerankers"]) for each in filled]
    settings: dict[str, Any] = {
        **first.settings,
        **chosen.origin,
        "candidates": sum(each.candidates for each in filled),
        "rerankers": [name for name in first.settings["rerankers"] if all(name in each for each in asked)],
    }
    drawn_by = first.run.manifest.sessions[-1]
    session = session_facts(
        "merge",
        model=drawn_by["model"],
        isolation=weakest_session(sessions)["isolation"],
        settings=settings,
    )
    return replace(
        first.run.manifest,
        n=max(each.run.manifest.n for each in filled),
        sessions=(*sessions, {**session, "versions": drawn_by["versions"], "merged_by": versions()}),
        shard=None,
        shards=tuple(
            {
                "shard": str(each.shard),
                "run": os.path.abspath(each.run.path),
                "problems": len(each.samples.task_ids),
                "candidates": each.candidates,
                "sessions": len(each.run.manifest.sessions),
            }
            for each in shards
        ),
    )


def expect_outside(out: Path, shards: Sequence[Path]) -> None:
    """Refuse to write into a shard, which merging leaves as it is; raises RunFolderError."""
    target = out.resolve()
    for each in shards:
        if each.resolve() in (target, *target.parents):
            raise RunFolderError(f"{out}: is in {each}, a shard; choose another folder with --out")
