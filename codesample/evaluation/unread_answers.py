"""Notices where texts that are run as programs look like answers, which ought to be read first."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence

from codesample.evaluation.problem_set import ProblemSet
from codesample.records import Candidate

__all__ = ["notice_unread_answers"]

_MOST_PARSED = 400
_MOSTLY = 0.5
_FENCE = re.compile(r"^[ \t]*(```|~~~)", re.MULTILINE)
_THINKING = re.compile(r"</?think(ing)?>|<\|channel\|>")
_END_MARK = re.compile(r"(<\|[a-z_]+\|>|</s>|<eos>|<end_of_turn>|<｜[^｜]+｜>)\s*\Z")
_KINDS = (
    (_FENCE, "Markdown fences"),
    (_THINKING, "thinking parts"),
    (_END_MARK, "a model's end-of-text mark behind the code"),
)


def notice_unread_answers(chosen: ProblemSet, candidates: Sequence[Candidate]) -> list[str]:
    """Say it where many texts hold what no program does, and most of those are no Python as they are.

    At most four hundred of them are parsed, evenly spread.
    """
    notices = []
    for pattern, kind in _KINDS:
        marked = [each for each in candidates if pattern.search(each.completion)]
        tried = marked[:: max(1, -(-len(marked) // _MOST_PARSED))]
        broken = sum(not _parses(program) for _, program in chosen.assembled(tried))
        if broken > _MOSTLY * len(tried) and len(marked) * 20 >= len(candidates):
            parsed = (
                f"{broken} of them" if len(tried) == len(marked) else f"{broken} of {len(tried)} looked at"
            )
            notices.append(
                f"{len(marked)} of {len(candidates)} samples hold {kind}, and {parsed} are no Python as they "
                "are; to read programs out of answers: --extract"
            )
    return notices


def _parses(program: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
