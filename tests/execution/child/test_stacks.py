"""Stacks of threads reserve much and use little: only what is used counts as memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from codesample.execution import Executor, Limits, Program
from codesample.records import CodeTests, Status, Verdict

MIB = 1 << 20
STACKS = """
import threading
def f(count, mib):
    if mib:
        threading.stack_size(mib << 20)
    gate = threading.Barrier(count + 1, timeout=60)
    threads = [threading.Thread(target=gate.wait) for _ in range(count)]
    for thread in threads:
        thread.start()
    gate.wait()
    return count
"""
LIFTED = """
import resource
for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS):
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (hard, hard))
"""


@pytest.fixture(scope="module")
def verdict_of() -> Callable[..., Verdict]:
    def judged(source: str, test: str, memory: int) -> Verdict:
        tests = CodeTests(source=test, entry_point="f", memory=memory)
        with Executor(workers=1, limits=Limits(cpu_seconds=20)) as executor:
            return executor.submit(Program("t", 0, source, tests)).result(120)

    return judged


@pytest.mark.parametrize(("count", "mib"), [(1, 512), (3, 256), (2, 512), (50, 0), (16, 64)])
def test_reserved_stacks_are_not_memory(verdict_of: Callable[..., Verdict], count: int, mib: int) -> None:
    verdict = verdict_of(STACKS, f"assert f({count}, {mib}) == {count}", 128 * MIB)
    assert verdict.passed, verdict
    assert verdict.peak_memory is not None
    assert verdict.peak_memory < 64 * MIB


def test_a_large_stack_is_there_to_be_used(verdict_of: Callable[..., Verdict]) -> None:
    source = """
import sys, threading
sys.setrecursionlimit(10**6)
class Node:
    def __init__(self, rest): self.rest = rest
    def __eq__(self, other): return self.rest == other.rest
def chain():
    node = None
    for _ in range(100_000):
        node = Node(node)
    return node
def f():
    threading.stack_size(512 << 20)
    found = []
    # comparing goes through C at every level
    thread = threading.Thread(target=lambda: found.append(chain() == chain()))
    thread.start()
    thread.join()
    return found
"""
    assert verdict_of(source, "assert f() == [True]", 512 * MIB).passed


@pytest.mark.parametrize("start", ["_thread.stack_size(1 << 20)", "_thread.start_new_thread(print, ())"])
def test_limits_are_the_strict_ones_until_there_are_threads(
    verdict_of: Callable[..., Verdict], start: str
) -> None:
    source = f"""
import _thread, resource
def f():
    before = [resource.getrlimit(kind)[0] >> 20 for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS)]
    {start}
    return before + [resource.getrlimit(kind)[0] >> 20 for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS)]
"""
    assert verdict_of(source, "assert f() == [128, 384, 1152, 1408], f()", 128 * MIB).passed


@pytest.mark.parametrize(
    "fill",
    [
        "kept = [b'x' * (1 << 24) for _ in range(400)]",
        "kept = [mmap.mmap(-1, 1 << 24, populated) for _ in range(400)]",
    ],
)
def test_used_memory_is_bounded_where_a_program_lifts_its_limits(
    verdict_of: Callable[..., Verdict], fill: str
) -> None:
    source = f"{LIFTED}\nimport mmap\npopulated = 0x8022\ndef f():\n    {fill}\n    return 1"
    verdict = verdict_of(source, "assert f() == 1", 128 * MIB)
    assert verdict.status is Status.MEMORY, verdict
    assert "128" in verdict.detail or str(128 * MIB) in verdict.detail
    assert verdict.peak_memory is not None
    # the address space alone would let 1408 MiB through
    assert verdict.peak_memory <= 1408 * MIB
