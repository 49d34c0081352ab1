"""The door: an answer, and what was asked for, to a program with the rule that found it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codesample.records import Extraction

__all__ = ["Wanted", "extract"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an answer was asked for.

    Attributes:
        shape: "function" or "class" that defines `name`; "script", a program that reads its input; or
            "expression", a value or call in one line.
        name: Name that the program must define; None where the task states none.
        prompt: Python that the answer may continue or repeat: imports, helpers, signature, docstring; "" for
            a prompt in words.
        prefill: Beginning of the answer that was given to the model and that the answer goes on with.
    """

    shape: Literal["function", "class", "script", "expression"] = "function"
    name: str | None = None
    prompt: str = ""
    prefill: str = ""


def extract(answer: str, wanted: Wanted) -> Extraction:
    """Return the program that `answer` holds; never fails, whatever the answer is.

    Args:
        answer: What the model wrote, behind `wanted.prefill`.
        wanted: What it was asked for.
    """
    return Extraction(answer, "whole", ((0, len(answer)),) if answer else ())
