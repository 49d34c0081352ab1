"""What the page of all tasks says of one, beside what the task itself shows without its data."""

from __future__ import annotations

from dataclasses import dataclass

from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["TaskFacts"]


@validated
@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    """Facts of a data set; all of them may be left out.

    Attributes:
        summary: What is asked, in a sentence.
        problems: How many are evaluated; None where the file decides.
        entries: How many the data hold, those outside of the evaluated split included; None as there.
        split: Which of the data's splits is evaluated; "" where they have none.
        hub_id: Of the data on the hub, with the configuration behind a comma; "" where they are not there.
        files: Names of the published files that `--data` takes.
        licence: Of the data.
        prompt: How the base form's prompt is made, in a sentence.
        tests: What judges, in a sentence.
        traps: What goes wrong easily with these data, and what is done about it; a sentence or two each.
        limits: What bounds a program here, and what the figures do not say.
    """

    summary: str = ""
    problems: int | None = None
    entries: int | None = None
    split: str = ""
    hub_id: str = ""
    files: tuple[str, ...] = ()
    licence: str = ""
    prompt: str = ""
    tests: str = ""
    traps: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    __repr__ = one_line
