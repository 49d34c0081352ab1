"""Where actors go: GPU and CPU nodes of different number, and what each takes."""

from __future__ import annotations

import pytest

from codesample.distributed.placement import Node, Placement
from codesample.errors import ParameterError

GPU_NODES = [Node("a", "10.0.0.1", 32, 4), Node("b", "10.0.0.2", 16, 2)]
CPU_NODES = [Node("c", "10.0.0.3", 64, 0), Node("d", "10.0.0.4", 8, 0), Node("e", "10.0.0.5", 1, 0)]
HEAD = Node("head", "10.0.0.9", 0, 0)


def test_gpus_sample_and_every_core_that_is_left_judges() -> None:
    nodes = [*GPU_NODES, *CPU_NODES, HEAD]
    placed = Placement.for_cluster(nodes, gpus=1)
    sampling = [(slot.node.id, slot.number, slot.gpus) for slot in placed.sampling(nodes)]
    assert sampling == [(name, n, 1) for name, count in (("a", 4), ("b", 2)) for n in range(count)]
    assert {slot.node.id: slot.cpus for slot in placed.judging(nodes)} == {
        "a": 28,
        "b": 14,
        "c": 64,
        "d": 8,
        "e": 1,
    }


def test_an_actor_may_take_several_gpus() -> None:
    placed = Placement.for_cluster(GPU_NODES, gpus=4)
    assert [(slot.node.id, slot.gpus) for slot in placed.sampling(GPU_NODES)] == [("a", 4)]
    with pytest.raises(ParameterError, match="ray_gpus = 8: no node has more than 4 GPUs"):
        Placement.for_cluster(GPU_NODES, gpus=8)


def test_without_gpus_each_node_samples_with_half_of_its_cores_and_judges_with_the_rest() -> None:
    placed = Placement.for_cluster(CPU_NODES, gpus=1)
    assert {slot.node.id: slot.cpus for slot in placed.sampling(CPU_NODES)} == {"c": 32, "d": 4, "e": 1}
    assert {slot.node.id: slot.cpus for slot in placed.judging(CPU_NODES)} == {"c": 32, "d": 4, "e": 0}
    alone = placed.judging(CPU_NODES, beside_samplers=False)
    assert {slot.node.id: slot.cpus for slot in alone} == {"c": 64, "d": 8, "e": 1}


def test_no_processor_takes_the_place_of_gpus_that_are_gone() -> None:
    placed = Placement.for_cluster([*GPU_NODES, *CPU_NODES], gpus=1)
    assert placed.sampling(CPU_NODES) == []


def test_nothing_is_taken_of_a_node_that_it_does_not_have() -> None:
    nodes = [*GPU_NODES, *CPU_NODES, HEAD]
    for gpus in (0.5, 1, 2):
        placed = Placement.for_cluster(nodes, gpus=gpus)
        for node in nodes:
            slots = [slot for slot in (*placed.sampling(nodes), *placed.judging(nodes)) if slot.node == node]
            assert sum(slot.cpus for slot in slots) <= node.cpus
            assert sum(slot.gpus for slot in slots) <= node.gpus
