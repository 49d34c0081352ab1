"""What is asked of a program in one process of the sandbox, and the text that answers it there."""

from __future__ import annotations

import functools
import inspect
import marshal
import sys
from dataclasses import dataclass
from typing import NamedTuple

from codesample.execution import evaluating

__all__ = ["SAY", "CallLimits", "Did", "Questions", "with_evaluator"]

SAY = "_codesample_say"
"""Name of the function that answers, in a text of `with_evaluator`."""


class CallLimits(NamedTuple):
    """What `evaluating.Evaluator` is given as limits; see there."""

    call_seconds: float
    wall_seconds: float
    most_late: int
    seconds: float
    most: int


# a tenth of a second for each test is what arXiv:2207.10397 grants; a script also imports and reads anew
_OF_CALLS = CallLimits(0.1, 2.0, 3, 1.0, 1 << 17)
_OF_SCRIPTS = CallLimits(0.5, 5.0, 3, 5.0, 1 << 17)
_LOAD_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked of programs, all of it of one program in one process; in this order.

    Attributes:
        expressions: Python expressions about what the program defines.
        statements: Python statements about it, which hold where they end normally.
        inputs: What a script reads. A program is asked for its names or is a script, never both.
        stub: Trusted definitions that expressions and statements may use; as in `CodeTests`.
        entry_point: Name that the program's definition of counts, not the stub's.
        modules: Modules of the standard library that expressions and statements use.
    """

    expressions: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    stub: str = ""
    entry_point: str = ""
    modules: tuple[str, ...] = ()

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Every text with its kind, as `evaluating.Evaluator.say` takes them."""
        return [
            *(("script", text) for text in self.inputs),
            *(("value", text) for text in self.expressions),
            *(("holds", text) for text in self.statements),
        ]

    @property
    def cpu_seconds(self) -> float:
        """For loading a program and all its answers."""
        return self.limits.seconds + _LOAD_SECONDS

    @property
    def limits(self) -> CallLimits:
        """Of each answer."""
        return _OF_SCRIPTS if self.inputs else _OF_CALLS


class Did(NamedTuple):
    """What one program did: canonical texts of values, or what a script printed; and what held."""

    values: tuple[str | None, ...]
    held: tuple[bool, ...]


def with_evaluator(source: str, questions: Questions) -> str:
    """Return what stands for a program where it is asked many things in one process."""
    given = (source, bool(questions.inputs), questions.stub, questions.entry_point, list(questions.modules))
    # escaped, so that any text may be a program; one that is none fails as a program does
    arguments = ", ".join(map(ascii, (*given, tuple(questions.limits))))
    return f"{_evaluator_text()}{SAY} = {SAY}['Evaluator'](globals(), {arguments}).say\n"


@functools.cache
def _evaluator_text() -> str:
    """Return what defines the evaluator; compiled here, which a judge with another Python does anew."""
    text = inspect.getsource(evaluating)
    code = marshal.dumps(compile(text, "<evaluating>", "exec", dont_inherit=True))
    return (
        f"import marshal, sys\n{SAY} = {{}}\n"
        f"exec(marshal.loads({code!a}) if sys.version == {sys.version!a}"
        f" else compile({text!a}, '<evaluating>', 'exec'), {SAY})\n"
        f"del marshal, sys\n"
    )
