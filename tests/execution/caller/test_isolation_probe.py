"""What isolation holds here is probed, reported, and never less than was asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from machine import TRY, lacks

from codesample.errors import IsolationError
from codesample.execution import Executor, Level, probe_isolation
from codesample.execution.caller import isolation_probe


def test_probe_reports_what_holds() -> None:
    report = probe_isolation()
    data = report.as_json()
    assert data["level"] == report.level.label
    assert all(report.attacks.values()) or report.level < Level.CONFINED
    assert {
        "seccomp",
        "landlock",
        "namespaces",
        "bwrap",
        "spare_uid",
        "control_group",
        "run_queue_clock",
    } <= set(data["mechanisms"])
    assert all(set(item) == {"granted", "detail"} for item in data["mechanisms"].values())
    assert data["kernel"] == os.uname().release


def test_a_narrow_umask_costs_no_isolation() -> None:
    script = """
import os
os.umask(0o077)
from codesample.execution import probe_isolation
print(probe_isolation().level.label)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == probe_isolation().level.label


def test_attacks_that_cannot_be_tried_are_a_reason_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    from codesample.execution.isolation import attacks

    monkeypatch.setattr(attacks, "SOURCE", "import no_such_module")
    trial = isolation_probe._confine(Level.NONE, wrapped=False)
    assert trial.held is None
    assert "No module named 'no_such_module'" in trial.reason


def test_less_isolation_than_asked_for_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(
        isolation_probe,
        "_try",
        lambda level: isolation_probe._Trial({} if level is Level.LIMITED else None, "no Landlock"),
    )
    with pytest.raises(
        IsolationError, match=r"'confined': no Landlock\. Landlock needs .*--allow-weak-isolation limited"
    ):
        Executor()
    with pytest.raises(IsolationError, match="below the minimum 'namespaced'"):
        Executor(level=Level.CONFINED, minimum=Level.NAMESPACED)


WITHOUT_LANDLOCK = """
import ctypes, errno, struct
LOAD, EQUAL, RETURN, ALLOW, REFUSE = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050000 | errno.ENOSYS
calls = (444, 445, 446)
code = [(LOAD, 0, 0, 0)]
code += [(EQUAL, len(calls) - at, 0, number) for at, number in enumerate(calls)]
code += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in code))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(text)))
assert libc.prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()
"""


@pytest.mark.skipif(
    os.uname().machine != "x86_64", reason="the filter below compares numbers of x86_64 alone"
)
def test_a_kernel_without_landlock_is_refused_by_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text('{"task_id": "a", "prompt": "def f():", "test": "assert f()"}\n')
    (tmp_path / "samples.jsonl").write_text('{"task_id": "a", "completion": " return 1"}\n')
    words = ["codesample", "execute", "samples.jsonl", "--task-file", "mine.jsonl", "--out", "run"]
    command = f"import sys\nsys.argv = {words}\nfrom codesample.cli import main; main()"
    script = [sys.executable, "-c", WITHOUT_LANDLOCK + command]
    done = subprocess.run(script, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    for words in ("Linux 5.13", "lsm=", "--allow-weak-isolation limited", "Executor(minimum=Level.LIMITED)"):
        assert words in line
    assert not (tmp_path / "run").exists()
    asked = "from codesample.execution import Executor, Level\n"
    asked += "print(Executor(minimum=Level.LIMITED).isolation.level.label)"
    weaker = [sys.executable, "-c", WITHOUT_LANDLOCK + asked]
    assert subprocess.run(weaker, capture_output=True, text=True, check=True).stdout == "limited\n"


@pytest.mark.parametrize("level", list(Level), ids=lambda level: level.label)
def test_a_level_is_granted_where_the_machine_has_what_it_needs(level: Level) -> None:
    lacking, trial = lacks(level), isolation_probe._try(level)
    assert (lacking == "") is (trial.held is not None), (lacking, trial.reason)


@pytest.mark.skipif(
    os.uname().machine != "x86_64", reason="the filter above compares numbers of x86_64 alone"
)
@pytest.mark.parametrize(
    ("level", "said"), [("limited", ""), ("confined", "Landlock: Function not implemented")]
)
def test_what_the_machine_lacks_is_named(level: str, said: str) -> None:
    script = [sys.executable, "-c", WITHOUT_LANDLOCK + TRY, level]
    done = subprocess.run(script, capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (bool(said), said)


def test_levels_have_names_and_an_order() -> None:
    assert [level.label for level in sorted(Level)] == ["none", "limited", "confined", "namespaced"]
    assert Level.parse("confined") is Level.CONFINED
    with pytest.raises(LookupError, match="did you mean 'confined'"):
        Level.parse("confind")
