"""Whether run folders are all shards of one run, each of them whole; what is not is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from codesample.errors import RunFolderError
from codesample.evaluation.reranking import open_run
from codesample.evaluation.shard import Shard
from codesample.evaluation.shard_run import ShardRun

__all__ = ["expect_one_run", "expect_whole", "few", "open_shards"]

_NAMED = 8
# what the last calls into all shards have to have asked for alike, besides what the manifests say
_ASKED = ("n", "k", "limit", "ids", "integrity", "tests")


def open_shards(folders: Sequence[Path]) -> list[ShardRun]:
    """Open the shards in their order, and see that each is one and that all have one count.

    Raises:
        RunFolderError: a folder is no shard, or another one's too, or counts differ.
    """
    if not folders:
        raise RunFolderError("no run folder to merge; name all shards of a run")
    found: list[ShardRun] = []
    for folder in folders:
        with open_run(folder, empty_too=True) as run:
            if run.manifest.shard is None:
                what = "a merged run" if run.manifest.shards else "a whole run"
                raise RunFolderError(
                    f"{folder}: holds {what}, not a shard; name only what `codesample eval --shard` made"
                )
            found.append(ShardRun(run, Shard.parse(run.manifest.shard)))
    found.sort(key=lambda each: (each.shard.of, each.shard.number))
    by_count, by_shard = defaultdict[int, list[str]](list), defaultdict[Shard, list[str]](list)
    for each in found:
        by_count[each.shard.of].append(str(each))
        by_shard[each.shard].append(str(each.run.path))
    if len(by_count) > 1:
        raise RunFolderError(
            f"shards of different counts do not fit together: {' and '.join(map(few, by_count.values()))}; "
            "merge those of one count"
        )
    for shard, places in by_shard.items():
        if len(places) > 1:
            raise RunFolderError(
                f"shard {shard} is there {len(places)} times: {few(places)}; name one of them"
            )
    return found


def expect_one_run(shards: Sequence[ShardRun]) -> ShardRun:
    """Refuse shards of runs that differ in anything that settles candidates, verdicts or figures.

    Versions, machines and levels of isolation may differ, as they may between the sessions of one run.

    Returns: the first shard that has candidates.

    Raises:
        RunFolderError: names what differs, with the values and the shards; or there are no candidates at all.
    """
    first = next((each for each in shards if each.candidates), None)
    if first is None:
        raise RunFolderError(
            f"{few(list(map(str, shards)))}: no shard has a problem; there is nothing to merge"
        )
    differing: dict[str, list[str]] = defaultdict(list)
    for each in shards:
        for name, ours, theirs in (*_identity(first, each), *_settings(first, each)):
            if ours != theirs:
                differing[f"{name} is {ours!r} in {first} and {theirs!r}"].append(str(each))
    if differing:
        said = "; ".join(f"{what} in {few(names)}" for what, names in differing.items())
        raise RunFolderError(
            f"not shards of one run: {said}; make the wrong ones anew with the others' settings"
        )
    return first


def expect_whole(shards: Sequence[ShardRun], problems: Sequence[str]) -> None:
    """Refuse a set of shards that lacks one, and shards that are not finished or hold others' problems.

    Args:
        shards: From `open_shards`.
        problems: Task ids of the whole run, in its order.

    Raises:
        RunFolderError: names what is missing, and how it is made.
    """
    count = shards[0].shard.of
    here = {each.shard.number for each in shards}
    # a shard that has no problem need not be there
    lacking = [f"{each}/{count}" for each in range(1, min(count, len(problems)) + 1) if each not in here]
    if lacking:
        raise RunFolderError(
            f"{len(lacking)} of {count} shards are not there: {few(lacking)}; make them by the call that "
            f"made the others, with --shard {lacking[0]} and a folder of its own"
        )
    for each in shards:
        _expect_own(each, frozenset(each.shard.part(problems)))
    if unfinished := [said for each in shards if (said := _unfinished(each, each.shard.part(problems)))]:
        raise RunFolderError(
            f"{len(unfinished)} of {len(shards)} shards are not finished: {few(unfinished, '; ')}; finish "
            "each by the call that began it, with its own --shard, --out and --resume"
        )


def few(items: Sequence[str], between: str = ", ") -> str:
    """Return the first of some texts as one, and how many more there are."""
    more = [f"and {len(items) - _NAMED} more"] if len(items) > _NAMED else []
    return between.join([*items[:_NAMED], *more])


def _identity(first: ShardRun, other: ShardRun) -> Iterator[tuple[str, Any, Any]]:
    differences = first.run.manifest.differences(other.run.manifest)
    # what a model settles is not known of a shard for which none was opened
    known = None if other.candidates else ("task", "task_version", "data_hash", "model", "imports")
    return (each for each in differences if each[0] != "shard" and (known is None or each[0] in known))


def _settings(first: ShardRun, other: ShardRun) -> Iterator[tuple[str, Any, Any]]:
    for name in _ASKED:
        yield name, first.settings.get(name), other.settings.get(name)


def _expect_own(shard: ShardRun, own: frozenset[str]) -> None:
    for index in (shard.samples, shard.verdicts):
        if foreign := sorted(index.task_ids - own):
            raise RunFolderError(
                f"{index.path}: holds {few(foreign)}, which shard {shard.shard} does not have; it was "
                "changed by something else, so make the shard anew"
            )


def _unfinished(shard: ShardRun, own: Sequence[str]) -> str:
    """Say what a shard lacks; "" for one that is finished."""
    if not shard.candidates:
        return ""
    n = shard.settings["n"]
    judged = [key for task_id in own for key in shard.judged(task_id)]
    if len(judged) < shard.candidates:
        missing = [f"{task_id} {index}" for task_id in own for index in shard.unjudged(task_id)]
        lack = f"{shard.candidates - len(judged)} of {shard.candidates} candidates have no verdict"
        return f"{shard}: {lack} ({few(missing)})"
    report = shard.report
    if report is None and not shard.has_grades:
        # there is nothing to report on, but there may be in the others
        return ""
    if report is None or (report.samples, report.n) != (len(judged), n):
        return f"{shard}: every candidate has a verdict, but scores and results are not there yet"
    return ""
