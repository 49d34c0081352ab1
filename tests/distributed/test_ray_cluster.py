"""What is said where there is no cluster to connect to: one line, with what to do next."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codesample.cli.app import app
from codesample.distributed import ray_cluster
from codesample.distributed.ray_cluster import connected
from codesample.errors import ParameterError


def refusal(address: str) -> str:
    with pytest.raises(ParameterError) as refused, connected(address):
        pass
    said = str(refused.value)
    assert "\n" not in said
    return said


@pytest.fixture
def unused() -> str:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{held.getsockname()[1]}"


@pytest.mark.parametrize("address", ["here", "host:", ":1", "host:0", "host:99999", "host:port"])
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    assert "expected HOST:PORT of a cluster's head, or auto" in refusal(address)


def test_nothing_answers_there(unused: str) -> None:
    said = refusal(unused)
    assert said.startswith(f"ray = '{unused}': nothing answers there (Connection refused)")
    assert "ray start --head" in said


@pytest.mark.parametrize("words", [["doctor"], ["eval", "mini", "--n", "1", "--limit", "1"]])
def test_commands_say_so_on_one_line_and_begin_nothing(
    words: list[str], unused: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, [*words, "--ray", unused])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: ray = '{unused}': nothing answers there")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_driver_outside_of_the_cluster_is_told_to_run_inside() -> None:
    said = refusal("ray://user:secret@10.0.0.1:10001")
    assert "ray job submit" in said
    assert "secret" not in said


def test_the_variable_of_ray_is_taken_for_auto(unused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", unused)
    assert "nothing answers there" in refusal("auto")


def test_ray_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None)
    assert refusal("auto") == "--ray needs Ray: pip install 'codesample[ray]', on every node"


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (
            RuntimeError(
                "Version mismatch: The cluster was started with:\n    Ray: 2.52\nThis process: 2.60"
            ),
            "install the cluster's here",
        ),
        (ConnectionError("Could not find any running Ray instance."), "start one with `ray start --head`"),
        (
            ValueError("Can't find a `node_ip_address.json` file"),
            "join it with `ray start --address=HOST:PORT`",
        ),
    ],
)
def test_what_ray_refuses_is_told_with_advice(
    error: Exception, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray")

    def init(**options: object) -> None:
        raise error

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", init)
    said = refusal("auto")
    assert advice in said
    assert " ".join(str(error).split()) in said
