"""The only places where a command writes: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

__all__ = ["emit_json", "say", "show", "show_names"]


def emit_json(value: Any) -> None:
    """Write `value` to stdout as indented JSON, and nothing else."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def show(*parts: RenderableType) -> None:
    """Write tables or lines to stdout, coloured where that is a terminal."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    for part in parts:
        console.print(part)


def show_names(rows: Sequence[tuple[str, str]], *, as_json: bool) -> None:
    """Write names and what they stand for to stdout: one name per line, or a JSON object."""
    if as_json:
        emit_json(dict(rows))
        return
    width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        sys.stdout.write(f"{name:<{width}}  {text}".rstrip() + "\n")


def say(text: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(text + "\n")
