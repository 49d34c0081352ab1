"""A Ray cluster as a driver needs it; the only place that knows Ray."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from time import sleep
from typing import Any

from codesample.distributed.cluster import Actor, ActorLostError
from codesample.distributed.placement import Node
from codesample.errors import ParameterError

__all__ = ["RayCluster", "connected"]

ANSWER_SECONDS = 60.0
"""Most that an answer may take to be read once it is there, and what the cluster is asked itself."""

CONNECT_SECONDS = 10.0


@contextmanager
def connected(address: str) -> Iterator[RayCluster]:
    """Give the cluster at an address within a `with` block; a connection that was there stays.

    Args:
        address: "HOST:PORT" of a cluster's head, as in `ray start --address`, or "auto" for the cluster that
            this machine is a node of, or RAY_ADDRESS names.

    Raises:
        ParameterError: Ray is not installed, there is no cluster, this machine is no node of it, or it runs
            another version; says what to do.
    """
    _expect_address(address)
    if find_spec("ray") is None:
        raise ParameterError("--ray needs Ray: pip install 'codesample[ray]', on every node")
    import ray

    own = not ray.is_initialized()
    if own:
        _connect(address)
    try:
        yield RayCluster()
    finally:
        if own:
            ray.shutdown()


def _expect_address(address: str) -> None:
    named = os.environ.get("RAY_ADDRESS", "auto") if address == "auto" else address
    if "://" in named:
        raise ParameterError(
            f"ray = {named.partition('://')[0]}://...: a driver runs on a node of the cluster; start it "
            "there, such as by `ray job submit`, with --ray auto"
        )
    if named in ("auto", "local"):
        return
    host, colon, port = named.rpartition(":")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 65536):
        raise ParameterError(f"ray = {named!r}: expected HOST:PORT of a cluster's head, or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise ParameterError(
            f"ray = {named!r}: nothing answers there ({error.strerror or error}); `ray status` on the head "
            "shows its address, and `ray start --head` starts a cluster"
        ) from None


def _connect(address: str) -> None:
    import ray

    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, namespace="codesample")
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise ParameterError(f"ray = {address!r}: {_advice(said)} (Ray says: {said[:300]})") from None
    finally:
        # it puts its own in the place of whoever has one, and exits with 15
        if callable(before) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _advice(said: str) -> str:
    if "ersion mismatch" in said:
        return "this Python or Ray is of another version than the cluster's; install the cluster's here"
    if "Could not find any running Ray" in said:
        return "this machine is no node of a cluster; start one with `ray start --head`, or name HOST:PORT"
    return (
        "this machine is no node of that cluster; join it with `ray start --address=HOST:PORT`, or run there"
    )


class RayCluster:
    """The cluster that this process is connected to. A `Cluster`."""

    @property
    def version(self) -> str:
        """Ray's own."""
        import ray

        return str(ray.__version__)

    def nodes(self) -> list[Node]:
        """Return the nodes that live."""
        import ray

        return [
            Node(
                each["NodeID"],
                each["NodeManagerAddress"],
                float(each["Resources"].get("CPU", 0)),
                float(each["Resources"].get("GPU", 0)),
            )
            for each in sorted(ray.nodes(), key=lambda each: str(each["NodeID"]))
            if each["Alive"]
        ]

    def start(self, kind: type, node: Node, *, cpus: float, gpus: float) -> Actor:
        """Start an actor on a node; it is never started again, nor is any of its calls repeated."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        aside = tuple(getattr(kind, "ASIDE", ()))
        threads: dict[str, Any] = {"concurrency_groups": {"aside": 1}} if aside else {}
        remote: Any = ray.remote(max_restarts=0, max_task_retries=0, **threads)(kind)
        there = NodeAffinitySchedulingStrategy(node.id, soft=False)
        handle = remote.options(num_cpus=cpus, num_gpus=gpus, scheduling_strategy=there).remote()
        return _RayActor(handle, frozenset(aside))

    def settled(self, asked: Collection[Any], *, seconds: float) -> list[Any]:
        """Return those that are answered; waits up to `seconds` for the first."""
        import ray

        refs = list(asked)
        if not refs:
            sleep(seconds)
            return []
        ready, _ = ray.wait(refs, num_returns=1, timeout=seconds, fetch_local=True)
        if ready and len(refs) > 1:
            ready, _ = ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=True)
        # equal, and not the same objects
        found = set(ready)
        return [each for each in refs if each in found]

    def answer(self, asked: Any) -> Any:
        """Return an answer that has settled.

        Raises:
            ActorLostError: the actor died, its node is gone, or its code cannot be loaded there.
        """
        import ray

        try:
            return ray.get(asked, timeout=ANSWER_SECONDS)
        except (ray.exceptions.RayError, TimeoutError) as error:
            raise ActorLostError(_short(error)) from None

    def end(self, actor: Actor) -> None:
        """End an actor, if it lives."""
        import ray

        assert isinstance(actor, _RayActor)
        with suppress(Exception):
            ray.kill(actor.handle, no_restart=True)


class _RayActor:
    def __init__(self, handle: Any, aside: frozenset[str]) -> None:
        self.handle, self._aside = handle, aside

    def ask(self, method: str, *arguments: Any) -> Any:
        called = getattr(self.handle, method)
        if method in self._aside:
            called = called.options(concurrency_group="aside")
        return called.remote(*arguments)


def _short(error: BaseException) -> str:
    """Return the lines of Ray's long messages that say what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if "ModuleNotFoundError" in line or "Error:" in line]
    picked = told[-1:] or lines[-1:] or [type(error).__name__]
    return f"{type(error).__name__}: {picked[0][:300]}"
