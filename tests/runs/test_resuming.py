from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from codesample.errors import RunFolderError
from codesample.records import SamplingParams
from codesample.runs import Manifest, RunFolder


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"task": "mbpp"}, ["task is 'mbpp', the run has 'mini'"]),
        ({"task_version": "2"}, ["task_version"]),
        ({"data_hash": "cd"}, ["data_hash"]),
        ({"model": "other", "task": "x"}, ["model", "task"]),
        ({"params": SamplingParams(stop=("\nclass", "\ndef"), seed=8)}, ["seed is 8, the run has 7"]),
        ({"params": SamplingParams(temperature=0.2, seed=7)}, ["temperature", "stop"]),
    ],
)
def test_resuming_another_run_is_refused_field_by_field(
    path: Path, manifest: Manifest, changes: dict[str, object], named: list[str]
) -> None:
    RunFolder.create(path, manifest).close()
    with pytest.raises(RunFolderError, match="cannot be resumed with other settings") as caught:
        RunFolder.resume(path, replace(manifest, **changes))
    assert all(text in str(caught.value) for text in named)
    assert str(caught.value).count("the run has") == len(named)
    assert RunFolder.open(path).manifest == manifest


@pytest.mark.parametrize(
    ("fact", "before", "now"),
    [
        ("dtype", "float32", "bfloat16"),
        ("matmul", "float32", "int8"),
        ("revision", "1a2b", "3c4d"),
        ("checkpoint", "1a2b", "3c4d"),
        ("architecture", "LlamaForCausalLM", "Qwen2ForCausalLM"),
        ("parameters", 1000, 2000),
    ],
)
def test_other_weights_under_the_same_name_do_not_continue_a_run(
    path: Path, manifest: Manifest, fact: str, before: object, now: object
) -> None:
    first = {"model": {"device": "cpu", fact: before}}
    RunFolder.create(path, replace(manifest, sessions=(first,))).close()
    with pytest.raises(RunFolderError, match=f"{fact} is {now!r}, the run has {before!r}"):
        RunFolder.resume(path, replace(manifest, sessions=({"model": {"device": "cpu", fact: now}},)))
    RunFolder.resume(
        path, replace(manifest, sessions=({"model": {"device": "cuda:0", fact: before}},))
    ).close()


@pytest.mark.parametrize(
    ("before", "now"), [(None, "quest(keep=0.2)"), ("quest(keep=0.2)", None), ("a(b=1)", "a(b=2)")]
)
def test_another_policy_does_not_continue_a_run_nor_does_one_an_exact_run(
    path: Path, manifest: Manifest, before: str | None, now: str | None
) -> None:
    sessions = [{"model": {} if each is None else {"policy": each}} for each in (before, now)]
    RunFolder.create(path, replace(manifest, sessions=(sessions[0],))).close()
    said = f"policy is {now or 'exact'!r}, the run has {before or 'exact'!r}"
    with pytest.raises(RunFolderError, match=re.escape(said)):
        RunFolder.resume(path, replace(manifest, sessions=(sessions[1],)))
    RunFolder.resume(path, replace(manifest, sessions=(sessions[0],))).close()


def test_resuming_may_raise_n_and_records_the_session(path: Path, manifest: Manifest) -> None:
    RunFolder.create(path, manifest).close()
    with RunFolder.resume(path, replace(manifest, n=8, sessions=({"codesample": "0.2.0"},))) as run:
        assert run.manifest.n == 8
    with RunFolder.resume(path, replace(manifest, n=2, sessions=())) as run:
        assert run.manifest.n == 8
    sessions = ({"codesample": "0.1.0"}, {"codesample": "0.2.0"})
    assert RunFolder.open(path).manifest == replace(manifest, n=8, sessions=sessions)


def test_a_folder_that_holds_a_run_is_not_begun_anew(path: Path, manifest: Manifest) -> None:
    RunFolder.create(path, manifest).close()
    with pytest.raises(RunFolderError, match="holds a run already; continue it with --resume"):
        RunFolder.create(path, manifest)


@pytest.mark.parametrize("name", ["samples.jsonl", "verdicts.jsonl", "results.json", "scores"])
def test_a_new_run_takes_nothing_for_its_own_that_it_did_not_make(
    path: Path, manifest: Manifest, name: str
) -> None:
    path.mkdir()
    (path / name).mkdir() if name == "scores" else (path / name).write_text("")
    with pytest.raises(RunFolderError, match=f"holds {name}, which a new run would take for its own"):
        RunFolder.create(path, manifest)
    assert not (path / "run.json").exists()


def test_other_files_beside_a_new_run_are_left_alone(path: Path, manifest: Manifest) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("mine")
    RunFolder.create(path, manifest).close()
    assert (path / "notes.txt").read_text() == "mine"


def test_going_on_for_fewer_candidates_is_noticed_but_for_recorded_samples(
    path: Path, manifest: Manifest
) -> None:
    RunFolder.create(path, replace(manifest, n=6)).close()
    with RunFolder.resume(path, replace(manifest, n=2)) as run:
        assert run.notices == [
            "the run was asked for 6 candidates per problem before; its results are of the first 2 from now "
            "on, and of all again with --n 6"
        ]
    # as many as the problem with the fewest has, and all count
    recorded = replace(manifest, n=2, sessions=({"settings": {"samples": "s.jsonl"}},))
    for again in (recorded, replace(manifest, n=6)):
        with RunFolder.resume(path, again) as run:
            assert run.notices == []
