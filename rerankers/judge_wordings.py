"""What a model that judges programs is asked, and what is read from its answers; own words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from codesample.records import Message, Prompt

__all__ = ["ask_best", "ask_grade", "ask_ranking", "read_better", "read_grade", "read_ranking"]

_RIGHT = "A program is right if it does what the task asks for on every valid input, also at the edges."
_GRADE = re.compile(r"score\W{0,6}?(-?\d+(?:\.\d+)?)\s*(?:/\s*(\d+))?", re.IGNORECASE)
_NUMBER = re.compile(r"\W{0,6}?(-?\d+(?:\.\d+)?)\s*(?:/\s*(\d+))?")
_RANKING = re.compile(r"ranking\W{0,6}?([A-Z]\b[^\n]*)", re.IGNORECASE)
_LETTERS = re.compile(r"[\s*`(\[\"']*([A-Z])(?![\w'])[\s*`)\]\"']*(>|,|=|;|$|(?=[A-Z](?!\w)))?")
_BETTER = re.compile(r"better\W{0,6}?(a|b|tie)\b", re.IGNORECASE)
_CHOICE = re.compile(r"\W{0,6}?(a|b|tie)\b", re.IGNORECASE)


def ask_grade(task: str, program: str, *, chat: bool) -> Prompt:
    """Ask how likely a program is right, as a number from 0 to 10."""
    if not chat:
        return (
            f"Review of a Python program. {_RIGHT}\n\n{_shown(task, {'': program}, fenced=False)}\n"
            "How likely the program is right, from 0 (surely wrong) to 10 (surely right):"
        )
    return _message(
        f"Judge a Python program. {_RIGHT}\n\n{_shown(task, {'': program}, fenced=True)}\n"
        "Look for an input on which it goes wrong, in a few sentences. Then end with one line `Score: N`, "
        "where N is a number from 0 (surely wrong) to 10 (surely right)."
    )


def ask_ranking(task: str, programs: Mapping[str, str], *, chat: bool) -> Prompt:
    """Ask for the letters of programs, the likeliest to be right first."""
    if not chat:
        return (
            f"Review of Python programs for one task. {_RIGHT}\n\n{_shown(task, programs, fenced=False)}\n"
            f"The letters {', '.join(programs)} in order, from the program that is likeliest to be right to "
            "the least likely, with > between them:"
        )
    return _message(
        f"Compare Python programs for one task. {_RIGHT}\n\n{_shown(task, programs, fenced=True)}\n"
        "Say in a few sentences where they differ and which of them go wrong; their order here means "
        f"nothing. Then end with one line such as `Ranking: {' > '.join(reversed(list(programs)))}`, which "
        "names every letter once, from the program that is likeliest to be right to the least likely."
    )


def ask_best(task: str, first: str, second: str, *, chat: bool) -> Prompt:
    """Ask which of two programs is likelier to be right: A, B or neither."""
    programs = {"A": first, "B": second}
    if not chat:
        return (
            f"Review of two Python programs for one task. {_RIGHT}\n\n"
            f"{_shown(task, programs, fenced=False)}\n"
            "The program that is likelier to be right (A, B or tie):"
        )
    return _message(
        f"Compare two Python programs for one task. {_RIGHT}\n\n{_shown(task, programs, fenced=True)}\n"
        "Look for an input on which one of them goes wrong and the other does not, in a few sentences; their "
        "order here means nothing. Then end with one line, `Better: A`, `Better: B` or `Better: tie`."
    )


def read_grade(answer: str, *, chat: bool) -> float | None:
    """Return the grade that an answer gives, from 0 to 10; None where it gives none."""
    found = _last(_GRADE, answer) if chat else _NUMBER.match(answer)
    if found is None and chat:
        found = _NUMBER.fullmatch(answer.strip().rstrip("."))
    if found is None:
        return None
    grade, of = float(found[1]), found[2]
    return grade if 0 <= grade <= 10 and of in (None, "10") else None


def read_ranking(answer: str, letters: Sequence[str], *, chat: bool) -> list[list[str]] | None:
    """Return the letters that an answer ranks, best first, those it calls equal together; None without any.

    Letters that it repeats count where they come first, and what is no letter of `letters` ends the ranking.
    """
    found = _last(_RANKING, answer) if chat else None
    if found is not None:
        text = found[1]
    else:
        text = (answer.strip().splitlines() or [""])[-1 if chat else 0]
    groups: list[list[str]] = []
    seen: set[str] = set()
    at, equal = 0, False
    while (letter := _LETTERS.match(text, at)) is not None and letter[1] in letters:
        if letter[1] not in seen:
            seen.add(letter[1])
            if equal and groups:
                groups[-1].append(letter[1])
            else:
                groups.append([letter[1]])
        at, equal = letter.end(), letter[2] == "="
        if letter[2] is None:
            break
    return groups or None


def read_better(answer: str, *, chat: bool) -> str | None:
    """Return "A", "B" or "tie" as an answer says; None where it says none of them."""
    found = _last(_BETTER, answer) if chat else _CHOICE.match(answer)
    if found is None and chat:
        found = _CHOICE.fullmatch(answer.strip().rstrip("."))
    if found is None:
        return None
    return "tie" if found[1].lower() == "tie" else found[1].upper()


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """Return where a pattern is found last: what comes before is a thought, or quotes what was asked."""
    return max(pattern.finditer(text), key=lambda found: found.start(), default=None)


def _shown(task: str, programs: Mapping[str, str], *, fenced: bool) -> str:
    parts = [f"Task:\n{task.strip()}\n"]
    for letter, program in programs.items():
        text = program.strip("\n")
        name = f"Program {letter}:" if letter else "Program:"
        parts.append(f"{name}\n```python\n{text}\n```\n" if fenced else f"{name}\n{text}\n")
    return "\n".join(parts)


def _message(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)
