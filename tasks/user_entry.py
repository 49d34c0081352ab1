"""One entry of a user's own file of problems: its fields, and what is refused about them."""

from __future__ import annotations

import ast
import difflib
import re
import warnings
from typing import Any

import msgspec

from codesample.data_files import Entry
from codesample.decoding import converted
from codesample.errors import DataError, ParameterError
from codesample.records import Message, prompt_from

__all__ = [
    "UserEntry",
    "defines_check",
    "demand_checker",
    "demand_python",
    "prompt_text",
    "read_entry",
    "turns",
]


class UserEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a user's problem, as the tasks' README describes them."""

    task_id: str
    prompt: str | list[Any] | None = None
    messages: list[Any] | None = None
    test: str | None = None
    entry_point: str | None = None
    canonical_solution: str | None = None
    examples: list[Any] | None = None
    stop: tuple[str, ...] | None = None
    completion: str | None = None
    instruction: str | None = None
    shape: str | None = None
    metadata: dict[str, Any] = {}
    io: list[Any] | None = None
    atol: float | None = None
    rtol: float | None = None
    checker: str | None = None
    in_process: bool = False
    time_limit: float | None = None
    memory_mib: int | None = None
    imports: tuple[str, ...] = ()
    scratch_mib: int | None = None


def read_entry(found: Entry[dict[str, Any]]) -> Entry[UserEntry]:
    """Read the fields of an entry; unknown ones are dropped.

    Raises:
        DataError: a field of another type, one that looks like a misspelt known one, or no prompt.
    """
    known = UserEntry.__struct_fields__
    for name in found.record:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if name not in known and near and near[0] not in found.record:
            raise DataError(f"{found.where}: unknown field {name!r}; did you mean {near[0]!r}?")
    entry = Entry(converted(found.record, UserEntry, where=found.where), found.where)
    if entry.record.prompt is None and entry.record.messages is None:
        raise DataError(f"{found.where}: field 'prompt' is missing; give it, or messages")
    given = entry.record.messages is not None
    if isinstance(entry.record.prompt, list) and given:
        raise DataError(f"{found.where}: prompt and messages both hold messages; give one of them")
    if entry.record.instruction is not None and (given or isinstance(entry.record.prompt, list)):
        raise DataError(
            f"{found.where}: instruction stands with a prompt that is a text; write it into the messages, "
            "which are put as they are"
        )
    return entry


_ROLES = ("system", "developer", "user", "assistant")


def turns(entry: Entry[UserEntry]) -> tuple[Message, ...]:
    """Return the messages that an entry gives, in `messages` or in place of the prompt; () for none.

    Raises:
        DataError: they are none; names the one at fault.
    """
    record = entry.record
    name, given = ("messages", record.messages)
    if isinstance(record.prompt, list):
        name, given = ("prompt", record.prompt)
    if given is None:
        return ()
    try:
        made = prompt_from(given, name=name)
    except ParameterError as error:
        raise DataError(f"{entry.where}: {error}") from None
    assert not isinstance(made, str)
    for number, each in enumerate(made):
        # templates leave out what they do not know, and the question would be gone
        if each.role not in _ROLES:
            raise DataError(
                f"{entry.where}: {name}[{number}]: role {each.role!r}; expected {', '.join(_ROLES)}"
            )
    if all(each.role != "user" for each in made):
        raise DataError(f"{entry.where}: {name} has no turn of the user's, so nothing is asked")
    return made


def prompt_text(entry: Entry[UserEntry]) -> str | None:
    """Return the prompt where it is a text to continue; None where an entry gives messages alone."""
    return entry.record.prompt if isinstance(entry.record.prompt, str) else None


def demand_python(source: str, what: str, *, where: str) -> None:
    """Refuse trusted source that would judge nobody, before anything is sampled.

    Raises:
        DataError: it is not Python; names file, line and the line within the source.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, what, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise DataError(f"{where}: {what} is not Python: line {error.lineno}: {error.msg}") from None
    except UnicodeEncodeError:
        # half of a surrogate pair: what becomes of it, the worker says
        return
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise DataError(f"{where}: {what} is not Python: {error}") from None


def demand_checker(source: str, *, where: str) -> None:
    """Refuse a checker that is no Python or never speaks of `accept`; raises DataError."""
    demand_python(source, "checker", where=where)
    if not re.search(r"\baccept\b", source):
        raise DataError(f"{where}: checker defines no accept(input, output, expected)")


def defines_check(test: str, *, where: str) -> bool:
    """Whether tests define a function `check`, which is to be called with the entry point as HumanEval's is.

    Args:
        test: Python.

    Raises:
        DataError: it is asynchronous, so that a call would run nothing of it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        body = ast.parse(test).body
    for node in body:
        if isinstance(node, ast.AsyncFunctionDef) and node.name == "check":
            raise DataError(
                f"{where}: line {node.lineno} of the tests: check is asynchronous, so that calling it runs "
                "nothing; make it a plain function that calls asyncio.run"
            )
    return any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in body)
