"""Tests that run beside the program say what a fresh Python says, and the easy ways to fake it are seen."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from codesample.execution import Limits
from codesample.execution.caller.isolation_probe import spare_user
from codesample.execution.isolation.confinement import Confinement
from codesample.execution.isolation.level import Level
from codesample.execution.worker.beside_tests import prepare_beside
from codesample.execution.worker.checklist import Finding
from codesample.execution.worker.exchange import Exchange
from codesample.execution.worker.spawner import Spawner
from codesample.records import CodeTests, Status

TIGHT = Limits(cpu_seconds=2.0, wall_seconds=4.0, memory=256 << 20)

Beside = Callable[..., Finding]


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    """Give a function from a program and the source of trusted tests to what is found."""
    folder = tmp_path_factory.mktemp("beside")
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    spawner = Spawner(Confinement(level=Level.CONFINED, folder=str(folder), uid=spare_user()))
    ours, theirs = socket.socketpair()

    def find(
        program: str, source: str = "", /, *, trusted: bool = True, limits: Limits = TIGHT, **more: Any
    ) -> Finding:
        tests = prepare_beside(CodeTests(source=source, **more), trusted=trusted)
        judged = tests.judge(
            program, limits, lambda limits, **streams: Exchange(spawner, limits, caller=ours.fileno())
        )
        assert judged.integrity == "weak"
        return judged.finding

    yield find
    spawner.close()
    ours.close()
    theirs.close()


PLAIN = """
import json, linecache, os, random, sys, types

def attempt(text, filename, names, tests):
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    try:
        exec(compile(text, filename, "exec"), names)
    except SystemExit as error:
        return "unittest" in tests and not error.code
    except BaseException:
        return False
    return True

def results(program, parts):
    module = types.ModuleType("program")
    sys.modules["program"] = module
    module.__file__ = "<program>"
    names = vars(module)
    random.seed(0)
    yield attempt(program, "<program>", names, "")
    names["__name__"], sys.modules["__main__"] = "__main__", module
    for part in parts:
        yield attempt(part, "<tests>", names, parts[0])

pairs, place = json.load(sys.stdin), os.open(sys.argv.pop(), os.O_WRONLY | os.O_APPEND)
sys.stdin = open("/dev/null")
for program, parts in pairs:
    child = os.fork()
    if child == 0:
        held = []
        for result in results(program, parts):
            held.append(result)
            if not result and len(held) < 3:
                break
        os.write(place, json.dumps(held).encode() + b"\\n")
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[Pair, list[bool]]:
    """Say which of program, source and checks end well in a fresh Python, as far as it comes."""
    place = tmp_path_factory.mktemp("plain") / "held"
    place.touch()
    pairs = json.dumps([(pair.program, pair.tests) for pair in PAIRS])
    subprocess.run(
        [sys.executable, "-I", "-c", PLAIN, str(place)],
        input=pairs.encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=120,
        check=True,
    )
    return dict(zip(PAIRS, map(json.loads, place.read_text().splitlines()), strict=True))


class Pair(NamedTuple):
    name: str
    program: str
    tests: tuple[str, ...]


def read_pairs() -> list[Pair]:
    """Read programs with their tests: a head, the program, then source and checks after lines of dashes."""
    text = (Path(__file__).parent / "beside_pairs.txt").read_text("utf-8")
    found = []
    for entry in text.split("\n=== ")[1:]:
        name, _, body = entry.partition("\n")
        program, *tests = body.split("\n--- tests\n")
        found += [Pair(name, program, tuple(part.split("\n--- check\n"))) for part in tests]
    return found


PAIRS = read_pairs()


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{pair.name} {number}" for number, pair in enumerate(PAIRS)])
def test_the_verdict_is_that_of_a_fresh_python(
    pair: Pair, beside: Beside, plain: dict[Pair, list[bool]]
) -> None:
    loaded, *held = plain[pair]
    finding = beside(pair.program, pair.tests[0], checks=pair.tests[1:])
    expected = (held[1:] + [False] * len(pair.tests))[: len(pair.tests) - 1]
    assert list(finding.checks) == expected, finding
    passed = loaded and all(held)
    assert (finding.status is Status.PASSED) == passed, finding
    assert passed or finding.status in (Status.WRONG, Status.ERROR), finding


def test_the_pairs_end_in_either_way(plain: dict[Pair, list[bool]]) -> None:
    good = sum(map(all, plain.values()))
    assert min(good, len(PAIRS) - good) > 25
