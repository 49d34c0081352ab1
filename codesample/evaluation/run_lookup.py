"""What a person means by a word for a problem, a candidate or a reranker of a run."""

from __future__ import annotations

from contextlib import suppress

from codesample.errors import CodesampleError, ParameterError, UnknownNameError
from codesample.evaluation.problem_choice import choose_problem
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool
from codesample.records import Problem
from codesample.rerankers.expression import parse
from codesample.rerankers.registry import load_reranker

__all__ = ["find_candidate", "find_pool", "find_reranker", "known_as"]

_NAMED = 12


def find_pool(contents: RunContents, item: str) -> Pool:
    """Return the problem that is meant, with its candidates.

    Args:
        item: As for `choose_problem`; the task's name may stand before it, as in "humaneval/3".

    Raises:
        ParameterError: the run has no such problem, which a near one is suggested for; several are meant; or
            none of its candidates has a verdict yet.
    """
    problem = _meant(contents, item)
    for pool in contents.pools:
        if pool.problem.task_id == problem.task_id:
            return pool
    raise ParameterError(
        f"{problem.task_id}: none of its candidates has a verdict in {contents.path} yet; list those that "
        f"have: codesample show {contents.path}"
    )


def _meant(contents: RunContents, item: str) -> Problem:
    task, problems = contents.manifest.task, contents.chosen.problems
    try:
        return choose_problem(problems, item, task=task)
    except ParameterError:
        start, slash, rest = item.partition("/")
        if slash and start.casefold() == task.casefold():
            with suppress(ParameterError):
                return choose_problem(problems, rest, task=task)
        raise


def find_candidate(pool: Pool, index: int) -> int:
    """Return the position of a candidate in its pool.

    Raises:
        ParameterError: none of that index has a verdict; says which have.
    """
    indices = [each.index for each in pool.candidates]
    if index in indices:
        return indices.index(index)
    raise ParameterError(
        f"{pool.problem.task_id} has no candidate {index} with a verdict; it has {_ranges(indices)}"
    )


def find_reranker(contents: RunContents, name: str) -> str:
    """Return the reranker that is meant: by its name however it is spelt, or a part that no other one has.

    Raises:
        UnknownNameError: none of them; suggests a near one.
        ParameterError: several.
    """
    if (known := known_as(contents, name)) is not None:
        return known
    found = [each for each in contents.scores if name.strip() and name.casefold() in each.casefold()]
    if len(found) > 1:
        raise ParameterError(f"reranker {name!r}: may be {' or '.join(map(repr, found))}; name it whole")
    if not found:
        there = ", ".join(contents.scores) or "none"
        raise UnknownNameError(
            "reranker",
            name,
            contents.scores,
            hint=f"{contents.path} was scored by: {there}; by others with: "
            f"codesample rerank {contents.path} -r NAME",
        )
    return found[0]


def known_as(contents: RunContents, name: str) -> str | None:
    """Return the name under which a run has a reranker's scores; None where it has none.

    Args:
        name: Any spelling of it, as `load_reranker` takes it: "a > b" is "a,b", and what is a default need
            not be said.
    """
    if name in contents.scores:
        return name
    with suppress(CodesampleError):
        if (read := str(parse(name))) in contents.scores:
            return read
        if (loaded := load_reranker(name).name) in contents.scores:
            return loaded
    return None


def _ranges(indices: list[int]) -> str:
    """Write ascending numbers with what follows without a gap as one: "0-7, 9"."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][-1] + 1:
            runs[-1][1:] = [index]
        else:
            runs.append([index])
    said = ["-".join(map(str, run)) for run in runs[:_NAMED]]
    return ", ".join([*said, *(["..."] if len(runs) > _NAMED else [])])
