"""One problem as its page shows it: what was asked, every candidate, and what came of it.

What is equal is stored once: programs, texts, tracebacks, and tokens with their log-probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from codesample.evaluation.closer_look import check_at, failed_checks
from codesample.evaluation.scoring import Pool
from codesample.records import (
    CallExample,
    Candidate,
    CodeTests,
    Origin,
    Problem,
    Prompt,
    ScriptExample,
    Tests,
    Verdict,
)
from codesample.reports.html.packing import LONGEST_TEXT, shortened, utf16_lengths

__all__ = ["Once", "fitting", "hidden_tests_text", "problem_part"]

_T = TypeVar("_T", bound=Hashable)

# a log-probability is told to two decimals, and none below -99.99
_STEPS, _LOWEST = 100, 9_999
_LONGEST_DETAIL = 4_000
_LONGEST_TESTS = 20_000
_LONGEST_CHECK, _MOST_CHECKS = 600, 40


class Once(Generic[_T]):
    """Values, each stored once, by the number of its first appearance."""

    def __init__(self) -> None:
        self.values: list[_T] = []
        self._places: dict[_T, int] = {}

    def place(self, value: _T) -> int:
        """Return the number of a value, which is stored if it is new."""
        found = self._places.setdefault(value, len(self.values))
        if found == len(self.values):
            self.values.append(value)
        return found


def fitting(pool: Pool, most: int, first: Collection[int]) -> frozenset[int]:
    """Return the positions of candidates whose tokens together are at most `most`, equal ones counted once.

    Args:
        first: Positions that matter most, such as those that rerankers pick.
    """
    kept: set[int] = set()
    seen: set[tuple[Any, ...]] = set()
    left = most
    wanted = [*sorted(first), *(at for at in range(len(pool.candidates)) if at not in first)]
    for at in wanted:
        each = pool.candidates[at]
        if each.logprobs is None:
            continue
        same = (each.completion, each.logprobs)
        if same not in seen:
            if len(each.logprobs) > left:
                continue
            seen.add(same)
            left -= len(each.logprobs)
        kept.add(at)
    return frozenset(kept)


def problem_part(
    pool: Pool,
    prompt: Prompt | None,
    origins: Mapping[tuple[str, int], Origin],
    *,
    with_tokens: Collection[int],
) -> dict[str, Any]:
    """Return plain JSON data of one problem.

    Args:
        pool: The problem with its candidates.
        prompt: What the model was given; None where nobody knows.
        origins: What recorded candidates came with.
        with_tokens: Positions of the candidates whose tokens are shown one by one.
    """
    problem = pool.problem
    # programs and answers together: next to each other, what they share costs nothing
    texts, details = Once[str](), Once[str]()
    tokens = Once[tuple[tuple[int, ...] | None, tuple[int, ...]]]()
    checks: dict[int, str] = {}
    rows = []
    for at, (candidate, verdict) in enumerate(zip(pool.candidates, pool.verdicts, strict=True)):
        failed = next(iter(failed_checks(problem.tests, verdict)), None)
        if failed is not None and failed not in checks:
            checks[failed] = _check(problem.tests, failed)
        origin = origins.get((candidate.task_id, candidate.index))
        rows.append(
            {
                "program": texts.place(shortened(candidate.program or "")),
                "answer": texts.place(shortened(candidate.completion)),
                "detail": details.place(shortened(verdict.detail, _LONGEST_DETAIL)),
                "tokens": tokens.place(_tokens(candidate)) if at in with_tokens else None,
                **_facts(candidate, verdict, failed),
                **({} if origin is None else {"origin": _origin(origin)}),
            }
        )
    return {
        "prompt": _turns(problem, prompt),
        "asked": prompt is not None,
        "examples": [_example(each) for each in problem.examples],
        "tests": hidden_tests_text(problem.tests, most=_LONGEST_TESTS),
        "texts": texts.values,
        "details": details.values,
        "tokens": tokens.values,
        "checks": checks,
        "candidates": rows,
    }


def hidden_tests_text(tests: Tests, *, most: int) -> str:
    """Return the hidden tests, at most so many characters of them and of the many checks the first ones."""
    if isinstance(tests, CodeTests):
        text = "\n".join(part for part in (tests.source, *tests.checks) if part)
    else:
        shown = [_check(tests, at) for at in range(min(tests.check_count, _MOST_CHECKS))]
        more = tests.check_count - len(shown)
        text = "\n".join([*shown, *([f"... and {more:,} more"] if more else [])])
    return _cut(text, most)


def _check(tests: Tests, at: int) -> str:
    return _cut(check_at(tests, at).whole, _LONGEST_CHECK)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} ..."


def _facts(candidate: Candidate, verdict: Verdict, failed: int | None) -> dict[str, Any]:
    """Return what is known of a candidate and its verdict, without what is not."""
    known = {
        "finish": candidate.finish_reason,
        "rule": candidate.rule,
        "length": None if candidate.token_ids is None else len(candidate.token_ids),
        "cpu": round(verdict.cpu_seconds, 3) if math.isfinite(verdict.cpu_seconds) else None,
        "megabytes": None if verdict.peak_memory is None else round(verdict.peak_memory / 1e6),
        "integrity": verdict.integrity,
        "retried": verdict.first_try,
        "failed": failed,
        "held": sum(verdict.checks) if verdict.checks else None,
        "checks": len(verdict.checks) or None,
    }
    return {name: value for name, value in known.items() if value is not None}


def _tokens(candidate: Candidate) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
    """Return how much text each token adds, if a text that is shown whole tells, and how unlikely it is."""
    unlikely = _unlikely(candidate.logprobs or ())
    ends = candidate.token_ends
    if ends is None or len(candidate.completion) > LONGEST_TEXT:
        return None, unlikely
    return utf16_lengths(candidate.completion, ends), unlikely


def _unlikely(logprobs: Sequence[float]) -> tuple[int, ...]:
    """Return minus log-probabilities in hundredths."""
    with suppress(OverflowError, ValueError):
        found = tuple([round(-_STEPS * each) for each in logprobs])
        if not found or (min(found) >= 0 and max(found) <= _LOWEST):
            return found
    return tuple(
        min(_LOWEST, max(0, round(-_STEPS * each))) if math.isfinite(each) else _LOWEST for each in logprobs
    )


def _turns(problem: Problem, prompt: Prompt | None) -> list[tuple[str, str]]:
    if prompt is None:
        return [("problem", shortened(problem.prompt))]
    if isinstance(prompt, str):
        return [("prompt", shortened(prompt))]
    return [(turn.role, shortened(turn.content)) for turn in prompt]


def _example(example: Any) -> str:
    if isinstance(example, CallExample):
        return shortened(f"{example.call} == {example.expected}", 600)
    if isinstance(example, ScriptExample):
        return f"input:\n{shortened(example.input, 600)}\noutput:\n{shortened(example.output, 600)}"
    return shortened(str(example), 600)


def _origin(origin: Origin) -> dict[str, Any]:
    known: Sequence[tuple[str, Any]] = (
        ("where", origin.where),
        ("passed", origin.passed),
        ("said", shortened(origin.said, _LONGEST_DETAIL)),
        ("answer", None if origin.answer is None else shortened(origin.answer)),
    )
    empty: Callable[[Any], bool] = lambda value: value is None or value == ""
    return {name: value for name, value in known if not empty(value)}
