"""What is odd about a task's problems, as far as their texts tell: twins, leaks, tests that are no Python."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from codesample.evaluation.public_checks import public_checks
from codesample.records import CodeTests, Problem, Tests
from codesample.records.short import spelt
from codesample.tasks.contract import Task, prompt_then_completion
from codesample.tasks.readable_tests import flaw_of_tests

__all__ = ["Finding", "findings"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something odd about some problems.

    Attributes:
        kind: Short name, such as "equal prompts".
        problems: Their task ids.
        text: What it is, in a sentence.
        fault: Whether verdicts would be wrong by it; else a note.
    """

    kind: str
    problems: tuple[str, ...]
    text: str
    fault: bool = False


def findings(task: Task, problems: Sequence[Problem]) -> list[Finding]:
    """Look at problems; runs nothing.

    Args:
        task: Theirs.
        problems: In the task's order.
    """
    return [
        *_unreadable(problems),
        *_twins(problems),
        *_leaks(problems),
        *_base_form(task, problems),
        *_without_reference(problems),
    ]


def _unreadable(problems: Sequence[Problem]) -> Iterator[Finding]:
    for problem in problems:
        if flaw := flaw_of_tests(problem.tests):
            yield Finding("tests that are no Python", (problem.task_id,), flaw, fault=True)


def _twins(problems: Sequence[Problem]) -> Iterator[Finding]:
    for group in _alike(problems, lambda each: each.task_id.casefold()):
        yield Finding("equal ids", _ids(group), "they differ in upper and lower case alone")
    for group in _alike(problems, lambda each: each.prompt.strip()):
        same = len({_key(each.tests) for each in group}) == 1
        text = "the same prompt and the same tests" if same else "the same prompt with different tests"
        yield Finding("equal prompts", _ids(group), f"{text}: it counts {len(group)} times")
    for group in _alike(problems, lambda each: _key(each.tests)):
        if len({each.prompt.strip() for each in group}) > 1:
            yield Finding("equal tests", _ids(group), "different prompts with the same tests")


def _alike(problems: Sequence[Problem], key: Callable[[Problem], Hashable]) -> list[list[Problem]]:
    """Return the groups of several problems with one key."""
    groups: dict[Hashable, list[Problem]] = {}
    for problem in problems:
        groups.setdefault(key(problem), []).append(problem)
    return [group for group in groups.values() if len(group) > 1]


def _key(tests: Tests) -> str:
    """Return one text for equal tests, whatever program they are measured by."""
    judged = replace(tests, reference=None) if isinstance(tests, CodeTests) else tests
    return sha256(spelt(judged).encode("utf-8", "surrogatepass")).hexdigest()


def _leaks(problems: Sequence[Problem]) -> Iterator[Finding]:
    """Find problems whose prompts show checks of their hidden tests, and tests that hold nothing else."""
    found = [(problem, public_checks(problem)) for problem in problems]
    leaking = [problem for problem, public in found if public.any]
    bare = [problem for problem, public in found if public.every]
    if leaking:
        text = (
            "the prompt shows examples that the hidden tests hold too: a program may pass these by heart, "
            "and rerankers by examples see a part of the tests"
        )
        yield Finding("examples among the hidden tests", _ids(leaking), text)
    if bare:
        text = "the hidden tests hold nothing but the examples that the prompt shows"
        yield Finding("tests that are the examples", _ids(bare), text)


def _base_form(task: Task, problems: Sequence[Problem]) -> Iterator[Finding]:
    if task.assemble is not prompt_then_completion:
        return
    open_line = [each for each in problems if not each.prompt.endswith("\n")]
    if open_line:
        text = "the prompt does not end with a newline: models do worse at ending a line that they are given"
        yield Finding("prompts that end inside a line", _ids(open_line), text)
    for stop in task.form("base").stop:
        cut = [each for each in problems if _cut(each.reference or "", stop)]
        if cut:
            yield Finding(
                "references that a stop cuts", _ids(cut), f"the stop {stop!r} occurs in the reference"
            )


def _cut(reference: str, stop: str) -> bool:
    at = reference.find(stop)
    return at >= 0 and bool(reference[at:].strip())


def _without_reference(problems: Sequence[Problem]) -> Iterator[Finding]:
    missing = [each for each in problems if each.reference is None]
    if missing:
        yield Finding("no reference", _ids(missing), "nothing shows that the tests can be passed here")


def _ids(problems: Iterable[Problem]) -> tuple[str, ...]:
    return tuple(each.task_id for each in problems)
