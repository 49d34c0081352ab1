"""`codesample list`: which names there are."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from codesample.cli import options
from codesample.cli.output import show_names

__all__ = ["Kind", "run"]


class Kind(StrEnum):
    """What can be listed."""

    TASKS = "tasks"
    RERANKERS = "rerankers"
    ENGINES = "engines"
    POLICIES = "policies"
    MODELS = "models"


def run(kind: Annotated[Kind, typer.Argument(help="What to list.")], json: options.Json = False) -> None:
    """List the tasks, rerankers, engines, policies or models that can be named."""
    from codesample.reports import inventory

    rows = {
        Kind.TASKS: inventory.tasks,
        Kind.RERANKERS: inventory.rerankers,
        Kind.ENGINES: inventory.engines,
        Kind.POLICIES: inventory.policies,
        Kind.MODELS: inventory.models,
    }[kind]()
    show_names(rows, as_json=json)
