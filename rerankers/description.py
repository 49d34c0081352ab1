"""What a reranker's own text says of it, field by field: the form of docstrings that tables are made of.

A docstring begins with one line on what the score is, goes on as it likes, and ends with lines such as
`Source: arXiv:2107.03374`, one for each of `FIELDS`. A line that is indented further continues one.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from codesample.rerankers.contract import Reranker

__all__ = ["FIELDS", "Description", "describe_reranker"]

FIELDS = ("formula", "source", "needs", "cost", "leaning")


@dataclass(frozen=True, slots=True)
class Description:
    """A docstring taken apart; a field that it does not have is "".

    Attributes:
        summary: The first line.
        text: What stands between it and the fields.
        formula: Of the score.
        source: A citation.
        needs: Abilities, and what else.
        cost: What it takes for each problem, n its candidates.
        leaning: What it prefers for no good reason, and where it goes wrong.
    """

    summary: str = ""
    text: str = ""
    formula: str = ""
    source: str = ""
    needs: str = ""
    cost: str = ""
    leaning: str = ""


def describe_reranker(reranker: Reranker) -> Description:
    """Return what a reranker's docstring says of it."""
    lines = inspect.cleandoc(reranker.__doc__ or "").splitlines()
    found: dict[str, list[str]] = {"summary": lines[:1], "text": []}
    into = found["text"]
    for line in lines[1:]:
        word, colon, rest = line.partition(":")
        if colon and word.lower() in FIELDS and word.istitle():
            into = found[word.lower()] = [rest.strip()]
        elif line[:1].isspace() or into is found["text"]:
            into.append(line.strip() if into is not found["text"] else line)
        else:
            into = found["text"]
            into.append(line)
    joined = {
        name: "\n".join(each).strip() if name == "text" else " ".join(each) for name, each in found.items()
    }
    return Description(**joined)
