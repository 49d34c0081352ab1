"""What a measurement says about the machine."""

import json
import subprocess
import sys
from importlib import metadata

import pytest
import torch

from codesample.bench import machine as module
from codesample.bench.machine import KERNELS, MODELS, PROCESSES, machine, processor_name

CPU = torch.device("cpu")


def test_facts_are_plain_and_those_that_were_asked_for():
    facts = machine((*MODELS, *PROCESSES), CPU)
    assert tuple(facts) == (*MODELS, *PROCESSES)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["torch"] == torch.__version__
    assert facts["threads"] == torch.get_num_threads()
    assert facts["python"].split(".")[0] == str(sys.version_info.major)
    assert facts["cores"] >= 1
    assert facts["load"] >= 0


def test_keys_are_those_of_the_measurements_that_are_kept():
    assert KERNELS == ("device", "commit", "torch", "triton", "threads")
    assert (*KERNELS, "transformers", "date") == MODELS
    assert PROCESSES == ("python", "kernel", "cores", "load")


def test_the_device_is_the_one_measured_on(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "a GPU")
    assert machine(MODELS, CPU)["device"] != "a GPU"
    on_gpu = machine(MODELS, torch.device("cuda"))
    assert (on_gpu["device"], on_gpu["threads"]) == ("a GPU", None)


def missing(package):
    raise metadata.PackageNotFoundError(package)


def test_without_triton_its_version_is_missing(monkeypatch):
    monkeypatch.setattr(module.metadata, "version", missing)
    assert machine(KERNELS, CPU)["triton"] is None


def test_without_git_the_commit_is_missing(monkeypatch):
    monkeypatch.delenv("CODESAMPLE_COMMIT", raising=False)
    monkeypatch.setenv("PATH", "")
    assert machine(KERNELS, CPU)["commit"] is None


def fake_git(folder, script):
    folder.mkdir()
    git = folder / "git"
    git.write_text(f"#!/bin/sh\n{script}\n")
    git.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("script", "commit"),
    [
        ("echo 1234abcd", "1234abcd"),
        ("echo 'fatal: not a git repository' >&2; exit 128", None),
        ("echo HEAD; echo 'fatal: ambiguous argument' >&2; exit 128", None),
    ],
)
def test_the_commit_is_what_git_says_where_it_succeeds(monkeypatch, tmp_path, script, commit):
    monkeypatch.delenv("CODESAMPLE_COMMIT", raising=False)
    monkeypatch.setenv("PATH", f"{fake_git(tmp_path / 'bin', script)}:/usr/bin:/bin")
    assert machine(KERNELS, CPU)["commit"] == commit


def test_the_environment_names_the_commit_of_a_copy_without_history(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", fake_git(tmp_path / "bin", "echo another"))
    monkeypatch.setenv("CODESAMPLE_COMMIT", " 5678ef\n")
    assert machine(KERNELS, CPU)["commit"] == "5678ef"
    monkeypatch.setenv("CODESAMPLE_COMMIT", "")
    assert machine(KERNELS, CPU)["commit"] == "another"


def test_facts_about_processes_load_no_library():
    script = (
        "import sys; from codesample.bench.machine import *;machine(PROCESSES); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("flags", "widest"),
    [
        ("fpu avx2 avx512f avx512_bf16 amx_bf16 amx_tile", ", AMX"),
        ("avx2 avx512f avx512_bf16", ", AVX-512 BF16"),
        ("avx2 avx512f", ", AVX-512"),
        ("sse4_2 avx2", ", AVX2"),
        ("sse4_2", ""),
    ],
)
def test_a_processor_is_named_with_what_it_multiplies_by(flags, widest):
    text = f"processor\t: 0\nmodel name\t: A Processor 7\nflags\t\t: {flags}\nbugs\t\t: none\n"
    assert processor_name(text + text) == f"A Processor 7{widest}"


def test_a_processor_that_tells_nothing_has_the_name_of_its_kind():
    assert processor_name("") == processor_name("Features : fp asimd") != ""
    assert processor_name("model name\t: \nstepping\t: 3\nflags\t\t: avx2\n") == f"{processor_name('')}, AVX2"
