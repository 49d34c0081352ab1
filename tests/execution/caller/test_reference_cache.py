"""What is kept of references is found again, whole, by its owner alone, and never in anybody's way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from binascii import b2a_base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codesample.execution import Executor, Limits, Program
from codesample.execution.caller import reference_cache
from codesample.execution.caller.reference_cache import ReferenceCache, cache_folder, reference_key
from codesample.execution.worker.measured import Measured
from codesample.records import InputTests, Status

KEY, OTHER, THIRD = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "made" / "here"


@pytest.fixture
def cache(folder: Path) -> ReferenceCache:
    return ReferenceCache(folder, most_bytes=4_000)


def file_of(folder: Path, key: str) -> Path:
    return folder / f"{key}.reference"


@pytest.mark.parametrize("body", [b"", b"[1,2]", b"\n\n", b"x" * 900], ids=["empty", "some", "lines", "long"])
def test_what_was_kept_is_found_by_another_session(folder: Path, cache: ReferenceCache, body: bytes) -> None:
    cache.put(KEY, body)
    assert ReferenceCache(folder).get(KEY) == body
    assert cache.get(OTHER) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-1],
        lambda whole: whole[:20],
        lambda whole: b"",
        lambda whole: whole[:-3] + b"#" + whole[-2:],
        lambda whole: whole + b" ",
        lambda whole: whole.split(b"\n")[1],
    ],
    ids=["cut", "cut in its head", "empty", "changed", "longer", "without head"],
)
def test_a_damaged_file_is_none(folder: Path, cache: ReferenceCache, damage: Any) -> None:
    cache.put(KEY, b'["expected"]')
    path = file_of(folder, KEY)
    path.write_bytes(damage(path.read_bytes()))
    assert cache.get(KEY) is None
    cache.put(KEY, b'["expected"]')
    assert cache.get(KEY) == b'["expected"]'


def test_what_is_no_file_of_the_user_s_own_is_none(folder: Path, cache: ReferenceCache) -> None:
    cache.put(KEY, b"1")
    path = file_of(folder, KEY)
    path.chmod(0o666)
    assert cache.get(KEY) is None
    path.chmod(0o600)
    assert cache.get(KEY) == b"1"
    file_of(folder, OTHER).symlink_to(path)
    assert cache.get(OTHER) is None
    # nobody ever writes to it
    os.mkfifo(file_of(folder, THIRD))
    assert cache.get(THIRD) is None


def test_a_folder_that_others_may_write_is_not_used(folder: Path, cache: ReferenceCache) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    cache.put(KEY, b"1")
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = ReferenceCache(tmp_path / "file" / "below")
    cache.put(KEY, b"1")
    assert cache.get(KEY) is None


def test_a_full_disk_leaves_nothing_half_written(
    folder: Path, cache: ReferenceCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*paths: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    cache.put(KEY, b"1")
    assert list(folder.iterdir()) == []


def test_only_the_user_may_read_what_is_kept(folder: Path, cache: ReferenceCache) -> None:
    cache.put(KEY, b"1")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert file_of(folder, KEY).stat().st_mode & 0o777 == 0o600


def test_the_files_used_longest_ago_go_first(folder: Path, cache: ReferenceCache) -> None:
    for number in range(5):
        cache.put(f"{number:064x}", b"x" * 700)
        os.utime(file_of(folder, f"{number:064x}"), (number, number))
    # used just now
    assert cache.get(f"{0:064x}") is not None
    cache.put(KEY, b"y" * 700)
    kept = {number for number in range(5) if cache.get(f"{number:064x}") is not None}
    assert 0 in kept
    assert 1 not in kept
    assert cache.get(KEY) is not None
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 4_000


def test_what_would_push_out_everything_else_is_not_kept(folder: Path, cache: ReferenceCache) -> None:
    cache.put(KEY, b"1")
    cache.put(OTHER, b"x" * 1_001)
    assert (cache.get(KEY), cache.get(OTHER)) == (b"1", None)


def test_drafts_of_writers_that_were_killed_are_removed(folder: Path, cache: ReferenceCache) -> None:
    folder.mkdir(parents=True, mode=0o700)
    old, young = folder / "draft-old", folder / "draft-young"
    for draft in (old, young):
        draft.write_text("half")
    os.utime(old, (1, 1))
    cache.put(KEY, b"1")
    assert (old.exists(), young.exists()) == (False, True)


def test_writers_at_the_same_time_disturb_neither_each_other_nor_readers(folder: Path) -> None:
    bodies = {key: key.encode() * 5 for key in (KEY, OTHER, THIRD)}
    wrong: list[Any] = []

    def work() -> None:
        cache = ReferenceCache(folder, most_bytes=1_400)
        for _ in range(60):
            for key, body in bodies.items():
                cache.put(key, body)
                if cache.get(key) not in (None, body):
                    wrong.append(key)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert not [path for path in folder.iterdir() if path.name.startswith("draft-")]


@pytest.mark.parametrize(
    ("chosen", "base", "expected"),
    [
        ("", "", "{home}/.cache/codesample/references"),
        ("", "/big/cache", "/big/cache/codesample/references"),
        ("", "not/absolute", "{home}/.cache/codesample/references"),
        ("/mine", "/big/cache", "/mine/references"),
        ("off", "/big/cache", None),
        ("OFF", "", None),
    ],
)
def test_where_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, chosen: str, base: str, expected: str | None
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CODESAMPLE_CACHE", chosen)
    monkeypatch.setenv("XDG_CACHE_HOME", base)
    assert cache_folder() == (Path(expected.format(home=tmp_path)) if expected else None)


def test_the_key_names_all_that_results_depend_on(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolation = executor.isolation
    keys = [
        reference_key(b"tests", Limits(), isolation),
        reference_key(b"others", Limits(), isolation),
        reference_key(b"tests", Limits(memory=1 << 28), isolation),
    ]
    for part in ("machine_kind", "judging_code"):
        with monkeypatch.context() as patch:
            patch.setattr(reference_cache, part, lambda: b"another")
            keys.append(reference_key(b"tests", Limits(), isolation))
    assert len(set(keys)) == len(keys)
    assert reference_key(b"tests", Limits(), isolation) == keys[0]


# its result tells one run from another
CLOCK = InputTests(
    inputs=((0,),), entry_point="f", reference="import time\ndef f(x):\n    return time.time_ns()"
)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("CODESAMPLE_CACHE", str(tmp_path / "own"))
    return tmp_path / "own" / "references"


def expected_by(source: str = "def f(x):\n    return -1") -> str:
    """Judge a wrong program in a session of its own; return what it should have returned."""
    with Executor(workers=1) as executor:
        verdict = executor.submit(Program("t", 0, source, CLOCK)).result(60)
    assert verdict.status is Status.WRONG
    return verdict.detail.split("expected ")[1].split()[0]


def test_a_reference_runs_once_for_all_sessions(own_cache: Path) -> None:
    first = expected_by()
    assert len(list(own_cache.iterdir())) == 1
    assert expected_by() == first


def test_without_a_cache_it_runs_in_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for chosen in ("off", str(tmp_path / "file")):
        monkeypatch.setenv("CODESAMPLE_CACHE", chosen)
        assert expected_by() != expected_by()


def test_a_damaged_file_runs_it_again(own_cache: Path) -> None:
    first = expected_by()
    (path,) = own_cache.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    second = expected_by()
    assert second != first
    assert expected_by() == second


def test_modules_of_any_version_are_not_kept(own_cache: Path) -> None:
    limits = Limits(imports=("numpy",))
    with Executor(workers=1, limits=limits) as executor:
        assert executor.submit(Program("t", 0, "def f(x): return 1", CLOCK)).result(60).status is Status.WRONG
    assert not own_cache.exists()


KILLED = """
import os, signal, sys
sys.path[:0] = {path!r}
from codesample.execution import Executor, Program
from codesample.execution.caller.reference_cache import ReferenceCache
from codesample.records import InputTests

put = ReferenceCache.put
def put_and_die(self, key, body):
    put(self, key, body)
    os.kill(os.getpid(), signal.SIGKILL)
ReferenceCache.put = put_and_die
if __name__ == "__main__":
    tests = InputTests(inputs={inputs!r}, entry_point="f", reference={reference!r})
    with Executor(workers=1) as executor:
        executor.submit(Program("t", 0, "def f(x):\\n    while True: pass", tests)).result()
"""


def test_a_session_that_is_killed_before_its_first_verdict_leaves_the_next_less_to_do(
    own_cache: Path,
) -> None:
    script = KILLED.format(path=sys.path, inputs=CLOCK.inputs, reference=CLOCK.reference)
    done = subprocess.run([sys.executable, "-c", script], timeout=60)
    assert done.returncode == -9
    (path,) = own_cache.iterdir()
    kept = path.read_bytes().partition(b"\n")[2]
    assert Measured.unpacked(b2a_base64(kept).decode()).expected == [int(expected_by())]
