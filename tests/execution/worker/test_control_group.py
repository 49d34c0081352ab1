"""A control group bounds what a program holds, where there is one; nothing of it stays."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codesample.execution import Executor, Level, Limits, Program
from codesample.execution.isolation.confinement import Confinement
from codesample.execution.worker import control_group
from codesample.execution.worker.control_group import ControlGroup, make_group, remove_left_groups
from codesample.execution.worker.exchange import Exchange, ProgramStopped
from codesample.execution.worker.remote import Remote
from codesample.execution.worker.spawner import Spawner
from codesample.records import CodeTests, Status

MIB = 1 << 20
FILLING = "import sys; x = b'x' * (int(sys.argv[1]) << 20); print(len(x))"
# lives on, as a zygote does: a group without a process is anybody's to remove
WAITING = f"""
import subprocess, sys
sys.stdin.readline()
child = subprocess.run([sys.executable, "-c", {FILLING!r}, *sys.argv[1:]], stdout=subprocess.PIPE, text=True)
print(child.stdout.strip(), flush=True)
sys.stdin.readline()
"""


def groups() -> set[str]:
    return {
        os.path.join(parent, name)
        for parent, _ in control_group._parents()
        for name in os.listdir(parent)
        if name.startswith("codesample-")
    }


def members(group: str) -> list[str] | None:
    """The processes of a group; None for one that others have removed meanwhile."""
    try:
        return Path(group, "cgroup.procs").read_text().split()
    except OSError:
        return None


@functools.cache
def granted() -> bool:
    """Whether a group with a bound on memory can be made here by hand."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or "memory" in controllers.split(","):
            probe = Path("/sys/fs/cgroup", "memory" if controllers else "", path.lstrip("/"), "probe")
            with contextlib.suppress(OSError):
                probe.mkdir()
                bounds = [probe / name for name in ("memory.limit_in_bytes", "memory.max")]
                fits = any(bound.exists() for bound in bounds)
                probe.rmdir()
                if fits:
                    return True
    return False


def skip_unless_granted() -> None:
    if not granted():
        pytest.skip("this machine grants no control group with a bound on memory")


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    """A process whose child fills 200 MiB once it reads a line; it says what the child said."""
    with subprocess.Popen(
        [sys.executable, "-c", WAITING, "200"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        yield started
        started.kill()


@pytest.fixture
def group(process: subprocess.Popen[str]) -> Iterator[ControlGroup]:
    skip_unless_granted()
    made = make_group(process.pid)
    assert made is not None
    yield made
    process.kill()
    process.wait()
    made.close()


def test_a_group_is_made_though_others_take_it_for_a_left_one(
    group: ControlGroup, process: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_over, tries = control_group._taken_over, []

    def beside_another_maker(path: str, kind: control_group._Kind, pid: int) -> ControlGroup | None:
        tries.append(path)
        if len(tries) < 4:
            remove_left_groups()
        return taken_over(path, kind, pid)

    monkeypatch.setattr(control_group, "_taken_over", beside_another_maker)
    made = make_group(process.pid)
    assert made is not None
    assert len(set(tries)) == len(tries) == 4
    process.kill()
    process.wait()
    made.close()


@pytest.mark.parametrize(("memory", "fits"), [(400, True), (64, False)])
def test_a_group_ends_what_holds_too_much(
    group: ControlGroup, process: subprocess.Popen[str], memory: int, fits: bool
) -> None:
    # raised and lowered, in either order
    for each in (1_000, 32, memory):
        group.admit(each * MIB)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    said = process.stdout.readline()
    assert said == (f"{200 * MIB}\n" if fits else "\n")
    assert group.ran_out() is not fits
    group.admit(memory * MIB)
    assert not group.ran_out()


def test_a_group_that_was_removed_counts_nothing_more(
    group: ControlGroup, process: subprocess.Popen[str]
) -> None:
    process.kill()
    process.wait()
    # other makers may have been quicker; either way none with this path is left
    remove_left_groups()
    assert not os.path.exists(group._path)
    assert not group.ran_out()
    group.admit(32 * MIB)
    assert not group.ran_out()


def test_a_group_is_removed_with_its_last_process(
    group: ControlGroup, process: subprocess.Popen[str]
) -> None:
    (mine,) = (path for path in groups() if str(process.pid) in (members(path) or ()))
    remove_left_groups()
    assert mine in groups()
    process.kill()
    process.wait()
    remove_left_groups()
    assert mine not in groups()


def test_a_program_that_the_group_ended_was_out_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_unless_granted()
    # below the limits of the process itself, which would act first
    monkeypatch.setattr(control_group, "_MARGIN", -150 * MIB)
    spawner = Spawner(Confinement(level=Level.NONE, folder=str(tmp_path)))
    ours, theirs = socket.socketpair()
    try:
        exchange = Exchange(spawner, Limits(memory=256 * MIB), caller=ours.fileno())
        assert spawner.group is not None
        with pytest.raises(ProgramStopped) as stopped:
            Remote(exchange).perform("load", "x = b'x' * (180 << 20)", "program", [], 0)
        assert stopped.value.status is Status.MEMORY
        exchange.close()
        # the zygote lives on, and what happened is not held against the next
        before = spawner.pid
        again = Exchange(spawner, Limits(memory=256 * MIB), caller=ours.fileno())
        with pytest.raises(ProgramStopped) as stopped:
            Remote(again).perform("load", "import os; os._exit(3)", "program", [], 0)
        assert stopped.value.status is Status.CRASHED
        again.close()
        assert spawner.pid == before
    finally:
        spawner.close()
        ours.close()
        theirs.close()


def test_no_group_stays_after_closing() -> None:
    before = groups()
    tests = CodeTests(source="assert f(2) == 4", entry_point="f")
    with Executor(workers=2, cache=False) as executor:
        granted = executor.isolation.mechanisms["control_group"].granted
        futures = [
            executor.submit(Program("t", n, f"def f(x):\n    return x * x\nn = {n}", tests))
            for n in range(20)
        ]
        assert all(future.result(60).passed for future in futures)
        assert bool(groups() - before) is granted
    # other processes make groups too, and keep them as long as they work in them
    patience = time.monotonic() + 10
    while any(map(is_left, groups() - before)):
        assert time.monotonic() < patience
        time.sleep(0.01)


def is_left(group: str) -> bool:
    """Whether a group is there, with no process in it."""
    return members(group) == []


def test_what_one_program_may_hold_bounds_no_other_wherever_its_tests_run() -> None:
    harmless = CodeTests(source="assert f(2) == 4", entry_point="f")
    changing = CodeTests(
        source="import math\nmath.pi = 3\nassert f(2) == 4", entry_point="f", mode="split", memory=64 * MIB
    )
    small = "def f(x): return x * x"
    large = "def f(x): return len(b'x' * (300 << 20)) and x * x"
    with Executor(workers=1, cache=False) as executor:
        for source, tests in ((small, harmless), (small, changing), (large, harmless)):
            assert executor.submit(Program("t", 0, source, tests)).result(60).passed


MOUNTS = """\
cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup2 {place} cgroup2 rw,relatime 0 0
"""


@pytest.mark.parametrize(
    ("own", "passing_on", "expected"),
    [
        ("3:cpu:/a\n4:memory:/a/b\n0::/\n", [], ["/sys/fs/cgroup/memory/a/b"]),
        ("0::/\n", ["."], ["{place}"]),
        ("0::/user/app.slice/run.scope\n", ["user", "user/app.slice"], ["{place}/user/app.slice"]),
        ("0::/user/session.scope\n", [], []),
        ("", ["."], []),
    ],
)
def test_groups_are_sought_where_the_kernel_would_grant_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, passing_on: list[str], expected: list[str]
) -> None:
    texts = {"/proc/self/cgroup": own, "/proc/self/mounts": MOUNTS.format(place=tmp_path)}
    for folder in ("user/app.slice/run.scope", "user/session.scope"):
        (tmp_path / folder).mkdir(parents=True)
    for folder in [tmp_path, *tmp_path.rglob("*")]:
        (folder / "cgroup.subtree_control").write_text("\n")
    for name in passing_on:
        (tmp_path / name / "cgroup.subtree_control").write_text("cpu memory pids\n")

    def opened(path: str) -> object:
        if path in texts:
            (tmp_path / "text").write_text(texts[path])
            path = str(tmp_path / "text")
        return open(path)

    monkeypatch.setattr(control_group, "open", opened, raising=False)
    found = [path for path, _ in control_group._parents()]
    assert found == [path.format(place=tmp_path) for path in expected]


def test_a_folder_that_is_no_group_is_not_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_group, "_parents", lambda: [(str(tmp_path), control_group._SECOND)])
    assert make_group(os.getpid()) is None
    assert list(tmp_path.iterdir()) == []


def test_one_that_stays_busy_is_waited_for_a_moment_only(tmp_path: Path) -> None:
    for name in ("memory.max", "memory.events"):
        (tmp_path / name).write_text("oom_kill 2\n")
    group = ControlGroup(str(tmp_path), control_group._SECOND)
    assert group.ran_out()
    group.admit(1)
    assert not group.ran_out()
    assert (tmp_path / "memory.max").read_text().startswith(str(1 + 64 * MIB))
    began = time.monotonic()
    group.close()
    assert time.monotonic() - began < 10
