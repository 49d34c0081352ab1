"""Which actors go on which nodes of a cluster, and what each takes of its node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from codesample.errors import ParameterError

__all__ = ["Node", "Placement", "Slot"]


@dataclass(frozen=True, slots=True)
class Node:
    """A node as the cluster counts it.

    Attributes:
        id: By which the cluster knows it.
        address: Of the machine, for messages.
        cpus, gpus: That the cluster may give away there.
    """

    id: str
    address: str
    cpus: float
    gpus: float


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one actor.

    Attributes:
        node: Where.
        number: Which one of its kind there.
        cpus, gpus: What it takes of the node.
    """

    node: Node
    number: int
    cpus: float
    gpus: float

    def __str__(self) -> str:
        return f"node {self.node.address} ({self.node.id[:8]})"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where actors go.

    Attributes:
        gpus: Of each sampling actor; 0 where models run on processors.
    """

    gpus: float

    @classmethod
    def for_cluster(cls, nodes: Sequence[Node], *, gpus: float) -> Placement:
        """Settle once whether models run on GPUs: no node without one samples beside nodes that have some.

        Args:
            gpus: Of each sampling actor, where there are any.

        Raises:
            ParameterError: there are GPUs, and no node has as many as one actor takes.
        """
        most = max((each.gpus for each in nodes), default=0.0)
        if 0 < most < gpus:
            raise ParameterError(f"ray_gpus = {gpus:g}: no node has more than {most:g} GPUs")
        return cls(gpus if most else 0.0)

    def sampling(self, nodes: Sequence[Node]) -> list[Slot]:
        """Return a place for each actor that samples: one for every `gpus` GPUs, or one on each node."""
        if self.gpus:
            return [
                Slot(node, number, min(1.0, node.cpus), self.gpus)
                for node in nodes
                for number in range(floor(node.gpus / self.gpus))
            ]
        # half of the cores, for the programs are run by the others
        return [Slot(node, 0, max(1.0, node.cpus // 2), 0.0) for node in nodes if node.cpus >= 1]

    def judging(self, nodes: Sequence[Node], *, beside_samplers: bool = True) -> list[Slot]:
        """Return a place on each node for the actor that judges: the cores that sampling leaves.

        Args:
            nodes: Those that give away no core judge nothing.
            beside_samplers: Whether any actor of the run samples.
        """
        taken = dict.fromkeys((each.id for each in nodes), 0.0)
        for slot in self.sampling(nodes) if beside_samplers else ():
            taken[slot.node.id] += slot.cpus
        return [Slot(node, 0, max(0.0, node.cpus - taken[node.id]), 0.0) for node in nodes if node.cpus >= 1]
