"""What one sample was asked for: its problem, and the way from what the model wrote to a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from codesample.errors import ParameterError
from codesample.evaluation.problem_set import ProblemSet
from codesample.records import Problem
from codesample.sampling.stopping import StopSearch
from codesample.tasks.prompt_form import PromptForm, Style

__all__ = ["Asked", "Source", "answer_text", "is_conversation", "style_of"]


class Asked(NamedTuple):
    """A problem as it was put to the model.

    Attributes:
        problem: With its hidden tests.
        form: Makes the program.
        unfit: Why nothing it earned would mean anything, or "".
    """

    problem: Problem
    form: PromptForm
    unfit: str = ""

    def program(self, written: str) -> tuple[str, str]:
        """Return the program to run for what a model wrote, and the rule by which it was found.

        A trainer stops at the model's own end token, so a text to continue is cut at the form's stops here.
        """
        if self.form.style == "base":
            search = StopSearch(self.form.stop, lambda: self.problem.prompt)
            stop = search.find(written, 0)
            written = written if stop is None else written[: stop.at]
        found = self.form.read(self.problem, written)
        return found.program, found.rule


class Source(Protocol):
    """Finds what samples were asked for."""

    @property
    def chosen_sets(self) -> Sequence[ProblemSet]:
        """The problems of tasks among which it finds them; none where rows bring their own."""
        ...

    def asked(self, row: Mapping[str, Any], prompt: Any, *, conversation: bool) -> Asked:
        """Return what one sample was asked for.

        Args:
            row: Its columns of the data set.
            prompt: What the model was given, as far as the trainer says it; else None.
            conversation: Whether the model answered with messages.

        Raises:
            CodesampleError: the columns name no problem and hold none; says what was looked for.
        """
        ...


def is_conversation(given: Any) -> bool:
    """Whether a prompt or completion is a list of messages."""
    return isinstance(given, Sequence) and not isinstance(given, str)


def answer_text(completion: Any) -> str:
    """Return what the model wrote: a text as it is, of messages the content of the last one.

    Raises:
        ParameterError: it is neither.
    """
    if isinstance(completion, str):
        return completion
    if is_conversation(completion) and all(isinstance(each, Mapping) for each in completion):
        return _content(completion[-1].get("content")) if completion else ""
    raise ParameterError(
        f"a completion is {type(completion).__name__}; expected a text, or a list of messages with role and "
        "content"
    )


def _content(content: Any) -> str:
    if isinstance(content, Sequence) and not isinstance(content, str):
        return "".join(str(each.get("text") or "") for each in content if isinstance(each, Mapping))
    # an answer that is nothing but calls of tools has none
    return content if isinstance(content, str) else ""


def style_of(asked_for: Style | None, *, conversation: bool, continued: bool) -> Style:
    """Return the form that a sample was put in: as asked for, or as what was given and written shows.

    Args:
        continued: Whether the prompt is the text that the base form gives to be continued.
    """
    if asked_for is not None:
        return asked_for
    return "base" if continued and not conversation else "chat"
