"""How problems are put to a model, and what becomes of what it writes: the base form and the chat form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from codesample.errors import ParameterError
from codesample.extraction import Wanted, extract
from codesample.records import Candidate, Extraction, Message, Problem, Prompt
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["FENCE", "FENCE_END", "ChatForm", "PromptForm", "Style", "as_it_is", "function_wanted"]

Style = Literal["base", "chat"]

FENCE = "```python\n"
"""What an answer begins with where its beginning is given to the model."""

FENCE_END = "\n```"
"""What ends an answer that began inside of a fence."""


def function_wanted(problem: Problem) -> Wanted:
    """Say what an answer to a problem of HumanEval's form is: the function, or what continues its prompt."""
    return Wanted("function", name=problem.entry_point, prompt=problem.prompt)


def as_it_is(problem: Problem, program: str) -> str:
    """Finish a program by adding nothing: what was written is what is run."""
    return program


@validated
@dataclass(frozen=True, slots=True)
class ChatForm:
    """How a task is put to a chat model: one turn of the user's.

    Attributes:
        version: Changes with the wording, the beginning of answers or what is read from them.
        source: Whose wording it is, or what it follows, as a citation.
        ask: Makes the user's turn. What all problems share stands first: it is stored once. A problem that
            brings messages is put as those.
        wanted: Says what an answer is to hold.
        prefill: Beginning of the answer, for where that is asked for; one that opens a fence makes the
            fence's end the end of the answer.
        max_new_tokens: Default limit per candidate, in tokens.
    """

    version: str
    source: str
    ask: Callable[[Problem], str]
    wanted: Callable[[Problem], Wanted]
    prefill: str = FENCE
    max_new_tokens: int = 1024

    __repr__ = one_line


@validated
@dataclass(frozen=True, slots=True, kw_only=True)
class PromptForm:
    """The way from problems to prompts, and from what a model wrote to programs; see `Task.form`.

    Attributes:
        style: "base": a text to continue. "chat": messages to answer.
        version: Of the chat form; "" for the base form, which the task's own version covers.
        ask: Makes the prompt of a problem.
        read: Makes a program of a problem and what was written for it.
        stop: Strings that end a candidate.
        max_new_tokens: Default limit per candidate, in tokens.
        system: The system turn, or None.
        prefill: Beginning of the answer that every prompt ends with; "" for none.
        finish: As `Task.finish`; for programs that were given as such, since `read` sees to all others.
    """

    style: Style
    ask: Callable[[Problem], Prompt]
    read: Callable[[Problem, str], Extraction]
    stop: tuple[str, ...]
    max_new_tokens: int
    version: str = ""
    system: str | None = None
    prefill: str = ""
    finish: Callable[[Problem, str], str] = as_it_is

    __repr__ = one_line

    def assembled(
        self, candidates: Iterable[Candidate], problems: Mapping[str, Problem]
    ) -> Iterator[tuple[Candidate, str]]:
        """Yield each candidate, with the rule and the spans that led to its program, and that program.

        A candidate that brings a program of its own, such as a recorded solution, is run as that, finished.

        Args:
            problems: By task id.
        """
        for candidate in candidates:
            problem = problems[candidate.task_id]
            if candidate.program is None:
                found = self.read(problem, candidate.completion)
                candidate, program = replace(candidate, rule=found.rule, spans=found.spans), found.program
            else:
                program = self.finish(problem, candidate.program)
            yield candidate, program

    def as_json(self) -> dict[str, Any]:
        """Return what a run records of it: runs of two forms are two runs."""
        return {
            "style": self.style,
            "version": self.version,
            "system": self.system,
            "prefill": self.prefill,
        }

    @classmethod
    def chat(
        cls,
        form: ChatForm,
        *,
        system: str | None = None,
        prefill: bool = False,
        finish: Callable[[Problem, str], str] = as_it_is,
    ) -> PromptForm:
        """Return the chat form with a system turn and with the beginning of answers, as asked for."""
        beginning = form.prefill if prefill else ""

        def ask(problem: Problem) -> Prompt:
            turns = problem.messages or (Message("user", form.ask(problem)),)
            if system is not None:
                if turns[0].role == "system":
                    raise ParameterError(
                        f"system: {problem.task_id} begins with a system turn of its own; leave --system out"
                    )
                turns = (Message("system", system), *turns)
            begun = _begun(problem)
            if "```" in beginning and begun and "```" not in begun:
                # a fence's end would be the end of an answer that has yet to open one
                raise ParameterError(
                    f"prefill: messages of {problem.task_id} begin the answer without a fence; leave it out"
                )
            return turns if begun or not beginning else (*turns, Message("assistant", beginning))

        def read(problem: Problem, answer: str) -> Extraction:
            found = extract(answer, replace(form.wanted(problem), prefill=_begun(problem) or beginning))
            return replace(found, program=finish(problem, found.program))

        return cls(
            style="chat",
            version=form.version,
            ask=ask,
            read=read,
            stop=(FENCE_END,) if "```" in beginning else (),
            max_new_tokens=form.max_new_tokens,
            system=system,
            prefill=beginning,
            finish=finish,
        )


def _begun(problem: Problem) -> str:
    """Return the beginning of the answer that a problem's own messages end with, or ""."""
    last = problem.messages[-1] if problem.messages else None
    return last.content if last and last.role == "assistant" else ""
