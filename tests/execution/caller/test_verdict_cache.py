"""A verdict that is found again is the one that would come, and whatever decides it is part of its name."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesample.execution import Executor, Limits, Program
from codesample.execution.caller import granted_modules, verdict_cache
from codesample.execution.caller.granted_modules import state_of_packages
from codesample.execution.caller.verdict_cache import LastingVerdicts, VerdictCache
from codesample.records import CodeTests, ScriptExample, ScriptTests, Status, Tests, Verdict

REPLY = {"status": "passed", "detail": "", "cpu_seconds": 0.5, "checks": "101"}
READ = REPLY | {"checks": (True, False, True)}
KEY, OTHER = "ab" + "0" * 62, "ab" + "1" * 62


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "made" / "here"


def test_what_was_kept_is_found_by_another_session(folder: Path) -> None:
    cache = VerdictCache(folder)
    assert cache.get(KEY) is None
    cache.put(KEY, REPLY)
    for each in (cache, VerdictCache(folder)):
        assert each.get(KEY) == READ
        assert each.get(OTHER) is None
        assert each.found == 1
    assert stat.S_IMODE((folder / "ab.verdicts").stat().st_mode) == 0o600


@pytest.mark.parametrize("status", list(Status))
def test_only_what_cannot_be_otherwise_is_kept(folder: Path, status: Status) -> None:
    VerdictCache(folder).put(KEY, REPLY | {"status": str(status)})
    kept = VerdictCache(folder).get(KEY) is not None
    assert kept == (status in (Status.PASSED, Status.WRONG, Status.ERROR))


@pytest.mark.parametrize("reply", [REPLY | {"first_try": "cpu_timeout"}, {"fault": "lost"}, {}])
def test_nor_is_what_took_two_tries_or_is_no_verdict(folder: Path, reply: dict[str, Any]) -> None:
    VerdictCache(folder).put(KEY, reply)
    assert VerdictCache(folder).get(KEY) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-2],
        lambda whole: b"",
        lambda whole: whole.replace(b"passed", b"failed"),
        lambda whole: whole.replace(b"ab0", b"ab1"),
        lambda whole: b"\xff\xfe\n" * 3,
        lambda whole: whole[20:],
    ],
    ids=["cut", "empty", "changed", "renamed", "noise", "headless"],
)
def test_a_damaged_line_is_none_and_others_stay(folder: Path, damage: Any) -> None:
    cache = VerdictCache(folder)
    cache.put(KEY, REPLY)
    path = folder / "ab.verdicts"
    path.write_bytes(damage(path.read_bytes()) + b"\n")
    VerdictCache(folder).put(OTHER, REPLY)
    assert VerdictCache(folder).get(KEY) is None
    assert VerdictCache(folder).get(OTHER) == READ


def test_a_folder_or_file_that_others_can_write_is_not_believed(folder: Path) -> None:
    VerdictCache(folder).put(KEY, REPLY)
    path = folder / "ab.verdicts"
    path.chmod(0o666)
    assert VerdictCache(folder).get(KEY) is None
    path.chmod(0o600)
    folder.chmod(0o777)
    VerdictCache(folder).put(OTHER, REPLY)
    assert VerdictCache(folder).get(OTHER) is None


def test_a_link_and_a_pipe_are_not_followed(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(parents=True)
    (tmp_path / "elsewhere").write_text("")
    (folder / "ab.verdicts").symlink_to(tmp_path / "elsewhere")
    VerdictCache(folder).put(KEY, REPLY)
    assert (tmp_path / "elsewhere").read_text() == ""
    (folder / "ab.verdicts").unlink()
    os.mkfifo(folder / "ab.verdicts")
    VerdictCache(folder).put(KEY, REPLY)
    assert VerdictCache(folder).get(KEY) is None


def test_what_was_kept_first_goes_where_there_is_no_more_room(folder: Path) -> None:
    cache = VerdictCache(folder, most_bytes=256 * 2_000)
    keys = [f"ab{at:062}" for at in range(100)]
    for key in keys:
        cache.put(key, REPLY)
    assert (folder / "ab.verdicts").stat().st_size < 2_500
    later = VerdictCache(folder)
    kept = [key for key in keys if later.get(key) is not None]
    assert 3 < len(kept) < 15
    assert kept == keys[-len(kept) :]
    assert [each.name for each in folder.iterdir()] == ["ab.verdicts"]


def test_nowhere_nothing_is_kept(tmp_path: Path) -> None:
    for folder in (None, tmp_path / "file"):
        (tmp_path / "file").write_text("")
        cache = VerdictCache(folder)
        cache.put(KEY, REPLY)
        assert VerdictCache(folder).get(KEY) is None


def name_of(executor: Executor, job: str = "job", limits: Limits | None = None) -> str:
    """Return the name under which a job's verdict would be kept."""
    asked: list[str] = []

    class Asked(VerdictCache):
        def get(self, key: str) -> dict[str, Any] | None:
            asked.append(key)
            return None

    LastingVerdicts(Asked(None), executor.isolation).look_up(job, limits or Limits())
    return "".join(asked)


def test_the_name_holds_all_that_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Executor(workers=1) as executor:
        names = [name_of(executor), name_of(executor, "another")]
        isolation = executor.isolation
        for change in ({"python": "3.99.0"}, {"kernel": "x"}, {"hash_seed": "7"}, {"uid_policy": "x"}):
            executor.isolation = replace(isolation, **change)
            names.append(name_of(executor))
        executor.isolation = isolation
        for part in ("machine_kind", "judging_code"):
            with monkeypatch.context() as patch:
                patch.setattr(verdict_cache, part, lambda: b"another")
                names.append(name_of(executor))
        monkeypatch.setattr(verdict_cache, "package_folders", lambda: (str(tmp_path),))
        (tmp_path / "made.py").write_text("")
        for version in ("1", "2"):
            (tmp_path / f"made-{version}.dist-info").mkdir()
            names.append(name_of(executor, limits=Limits(imports=("made",))))
        assert len(set(names)) == len(names)
        assert all(names)


def test_modules_that_may_change_without_an_installation_have_no_name(tmp_path: Path) -> None:
    inside, outside = tmp_path / "site-packages", tmp_path / "work"
    for folder in (inside, outside):
        folder.mkdir()
    (inside / "made.py").write_text("")
    folders = (str(inside),)
    assert state_of_packages(("made", "json"), folders) is not None
    assert state_of_packages(("missing",), folders) is None
    # a link out of the folder, as some installers make for editing
    (outside / "edited.py").write_text("")
    (inside / "edited.py").symlink_to(outside / "edited.py")
    assert state_of_packages(("edited",), folders) is None
    assert granted_modules.missing_modules(()) == []


CODE = CodeTests(checks=("assert f(1) == 2", "assert f(2) == 4"), entry_point="f")
# its verdict tells one run from another
CLOCK = "import time\ndef f(x):\n    raise ValueError(time.time_ns())"


def judged(
    folder: Path | None, source: str = CLOCK, tests: Tests = CODE, *, found: int = 0, **limits: Any
) -> Verdict:
    """Judge in a session of its own, and expect that so many verdicts come from the folder."""
    with Executor(workers=1, limits=Limits(**limits)) as executor:
        executor.recall(folder)
        verdict = executor.submit(Program("t", 3, source, tests)).result(60)
        assert executor.recalled == found
        return verdict


def test_a_program_runs_once_for_all_sessions(folder: Path) -> None:
    first = judged(folder)
    assert first.status is Status.ERROR
    assert judged(folder, found=1) == first


@pytest.mark.parametrize(
    "other",
    [
        {"source": CLOCK + "\n"},
        {"tests": replace(CODE, checks=("assert f(1) == 3", "assert f(2) == 4"))},
        {"tests": replace(CODE, time_limit=3.0)},
        {"memory": 1 << 28},
    ],
    ids=["program", "tests", "their limit", "limits"],
)
def test_whatever_is_different_runs_anew(folder: Path, other: dict[str, Any]) -> None:
    first = judged(folder)
    assert judged(folder, **other).detail != first.detail


def test_a_limit_that_was_hit_is_tried_anew(folder: Path) -> None:
    looping = "def f(x):\n    while True: pass"
    for _ in range(2):
        tests = replace(CODE, time_limit=0.1)
        assert judged(folder, looping, tests).status in (Status.CPU_TIMEOUT, Status.WALL_TIMEOUT)


def test_checks_and_integrity_come_back(folder: Path) -> None:
    right = "print(int(input()) + 1)"
    cases = ScriptTests(cases=(ScriptExample("1\n", "2\n"), ScriptExample("2\n", "2\n")))
    first, second = (judged(folder, right, cases, found=found) for found in range(2))
    assert first == second
    assert (first.checks, first.integrity) == ((True, False), "io")


def test_without_a_folder_it_runs_in_each() -> None:
    assert judged(None).detail != judged(None).detail


def test_of_equal_programs_in_one_session_one_runs(folder: Path) -> None:
    with Executor(workers=1) as executor:
        executor.recall(folder)
        futures = [executor.submit(Program("t", index, CLOCK, CODE)) for index in range(5)]
        details = {future.result(60).detail for future in futures}
        assert executor.recalled == 0
    assert len(details) == 1


def test_a_verdict_that_would_push_out_all_others_is_not_written(folder: Path) -> None:
    cache = VerdictCache(folder, most_bytes=256 * 4_000)
    cache.put(KEY, REPLY)
    cache.put(OTHER, REPLY | {"detail": "x" * 3_000})
    again = VerdictCache(folder)
    assert again.get(KEY) == READ
    assert again.get(OTHER) is None
