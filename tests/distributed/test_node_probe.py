"""What is said of each node, whether or not it answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from thread_cluster import ThreadCluster

from codesample.distributed import node_probe
from codesample.distributed.node_facts import here
from codesample.distributed.node_probe import NodeActor, node_reports
from codesample.errors import IsolationError
from codesample.reports.cluster_health import ClusterHealth


def test_every_node_is_looked_at() -> None:
    reports = node_reports(ThreadCluster(((2, 0), (4, 1))))
    assert [(each.node.cpus, each.node.gpus, each.trouble) for each in reports] == [(2, 0, ""), (4, 1, "")]
    health = ClusterHealth("auto", "2.60.0", tuple(reports))
    rows = dict(health.lines())
    assert rows["nodes"] == "2, with 6 CPUs and 1 GPUs to give away"
    assert here().cpu in rows["  processor"]
    assert health.as_json()["nodes"][1]["versions"] == here().versions


def test_a_node_that_dies_or_is_silent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = ThreadCluster(dies=lambda kind, method: True)
    assert [each.trouble for each in node_reports(cluster)] == ["killed", "killed"]
    monkeypatch.setattr(ThreadCluster, "settled", lambda self, asked, seconds: [])
    reports = node_reports(ThreadCluster(), seconds=0.01)
    assert [each.trouble for each in reports] == ["no answer within 0.01 s"] * 2
    assert ("  left out", "no answer within 0.01 s") in ClusterHealth("a", "2", tuple(reports)).lines()


def test_a_node_that_isolates_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise IsolationError("programs cannot be run on this machine: no folder")

    monkeypatch.setattr(node_probe, "probe_isolation", refuse)
    (report,) = node_reports(ThreadCluster(((2, 0),)))
    assert report.trouble == "programs cannot be run on this machine: no folder"
    assert report.as_json()["isolation"] is None


@pytest.mark.parametrize("name", ["python", "codesample"])
def test_a_node_of_another_version_is_left_out_and_told_what_to_do(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = here()
    other = replace(facts, versions={**facts.versions, name: "9.9"})
    monkeypatch.setattr(NodeActor, "look", lambda self: (other, node_probe.probe_isolation()))
    (report,) = node_reports(ThreadCluster(((2, 0),)))
    assert report.trouble == f"{name} 9.9 there and {facts.versions[name]} here; install the same version"


def test_torch_may_be_of_another_version() -> None:
    facts = here()
    assert replace(facts, versions={**facts.versions, "torch": "9.9"}).estranged(facts) == ""
