"""Scores of the problems of several shards, and what is kept of their curves, made those of one run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from codesample.evaluation.kept_curves import curve_sizes, kept_curve, put_curve
from codesample.evaluation.scoring import Pool, Scores
from codesample.evaluation.shard_checks import few
from codesample.evaluation.shard_run import ShardRun
from codesample.runs import Key, MemberScores, RunFolder

__all__ = ["join_curves", "join_scores"]

_COSTS = ("tokens_drawn", "tokens_read", "executions", "seconds")


def join_scores(run: RunFolder, shards: Sequence[ShardRun], homes: Mapping[str, ShardRun]) -> list[str]:
    """Join the scores of every reranker that scored all candidates of all shards by one and the same code.

    A reranker scores the candidates of one problem at a time, so that scores do not depend on the shard.

    Args:
        run: The merged run, open for writing.
        shards: Those that have candidates.
        homes: By task id, in the order of the problems: the shard that has it.

    Returns: what is not joined, and why; a sentence each.
    """
    names = dict.fromkeys(name for each in shards for name in each.settings["rerankers"])
    names |= dict.fromkeys(name for each in shards for name in each.run.scored_by())
    said = []
    for name in names:
        found = {each: each.run.scores(name) for each in shards}
        if why := "; ".join(_against(name, found)):
            how = f"codesample rerank RUN -r {shlex.quote(name)}"
            said.append(f"no scores by {name}: {why}; score the merged run: {how}")
            continue
        keys = [(task_id, at) for task_id, home in homes.items() for at in home.judged(task_id)]
        run.write_scores(
            name,
            {key: found[homes[key[0]]][key] for key in keys},
            cost=_costs(name, shards),
            origin=shards[0].run.score_origin(name),
            members=_members(name, shards, homes),
        )
    return said


def _against(name: str, found: Mapping[ShardRun, Mapping[Key, float | None]]) -> Iterator[str]:
    """Say what keeps the scores of a reranker from being one's."""
    lacking = [
        str(shard)
        for shard, scores in found.items()
        if shard.run.score_origin(name).outdated or scores.keys() != shard.keys
    ]
    if lacking:
        yield f"shard {few(lacking)} did not come to the end of them"
    by_code: dict[str, list[str]] = {}
    for shard in found:
        by_code.setdefault(shard.run.score_origin(name).fingerprint, []).append(str(shard.shard))
    if len(by_code) > 1 and not lacking:
        yield f"its code or its parameters were others in {' than in '.join(map(few, by_code.values()))}"


def _costs(name: str, shards: Sequence[ShardRun]) -> dict[str, float] | None:
    kept = [each.run.cost(name) for each in shards]
    return {cost: sum(each[cost] for each in kept) for cost in _COSTS} if all(kept) else None


def _members(name: str, shards: Sequence[ShardRun], homes: Mapping[str, ShardRun]) -> MemberScores:
    found = {task_id: row for each in shards for task_id, row in each.run.member_scores(name).items()}
    return {task_id: found[task_id] for task_id in homes if task_id in found}


def join_curves(
    run: RunFolder,
    shards: Sequence[ShardRun],
    homes: Mapping[str, ShardRun],
    gathered: Sequence[Pool],
    scores: Mapping[str, Scores],
) -> None:
    """Join what the shards kept for best-of-n curves, as far as all of them kept the same kind of it.

    Args:
        run, shards, homes: As for `join_scores`.
        gathered, scores: Of the merged run.
    """
    graded = [pool for pool in gathered if pool.graded]
    sizes = len(curve_sizes(graded))
    parts = [(each, [pool for pool in gathered if homes[pool.problem.task_id] is each]) for each in shards]
    for name, column in scores.items():
        kept = [kept_curve(each.run, name, own, column) for each, own in parts]
        if any(record is None for record in kept):
            continue
        values: dict[str, Any] = {}
        for record in kept:
            # a shard whose largest problem is smaller has fewer sizes; its last is each problem's whole pool
            values |= {key: [*row, *row[-1:] * (sizes - len(row))] for key, row in record["values"].items()}
        alike = {(record["independent"], record["note"]) for record in kept}
        if len(alike) == 1 and len(values) in (0, len(graded)):
            ordered = {each.problem.task_id: values[each.problem.task_id] for each in graded if values}
            put_curve(run, name, gathered, column, {**kept[0], "values": ordered})
