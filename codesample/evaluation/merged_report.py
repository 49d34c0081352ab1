"""The report of a merged run: figures over all problems, and what the shards' own reports say besides."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from codesample.evaluation.health_check import RunHealth
from codesample.evaluation.policy_facts import added_up
from codesample.evaluation.problem_set import ProblemSet
from codesample.evaluation.report import Report, Seconds
from codesample.evaluation.scoring import Pool, Scores, copies_of_verdicts, saved_costs
from codesample.evaluation.shard import apart
from codesample.evaluation.shard_checks import few
from codesample.evaluation.shard_run import ShardRun
from codesample.evaluation.summary import compared, summarise
from codesample.runs import RunFolder

__all__ = ["merged_report"]

_COUNTED = re.compile(r"(.*) \((\d+) of \d+ problems\)")
_NUMBER = re.compile(r"\d+(\.\d+)?")


def merged_report(
    run: RunFolder,
    shards: Sequence[ShardRun],
    chosen: ProblemSet,
    gathered: Sequence[Pool],
    scores: Mapping[str, Scores],
    *,
    notices: Sequence[str],
) -> Report:
    """Sum up a merged run.

    Args:
        run: The merged run.
        shards: Those that have candidates; finished.
        gathered, scores: Of the merged run.
        notices: What else is to be said.
    """
    before = [each.report for each in shards if each.report is not None]
    report = summarise(
        run,
        gathered,
        scores,
        problems=len(chosen.problems),
        n=run.manifest.settings["n"],
        k=run.manifest.settings["k"],
        seconds=_seconds(before),
        tokens_per_second=_speed(before),
        notices=[
            *notices,
            *copies_of_verdicts(scores, gathered),
            *_apart(shards),
            f"merged of {len(run.manifest.shards)} shards, whose times are added up",
        ],
        health=_health(before),
        costs=saved_costs(scores, run),
    )
    report = replace(
        compared(report, run, gathered),
        tokens=sum(each.tokens for each in shards),
        recalled=sum(each.recalled for each in before),
        policy=added_up([each.policy for each in before]),
    )
    told = _told_by_shards(shards, report.notices, problems=len(gathered))
    return replace(report, notices=(*report.notices, *told))


def _seconds(before: Sequence[Report]) -> Seconds:
    """Return what all shards took together; they may have run at the same time."""
    spent = [each.seconds for each in before]
    return Seconds(
        round(sum(each.sampling for each in spent), 3),
        round(sum(each.execution for each in spent), 3),
        round(sum(each.total for each in spent), 3),
    )


def _speed(before: Sequence[Report]) -> float | None:
    """Return tokens a second of one shard, on average over the time that they sampled."""
    told = [(each.tokens_per_second, each.seconds.sampling) for each in before if each.tokens_per_second]
    spent = sum(seconds for _, seconds in told)
    return round(sum(speed * seconds for speed, seconds in told) / spent, 1) if spent else None


def _health(before: Sequence[Report]) -> RunHealth:
    """Return what the worst of the shards saw: all of them try the same references."""
    every = [each.health for each in before] or [RunHealth()]
    worst = max(every, key=lambda each: (len(each.references_failed), each.references_tried))
    return RunHealth(
        references_tried=worst.references_tried,
        references_passed=worst.references_passed,
        references_failed=worst.references_failed,
        load=max((each.load for each in every if each.load is not None), default=None),
        processors=max(each.processors for each in every),
    )


def _apart(shards: Sequence[ShardRun]) -> Iterator[str]:
    """Say in what the machines of the shards differed that can change candidates or verdicts."""
    seen: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for each in shards:
        for name, value in _of_machine(each.run.manifest.sessions[-1]):
            seen[name][str(value)].append(str(each.shard))
    for name, values in seen.items():
        if len(values) > 1:
            named = ", ".join(f"{value} in {few(where)}" for value, where in values.items())
            yield (
                f"shards differ in {name}: {named}; candidates and verdicts may be others than those of one "
                "machine"
            )


def _of_machine(session: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((f"version of {name}", value) for name, value in session["versions"].items())
    yield "isolation", session["isolation"].get("level")
    yield "device", session["model"].get("device")


def _told_by_shards(shards: Sequence[ShardRun], known: Sequence[str], *, problems: int) -> Iterator[str]:
    """Say what the shards' reports say and the merged one does not yet: counts of problems are summed."""
    counts, by_text = Counter[str](), defaultdict[str, list[str]](list)
    for each in shards:
        for text in each.report.notices if each.report else ():
            if found := _COUNTED.fullmatch(text):
                counts[found[1]] += int(found[2])
            elif text != apart(str(each.shard)):
                by_text[text].append(str(each.shard))
    yield from (f"{what} ({count} of {problems} problems)" for what, count in counts.items())
    covered = {_NUMBER.sub("", text) for text in known}
    for text, where in by_text.items():
        if _NUMBER.sub("", text) not in covered:
            yield text if len(where) == len(shards) else f"shard {few(where)}: {text}"
