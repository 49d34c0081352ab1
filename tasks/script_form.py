"""The contest form of a problem: a statement in words, and a program that prints, or a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from codesample.data_files import Entry
from codesample.extraction import Wanted
from codesample.records import CallExample, Problem, ScriptTests
from codesample.tasks.prompt_form import ChatForm

__all__ = ["STARTER", "Unjudgeable", "call_example", "contest_chat", "judgeable"]

STARTER = "starter_code"
"""Key of a problem's metadata: the Python that an answer has to begin with, where the problem gives any."""

_SOLVE = (
    "Solve the programming problem below in Python. Answer with one complete program in a single Markdown "
    "block of Python.\n\n"
)
_SCRIPT = (
    "{text}\n\nThe program reads the input from standard input and prints the answer to standard output: "
    "what the problem asks for, and nothing else. It does not run the examples by itself.\n"
)
_FUNCTION = (
    "{text}\n\nThe program defines {what}, which takes the input as arguments and returns the answer. It "
    "reads and prints nothing.{begin}\n"
)
_BEGIN = " Begin with this code:\n\n```python\n{starter}\n```"

_T = TypeVar("_T")


class Unjudgeable(ValueError):
    """A problem of a data set cannot be judged as it stands there; says why."""


def judgeable(
    entries: Iterable[Entry[_T]],
    task_id: Callable[[Entry[_T]], str],
    problem: Callable[[Entry[_T], str], Problem],
    left_out: dict[str, str],
) -> list[Problem]:
    """Make problems of entries, and note the others with what keeps them from being judged.

    Args:
        entries: Of a data set.
        task_id: Names the problem of an entry.
        problem: Makes the problem of an entry and a task id; raises Unjudgeable for one that is none.
        left_out: Takes the reasons by task id, for `Task.left_out`.

    Raises:
        DataError: an entry is malformed.
    """
    made = []
    for entry in entries:
        name = task_id(entry)
        try:
            made.append(problem(entry, name))
        except Unjudgeable as reason:
            left_out[name] = f"{entry.where}: {reason}"
    return made


def contest_chat(*, source: str, max_new_tokens: int) -> ChatForm:
    """Return the chat form of a contest's problems.

    A problem whose tests are no script's is to be a function, its entry point; the code to begin with, if
    any, stands in its metadata under `STARTER`.
    """
    return ChatForm(
        version="contest-1", source=source, ask=_ask, wanted=_wanted, max_new_tokens=max_new_tokens
    )


def call_example(name: str, arguments: Iterable[object], expected: object) -> CallExample:
    """Return what a prompt shows as arguments and result of a function, as an example."""
    return CallExample(f"{name}({', '.join(map(repr, arguments))})", repr(expected))


def _ask(problem: Problem) -> str:
    text = problem.description.strip()
    if isinstance(problem.tests, ScriptTests):
        return _SOLVE + _SCRIPT.format(text=text)
    starter = _starter(problem)
    owner = " in class `Solution`" if _is_method(problem) else ""
    return _SOLVE + _FUNCTION.format(
        text=text,
        what=f"the function `{problem.entry_point}`{owner}",
        begin=_BEGIN.format(starter=starter.rstrip()) if starter.strip() else "",
    )


def _wanted(problem: Problem) -> Wanted:
    if isinstance(problem.tests, ScriptTests):
        return Wanted("script")
    if _is_method(problem):
        return Wanted("class", name="Solution", prompt=_starter(problem))
    return Wanted("function", name=problem.entry_point, prompt=_starter(problem))


def _is_method(problem: Problem) -> bool:
    return "class Solution" in _starter(problem)


def _starter(problem: Problem) -> str:
    return str(problem.metadata.get(STARTER, ""))
