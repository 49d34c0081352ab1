"""A scratch folder is a program's own: bounded, empty at its start, gone with it, and a way to nowhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from machine import skip_unless_granted

from codesample.execution import Executor, Level, Limits, Program
from codesample.execution.child.scratch import emptied
from codesample.records import CodeTests, ScriptExample, ScriptTests, Status, Verdict

MIB = 1 << 20


@pytest.fixture(scope="module")
def spacious() -> Iterator[Executor]:
    skip_unless_granted(Level.NAMESPACED)
    with Executor(workers=2, level=Level.NAMESPACED, limits=Limits(cpu_seconds=20), cache=False) as executor:
        yield executor


@pytest.fixture
def judged(spacious: Executor) -> Callable[..., Verdict]:
    def judge(source: str, test: str = "assert f() == 'done', f()", scratch: int | None = 4 * MIB) -> Verdict:
        tests = CodeTests(source=test, entry_point="f", scratch=scratch)
        return spacious.submit(Program("t", 0, source, tests)).result(120)

    return judge


WORKING = """
import os, shutil, sqlite3, tempfile
def f():
    here = os.getcwd()
    with open("a.txt", "w") as file:
        file.write("hello")
    os.makedirs("x/y")
    os.rename("a.txt", "x/y/b.txt")
    shutil.copytree("x", "z")
    shutil.copy2("z/y/b.txt", "c.txt")
    with tempfile.NamedTemporaryFile("w+") as file, tempfile.TemporaryDirectory() as folder:
        assert os.path.dirname(file.name) == here == os.path.dirname(folder)
        shutil.move("c.txt", folder)
        os.truncate(os.path.join(folder, "c.txt"), 4)
        assert open(os.path.join(folder, "c.txt")).read() == "hell"
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    base = sqlite3.connect("rows.db")
    base.execute("create table t (a)")
    base.execute("insert into t values (1)")
    base.commit()
    assert base.execute("select a from t").fetchall() == [(1,)]
    base.close()
    shutil.rmtree("x")
    os.chmod("z", 0o500)
    assert sorted(os.listdir()) == ["rows.db", "z"], os.listdir()
    return "done"
"""


def test_programs_that_write_files_work(judged: Callable[..., Verdict]) -> None:
    verdict = judged(WORKING, "assert f() == 'done'")
    assert verdict.passed, verdict


def test_scripts_may_write_files_too(spacious: Executor) -> None:
    source = "open('a', 'w').write(input())\nprint(open('a').read())"
    tests = ScriptTests(cases=(ScriptExample("1", "1"), ScriptExample("2", "2")), scratch=MIB)
    assert spacious.submit(Program("t", 0, source, tests)).result(60).passed


LEFT = {
    "files": "open('left', 'w').close()",
    "folders": "os.makedirs('a/b/c/d')\n    open('a/b/c/d/left', 'w').close()",
    "no rights": "os.makedirs('a/b')\n    open('a/b/left', 'w').close()\n"
    "    os.chmod('a/b', 0)\n    os.chmod('a', 0)\n    os.chmod('.', 0)",
    "very deep": "for _ in range(300):\n        os.mkdir('d' * 200)\n        os.chdir('d' * 200)",
    "odd names": "for name in (b'\\xff', b'\\n', b'-rf', b'x' * 255):\n        open(name, 'w').close()",
    "a thousand": "for n in range(1_000):\n        open(str(n), 'w').close()",
    "open": "kept = [open('left', 'w')]\n    os.chdir('/')",
}


@pytest.mark.parametrize("way", LEFT)
def test_nothing_is_left_for_the_next_program(judged: Callable[..., Verdict], way: str) -> None:
    for _ in range(4):
        # two workers, and each program of theirs begins with an empty folder
        source = f"import os\nfound = os.listdir()\ndef f():\n    {LEFT[way]}\n    return found"
        verdict = judged(source, "assert f() == []")
        assert verdict.passed, verdict


def test_programs_at_the_same_time_do_not_see_one_another(spacious: Executor) -> None:
    source = """
import os, time
def f(name):
    open(name, "w").close()
    end = time.monotonic() + 0.5
    seen = set()
    while time.monotonic() < end:
        seen.update(os.listdir())
        time.sleep(0.01)
    return sorted(seen)
"""
    verdicts = [
        spacious.submit(Program("t", n, source, CodeTests(source=f"assert f('{n}') == ['{n}']", scratch=MIB)))
        for n in range(4)
    ]
    assert all(verdict.result(60).passed for verdict in verdicts)


BOUNDS = {
    "one file": "file = open('a', 'wb')\n    while True:\n        block(file)",
    "many files": "[block(open(str(n), 'wb')) for n in range(40)]",
    "removed but open": "for n in range(40):\n        kept.append(open('a', 'wb'))\n"
    "        block(kept[-1])\n        os.remove('a')",
    "removed but mapped": "for n in range(200):\n        with open('a', 'w+b', 0) as file:\n"
    "            block(file)\n            kept.append(mmap.mmap(file.fileno(), 4096))\n"
    "        os.remove('a')",
    "holes that are filled": "with open('a', 'w+b') as file:\n        os.ftruncate(file.fileno(), 4 << 20)\n"
    "        for at in range(0, 4 << 20, 1 << 16):\n"
    "            written[0] += os.pwrite(file.fileno(), bytes(1 << 16), at)\n    block(open('b', 'wb'))",
}


@pytest.mark.parametrize("way", BOUNDS)
def test_bytes_are_bounded_however_they_are_kept(judged: Callable[..., Verdict], way: str) -> None:
    source = f"""
import mmap, os
written, kept = [0], []
def block(file):
    for _ in range(16):
        written[0] += os.write(file.fileno(), bytes(1 << 16))
def f():
    try:
        {BOUNDS[way].replace(chr(10), chr(10) + "    ")}
    except OSError as error:
        return [written[0], error.errno]
"""
    # no space, or beyond the size of a file
    verdict = judged(
        source, f"total, code = f()\nassert total <= {4 * MIB} and code in (27, 28), (total, code)"
    )
    assert verdict.passed, verdict


def test_files_are_bounded_in_number(judged: Callable[..., Verdict]) -> None:
    source = """
import os
def f():
    made = 0
    try:
        while True:
            open(str(made), "w").close()
            made += 1
    except OSError as error:
        return [made, error.errno]
"""
    assert judged(source, "made, code = f()\nassert 900 < made < 1_100 and code == 28").passed


ELSEWHERE = """
import ctypes, mmap, os, stat
libc = ctypes.CDLL(None)
open("own", "wb").write(b"x" * 4096)
def execute():
    with open("own", "r+b") as file:
        mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
def climb():
    fd = os.open("..", os.O_RDONLY)
    os.open("planted", os.O_WRONLY | os.O_CREAT, dir_fd=fd)
TRIES = {
    "symlink": lambda: os.symlink("/etc/passwd", "link"),
    "hard link of a library": lambda: os.link(os.__file__, "link"),
    "hard link of its own": lambda: os.link("own", "link"),
    "move out": lambda: os.rename("own", "/tmp/own"),
    "move in": lambda: os.rename(os.__file__, "os.py"),
    "write beside": lambda: open("../planted", "w"),
    "write beside by descriptor": climb,
    "write to a library": lambda: open(os.__file__, "r+"),
    "change a library": lambda: os.chmod(os.__file__, 0o777),
    "touch a library": lambda: os.utime(os.__file__),
    "cut a library": lambda: os.truncate(os.__file__, 0),
    "remove the folder": lambda: os.rmdir(os.getcwd()),
    "device": lambda: os.mknod("zero", stat.S_IFCHR | 0o666, os.makedev(1, 5)),
    "pipe": lambda: os.mkfifo("pipe"),
    "run": lambda: os.execv("./own", ["own"]),
    "map as code": execute,
    "mount": lambda: libc.mount(b"none", os.getcwd().encode(), b"tmpfs", 0, None) and 1 / 0,
    "shared memory of no file": lambda: mmap.mmap(-1, 4096),
    "memory file": lambda: os.memfd_create("x"),
    "own": lambda: os.chown("own", 0, 0),
    "attribute": lambda: os.setxattr("own", "user.x", b"1"),
}
def f():
    won = []
    for name, attempt in TRIES.items():
        try:
            attempt()
            won.append(name)
        except (OSError, ZeroDivisionError, AttributeError):
            pass
    return won
"""


def test_the_folder_is_a_way_to_nowhere(judged: Callable[..., Verdict]) -> None:
    verdict = judged(ELSEWHERE, "won = f()\nassert won == [], won")
    assert verdict.passed, verdict


def test_who_asks_for_none_can_write_none(judged: Callable[..., Verdict]) -> None:
    for scratch in (None, 4 * MIB, None):
        verdict = judged("def f():\n    open('a', 'w').close()\n    return 'done'", scratch=scratch)
        assert verdict.status is (Status.ERROR if scratch is None else Status.PASSED), verdict


def test_attacks_on_the_machine_fail_with_a_scratch_folder_as_well(
    spacious: Executor, attacks: Any, outside: Any
) -> None:
    programs, _ = attacks
    granted = {"plant a file nearby", "fill the disk", "locks on files of others"}
    slow = {Status.WALL_TIMEOUT, Status.CPU_TIMEOUT}
    tests = CodeTests(source="assert f() == 'won'", entry_point="f", scratch=2 * MIB, time_limit=0.5)
    futures = {
        item.name: spacious.submit(Program(item.name, 0, outside.fill_in(item.source), tests))
        for item in programs
        if not slow & item.statuses
    }
    won = {name for name, future in futures.items() if future.result(300).passed}
    # these write a file where they may, and lock one as programs with files do
    assert won == granted
    assert outside.state() == outside.before


def test_a_machine_that_cannot_bound_it_says_so_and_runs_nothing() -> None:
    tests = CodeTests(source="f()", entry_point="f", scratch=MIB)
    with Executor(workers=1, level=Level.CONFINED) as executor:
        verdict = executor.submit(Program("t", 0, "def f(): pass", tests)).result(60)
        assert verdict.status is Status.HARNESS_ERROR
        assert "a scratch folder needs isolation level 'namespaced'" in verdict.detail
        plain = CodeTests(source="f()", entry_point="f")
        assert executor.submit(Program("t", 0, "def f(): pass", plain)).result(60).passed


def fill(folder: Path, depth: int) -> None:
    for _ in range(depth):
        folder = folder / "d"
        folder.mkdir()
        (folder / "file").touch()
        (folder / "link").symlink_to("/")


@pytest.mark.parametrize(("depth", "went"), [(0, True), (20, True), (40, False)])
def test_folders_are_emptied_down_to_a_depth(tmp_path: Path, depth: int, went: bool) -> None:
    fill(tmp_path, depth)
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        assert emptied(folder) is went
        assert (not list(tmp_path.iterdir())) is went
    finally:
        os.close(folder)
