"""`codesample doctor`: what this machine offers, or each node of a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from codesample.cli import options
from codesample.cli.output import emit_json, results_alone, show_names

__all__ = ["run"]

Ray = Annotated[
    str | None, typer.Option(help="Look at the nodes of this Ray cluster instead.", metavar="ADDRESS|auto")
]


def run(json: options.Json = False, ray: Ray = None) -> None:
    """Report versions, devices and how far programs can be isolated here, found by trying."""
    from codesample.reports.cluster_health import ClusterHealth, cluster_health
    from codesample.reports.health import Health, health

    with results_alone():
        found: Health | ClusterHealth = health() if ray is None else cluster_health(ray)
    if json:
        emit_json(found.as_json())
    else:
        show_names(found.lines(), as_json=False)
