"""What a prompt of the caller's asks for: its words, the Python in it, and the program in what comes back."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from codesample.errors import ParameterError
from codesample.extraction import Wanted, extract
from codesample.records import Candidate, Message, Prompt, PromptLike, prompt_from
from codesample.stops import ends_in_function

__all__ = ["AskedPrompt"]

_FENCED = re.compile(r"^(`{3,}|~{3,})[^\n`]*\n(.*?)^\1[`~]*[ \t]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class AskedPrompt:
    """A prompt that belongs to no task.

    Attributes:
        prompt: For the engine.
        text: What a person reads: the text, or the last message of the user's.
        code: Python up to the body of the function asked for; "" where the prompt shows none.
        entry_point: Name of that function, if it was given.
    """

    prompt: Prompt
    text: str
    code: str
    entry_point: str | None

    @classmethod
    def of(cls, given: PromptLike, entry_point: str | None) -> AskedPrompt:
        """Read what was given.

        Raises:
            ParameterError: it is neither a text nor messages, or the user says nothing in them.
        """
        prompt = prompt_from(given)
        if isinstance(prompt, str):
            return cls(prompt, prompt, prompt, entry_point)
        said = [each.content for each in prompt if each.role == "user"]
        if not said:
            roles = ", ".join(each.role for each in prompt)
            raise ParameterError(f"prompt has messages of {roles} only; expected one of the user's")
        return cls(prompt, said[-1], _code_in(said[-1], entry_point), entry_point)

    @property
    def ends_in_function(self) -> bool:
        """Whether it is a text that a function's lines continue."""
        if not isinstance(self.prompt, str):
            return False
        return ends_in_function(self.prompt) or (self.entry_point is not None and _is_python(self.prompt))

    def with_program(self, candidate: Candidate, assemble: Callable[[str], str] | None) -> Candidate:
        """Return a candidate with its program, made by the caller's function where there is one.

        A text and what continues it are one program; from an answer to messages, it is extracted.
        """
        completion = candidate.completion
        if assemble is not None:
            return replace(candidate, program=assemble(completion))
        if isinstance(self.prompt, str):
            return replace(candidate, program=self.prompt + completion)
        found = extract(completion, self._wanted(self.prompt))
        return replace(candidate, program=found.program, rule=found.rule, spans=found.spans)

    def _wanted(self, messages: tuple[Message, ...]) -> Wanted:
        last = messages[-1]
        begun = last.content if last.role == "assistant" else ""
        return Wanted("function", name=self.entry_point, prompt=self.code, prefill=begun)


def _is_python(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _code_in(text: str, entry_point: str | None) -> str:
    """Return the first Python that defines `entry_point` in a text: all of it, or what stands in a fence."""
    if entry_point is None:
        return ""
    return next((code for code in _pieces(text) if _defines(code, entry_point)), "")


def _pieces(text: str) -> Iterator[str]:
    yield text
    yield from (found[2] for found in _FENCED.finditer(text))


def _defines(code: str, name: str) -> bool:
    # a signature alone becomes a function with a body
    for source in (code, code.rstrip() + "\n    pass\n"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                body = ast.parse(source).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        defined = [each for each in body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
        if name in (each.name for each in defined):
            return True
    return False
