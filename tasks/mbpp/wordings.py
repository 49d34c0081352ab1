"""How a problem of MBPP is put to a model: published with three examples, as a docstring, or as a turn."""

from __future__ import annotations

from collections.abc import Sequence

from codesample.records import Problem
from codesample.tasks.chat_forms import named_wanted
from codesample.tasks.prompt_form import ChatForm

__all__ = ["CHAT", "SENTENCE", "docstring", "question"]

SENTENCE = "sentence"
"""Key of a problem's metadata: what is asked for, in the data set's own words."""

_QUESTION = (
    "You are an expert Python programmer, and here is your task: {sentence} "
    "Your code should pass these tests:\n\n{tests}\n[BEGIN]\n"
)
_TURN = (
    "Write Python code for the task below. Answer with the complete code, its imports included, in one "
    "Markdown block of Python.\n\n"
    "{sentence}\n\n"
    "{name}The code has to pass {these}:\n\n"
    "```python\n{tests}\n```\n"
)


def question(sentence: str, tests: Sequence[str]) -> str:
    """Return the published wording of one question, examples apart: README of the data."""
    return _QUESTION.format(sentence=sentence, tests="\n".join(tests))


def docstring(sentence: str, tests: Sequence[str]) -> str:
    """Return the sentence and the asserts as a docstring that stands before the code.

    Braces and backslashes stay as they are; so does what the text is made of in the recorded generations of
    bigcode-evaluation-harness.
    """
    return "\n".join(('"""', sentence, *tests, '"""', ""))


def _turn(problem: Problem) -> str:
    tests = getattr(problem.tests, "checks", ())
    return _TURN.format(
        sentence=str(problem.metadata[SENTENCE]).strip(),
        name=f"The function is called `{problem.entry_point}`. " if problem.entry_point else "",
        these="this test" if len(tests) == 1 else f"these {len(tests)} tests",
        tests="\n".join(tests),
    )


CHAT = ChatForm(
    version="mbpp-1",
    source="own wording; shows what the published prompt shows (arXiv:2108.07732), without examples",
    ask=_turn,
    wanted=named_wanted,
)
"""One turn with the sentence, the function's name and the asserts."""
