"""What an answer was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["Wanted"]


@validated
@dataclass(frozen=True, slots=True)
class Wanted:
    """What an answer was asked for.

    Attributes:
        shape: "function" or "class" that defines `name`; "script", a program that reads its input; or
            "expression", a value or call in one line: a call of `name` where that is given, else a value.
        name: Name that the program must define; None where the task states none.
        prompt: Python that the answer may continue or repeat: imports, helpers, signature, docstring; "" for
            a prompt in words.
        prefill: Beginning of the answer that was given to the model and that the answer goes on with.
    """

    shape: Literal["function", "class", "script", "expression"] = "function"
    name: str | None = None
    prompt: str = ""
    prefill: str = ""

    __repr__ = one_line
