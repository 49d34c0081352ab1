"""What is known of samples that were not made by a run here, and what each form of files promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from codesample.foreign.document import Document
from codesample.records import Candidate, Origin, Problem, Verdict

__all__ = ["Form", "Sample", "Writing", "Written"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample as a file holds it; which problem of a task it belongs to is settled later.

    Attributes:
        task: The problem as the file calls it; or its position in the data set, where `by_position`.
        completion: The text that continues the prompt, or the answer.
        where: Its place in the file.
        index: Which candidate of the problem; None takes the next one.
        program: The whole program, where the file holds it.
        answer: What the model wrote, where that is another text than `completion`.
        passed: The other tool's verdict.
        said: That verdict in the tool's words.
        share: Of the problem's samples, how many passed; for files that say no more.
        own: Fields of `Candidate` that this toolkit wrote.
        fields: What else stands there; plain JSON data.
        by_position: Whether `task` is a position.
        size: How many problems the file gives by position.
    """

    task: str | int
    completion: str
    where: str
    index: int | None = None
    program: str | None = None
    answer: str | None = None
    passed: bool | None = None
    said: str = ""
    share: float | None = None
    own: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    by_position: bool = False
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """One form of files.

    Attributes:
        name: Of the tool that writes it, as people call it.
        holds: Tells from its content whether a document is of this form; never raises.
        read: Yields its samples; with True, verdicts of the larger set of tests are wanted, where the tool
            gives two. Raises DataError with the place for what is malformed.
        figures: The tool's own figures over all samples, by name; none where the file holds none.
    """

    name: str
    holds: Callable[[Document], bool]
    read: Callable[[Document, bool], Iterator[Sample]]
    figures: Callable[[Document, bool], Mapping[str, float]] = lambda document, plus: {}


@dataclass(frozen=True, slots=True)
class Written:
    """One candidate on its way into another tool's file.

    Attributes:
        candidate: With its program.
        completion: What makes, behind the problem's prompt, the program or one that does the same.
        verdict: Of this toolkit, where there is one.
        origin: What the file that it was read from said, where it came from one.
    """

    candidate: Candidate
    completion: str
    verdict: Verdict | None = None
    origin: Origin | None = None

    @property
    def program(self) -> str:
        """The text that is run."""
        return self.candidate.program or ""

    @property
    def answer(self) -> str:
        """What the model wrote."""
        kept = self.origin.answer if self.origin else None
        return self.candidate.completion if kept is None else kept

    @property
    def name(self) -> str | int:
        """How the problem is called where the candidate comes from."""
        kept = self.origin.name if self.origin else None
        return self.candidate.task_id if kept is None else kept

    @property
    def fields(self) -> Mapping[str, Any]:
        """What else stood where the candidate comes from."""
        return self.origin.fields if self.origin else {}


@dataclass(frozen=True, slots=True)
class Writing:
    """All that is written into another tool's file.

    Attributes:
        task, model: Names, for forms that state them.
        problems: Every problem of the task, in its order, each with its candidates in theirs; most forms
            leave out those without any.
    """

    task: str
    model: str
    problems: Sequence[tuple[Problem, Sequence[Written]]]

    def rows(self) -> Iterator[tuple[Problem, Written]]:
        """Yield every candidate, problem by problem."""
        for problem, candidates in self.problems:
            for each in candidates:
                yield problem, each
