"""Lines of pages: labels with wrapped text, and code with colours, whatever it holds."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pygments.token import Comment, Error, Keyword, Name, Number, Operator, String, Token
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.syntax import ANSISyntaxTheme, Syntax
from rich.text import Text

from codesample.reports.visible import safe

__all__ = ["LABEL", "LabelledLine", "Surface", "code_lines", "cut", "labelled", "lines_of_spans"]

LABEL = 12
"""Columns of a label."""

# of what is shown of a text; all of it is in the JSON
_MOST_LINES, _MOST_CHARACTERS = 400, 400

# on dark as on light backgrounds: neither white nor black, nor the darkest or lightest of the eight
_COLOURS = ANSISyntaxTheme(
    {
        Token: Style(),
        Comment: Style(dim=True),
        Keyword: Style(color="magenta"),
        Operator.Word: Style(color="magenta"),
        Name.Builtin: Style(color="cyan"),
        Name.Function: Style(bold=True),
        Name.Class: Style(bold=True),
        Name.Decorator: Style(color="cyan"),
        Number: Style(color="cyan"),
        String: Style(color="green"),
        Error: Style(),
    }
)


@dataclass(frozen=True, slots=True)
class Surface:
    """What a page is shown on.

    Attributes:
        width: In columns.
        plain: Whether it takes ASCII only.
        styled: Whether it shows colours or underlines.
    """

    width: int = 80
    plain: bool = False
    styled: bool = True

    def safe(self, text: str) -> str:
        """Return text that can be shown here; see `codesample.reports.visible.safe`."""
        return safe(text, ascii_only=self.plain)

    def line(self, text: str) -> str:
        """Return safe text on one line: line ends and tabs are blanks."""
        return self.safe(text.replace("\n", " ").replace("\t", " "))


class LabelledLine:
    """A label with a text, which a terminal gets wrapped behind the label, and a file as one line."""

    def __init__(self, markup: str) -> None:
        self._text = Text.from_markup(markup)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines."""
        label, text = self._text.divide([LABEL])
        parts, room = [text], options.max_width - LABEL
        # a path is never broken
        if options.is_terminal and max(map(len, text.plain.split()), default=0) <= room:
            parts = list(text.wrap(console, room, no_wrap=False))
        for number, part in enumerate(parts):
            part.rstrip()
            yield Text.assemble(label if number == 0 else " " * LABEL, part)


def labelled(label: str, text: str, surface: Surface, style: str = "") -> Iterator[Text]:
    """Yield a label and a text behind it, wrapped; its further lines stand below its first.

    Args:
        text: Not yet safe; on one line.
        style: Of the text.
    """
    room = max(20, surface.width - LABEL)
    shown = textwrap.wrap(surface.line(text), room, break_on_hyphens=False) or [""]
    for number, part in enumerate(shown):
        line = Text(f"{label if number == 0 else '':<{LABEL}}", style="bold" if number == 0 else "")
        yield Text.assemble(line, (part, style))


def cut(text: str, most: int) -> str:
    """Return a text of at most so many characters, and how many more there are."""
    return text if len(text) <= most else f"{text[:most]} ... {len(text) - most:,} more characters"


def lines_of_spans(text: str, spans: Sequence[tuple[int, int]]) -> set[int]:
    """Return which lines of a text, from 0, hold a character of one of the spans."""
    found: set[int] = set()
    for begin, end in spans:
        if begin < end:
            first = text.count("\n", 0, begin)
            found.update(range(first, first + text.count("\n", begin, end - 1) + 1))
    return found


def code_lines(
    text: str,
    surface: Surface,
    *,
    python: bool = True,
    numbered: bool = False,
    marked: Collection[int] | None = None,
    most: int = _MOST_LINES,
) -> Iterator[Text]:
    """Yield a text line by line, indented, each as it is but for what could steer a terminal.

    Args:
        python: Whether to colour it as such.
        numbered: Whether lines have numbers, from 1.
        marked: Lines, from 0, that get a mark; the others are dim. None marks none.
        most: Lines that are shown; a last line says how many more there are.
    """
    lines = text.split("\n")
    # the last line feed ends a line and begins none
    if lines[-1] == "" and len(lines) > 1:
        lines.pop()
    shown = [surface.safe(cut(line, _MOST_CHARACTERS)) for line in lines[:most]]
    width = len(str(len(shown)))
    for number, content in enumerate(_coloured(shown) if python else map(Text, shown)):
        edge = f"{number + 1:>{width}} " if numbered else ""
        taken = marked is None or number in marked
        edge += "| " if marked is None else ("> " if taken else "  ")
        if not taken:
            content.stylize("dim")
        line = Text.assemble("  ", (edge, "dim" if not taken or marked is None else "bold"), content)
        line.rstrip()
        yield line
    if len(lines) > most:
        yield Text(f"  ... {len(lines) - most:,} more lines", style="dim")


def _coloured(lines: Sequence[str]) -> Sequence[Text]:
    """Return lines of Python with their colours; plain ones where the colours would change the text."""
    expanded = [line.expandtabs(4) for line in lines]
    found = Syntax("", "python", theme=_COLOURS).highlight("\n".join(expanded)).split("\n", allow_blank=True)
    kept = list(found)[: len(expanded)]
    if [each.plain for each in kept] != expanded:
        return [Text(line) for line in expanded]
    return kept
