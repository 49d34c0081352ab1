"""What plain Python says of a script, our verdict says: for every program of the corpus, honest and wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from machine import skip_unless_granted

from codesample.execution import Executor, Level, Program
from codesample.execution.wire import launch
from codesample.execution.worker.compare_output import as_text, same_output
from codesample.records import ScriptExample, ScriptTests, Status, Verdict

CORPUS = Path(__file__).with_name("referee_scripts.txt")
LEAST_ENTRIES = 120
TRUTHS_AT_ONCE = 2
PATIENCE_SECONDS = 60.0
LEVELS = [Level.CONFINED, pytest.param(Level.NAMESPACED, marks=pytest.mark.slow)]


@dataclass(frozen=True)
class Script:
    name: str
    source: str
    case: ScriptExample


def read_scripts(text: str) -> list[Script]:
    """Read a corpus; each entry is a program, perhaps an input, and an output."""
    found = []
    for entry in text.split("\n=== ")[1:]:
        head, _, body = entry.partition("\n")
        name, _, mark = head.partition(" | ")
        rest, _, printed = body.rstrip("\n").partition("--- output")
        source, _, read = rest.partition("--- input\n")
        parts = (source, read, printed.removeprefix("\n") + "\n")
        if mark == "escaped":
            parts = tuple(map(unescaped, parts))  # type: ignore[assignment]
        found.append(Script(name, parts[0], ScriptExample(parts[1], parts[2])))
    return found


def unescaped(text: str) -> str:
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape")


SCRIPTS = read_scripts(CORPUS.read_text("utf-8"))


def truth(script: Script, folder: Path) -> bool:
    """Ask a fresh Python, to which the program is a file and the input a file."""
    file, read = folder / "program.py", folder / "input"
    folder.mkdir()
    file.write_bytes(script.source.encode())
    read.write_bytes(script.case.input.encode())
    with read.open("rb") as stdin:
        done = subprocess.run(
            [sys.executable, file],
            stdin=stdin,
            capture_output=True,
            env=launch.ENVIRONMENT,
            cwd=folder,
            timeout=PATIENCE_SECONDS,
        )
    return done.returncode == 0 and same_output(as_text(done.stdout), script.case.output)


@pytest.fixture(scope="module")
def truths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[bool]]]:
    folder = tmp_path_factory.mktemp("truth")
    with ThreadPoolExecutor(TRUTHS_AT_ONCE) as pool:
        yield {
            script.name: pool.submit(truth, script, folder / str(number))
            for number, script in enumerate(SCRIPTS)
        }


@pytest.fixture(scope="module", params=LEVELS, ids=lambda level: level.label)
def verdicts(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Verdict]]]:
    """Submit all scripts at once, at a level that promises to leave honest programs alone."""
    skip_unless_granted(request.param)
    with Executor(workers=2, level=request.param) as executor:
        yield {
            script.name: executor.submit(
                Program(script.name, 0, script.source, ScriptTests(cases=(script.case,)))
            )
            for script in SCRIPTS
        }


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_the_verdict_is_what_python_says(
    script: Script, verdicts: dict[str, Future[Verdict]], truths: dict[str, Future[bool]]
) -> None:
    verdict = verdicts[script.name].result(PATIENCE_SECONDS)
    assert verdict.status is not Status.HARNESS_ERROR, verdict
    assert verdict.passed == truths[script.name].result(PATIENCE_SECONDS), verdict


def test_the_corpus_is_large_and_holds_honest_and_wrong_programs(truths: dict[str, Future[bool]]) -> None:
    assert len(truths) == len(SCRIPTS) >= LEAST_ENTRIES
    found = [each.result(PATIENCE_SECONDS) for each in truths.values()]
    assert min(found.count(True), found.count(False)) >= len(found) // 4
