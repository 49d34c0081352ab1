"""What a Ray cluster offers a run, node by node: resources, versions, and how programs are isolated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codesample.distributed.node_probe import NodeReport, node_reports
from codesample.distributed.ray_cluster import connected
from codesample.execution import Level

__all__ = ["ClusterHealth", "cluster_health"]


@dataclass(frozen=True, slots=True)
class ClusterHealth:
    """What was found.

    Attributes:
        address: That was asked for.
        ray: Version.
        nodes: Each node.
    """

    address: str
    ray: str
    nodes: tuple[NodeReport, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it all as plain JSON data."""
        nodes = [each.as_json() for each in self.nodes]
        return {"address": self.address, "ray": self.ray, "nodes": nodes}

    def lines(self) -> list[tuple[str, str]]:
        """Return it all as names with a text each."""
        cpus, gpus = (sum(getattr(each.node, name) for each in self.nodes) for name in ("cpus", "gpus"))
        rows = [
            ("ray", f"{self.ray}, cluster at {self.address}"),
            ("nodes", f"{len(self.nodes)}, with {cpus:g} CPUs and {gpus:g} GPUs to give away"),
        ]
        for each in self.nodes:
            node = each.node
            rows.append((node.address, f"{node.cpus:g} CPUs, {node.gpus:g} GPUs  {node.id[:8]}"))
            if each.facts is not None:
                versions = (f"{name} {number or '-'}" for name, number in each.facts.versions.items())
                rows.append(("  versions", ", ".join(versions)))
                rows.append(("  processor", f"{each.facts.cpu}, {each.facts.cores} cores usable"))
            if each.isolation is not None:
                weak = each.isolation.level < Level.CONFINED
                advice = "; left out unless --allow-weak-isolation is given" if weak else ""
                rows.append(("  isolation", each.isolation.level.label + advice))
            if each.trouble:
                rows.append(("  left out", each.trouble))
        return rows


def cluster_health(address: str) -> ClusterHealth:
    """Look at every node of the cluster at an address; raises ParameterError as `connected`."""
    with connected(address) as cluster:
        return ClusterHealth(address, cluster.version, tuple(node_reports(cluster)))
