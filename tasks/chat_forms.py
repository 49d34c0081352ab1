"""How problems are put to chat models: one turn that asks for the whole code in a Markdown block.

What all problems of a form share stands first, so that it is read and stored once. The wordings are our own.
They follow EvalPlus 0.3.1 in what they ask for: one turn without examples, a self-contained program in a
Markdown block, the prompt itself in a fence.
"""

from __future__ import annotations

from codesample.extraction import Wanted
from codesample.records import Problem, ScriptTests
from codesample.tasks.prompt_form import ChatForm, function_wanted

__all__ = ["ANSWER", "COMPLETE", "DOCSTRING", "SOLVE", "complete_turn", "named_wanted", "solve_turn"]

_EVALPLUS = "own wording; asks for what EvalPlus 0.3.1 asks for (arXiv:2305.01210)"
_ANSWER = "Answer with the complete code, its imports included, in one Markdown block of Python.\n\n"
_FENCED = "```python\n{text}\n```\n"


def complete_turn(problem: Problem) -> str:
    """Return the turn that asks for Python to be completed: what the prompt begins, all of it."""
    return f"Complete the Python code below. {_ANSWER}" + _FENCED.format(text=problem.prompt.strip("\n"))


def solve_turn(problem: Problem) -> str:
    """Return the turn that asks for a program in words: those of the problem."""
    return f"Solve the problem below in Python. {_ANSWER}{_words(problem)}\n"


def _docstring_turn(problem: Problem) -> str:
    text = problem.prompt.strip("\n")
    return f"Write the Python code that this docstring asks for. {_ANSWER}" + _FENCED.format(text=text)


def _answer_turn(problem: Problem) -> str:
    asked = "Answer the question below with one Python expression, in one Markdown block of Python."
    return f"{asked}\n\n{_words(problem)}\n"


def _words(problem: Problem) -> str:
    """Return what a person would read: no examples that a base model is shown first."""
    return (problem.description or problem.prompt.removeprefix(problem.header)).strip()


def named_wanted(problem: Problem) -> Wanted:
    """Say what an answer to a problem in words is: the function asked for, or a script."""
    if isinstance(problem.tests, ScriptTests):
        return Wanted("script")
    return Wanted("function", name=problem.entry_point)


COMPLETE = ChatForm(version="complete-1", source=_EVALPLUS, ask=complete_turn, wanted=function_wanted)
"""For prompts that are Python up to the body of a function: HumanEval's form."""

DOCSTRING = ChatForm(version="docstring-1", source=_EVALPLUS, ask=_docstring_turn, wanted=named_wanted)
"""For prompts that are a docstring alone: the form of MBPP+."""

SOLVE = ChatForm(version="solve-1", source="own wording", ask=solve_turn, wanted=named_wanted)
"""For prompts in words."""

ANSWER = ChatForm(
    version="answer-1",
    source="own wording",
    ask=_answer_turn,
    wanted=lambda problem: Wanted("expression"),
)
"""For questions that are answered by a value."""
