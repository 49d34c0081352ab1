"""Hostile programs and replies, and something outside that they must not change."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from codesample.errors import IsolationError
from codesample.execution import Executor, Level, Limits, Program
from codesample.execution.caller.isolation_probe import spare_user
from codesample.execution.isolation.confinement import Confinement
from codesample.execution.wire import library_values
from codesample.execution.worker.beside_tests import prepare_beside
from codesample.execution.worker.checklist import Finding
from codesample.execution.worker.exchange import Exchange, ProgramStopped
from codesample.execution.worker.remote import Remote
from codesample.execution.worker.spawner import Spawner, Usage
from codesample.records import CodeTests, InputTests, ScriptExample, ScriptTests, Status, Tests, Verdict

HOSTILE = Path(__file__).parent / "hostile"
LOOSE = Limits(cpu_seconds=2.0, wall_seconds=4.0, memory=256 << 20)
TIGHT = Limits(cpu_seconds=0.5, wall_seconds=1.0, memory=256 << 20, check_seconds=1.0)


@dataclass(frozen=True)
class Hostile:
    name: str
    statuses: frozenset[Status]
    source: str


def read_hostile(file: str) -> list[Hostile]:
    """Read the entries of one of the files in `hostile/`."""
    entries = (HOSTILE / file).read_text("utf-8").split("\n=== ")[1:]
    found = []
    for entry in entries:
        head, _, source = entry.partition("\n")
        name, _, statuses = head.partition(" | ")
        found.append(Hostile(name, frozenset(Status(text.strip()) for text in statuses.split(",")), source))
    return found


VERDICT_FAKERS = read_hostile("verdict_fakers.txt")
MACHINE_ATTACKS = read_hostile("machine_attacks.txt")
SCRIPT_CHEATS = read_hostile("script_cheats.txt")

SQUARES = CodeTests(
    source="""
assert f(2) == 4
assert f(3) == 9
assert abs(f(-4)) == 16
assert [f(n) for n in range(5)] == [0, 1, 4, 9, 16]
for n, square in zip(range(3), map(f, range(3))):
    assert square == n * n
assert f(7) == 49
""",
    entry_point="f",
)
WON = CodeTests(source="assert f() == 'won'", entry_point="f")

LEAVING = {
    "patched module": "import math\nmath.isclose = lambda *rest, **more: True\nassert f(2) == 5",
    "patched builtin": "import builtins\nbuiltins.sorted = lambda *rest: [0]\nassert f(2) == 4",
    "precision": "import decimal\ndecimal.getcontext().prec = 2\nassert f(2) == 4",
    "warnings": "import warnings\nwarnings.simplefilter('error')\nassert f(2) == 4",
    "alarm": "import signal\nsignal.alarm(3)\nassert f(2) == 4",
    "handlers": "import signal\nsignal.signal(signal.SIGVTALRM, signal.SIG_IGN)\nassert f(2) == 4",
    "threads": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nassert f(2) == 4",
    "streams": "import sys\nsys.stdout = sys.stderr = None\nassert f(2) == 4",
    "import hooks": "import sys\nsys.meta_path.clear()\nsys.modules.clear()\nassert f(2) == 4",
    "recursion": "import sys\nsys.setrecursionlimit(60)\nassert f(2) == 4",
    "trace": "import sys\nsys.settrace(lambda *rest: None)\nassert f(2) == 4",
    "working folder": "import os\nos.chdir('/')\nos.environ['A'] = 'b'\nos.umask(0o777)\nassert f(2) == 4",
}
"""Tests that change the interpreter they run in, by what they change."""

SENSITIVE = [
    """
import decimal, math, os, sys, time, warnings
assert not math.isclose(f(2), 5)
assert sorted([f(2), f(1)]) == [1, 4]
assert str(decimal.Decimal(1) / 3) == "0.3333333333333333333333333333"
warnings.warn("no more than that")
assert sys.getrecursionlimit() >= 1_000
def deep(n):
    return n and deep(n - 1)
deep(200)
assert sys.gettrace() is None
assert "A" not in os.environ
assert sys.stdout is not None
import json
""",
    """
import decimal, math
assert not math.isclose(f(2), 5)
assert sorted([f(2), f(1)]) == [1, 4]
assert str(decimal.Decimal(1) / 3) == "0.3333333333333333333333333333"
""",
]
"""Tests that hold only where none of the above left anything; the second run in the worker itself."""


class Outside:
    """A secret file, a process and listeners that programs are told of and must not reach."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="outside-"))
        self.canary = self.folder / "canary"
        self.canary.write_text("secret")
        self.process = subprocess.Popen(["sleep", "1000"])
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(str(self.folder / "stream"))
        self.unix.listen()
        self.dgram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.dgram.bind(str(self.folder / "dgram"))
        self.listeners = (self.tcp, self.udp, self.unix, self.dgram)
        for listener in self.listeners:
            listener.setblocking(False)
        # anyone may use them: what keeps programs away is the sandbox, not file modes
        for path in (self.folder, *self.folder.iterdir()):
            path.chmod(0o777)
        self.before = self.state()

    def fill_in(self, source: str) -> str:
        words = {
            "CANARY": self.canary,
            "FOLDER": self.folder,
            "PID": self.process.pid,
            "TCP": self.tcp.getsockname()[1],
            "UDP": self.udp.getsockname()[1],
            "UNIX": self.folder / "stream",
            "DGRAM": self.folder / "dgram",
        }
        for word, value in words.items():
            source = source.replace(f"@{word}@", str(value))
        return source

    def state(self) -> dict[str, object]:
        """Everything that a program could have changed."""
        status = self.canary.stat()
        places = (".", "/tmp", "/dev/shm", "/var/tmp", os.path.dirname(os.__file__), os.path.expanduser("~"))
        return {
            "canary": self.canary.read_text(),
            "canary status": (status.st_mode, status.st_uid, status.st_mtime, status.st_nlink),
            "folder": sorted(os.listdir(self.folder)),
            "process": self.process.poll(),
            "process's niceness": os.getpriority(os.PRIO_PROCESS, self.process.pid),
            "process's cores": os.sched_getaffinity(self.process.pid),
            "listeners": [_heard(listener) for listener in self.listeners],
            "planted": [
                place for place in places if os.path.exists(os.path.join(place, "codesample-planted"))
            ],
        }

    def close(self) -> None:
        for listener in self.listeners:
            listener.close()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)


def _heard(listener: socket.socket) -> bool:
    try:
        if listener.type == socket.SOCK_DGRAM:
            listener.recv(10)
        else:
            listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.fixture(scope="session")
def outside() -> Iterator[Outside]:
    os.environ["CODESAMPLE_SECRET"] = "secret"
    place = Outside()
    yield place
    place.close()
    del os.environ["CODESAMPLE_SECRET"]


@pytest.fixture(scope="session")
def executor_at() -> Iterator[Callable[[Level], Executor]]:
    """Give a function from a level to a running executor at that level, or skip where it is not granted."""
    running: dict[Level, Executor] = {}

    def at(level: Level) -> Executor:
        if level not in running:
            try:
                running[level] = Executor(level=level, minimum=Level.NONE, limits=TIGHT, workers=2)
            except IsolationError as error:
                pytest.skip(str(error))
        return running[level]

    yield at
    for executor in running.values():
        executor.close()


@pytest.fixture(scope="session")
def executor(executor_at: Callable[[Level], Executor]) -> Executor:
    return executor_at(Level.CONFINED)


@pytest.fixture(scope="session")
def worker_pids() -> Callable[[Executor], set[int]]:
    """Give a function from an executor to the process ids of its workers."""

    def pids(executor: Executor) -> set[int]:
        assert executor._scheduler is not None
        return {worker.process.pid for worker in list(executor._scheduler._workers.values())}

    return pids


@pytest.fixture
def sensitive() -> list[str]:
    return SENSITIVE


@pytest.fixture
def judge(executor: Executor) -> Callable[..., Verdict]:
    """Give a function from a program's source, and tests or changes to them, to its verdict."""
    plain = CodeTests(source="assert f(2) == 4\nassert f(3) == 9", entry_point="f")

    def submit(source: str, tests: Tests = plain, /, **changes: Any) -> Verdict:
        program = Program("task/1", 3, source, dataclasses.replace(tests, **changes))
        return executor.submit(program).result(120)

    return submit


Submitted = Callable[[Level, "list[Hostile]", Tests], "dict[str, Future[Verdict]]"]


@pytest.fixture(scope="session")
def submitted(executor_at: Callable[[Level], Executor], outside: Outside) -> Submitted:
    """Give a function that submits a whole set of hostile programs at a level, once."""
    known: dict[tuple[Level, Tests], dict[str, Future[Verdict]]] = {}

    def submit(level: Level, programs: list[Hostile], tests: Tests) -> dict[str, Future[Verdict]]:
        executor = executor_at(level)
        key = (level, tests)
        if key not in known:
            known[key] = {
                item.name: executor.submit(Program(item.name, 0, outside.fill_in(item.source), tests))
                for item in programs
            }
        return known[key]

    return submit


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes a `faker`, an `attack`, a `cheat` or `leaving` once for each of them."""
    if "leaving" in metafunc.fixturenames:
        metafunc.parametrize("leaving", LEAVING.values(), ids=list(LEAVING))
    hostile = {"faker": VERDICT_FAKERS, "attack": MACHINE_ATTACKS, "cheat": SCRIPT_CHEATS}
    for kind, programs in hostile.items():
        if kind in metafunc.fixturenames:
            metafunc.parametrize(kind, programs, ids=[item.name for item in programs])


@pytest.fixture(scope="session")
def fakers() -> tuple[list[Hostile], Tests]:
    return VERDICT_FAKERS, SQUARES


OTHER_WAYS = {
    "checks": CodeTests(checks=("assert f(2) == 4", "assert abs(f(-4)) == 16, f(-4)"), entry_point="f"),
    "inputs": InputTests(
        inputs=((2,), (3,), (-4,)), reference="def f(x):\n    return x * x", entry_point="f", atol=1e-6
    ),
    "io": ScriptTests(cases=(ScriptExample("2\n", "4\n"), ScriptExample("3\n", "9\n"))),
}


@pytest.fixture(params=OTHER_WAYS)
def other_way(request: pytest.FixtureRequest) -> Tests:
    """Tests for squares that are no plain source."""
    return OTHER_WAYS[request.param]


@pytest.fixture
def other_ways() -> list[Tests]:
    return list(OTHER_WAYS.values())


@pytest.fixture(scope="session")
def attacks() -> tuple[list[Hostile], Tests]:
    return MACHINE_ATTACKS, WON


@pytest.fixture(scope="session")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Finding]]:
    """Give a function from a program and the source of tests that run beside it to what is found."""
    folder = tmp_path_factory.mktemp("beside")
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    spawner = Spawner(Confinement(level=Level.CONFINED, folder=str(folder), uid=spare_user()))
    ours, theirs = socket.socketpair()

    def start(limits: Limits, **streams: Any) -> Exchange:
        return Exchange(spawner, limits, caller=ours.fileno(), **streams)

    def find(
        program: str, /, source: str = "", *, trusted: bool = True, limits: Limits = LOOSE, **more: Any
    ) -> Finding:
        prepared = prepare_beside(CodeTests(source=source, **more), trusted=trusted)
        assert prepared.integrity == "weak"
        return prepared.judge(program, limits, start).finding

    yield find
    spawner.close()
    ours.close()
    theirs.close()


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[list[bool]]]:
    """Give a function from programs, each with parts of tests, to what ends well in a plain Python."""
    place = tmp_path_factory.mktemp("plain") / "held"
    script = str(Path(__file__).with_name("plain_python.py"))

    def results(pairs: Sequence[tuple[str, tuple[str, ...]]]) -> list[list[bool]]:
        place.write_bytes(b"")
        subprocess.run(
            [sys.executable, "-I", script, str(place)],
            input=json.dumps(pairs).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=120,
            check=True,
        )
        return [json.loads(line) for line in place.read_text().splitlines()]

    return results


@pytest.fixture(scope="session")
def cheats() -> list[Hostile]:
    """Give the scripts of `hostile/script_cheats.txt`, each behind a right answer."""
    right = "import os, signal, sys, time\nx = int(input())\nprint(x * x, flush=True)\n"
    return [dataclasses.replace(item, source=right + item.source) for item in SCRIPT_CHEATS]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Exchange]]:
    """Give a function that starts a process for a program, for the worker's own code in this process."""
    spawner = Spawner(Confinement(level=Level.NONE, folder=str(tmp_path)))
    caller, other = socket.socketpair()
    with caller, other:
        yield lambda limits, **more: Exchange(spawner, limits, caller=caller.fileno(), **more)
        spawner.close()


class ScriptedExchange:
    """Answers requests with given messages, one after another, and then has crashed."""

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies)
        self.ended: BaseException | None = None

    def send(self, request: bytes, *, answered: bool = True) -> None:
        if self.ended is not None:
            raise self.ended

    def receive(self, *, numbered: bool = True) -> bytes:
        if not self.replies:
            self.stop(Status.CRASHED, "no more replies")
        return self.replies.pop(0)

    def ask(self, request: bytes) -> bytes:
        self.send(request)
        return self.receive()

    def stop(self, status: Status, detail: str) -> None:
        self.ended = ProgramStopped(status, detail)
        raise self.ended

    def curb(self, cpu_seconds: float) -> None:
        pass

    def step(self) -> None:
        pass

    def renew(self, cpu_seconds: float) -> None:
        pass

    def close(self) -> Usage:
        return Usage(0, 0.0, 0)


@pytest.fixture(scope="session")
def remote() -> Callable[..., Remote]:
    """Give a function from replies to a program that sends just these."""
    return lambda *replies: Remote(ScriptedExchange(*replies))  # type: ignore[arg-type]


WORDS = ["value", "raise", "refused", "large", "SystemExit", "StopIteration", "UnicodeDecodeError", "eval"]
STRANGE = [
    '{"i":"' + "f" * 5_000 + '"}',
    '{"i":"-' + "f" * 5_000 + '"}',
    "1e308",
    "NaN",
    '{"c":[1e308,1e308]}',
    '{"h":[0,"\\u001b[2J"]}',
    '{"d":[[{"h":[1,"Key"]},{"h":[1,"Key"]}]]}',
    '{"s":[{"h":[4,"Key"]}]}',
    "[" * 400 + "]" * 400,
    '{"t":[' * 200 + "]}" * 200,
    '{"n":"int"}',
    '"\\ud800"',
]


PLAIN = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=3)
TAGGED = st.recursive(
    PLAIN | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("tsfdbacinhvoek"), inner, max_size=1)
    ),
    max_leaves=10,
).map(json.dumps)
NUMBERS = st.sampled_from(["0", "1", "2", "7", "-1", "true", '"1"', "9" * 30])
PLAIN_JSON = st.sampled_from(
    ["1", "5", '"text"', "[]", "[1,2]", '{"d":[[1,2]]}', '{"s":[1]}', '{"t":[1]}', "null"]
)
LIBRARY = st.builds(
    '{{"v":["{}",{}]}}'.format, st.sampled_from(sorted(library_values.NAMES)), PLAIN_JSON | TAGGED
)
PROTOCOL_NAMES = [
    " ",
    "call",
    "len iter next",
    "eq ne lt hash contains",
    "getitem str repr",
    "append pop mro",
]
HANDLES = st.builds(
    '{{"h":[{},{},"{}"{}]}}'.format,
    NUMBERS,
    st.sampled_from(['"A"', '"builtins:function"', '"builtins:int"', "1", '"\\u0000"']),
    st.sampled_from(PROTOCOL_NAMES),
    st.just("") | (PLAIN_JSON | LIBRARY).map(",{}".format),
)
SHARED = st.builds('{{"o":[{}{}]}}'.format, NUMBERS, st.just("") | PLAIN_JSON.map(",{}".format))
CLASSES = [
    "ValueError",
    "ImportError",
    "KeyError",
    "SyntaxError",
    "OSError",
    "StopIteration",
    "ExceptionGroup",
]
RAISED = st.builds(
    '{{"e":[["builtins.{}"],{},[{}],{},[[{},{}]],null,{},false]}}'.format,
    st.sampled_from([*CLASSES, "SystemExit", "eval"]),
    st.sampled_from(["null", '["A","m",5,null]', '["A","m",5,"text"]', "[]"]),
    PLAIN_JSON | HANDLES,
    st.sampled_from(["null", '"text"', "1"]),
    st.sampled_from(['"name"', '"__dict__"', '"_codesample_id"', '"args"', "1"]),
    PLAIN_JSON | HANDLES,
    st.sampled_from(["null", "1", '[["builtins.ValueError"],null,[],null,[],null,null,false]']),
)
VALUES = st.sampled_from(STRANGE) | TAGGED | LIBRARY | HANDLES | SHARED | RAISED
KINDS = st.sampled_from(["value", "raise", "refused", "large"])
CORES = st.one_of(
    VALUES.map('["value",{}]'.format),
    st.builds(
        '["raise",{},{}]'.format, RAISED, st.sampled_from(['"line 1"', '{"h":[5,"K","str","text"]}', "1"])
    ),
    st.builds('["{}",{}]'.format, KINDS, VALUES),
    st.builds('["value",{{"t":[[{}],{},{}]}}]'.format, VALUES, st.sampled_from(["true", "false"]), VALUES),
)
CHANGES = st.builds("[{},{}]".format, NUMBERS, PLAIN_JSON | HANDLES)
REPLIES = st.one_of(
    TAGGED,
    CORES,
    st.tuples(KINDS, TAGGED, TAGGED, TAGGED).map(lambda parts: '["{}",{},{},{}]'.format(*parts)),
    st.lists(VALUES.map('["value",{}]'.format), min_size=1, max_size=3).map(
        lambda replies: f"[{','.join(replies)}]"
    ),
    st.builds(
        '["with",{{"k":[{}]}},{},[{}],{}]'.format,
        st.lists(NUMBERS, max_size=2).map(",".join),
        CORES,
        st.lists(CHANGES, max_size=2).map(",".join),
        st.sampled_from(["[]", '["out","err"]', '[{"h":[5,"K","str","text"]},""]', "null"]),
    ),
)


@st.composite
def hostile_reply(draw: st.DrawFn) -> bytes:
    return draw(st.binary(max_size=60) | REPLIES.map(str.encode))


@pytest.fixture(scope="session")
def any_reply() -> st.SearchStrategy[bytes]:
    """Messages that a hostile program might send: random bytes, random tags, and values made to hurt."""
    return hostile_reply()
