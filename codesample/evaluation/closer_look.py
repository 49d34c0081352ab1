"""One problem of a run, or one candidate of it, with all that is known: as records and as plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from codesample.evaluation.picks import pick_of, places
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool
from codesample.records import Candidate, CodeTests, InputTests, Problem, Prompt, ScriptTests, Tests, Verdict

__all__ = [
    "Check",
    "ProgramGroup",
    "answer_of",
    "asked_of",
    "candidate_facts",
    "check_at",
    "failed_checks",
    "grouped",
    "problem_facts",
    "taken_of",
]


@dataclass(frozen=True, slots=True)
class Check:
    """One check of hidden tests.

    Attributes:
        number: Its place, from 1.
        text: What is checked, as Python where it is a call; of a script, its input.
        expected: Of a script, what it must print; "" for others, whose text says it.
        part: Of the tests, where they have parts.
    """

    number: int
    text: str
    expected: str = ""
    part: str = ""

    @property
    def whole(self) -> str:
        """The text; of a script, the input with the output that it must give."""
        return f"input:\n{self.text}\nexpected output:\n{self.expected}" if self.expected else self.text


@dataclass(frozen=True, slots=True)
class ProgramGroup:
    """Candidates of one problem whose programs are equal to the letter.

    Attributes:
        positions: In the pool, ascending.
        program: The text that they share.
    """

    positions: tuple[int, ...]
    program: str


def grouped(pool: Pool) -> list[ProgramGroup]:
    """Return the different programs of a pool, the most frequent first, then by their first candidate."""
    found: dict[str, list[int]] = {}
    for at, each in enumerate(pool.candidates):
        found.setdefault(each.program or "", []).append(at)
    groups = [ProgramGroup(tuple(positions), program) for program, positions in found.items()]
    return sorted(groups, key=lambda group: (-len(group.positions), group.positions[0]))


def asked_of(contents: RunContents, problem: Problem) -> Prompt:
    """Return what the model was given: the text, or the messages before its template."""
    return contents.chosen.prompt_form.ask(problem)


def answer_of(contents: RunContents, candidate: Candidate) -> str:
    """Return what the model wrote; of recorded samples, the answer that their file has beside the text."""
    origin = contents.origins.get((candidate.task_id, candidate.index))
    return candidate.completion if origin is None or origin.answer is None else origin.answer


def taken_of(candidate: Candidate) -> str | None:
    """Return the parts of a candidate's text that its program was made of; None where that is not known."""
    if candidate.spans is None:
        return None
    return "".join(candidate.completion[begin:end] for begin, end in candidate.spans)


def check_at(tests: Tests, at: int) -> Check:
    """Return the check at a position, from 0."""
    part = next((name for name, end in tests.part_ends.items() if at < end), "")
    if isinstance(tests, CodeTests):
        return Check(at + 1, tests.checks[at], part=part)
    if isinstance(tests, InputTests):
        call = f"{tests.entry_point}({', '.join(map(_spelt, tests.inputs[at]))})"
        if tests.oracle is not None:
            return Check(at + 1, f"{call}  # accepted by the tests' own oracle", part=part)
        if tests.expected is None:
            return Check(at + 1, f"{call}  # as the reference returns", part=part)
        return Check(at + 1, f"{call} == {_spelt(tests.expected[at])}", part=part)
    if isinstance(tests, ScriptTests):
        return Check(at + 1, tests.cases[at].input, tests.cases[at].output, part)
    return Check(at + 1, "", part=part)


def failed_checks(tests: Tests, verdict: Verdict) -> list[int]:
    """Return the positions of checks that did not hold; none where their number is not that of the tests."""
    if len(verdict.checks) != tests.check_count:
        return []
    return [at for at, held in enumerate(verdict.checks) if not held]


def problem_facts(contents: RunContents, pool: Pool, *, tests: bool = True) -> dict[str, Any]:
    """Return a problem with its candidates as plain JSON data.

    Args:
        tests: Whether the hidden tests and the reference solution are among them.
    """
    problem, asked = pool.problem, asked_of(contents, pool.problem)
    columns = _columns(contents, pool)
    facts: dict[str, Any] = {
        "task": contents.manifest.task,
        "task_id": problem.task_id,
        "prompt": asked if isinstance(asked, str) else [asdict(each) for each in asked],
        "examples": [asdict(each) for each in problem.examples],
        "picks": {
            name: None
            if (pick := pick_of(pool, column)) is None
            else {"indices": list(pick.indices), "passed": pick.passed}
            for name, column in columns.items()
        },
        "programs": [
            {
                "program": group.program,
                "indices": [pool.candidates[at].index for at in group.positions],
                "passed": [pool.verdicts[at].passed for at in group.positions],
            }
            for group in grouped(pool)
        ],
        "candidates": [
            {
                "index": each.index,
                "status": str(verdict.status),
                "passed": verdict.passed,
                "scores": {name: column[at] for name, column in columns.items()},
            }
            for at, (each, verdict) in enumerate(zip(pool.candidates, pool.verdicts, strict=True))
        ],
    }
    if tests:
        facts["reference"] = problem.reference
        facts["tests"] = _tests(problem.tests)
    return facts


def candidate_facts(contents: RunContents, pool: Pool, at: int, *, tests: bool = True) -> dict[str, Any]:
    """Return a candidate with its program, verdict and scores as plain JSON data.

    Args:
        at: Its position in the pool.
        tests: As for `problem_facts`.
    """
    candidate, verdict = pool.candidates[at], pool.verdicts[at]
    origin = contents.origins.get((candidate.task_id, candidate.index))
    failed = failed_checks(pool.problem.tests, verdict)
    facts: dict[str, Any] = {
        "task": contents.manifest.task,
        **_finite(asdict(candidate)),
        "verdict": {**asdict(verdict), "passed": verdict.passed},
        "scores": {
            name: {"score": column[at], "places": list(places(column)[at])}
            for name, column in _columns(contents, pool).items()
        },
        "failed_checks": [position + 1 for position in failed],
        "origin": None if origin is None else asdict(origin),
    }
    if tests:
        facts["failed_checks"] = [asdict(check_at(pool.problem.tests, position)) for position in failed]
        facts["tests"] = _tests(pool.problem.tests)
    return facts


def _spelt(value: Any) -> str:
    try:
        return repr(value)
    except (ValueError, RecursionError):
        # Python refuses to spell integers of thousands of digits
        return f"<{type(value).__name__} that is too long to be spelt>"


def _columns(contents: RunContents, pool: Pool) -> dict[str, Sequence[float | None]]:
    return {name: column[pool.problem.task_id] for name, column in contents.scores.items()}


def _tests(tests: Tests) -> dict[str, Any]:
    checks = [asdict(check_at(tests, at)) for at in range(tests.check_count)]
    return {"source": getattr(tests, "source", ""), "checks": checks}


def _finite(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields with None for numbers that JSON has no word for."""
    return {
        name: [None if isinstance(each, float) and not math.isfinite(each) else each for each in value]
        if isinstance(value, tuple)
        else value
        for name, value in fields.items()
    }
