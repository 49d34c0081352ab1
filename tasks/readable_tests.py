"""Whether the trusted source of tests is Python: known before anything is sampled."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator

from codesample.errors import DataError
from codesample.records import CodeTests, InputTests, Problem, ScriptTests, Tests

__all__ = ["expect_readable", "flaw_of_tests"]


def expect_readable(task: str, problems: Iterable[Problem]) -> None:
    """Refuse problems whose tests are no Python.

    Args:
        task: Name.

    Raises:
        DataError: names the first of them, the part of its tests and the line.
    """
    for problem in problems:
        if flaw := flaw_of_tests(problem.tests):
            raise DataError(f"task {task}, problem {problem.task_id!r}: {flaw}; it would judge nothing")


def flaw_of_tests(tests: Tests) -> str:
    """Return which part of tests is no Python: "source, line 3: invalid syntax"; "" where all are."""
    for name, text in _parts(tests):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compile(text, "tests", "exec", dont_inherit=True)
        except SyntaxError as error:
            return f"{name}, line {error.lineno}: {error.msg}"
        except UnicodeEncodeError:
            # half of a surrogate pair: what becomes of it, the worker says
            continue
        except (ValueError, RecursionError, MemoryError, OverflowError) as error:
            return f"{name}: {error}"
    return ""


def _parts(tests: Tests) -> Iterator[tuple[str, str]]:
    match tests:
        case CodeTests():
            yield "stub", tests.stub
            yield "source", tests.source
            yield from ((f"check {at}", text) for at, text in enumerate(tests.checks))
        case InputTests():
            yield "reference", tests.reference
            yield "oracle", tests.oracle or ""
        case ScriptTests():
            yield "checker", tests.checker or ""
