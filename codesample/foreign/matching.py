"""Samples of a file to candidates of a task's problems: names, positions, numbers of candidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from codesample.errors import DataError
from codesample.foreign.contract import Sample
from codesample.foreign.problem_names import ProblemNames, data_set_of
from codesample.records import Candidate, Origin, Problem
from codesample.records.counted import counted

__all__ = ["Matched", "match_samples"]

# of programs told by position alone, how many should name the function that the problem there asks for: with
# fewer it is to be said, and below these, from so many samples on, they are those of other problems
_MOST_NAMED, _LEAST_NAMED, _FEW = 0.5, 0.1, 10
_MOST_LISTED = 5


@dataclass(frozen=True, slots=True)
class Matched:
    """Candidates made of a file's samples.

    Attributes:
        candidates: In the file's order.
        origins: What the file says of them besides; only of those of which it says something.
        notices: What was left out, and what to know; sentences.
        left_out: How many samples the file has besides.
    """

    candidates: list[Candidate] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    left_out: int = 0


def match_samples(
    samples: Iterable[Sample],
    problems: Sequence[Problem],
    *,
    name: str,
    outside: Collection[str] = (),
    task: str = "the task",
    tasks: Collection[str] = (),
    extract: bool = False,
) -> Matched:
    """Find the problem of each sample and make a candidate of it.

    A sample without a number gets the next one after those of its problem above it.

    Args:
        problems: That are evaluated, in the task's order.
        name: Of the file, for complaints.
        outside: Ids of problems that the task does not evaluate; samples of them are left out.
        task: Its name.
        tasks: Names of all tasks, to suggest one.
        extract: Whether the program is to be taken anew from what the model wrote, where a file holds both.

    Raises:
        DataError: a sample is of no problem of the task, or a candidate occurs twice; names the place.
    """
    names = ProblemNames([problem.task_id for problem in problems], outside)
    entry_points = {problem.task_id: problem.entry_point for problem in problems}
    found, numbered = Matched(), Counter[str]()
    seen: set[tuple[str, int]] = set()
    skipped: Counter[str] = Counter()
    named: list[bool] = []
    for sample in samples:
        task_id = _problem_of(sample, names, task=task, tasks=tasks)
        if names.is_outside(task_id):
            skipped[task_id] += 1
            continue
        index = numbered[task_id] if sample.index is None else sample.index
        numbered[task_id] = max(numbered[task_id], index + 1)
        if index < 0:
            raise DataError(f"{sample.where}: index {index}: expected at least 0")
        if (task_id, index) in seen:
            raise DataError(f"{sample.where}: candidate {index} of {task_id!r} occurs twice")
        seen.add((task_id, index))
        if sample.by_position and (wanted := entry_points[task_id]):
            named.append(wanted in sample.completion)
        found.candidates.append(_candidate(sample, task_id, index, extract))
        origin = _origin(sample, task_id, index, extract)
        if origin.tells:
            found.origins.append(origin)
    found.notices.extend(_misplaced(named, name, task))
    if skipped:
        found.notices.append(_left_out(skipped, name, task))
    if skipped and not found.candidates:
        raise DataError(f"{name}: {found.notices[-1]}; nothing is left")
    return replace(found, left_out=skipped.total())


def _misplaced(named: Sequence[bool], name: str, task: str) -> list[str]:
    """Say it where few of the programs that positions tell name the function asked for there.

    Raises:
        DataError: next to none of many do.
    """
    if sum(named) >= _MOST_NAMED * len(named):
        return []
    said = (
        f"{name}: gives problems by position alone, and only {sum(named)} of {len(named)} samples name "
        f"the function that {task} asks for there; they seem to be of another data set or order"
    )
    if len(named) >= _FEW and sum(named) < _LEAST_NAMED * len(named):
        raise DataError(said)
    return [said]


def _problem_of(sample: Sample, names: ProblemNames, *, task: str, tasks: Collection[str]) -> str:
    if sample.by_position:
        position = int(sample.task)
        if position < len(names.ids):
            return names.ids[position]
        hint = data_set_of(None, sample.size, tasks)
        raise DataError(
            f"{sample.where}: {task} has {counted(len(names.ids), 'problem')}, and the file gives one at "
            f"position {position}, counted from 0; it is of another data set" + (f"; {hint}" if hint else "")
        )
    task_id = names.find(sample.task)
    if task_id is not None:
        return task_id
    # of the same data set, or of another one?
    hint = data_set_of(sample.task, None, tasks)
    if hint and hint not in {data_set_of(each, None, tasks) for each in names.ids}:
        raise DataError(f"{sample.where}: {task} has no problem {sample.task!r}; {hint}")
    near = names.near(sample.task)
    suggestion = f"; did you mean {near!r}?" if near else f"; its problems are called such as {names.ids[:1]}"
    raise DataError(f"{sample.where}: the task has no problem {sample.task!r}{suggestion}")


def _candidate(sample: Sample, task_id: str, index: int, extract: bool) -> Candidate:
    own: dict[str, Any] = dict(sample.own)
    completion, program = sample.completion, sample.program
    if extract:
        completion, program = sample.completion if sample.answer is None else sample.answer, None
        own = {name: value for name, value in own.items() if name not in ("rule", "spans")}
    elif sample.answer is not None:
        # of the answer's tokens, not of this text's
        own = {}
    return Candidate(task_id, index, completion, program=program, **own)


def _origin(sample: Sample, task_id: str, index: int, extract: bool) -> Origin:
    return Origin(
        task_id,
        index,
        where=sample.where,
        name=None if sample.by_position or sample.task == task_id else sample.task,
        passed=sample.passed,
        said=sample.said,
        share=sample.share,
        answer=None if extract else sample.answer,
        fields=sample.fields,
    )


def _left_out(skipped: Counter[str], name: str, task: str) -> str:
    listed = ", ".join(list(skipped)[:_MOST_LISTED]) + (", ..." if len(skipped) > _MOST_LISTED else "")
    count = sum(skipped.values())
    return f"{count} samples of {len(skipped)} problems that {task} does not evaluate are left out ({listed})"
