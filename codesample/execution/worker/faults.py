"""Whose fault it is when tests do not end normally: the program's, or their own."""

from __future__ import annotations

import dis
from types import CodeType
from typing import NamedTuple

from codesample.execution.worker.raised import crossed, said
from codesample.execution.worker.remote import Remote
from codesample.execution.worker.spawner import HarnessFault
from codesample.records import Status

__all__ = ["NO_PYTHON", "TestsFault", "Trouble", "blame", "compiled", "demand_imports", "undecided"]

NO_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What the compiler raises for a text that it cannot take; the last two for one that is nested too deeply."""


class TestsFault(HarnessFault):
    """The tests can judge no program; to try again on a fresh zygote would not help."""

    # pytest would collect a class of this name
    __test__ = False


class Trouble(NamedTuple):
    """Why a program is not right."""

    status: Status
    detail: str


def compiled(source: str, what: str) -> CodeType:
    """Compile trusted source.

    Args:
        source: Python, free of this module's own `__future__` statements.
        what: What it is called in its frames.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: see `NO_PYTHON`.
    """
    return compile(source, f"<{what}>", "exec", dont_inherit=True)


def blame(error: BaseException, remote: Remote) -> Trouble:
    """Say what an exception that ended test code means for the program.

    Raises:
        TestsFault: it would have ended them for any program.
    """
    if crossed(error):
        return Trouble(Status.ERROR, said(error))
    demand_imports(error)
    if remote.met_opaque or (isinstance(error, TypeError) and "BaseException" in str(error)):
        # the second are stand-ins for the program's own classes, in `except` and `raise`
        return undecided(said(error))
    if remote.ran_ahead:
        return Trouble(Status.UNSUPPORTED_VALUE, f"an iterator of the program may be ahead: {said(error)}")
    if isinstance(error, NameError) and not isinstance(error, UnboundLocalError):
        return Trouble(Status.ERROR, f"the program lacks a name the tests use: {said(error)}")
    return Trouble(Status.WRONG, said(error))


def undecided(reason: str) -> Trouble:
    """Say that the tests went by what only the program could know, which proves nothing about it."""
    return Trouble(Status.UNSUPPORTED_VALUE, f"the tests compare what is not plain data: {reason}")


def demand_imports(error: BaseException) -> None:
    """Raise TestsFault for an import that failed in the tests themselves, and would for any program."""
    if isinstance(error, ImportError) and not crossed(error) and _raised_by_import(error):
        raise TestsFault(f"the tests import what is not there: {said(error)}")


def _raised_by_import(error: ImportError) -> bool:
    """Whether the import system raised it, or the statement itself, for a name that a module lacks.

    It did so for a module that the tests themselves name, and not one that a program said.
    """
    steps = []
    step = error.__traceback__
    while step is not None:
        steps.append(step)
        step = step.tb_next
    while steps and steps[-1].tb_frame.f_code.co_filename.startswith("<frozen importlib"):
        steps.pop()
    if not steps:
        return False
    code = steps[-1].tb_frame.f_code
    if _IMPORTS.get(code.co_code[steps[-1].tb_lasti]) is not None:
        return True
    names = {each for step in steps for each in step.tb_frame.f_code.co_consts if isinstance(each, str)}
    return error.name is not None and any(f"{each}.".startswith(f"{error.name}.") for each in names)


_IMPORTS = {
    dis.opmap[name]: name for name in ("IMPORT_NAME", "IMPORT_FROM", "IMPORT_STAR") if name in dis.opmap
}
