"""`codesample doctor`: what this machine offers."""

from __future__ import annotations

from codesample.cli import options
from codesample.cli.output import emit_json, show_names

__all__ = ["run"]


def run(json: options.Json = False) -> None:
    """Report versions, devices and how far programs can be isolated here, found by trying."""
    from codesample.reports.health import health

    found = health()
    if json:
        emit_json(found.as_json())
    else:
        show_names(found.lines(), as_json=False)
