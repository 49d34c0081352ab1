"""A problem's description without its examples, which whoever is to write tests could copy."""

from __future__ import annotations

import re

from codesample.records import PublicView

__all__ = ["shown_without_examples"]

_PROMPT, _QUOTES = ">>>", ('"""', "'''")
_DEFINITION = re.compile(r"\s*(?:async\s+)?(?:def|class)\b")
_HEADING = re.compile(
    r"^\W*(?:for\s+)?(?:examples?|e\.g\.|sample (?:input|output|test|case)s?)\b.{0,12}$", re.I
)
_REFERENCE_TO_TESTS = re.compile(
    r"[^.\n]*\b(?:should|must)\s+(?:pass|satisfy)\s+(?:these|this|the\s+following)\s+tests?\W*$|^\[BEGIN\]$",
    re.I | re.M,
)
_SCRIPT_EXAMPLE = re.compile(r"^\W*(?:sample|example|examples)\b.*$|^\W*-{2,}\s*(?:example|sample).*$", re.I)


def shown_without_examples(view: PublicView) -> str:
    """Return the description of a problem without the lines that show examples."""
    text = view.description or view.prompt
    if view.entry_point is None:
        return _without_script_examples(text, view)
    lines = text.split("\n")
    kept: list[str] = []
    called = re.compile(rf"(?<![\w.]){re.escape(view.entry_point)}\s*\(")
    shown = within = False
    for line in lines:
        begins = line.lstrip().startswith(_PROMPT)
        within = begins or (within and bool(line.strip()) and not line.lstrip().startswith(_QUOTES))
        remark = shown and line.lstrip().startswith("#")
        if within or remark:
            continue
        shown = bool(called.search(line)) and not _DEFINITION.match(line)
        left = _before_call(line, called) if shown else line
        if left.strip() or not line.strip():
            kept.append(left)
    return _tidied("\n".join(kept))


def _before_call(line: str, called: re.Pattern[str]) -> str:
    """Return what stands on a line before an example, without words that led to it; "" where that is all.

    A docstring that ends on the line still ends there.
    """
    found = called.search(line)
    before = line[: found.start()] if found else line
    opening = re.match(r'\s*(?:[rR]?"""|[rR]?\'\'\')', before)
    end = next((mark for mark in ('"""', "'''") if found and mark in line[found.end() :]), "")
    words = re.sub(r"(?:\b(?:for\s+)?examples?|\be\.g\.|\bassert|\bi\.e\.)?[\s:,(]*$", "", before, flags=re.I)
    if not re.search(r"[a-z]{3}", words, re.I) and not opening:
        words = ""
    indent = line[: len(line) - len(line.lstrip())]
    return f"{words or (indent if end else '')}{end}"


def _without_script_examples(text: str, view: PublicView) -> str:
    """Leave out the inputs and outputs of a script's examples, and what follows a heading of examples."""
    for each in view.examples:
        for part in (getattr(each, "input", ""), getattr(each, "output", "")):
            if len(part.strip()) > 1:
                text = text.replace(part.strip("\n"), "...")
    lines = text.split("\n")
    return "\n".join(line for line in lines if not (_SCRIPT_EXAMPLE.match(line) and len(line) < 60)).strip()


def _tidied(text: str) -> str:
    """Leave out headings of examples that are gone, and more than one empty line at a time."""
    lines = [line for line in text.split("\n") if not _HEADING.match(line)]
    text = _REFERENCE_TO_TESTS.sub("", "\n".join(lines))
    return re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", text)
