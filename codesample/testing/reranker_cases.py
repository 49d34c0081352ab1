"""Problems with pools of candidates that rerankers are tried on: ordinary ones, bare and hostile ones."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from codesample.records import (
    Candidate,
    CodeTests,
    FinishReason,
    Problem,
    PublicView,
    ScriptExample,
    ScriptTests,
)
from codesample.tasks.function_form import stub_of
from codesample.tasks.registry import load_task
from codesample.testing.recorded_answers import Answers

__all__ = ["HOSTILE", "Case", "built_in_cases", "garbled", "hostile_cases", "made_pool"]

HOSTILE = {
    "an empty completion": "",
    "100 kB": "    # " + "x" * 100_000 + "\n    return 1\n",
    "100 kB in one name": "    return " + "x" * 100_000 + "\n",
    "a NUL": "    return '\0'\n",
    "a lone surrogate": "    return '\ud800'\n",
    "a syntax error": "    return ((1\n",
    "an indentation error": "return 1\n  return 2\n",
    "brackets without end": "    return " + "(" * 3000 + "\n",
    "operators without end": "    return " + "-" * 5000 + "1\n",
    "blanks alone": " \t\n\f\r\n",
    "no Python at all": "I am sorry, but \u202e\u0301\U0001f600 \x1b[31m I can not.\n```\n",
}
"""Completions that no reranker may fail on, by what they are."""

_BODIES = (
    "    return None\n",
    "    raise ValueError(1)\n",
    "    return 0\n",
    "    return ((\n",
    "    return []\n",
)
_CHANGES = (("+", "-"), ("<", ">="), ("==", "!="), ("0", "1"), ("max", "min"), ("sorted", "list"))


@dataclass(frozen=True, slots=True)
class Case:
    """A problem with candidates, and what answers a reranker's questions about it.

    Attributes:
        problem: With its hidden tests.
        candidates: Each with its program, as a run shows them.
        task: Name of its task.
        answers: What can be asked; nothing by default.
    """

    problem: Problem
    candidates: tuple[Candidate, ...]
    task: str = "mini"
    answers: Answers = field(default_factory=Answers)

    @property
    def view(self) -> PublicView:
        """What a reranker sees of the problem."""
        return PublicView.of(self.task, self.problem)


def built_in_cases() -> list[Case]:
    """Return problems of every kind with made pools: with examples and without, scripts, without a name."""
    shown, blind = _mini()
    unnamed = replace(shown[20], task_id="mini/unnamed", entry_point=None, examples=())
    problems = [("mini", each) for each in (shown[3], shown[40], shown[96], unnamed, _script())]
    problems.append(("mini_blind", blind[12]))
    return [
        Case(each, made_pool(each), task, Answers(stub=stub_of(each), asked=each.prompt))
        for task, each in problems
    ]


@cache
def _mini() -> tuple[Sequence[Problem], Sequence[Problem]]:
    return load_task("mini").problems(), load_task("mini_blind").problems()


def made_pool(problem: Problem, *, seed: int = 0) -> tuple[Candidate, ...]:
    """Return candidates made of a problem's reference: right ones, changed ones and wrong ones, some equal.

    Their log-probabilities and confidences are random, those of equal texts too.

    Args:
        problem: With a reference.
        seed: Equal seeds give equal candidates.
    """
    rng = random.Random(f"{seed} {problem.task_id}")
    right = problem.reference or "pass\n"
    script = isinstance(problem.tests, ScriptTests)
    wrong = [body.lstrip() for body in _BODIES] if script else list(_BODIES)
    changed = [right.replace(old, new) for old, new in _CHANGES if old in right]
    comment = "# so\n" if script else "    # so\n"
    bodies = [right, right, comment + right, *changed[:4], changed[0] if changed else right, *wrong, wrong[0]]
    rng.shuffle(bodies)
    return tuple(_candidate(problem, index, body, rng) for index, body in enumerate(bodies))


def _candidate(problem: Problem, index: int, body: str, rng: random.Random) -> Candidate:
    length = rng.randint(1, 12)
    ends = sorted(rng.randint(0, len(body)) for _ in range(length - 1))
    program = body if isinstance(problem.tests, ScriptTests) else problem.prompt + body
    return Candidate(
        task_id=problem.task_id,
        index=index,
        completion=body,
        token_ids=tuple(rng.randint(0, 999) for _ in range(length)),
        logprobs=_drawn(rng, length, -4.0, 0.0),
        sampled_logprobs=_drawn(rng, length, -2.0, 0.0),
        certainties=_drawn(rng, length, 5.0, 20.0),
        confidences=_drawn(rng, length, 5.0, 20.0),
        token_ends=(*ends, len(body)),
        finish_reason=rng.choice((FinishReason.EOS, FinishReason.STOP)),
        program=program,
        spans=((0, len(body)),),
    )


def _drawn(rng: random.Random, length: int, low: float, high: float) -> tuple[float, ...]:
    return tuple(round(rng.uniform(low, high), 3) for _ in range(length))


def _script() -> Problem:
    cases = (ScriptExample("1 2\n", "3\n"), ScriptExample("5 5\n", "10\n"))
    return Problem(
        task_id="mini/script",
        prompt="Read two numbers and print their sum.\n\nFor 1 2, print 3.\n",
        description="Read two numbers and print their sum.\n\nFor 1 2, print 3.\n",
        tests=ScriptTests(cases=cases),
        examples=cases[:1],
        reference="print(sum(map(int, input().split())))\n",
        metadata={"tier": "compose"},
    )


def hostile_cases(case: Case) -> Iterator[tuple[str, Sequence[Candidate]]]:
    """Yield pools in which one candidate is hostile, then a pool of them all, each with what it is."""
    ordinary = case.candidates[:2]
    head = "" if isinstance(case.problem.tests, ScriptTests) else case.problem.prompt
    made = [
        replace(
            ordinary[0],
            index=10 + at,
            completion=text,
            program=head + text,
            token_ends=None,
            spans=((0, len(text)),),
        )
        for at, text in enumerate(HOSTILE.values())
    ]
    for what, candidate in zip(HOSTILE, made, strict=True):
        yield what, (*ordinary, candidate)
    yield "all of them", tuple(made)


def garbled(problem: Problem) -> Iterator[tuple[str, Problem]]:
    """Yield the problem with tests that fail, that pass, and that are noise, its reference taken away."""
    # the prompt shows it, and examples may use it
    stub = problem.tests.stub if isinstance(problem.tests, CodeTests) else ""
    for what, source in (
        ("failing tests", "raise AssertionError('garbage')"),
        ("passing tests", "pass"),
        ("noise", "assert garbage(garbage) == 'garbage'"),
    ):
        if isinstance(problem.tests, ScriptTests):
            # how numbers are compared is no secret, and stands in the view
            tests = replace(problem.tests, cases=(ScriptExample("", source),), checker=None, parts=())
            yield what, replace(problem, tests=tests, reference=None, metadata={})
        else:
            code = CodeTests(source=source, checks=(source,), entry_point=problem.entry_point, stub=stub)
            yield what, replace(problem, tests=code, reference=None, metadata={})
