"""Which of a task's problems are meant: the first ones, a range of them, or some by their ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from codesample.errors import ParameterError
from codesample.records import Problem

__all__ = ["Ids", "Limit", "choose_problem", "choose_problems", "parse_limit"]

Limit = int | str | None
"""So many of the first problems, such as 20 or "20"; or from one place to another, such as "11-20"."""

Ids = str | Iterable[str | int] | None
"""Task ids, their numbers, ranges of numbers and patterns: "3,10-19,HumanEval/42", [3, "HumanEval/4?"]."""

_RANGE = re.compile(r"(\d+)-(\d+)")
_NUMBER_AT_END = re.compile(r"\d+$")
# Python itself refuses to read thousands
_MOST_DIGITS = 100
_PATTERN = re.compile(r"[*?\[]")


def parse_limit(limit: Limit) -> tuple[int, int | None]:
    """Return the first place that is meant, counted from 1, and the last, which belongs to it; None: the end.

    Raises:
        ParameterError: neither a number of problems nor a range, or one that holds nothing.
    """
    if limit is None:
        return 1, None
    given = str(limit).replace(" ", "")
    found = _RANGE.fullmatch(given)
    first, last = (int(found[1]), int(found[2])) if found else (1, int(given) if given.isdecimal() else 0)
    if isinstance(limit, bool) or not 1 <= first <= last:
        raise ParameterError(
            f"limit = {limit!r}: expected at least 1 problem, such as 20 for the first twenty, or 11-20"
        )
    return first, last


def choose_problems(
    problems: Sequence[Problem], *, task: str, limit: Limit = None, ids: Ids = None
) -> tuple[Problem, ...]:
    """Return the problems that are meant, in the task's order.

    Args:
        problems: All of the task's.
        task: Its name, for messages.
        limit: How many of the first ones, or which places, counted from 1: "11-20" is ten problems. With
            `ids`, of those.
        ids: A task id as the data has it, in any case; the number that an id ends in; a range of such
            numbers, both ends included, with gaps where the task has some; or a pattern of the shell's. A
            text may hold several with commas.

    Raises:
        ParameterError: an id that the task does not have, which near ones are suggested for; a number that
            several ids end in; a limit that leaves nothing.
    """
    first, last = parse_limit(limit)
    if ids is not None:
        wanted = _found(_parts(ids, {each.task_id for each in problems}), problems, task)
        problems = [each for each in problems if each.task_id in wanted]
    chosen = tuple(problems[first - 1 : last])
    if not chosen and limit is not None:
        raise ParameterError(f"limit = {limit!r}: leaves no problem; there are {len(problems)} of {task}")
    return chosen


def choose_problem(problems: Sequence[Problem], item: str, *, task: str) -> Problem:
    """Return the one problem that a person means.

    Args:
        problems: Those it may be among.
        item: An id in any case, the number that it ends in, or a part that no other id has, in any case.
            Where most ids end in no number, a number is a place, counted from 0, or else a part.
        task: As for `choose_problems`.

    Raises:
        ParameterError: there is none, which a near one is suggested for, or there are several.
    """
    try:
        found = choose_problems(problems, task=task, ids=[item])
    except ParameterError:
        found = _placed(problems, item.strip())
        if not found:
            raise
    if len(found) > 1:
        named = ", ".join(repr(each.task_id) for each in found[:3])
        raise ParameterError(
            f"{item!r} means {len(found)} problems of {task}; name one of them: {named}"
            f"{', ...' if len(found) > 3 else ''}"
        )
    return found[0]


def _placed(problems: Sequence[Problem], item: str) -> tuple[Problem, ...]:
    """Return the problem at a place, or those whose ids hold a text; a number that ids end in is neither."""
    if item.isdecimal() and len(item) <= _MOST_DIGITS:
        numbered = sum(_NUMBER_AT_END.search(each.task_id) is not None for each in problems)
        if 2 * numbered > len(problems):
            return ()
        if int(item) < len(problems):
            return (problems[int(item)],)
    return tuple(each for each in problems if item and item.casefold() in each.task_id.casefold())


def _parts(ids: str | Iterable[str | int], known: set[str]) -> list[str]:
    """Take texts with commas apart, unless the whole is an id."""
    given = [ids] if isinstance(ids, str) else [str(each) for each in ids]
    parts = [part for each in given for part in ([each] if each in known else each.split(","))]
    kept = list(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if not kept:
        raise ParameterError(f"ids = {ids!r}: expected at least one, such as 3, 10-19 or the id as it stands")
    return kept


def _found(parts: Sequence[str], problems: Sequence[Problem], task: str) -> set[str]:
    """Return the task ids that parts stand for; raises ParameterError, naming every part that is none."""
    names = _Names(problems)
    found: set[str] = set()
    unknown = []
    for part in parts:
        meant = names.meant_by(part)
        found.update(meant)
        if not meant:
            unknown.append(part)
    if unknown:
        near = {each: get_close_matches(each, names.all, n=1, cutoff=0.5) for each in unknown}
        named = ", ".join(
            f"{each!r} (did you mean {near[each][0]!r}?)" if near[each] else repr(each) for each in unknown
        )
        raise ParameterError(
            f"ids {named}: not among the {len(problems)} problems of {task}, "
            f"which go from {names.all[0]!r} to {names.all[-1]!r}"
            if names.all
            else f"ids {named}: {task} has no problems"
        )
    return found


class _Names:
    """The ids of a task, found again by what people call them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.all = [each.task_id for each in problems]
        self._same = set(self.all)
        self._folded: dict[str, list[str]] = {}
        self._numbered: dict[int, list[str]] = {}
        for name in self.all:
            self._folded.setdefault(name.casefold(), []).append(name)
            if number := _NUMBER_AT_END.search(name):
                self._numbered.setdefault(int(number[0]), []).append(name)

    def meant_by(self, part: str) -> list[str]:
        """Return the ids that a part stands for; none where it is unknown."""
        if part in self._same:
            return [part]
        if folded := self._folded.get(part.casefold()):
            return self._only(folded, part)
        if part.isdecimal() and len(part) <= _MOST_DIGITS:
            return self._only(self._numbered.get(int(part), []), part)
        if span := _RANGE.fullmatch(part):
            low, high = int(span[1]), int(span[2])
            numbers = [number for number in self._numbered if low <= number <= high]
            return [name for number in numbers for name in self._only(self._numbered[number], str(number))]
        if _PATTERN.search(part):
            return [name for name in self.all if fnmatchcase(name.casefold(), part.casefold())]
        return []

    @staticmethod
    def _only(names: list[str], part: str) -> list[str]:
        if len(names) > 1:
            raise ParameterError(f"ids {part!r}: may be {' or '.join(map(repr, names[:3]))}; name it whole")
        return names
