"""Ctrl-C at any moment, and streams that are closed, full, broken or narrow, end a command in order."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path

import pytest

WORDS = [sys.executable, "-m", "codesample"]
COMMAND = shlex.join(WORDS)
SANDBOX = ["--workers", "1", "--allow-weak-isolation", "none"]
PATIENCE_SECONDS = 100.0
# far less than the programs would take, far more than ending takes on a busy machine
ENDING_SECONDS = 20.0
INTERRUPTED = 130
PROBLEM = {
    "task_id": "mine/1",
    "prompt": 'def add(x):\n    """Return x + 1."""\n',
    "entry_point": "add",
    "test": "assert add(1) == 2\n",
}


def write(folder: Path, *bodies: str) -> list[str]:
    """Write a problem and samples of it; return the words that execute them."""
    (folder / "mine.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    rows = [{"task_id": "mine/1", "completion": body} for body in bodies]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ["execute", "samples.jsonl", "--task-file", "mine.jsonl", "--out", "run", *SANDBOX]


def shell(line: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash that names the command CODESAMPLE; its code is that of the command."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line.replace("CODESAMPLE", COMMAND)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | environment,
        timeout=PATIENCE_SECONDS,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run in `run`."""
    folder = tmp_path_factory.mktemp("finished")
    done = subprocess.run([*WORDS, *write(folder, "    return x + 1\n")], cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stderr
    return folder


def interrupted_twice(folder: Path, words: list[str], *, after: float, gap: float, terminal: bool) -> str:
    """Start a command, press Ctrl-C twice once its run has verdicts; return all it said. It ends with 130."""
    ours, theirs = pty.openpty() if terminal else os.pipe()
    fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 1 << 20) if not terminal else None
    with subprocess.Popen(
        [*WORDS, *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            end = time.monotonic() + PATIENCE_SECONDS
            while not (folder / "run" / "verdicts.jsonl").exists():
                assert time.monotonic() < end, "no verdict"
                time.sleep(0.005)
            time.sleep(after)
            for pause in (gap, 0.0):
                process.send_signal(signal.SIGINT)
                time.sleep(pause)
            assert process.wait(ENDING_SECONDS) == INTERRUPTED
        finally:
            process.kill()
    text = b""
    with suppress(OSError):
        while part := os.read(ours, 1 << 16):
            text += part
    os.close(ours)
    return text.decode()


def many(folder: Path) -> list[str]:
    """Samples that keep a worker busy for long: some quick, some that loop."""
    loops = [f"    n = {n}\n    while True: pass\n" for n in range(20)]
    quick = [f"    return x + {n}\n" for n in range(60)]
    return write(folder, *quick, *loops, *(f"{body}    # again\n" for body in quick))


def check_interrupted(folder: Path, *, after: float, gap: float, terminal: bool) -> None:
    said = interrupted_twice(folder, many(folder), after=after, gap=gap, terminal=terminal)
    assert "Traceback" not in said
    assert "interrupted" in said
    assert "go on with: codesample execute" in said
    for file in ("samples.jsonl", "verdicts.jsonl"):
        assert [json.loads(line) for line in (folder / "run" / file).read_text().splitlines()]


@pytest.mark.parametrize(
    ("after", "gap", "terminal"),
    [(0.0, 0.0, False), (0.05, 0.006, True), (0.2, 0.012, False)],
)
def test_a_second_interruption_right_after_the_first_disturbs_nothing(
    after: float, gap: float, terminal: bool, tmp_path: Path
) -> None:
    check_interrupted(tmp_path, after=after, gap=gap, terminal=terminal)


@pytest.mark.slow
def test_no_moment_for_two_interruptions_hangs(tmp_path: Path) -> None:
    for number in range(12):
        folder = tmp_path / str(number)
        folder.mkdir()
        check_interrupted(folder, after=number * 0.04, gap=number % 7 / 333, terminal=number % 2 == 0)


def test_what_was_interrupted_twice_is_resumed(tmp_path: Path) -> None:
    words = many(tmp_path)
    interrupted_twice(tmp_path, words, after=0.05, gap=0.01, terminal=False)
    before = (tmp_path / "run" / "verdicts.jsonl").read_bytes()
    # the same samples; those that loop would take long
    samples = (tmp_path / "samples.jsonl").read_text()
    assert "while True" in samples
    with subprocess.Popen(
        [*WORDS, *words, "--resume"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as again:
        try:
            end = time.monotonic() + PATIENCE_SECONDS
            while (tmp_path / "run" / "verdicts.jsonl").stat().st_size <= len(before):
                assert again.poll() is None
                assert time.monotonic() < end, "nothing new was judged"
                time.sleep(0.01)
        finally:
            again.kill()
    assert (tmp_path / "run" / "verdicts.jsonl").read_bytes().startswith(before)


LOST = """
import sys, time
from codesample.cli import app, process
process._ENDING_SECONDS = 0.5
def swallow():
    words = ["ready"]
    while True:
        try:
            # within what swallows it, for it may come at once
            while words: print(words.pop(), flush=True)
            # a long sleep that begins after the signal, and before Python looks for one, is not cut short
            time.sleep(0.01)
        except KeyboardInterrupt: pass
app.run = swallow
process.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_end_that_something_swallows_ends_the_command_all_the_same(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LOST], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        _, said = process.communicate(timeout=ENDING_SECONDS)
    assert process.returncode == 128 + number
    assert said.decode().splitlines() == ["interrupted; what was to be ended did not end in time"]


def test_an_interruption_within_source_that_is_run_as_text_has_the_same_exit_code(tmp_path: Path) -> None:
    (tmp_path / "started.py").write_text("""
import codesample.errors
from codesample.cli import app, process
app.run = lambda: exec("import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)")
process.main()
""")
    words = [sys.executable, "-m", "started"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, "", "interrupted\n")


def test_what_is_forked_ends_by_sigterm_at_once() -> None:
    script = """
import multiprocessing, signal, sys
from codesample.cli import app, process
def fork():
    with multiprocessing.get_context("fork").Pool(1) as pool:
        # nothing of Python's runs within
        pool.apply_async(sum, (range(10**10),))
        child = multiprocessing.get_context("fork").Process(target=sum, args=(range(10**10),))
        child.start()
        child.terminate()
        child.join()
        print(child.exitcode == -signal.SIGTERM)
app.run = fork
process.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


@pytest.mark.parametrize("stream", ["full", "broken", "of a full device"])
def test_so_it_does_where_that_cannot_be_said(stream: str) -> None:
    reader, writer = os.pipe()
    if stream == "full":
        os.set_blocking(writer, False)
        with suppress(BlockingIOError):
            while os.write(writer, bytes(1 << 12)):
                continue
        os.set_blocking(writer, True)
    elif stream == "broken":
        os.close(reader)
    else:
        os.close(writer)
        writer = os.open("/dev/full", os.O_WRONLY)
    with subprocess.Popen(
        [sys.executable, "-c", LOST], stdout=subprocess.PIPE, stderr=writer, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(ENDING_SECONDS) == INTERRUPTED
        finally:
            process.kill()


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_an_end_while_it_still_loads_is_one_line(number: str) -> None:
    script = """
import sys
class Loading:
    def find_spec(self, name, path=None, target=None):
        if name == "codesample.cli.app": import os, signal; os.kill(os.getpid(), signal.NUMBER)
sys.meta_path.insert(0, Loading())
from codesample.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script.replace("NUMBER", number)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    code = 128 + signal.Signals[number]
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "interrupted\n")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "CODESAMPLE report run >/dev/full",
            "No space left on device; the results are kept: codesample report run",
        ),
        (
            "CODESAMPLE report run --json >&-",
            "Bad file descriptor; the results are kept: codesample report run",
        ),
        ("CODESAMPLE list tasks | true", "Broken pipe"),
        ("CODESAMPLE --help >/dev/full", "No space left on device"),
    ],
)
def test_results_that_cannot_be_written_are_one_line_and_a_code(
    line: str, reason: str, finished: Path
) -> None:
    done = shell(line, finished)
    assert done.returncode == 2
    assert done.stderr == f"error: standard output cannot be written: {reason}\n"


@pytest.mark.parametrize("stream", [">/dev/full", ">&-"])
def test_a_run_whose_results_cannot_be_shown_is_whole(stream: str, tmp_path: Path) -> None:
    words = write(tmp_path, "    return x + 1\n")
    done = shell(f"CODESAMPLE {shlex.join(words)} {stream}", tmp_path)
    assert done.returncode == 2
    what, first, last = done.stderr.splitlines()
    assert ": 1 problem x 1 candidate" in what
    assert first.startswith("run folder run")
    assert last.endswith("the results are kept: codesample report run")
    assert "pass@1" in shell("CODESAMPLE report run", tmp_path).stdout


@pytest.mark.parametrize("streams", ["2>/dev/full", "2>&-", "<&- 2>&-"])
def test_a_run_that_can_say_nothing_still_gives_its_results(streams: str, tmp_path: Path) -> None:
    words = write(tmp_path, "    return x + 1\n")
    done = shell(f"CODESAMPLE {shlex.join(words)} --json {streams}", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["samples"] == 1
    # no socket or file of the run has become a standard stream
    assert [json.loads(line) for line in (tmp_path / "run" / "verdicts.jsonl").read_text().splitlines()]


def test_a_refusal_that_cannot_be_said_is_still_a_code(tmp_path: Path) -> None:
    for streams in ("2>/dev/full", "<&- >&- 2>&-"):
        done = shell(f"CODESAMPLE report nowhere {streams}", tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@pytest.mark.parametrize(
    "environment",
    [
        {"COLUMNS": "1"},
        {"TERM": "dumb"},
        {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"TMPDIR": "/nonexistent"},
    ],
    ids=lambda each: ",".join(each),
)
def test_a_report_is_whole_in_a_poor_environment(environment: dict[str, str], finished: Path) -> None:
    done = shell("unset HOME; CODESAMPLE report run", finished, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    # a narrow table breaks "by an oracle" into two lines
    for word in ("pass@1", "1.000", "oracle", "1 passed", "run folder  run"):
        assert word in done.stdout


def test_progress_and_report_on_a_terminal_of_one_column(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 1, 1, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    text = b""
    with subprocess.Popen(
        [*WORDS, *write(tmp_path, "    return x + 1\n")],
        cwd=tmp_path,
        env=environment | {"TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        with suppress(OSError):
            while part := os.read(ours, 1 << 16):
                text += part
        assert process.wait(PATIENCE_SECONDS) == 0, text
    os.close(ours)
    assert b"Traceback" not in text
    assert b"1 passed" in text


def test_a_folder_that_is_gone_or_cannot_hold_a_run_is_one_line(tmp_path: Path, finished: Path) -> None:
    gone = tmp_path / "gone"
    done = shell(f"mkdir {gone}; cd {gone}; rmdir {gone}; CODESAMPLE report run", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the current folder is gone")
    assert len(done.stderr.splitlines()) == 1
    words = write(tmp_path, "    return x + 1\n")
    del words[words.index("--out") : words.index("--out") + 2]
    (tmp_path / "runs").write_text("in the way")
    done = shell(f"CODESAMPLE {shlex.join(words)}", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "cannot be written: Not a directory; choose another with --out" in line
