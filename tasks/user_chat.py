"""How a user's own problems are put to chat models, and what is looked for in the answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from codesample.data_files import Entry
from codesample.errors import DataError
from codesample.extraction import Wanted
from codesample.records import Problem, ScriptTests
from codesample.tasks.chat_forms import ANSWER, COMPLETE, SOLVE, named_wanted
from codesample.tasks.function_form import begins_class
from codesample.tasks.prompt_form import ChatForm
from codesample.tasks.user_entry import UserEntry

__all__ = ["CONTINUES", "EXPRESSION", "WHOLE", "user_chat"]

CONTINUES, WHOLE, EXPRESSION = "continues_prompt", "is_program", "is_expression"
"""What a completion is: the field `completion`."""

_WORDS = {
    "function": "a function or a class",
    "script": "a script",
    "expression": "an expression",
}
_SHAPES = ("function", "class", "script", "expression")
_PLAIN = {CONTINUES: COMPLETE, WHOLE: SOLVE, EXPRESSION: ANSWER}
_PLACE = "{prompt}"


def user_chat(
    entries: Sequence[Entry[UserEntry]],
    problems: Sequence[Problem],
    *,
    instruction: str | None,
    form: str,
    source: str,
) -> ChatForm:
    """Return the chat form of a file of problems.

    Args:
        entries: What the problems were made of, in the same order.
        instruction: What stands before each prompt, or holds `{prompt}` where it is to stand; None asks as
            for tasks without a wording of their own.
        form: What a completion is.
        source: Names the file.

    Raises:
        DataError: a shape that there is not, or one that the tests cannot judge.
    """
    wanted = {
        problem.task_id: _wanted(entry, problem, form)
        for entry, problem in zip(entries, problems, strict=True)
    }
    plain = _PLAIN[form]

    def ask(problem: Problem) -> str:
        if instruction is None:
            return plain.ask(problem)
        if _PLACE in instruction:
            return instruction.replace(_PLACE, problem.prompt)
        fence = "```python\n{}\n```\n" if form == CONTINUES else "{}\n"
        return f"{instruction.rstrip()}\n\n" + fence.format(problem.prompt.strip("\n"))

    return ChatForm(
        version=_version(plain.version, instruction, wanted),
        source=source,
        ask=ask,
        wanted=lambda problem: wanted[problem.task_id],
    )


def _wanted(entry: Entry[UserEntry], problem: Problem, form: str) -> Wanted:
    shape = entry.record.shape
    plain = _PLAIN[form].wanted(problem)
    if isinstance(problem.tests, ScriptTests):
        plain = named_wanted(problem)
    if shape is None:
        is_class = form == CONTINUES and begins_class(problem.prompt, problem.entry_point)
        return replace(plain, shape="class") if is_class else plain
    if shape not in _SHAPES:
        raise DataError(f"{entry.where}: shape {shape!r}; expected one of {', '.join(_SHAPES)}")
    if shape not in (("function", "class") if plain.shape == "function" else (plain.shape,)):
        raise DataError(
            f"{entry.where}: shape {shape!r}, but by its tests and its completion an answer is "
            f"{_WORDS[plain.shape]}"
        )
    return replace(plain, shape=shape)  # type: ignore[arg-type]


def _version(plain: str, instruction: str | None, wanted: Mapping[str, Wanted]) -> str:
    """Name the wording and what is looked for: runs of two versions are two runs."""
    shapes = sorted((task_id, each.shape) for task_id, each in wanted.items())
    if instruction is None and all(shape != "class" for _, shape in shapes):
        # told by the tests and the version of the plain form
        return plain
    text = repr((instruction, shapes)).encode("utf-8", "surrogatepass")
    return f"{plain}, file {hashlib.sha256(text).hexdigest()[:12]}"
