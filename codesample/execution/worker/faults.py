"""Whose fault it is when tests do not end normally: the program's, or their own."""

from __future__ import annotations

from typing import NamedTuple

from codesample.execution.worker.remote import Remote, crossed, said
from codesample.execution.worker.spawner import HarnessFault
from codesample.records import Status

__all__ = ["TestsFault", "Trouble", "blame", "demand_imports"]


class TestsFault(HarnessFault):
    """The tests can judge no program; to try again on a fresh zygote would not help."""

    # pytest would collect a class of this name
    __test__ = False


class Trouble(NamedTuple):
    """Why a program is not right."""

    status: Status
    detail: str


def blame(error: BaseException, remote: Remote) -> Trouble:
    """Say what an exception that ended test code means for the program.

    Raises:
        TestsFault: it would have ended them for any program.
    """
    if crossed(error):
        return Trouble(Status.ERROR, said(error))
    demand_imports(error)
    if remote.met_opaque:
        return Trouble(
            Status.UNSUPPORTED_VALUE, f"the tests compare a value that is not plain data: {said(error)}"
        )
    if isinstance(error, NameError) and not isinstance(error, UnboundLocalError):
        return Trouble(Status.ERROR, f"the program lacks a name the tests use: {said(error)}")
    return Trouble(Status.WRONG, said(error))


def demand_imports(error: BaseException) -> None:
    """Raise TestsFault for an import that failed in the tests themselves, and would for any program."""
    if isinstance(error, ImportError) and not crossed(error):
        raise TestsFault(f"the tests import what is not there: {said(error)}")
