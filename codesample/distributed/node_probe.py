"""Looks at every node of a cluster: versions, cores, and how far programs can be kept apart there."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Any

from codesample.distributed.cluster import ActorLostError, Cluster
from codesample.distributed.mailbox import Failure
from codesample.distributed.node_facts import NodeFacts, here
from codesample.distributed.placement import Node
from codesample.execution import Isolation, probe_isolation

__all__ = ["NodeActor", "NodeReport", "node_reports"]

LOOK_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What was found on a node.

    Attributes:
        node: Which.
        facts: Of the machine; None where nothing could be run there.
        isolation: The strongest that was granted; None where none is, or nothing could be run there.
        trouble: Why work of this driver cannot be done there; "" where it can.
    """

    node: Node
    facts: NodeFacts | None
    isolation: Isolation | None
    trouble: str

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {
            "id": self.node.id,
            "address": self.node.address,
            "cpus": self.node.cpus,
            "gpus": self.node.gpus,
            **(self.facts.as_json() if self.facts else {}),
            "isolation": self.isolation.as_json() if self.isolation else None,
            "trouble": self.trouble,
        }


class NodeActor:
    """Looks at the node that it is on."""

    def look(self) -> tuple[NodeFacts, Isolation | Failure]:
        """Return what the machine is, and what isolation it grants."""
        try:
            return here(), probe_isolation()
        except Exception as error:
            return here(), Failure.of(error)


def node_reports(cluster: Cluster, *, seconds: float = LOOK_SECONDS) -> list[NodeReport]:
    """Look at every node; one that does not answer in time is reported as that."""
    nodes = cluster.nodes()
    actors = [cluster.start(NodeActor, node, cpus=0.0, gpus=0.0) for node in nodes]
    asked = [actor.ask("look") for actor in actors]
    end = monotonic() + seconds
    answered: list[Any] = []
    while len(answered) < len(asked) and monotonic() < end:
        answered += cluster.settled([one for one in asked if not _in(one, answered)], seconds=0.5)
    found = []
    for node, question in zip(nodes, asked, strict=True):
        late = f"no answer within {seconds:g} s"
        found.append(_report(cluster, node, question) if _in(question, answered) else _silent(node, late))
    for actor in actors:
        cluster.end(actor)
    return found


def _report(cluster: Cluster, node: Node, question: Any) -> NodeReport:
    try:
        facts, isolation = cluster.answer(question)
    except ActorLostError as lost:
        return _silent(node, str(lost))
    if isinstance(isolation, Failure):
        return NodeReport(node, facts, None, isolation.message)
    return NodeReport(node, facts, isolation, facts.estranged(here()))


def _silent(node: Node, why: str) -> NodeReport:
    return NodeReport(node, None, None, why)


def _in(one: Any, many: list[Any]) -> bool:
    return any(one is each for each in many)
