"""What stands between a context and what it acts with: calls that show nothing of what is behind them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from codesample.errors import ParameterError, RerankerError
from codesample.records import Candidate, CodeTests, Prompt, PromptLike, Tests, prompt_from
from codesample.rerankers.abilities import CheckRunner
from codesample.rerankers.made_once import Cost, Costed

__all__ = ["cost_of", "padded", "programs_of", "prompts_of", "sealed", "with_stub"]

_CallableT = TypeVar("_CallableT", bound=Callable[..., Any])


def sealed(function: _CallableT) -> _CallableT:
    """Return a callable that calls `function` and has no attribute that leads to it, as a closure has."""
    sealed: Any = functools.lru_cache(maxsize=0)(function)
    vars(sealed).clear()
    return sealed  # type: ignore[no-any-return]


def with_stub(
    checks: CheckRunner, stub: str
) -> Callable[[Sequence[str], Tests], Sequence[tuple[bool, ...] | None]]:
    """Return a function that judges as `checks`, with the stub before statements."""

    def check(programs: Sequence[str], tests: Tests) -> Sequence[tuple[bool, ...] | None]:
        return checks.check(programs, replace(tests, stub=stub) if isinstance(tests, CodeTests) else tests)

    return check


def cost_of(made: Sequence[Any], measured: Cost) -> Cost:
    """Return what something took when it was made, as far as it says; else what was measured now."""
    return made.cost if isinstance(made, Costed) else measured


def padded(result: tuple[bool, ...] | None, length: int) -> tuple[bool, ...] | None:
    """Count checks that a program never reached as not holding."""
    return None if result is None else (*result, *[False] * (length - len(result)))[:length]


def programs_of(candidates: Sequence[Candidate]) -> list[str]:
    """Return the candidates' programs; raises RerankerError for one that has none."""
    programs = [candidate.program for candidate in candidates]
    if None in programs:
        raise RerankerError(f"candidate {candidates[programs.index(None)].index} has no program to run")
    return [program for program in programs if program is not None]


def prompts_of(given: Iterable[PromptLike], n: int) -> list[Prompt]:
    """Return prompts that a model is to continue n times each.

    Raises:
        ParameterError: something else than a prompt among them; n below 1.
    """
    if n < 1:
        raise ParameterError(f"n = {n!r}: expected at least 1 continuation of a prompt")
    return [prompt_from(each) for each in given]
