"""What another tool's file says of a candidate besides its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["Origin"]


@validated
@dataclass(frozen=True, slots=True)
class Origin:
    """What a file of another tool says of one candidate. Only reports and exports use it.

    Attributes:
        task_id, index: Which candidate.
        where: Its place in the file, such as "samples.jsonl:12".
        name: How the file calls the problem, where it does so otherwise than the task.
        passed: The other tool's verdict; None where the file holds none.
        said: That verdict in the tool's words, such as "failed: NameError".
        share: Of the problem's candidates, how many passed there, where the file says no more than that.
        answer: What the model wrote, where the tool made another text of it that is run.
        fields: What else the file holds; plain JSON data.
    """

    task_id: str
    index: int
    where: str = ""
    name: str | int | None = None
    passed: bool | None = None
    said: str = ""
    share: float | None = None
    answer: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    __repr__ = one_line

    @property
    def tells(self) -> bool:
        """Whether there is anything to keep."""
        known = (self.name, self.passed, self.share, self.answer)
        return bool(self.said or self.fields) or any(each is not None for each in known)
