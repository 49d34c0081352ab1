"""The public surface: sorted, importable name by name, and light until a name is used."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import codesample

HEAVY = ("torch", "transformers", "datasets", "evaluate", "numpy", "triton", "pyarrow")


def modules_after(code: str) -> set[str]:
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    return set(json.loads(done.stdout))


def test_is_sorted_and_free_of_repeats() -> None:
    assert codesample.__all__ == sorted(set(codesample.__all__))


@pytest.mark.parametrize("name", codesample.__all__)
def test_every_exported_name_can_be_had(name: str) -> None:
    assert getattr(codesample, name).__module__.startswith("codesample")


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not modules_after("import codesample").intersection(HEAVY)


def test_records_can_be_used_without_anything_heavy() -> None:
    assert not modules_after("from codesample import Candidate, SamplingParams").intersection(HEAVY)


def test_an_unknown_name_is_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(AttributeError, match="Sampler"):
        _ = codesample.sampler_of_dreams


def test_dir_lists_the_exports() -> None:
    assert set(codesample.__all__) <= set(dir(codesample))
