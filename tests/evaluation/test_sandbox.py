"""Modules that a run grants to its programs: looked for early, recorded, and the same when it goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import ModelError, ParameterError, RunFolderError
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.execute_samples import execute_samples
from codesample.evaluation.options import RunOptions
from codesample.evaluation.references import verify_references
from codesample.evaluation.reranking import rerank_run
from codesample.evaluation.sandbox import open_judge
from codesample.execution import Executor
from codesample.execution.caller.granted_modules import missing_modules
from codesample.tasks.contract import Task

pytest.importorskip("numpy")

PROBLEM = {
    "task_id": "mine/1",
    "prompt": 'def total(xs):\n    """Return the sum.\n\n    >>> total([1])\n    1\n    """\n',
    "entry_point": "total",
    "test": "assert total([1, 2]) == 3\n",
    "canonical_solution": "    import numpy\n    return int(numpy.sum(xs))\n",
}


def options(out: Path | None = None, *, imports: tuple[str, ...] = (), resume: bool = False) -> RunOptions:
    # references that lack a module would be refused before the programs are
    granted = {"imports": imports, "skip_health_check": True}
    return RunOptions(out=out, workers=1, allow_weak_isolation="none", resume=resume, **granted)


@pytest.fixture
def given(tmp_path: Path) -> tuple[Path, Path]:
    """A file of samples, and one of problems."""
    problems, samples = tmp_path / "mine.jsonl", tmp_path / "samples.jsonl"
    problems.write_text(json.dumps(PROBLEM) + "\n")
    row = {"task_id": "mine/1", "completion": PROBLEM["canonical_solution"]}
    samples.write_text(json.dumps(row) + "\n")
    return samples, problems


def test_granted_modules_reach_programs_rerankers_and_the_record(given: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    report = execute_samples(*given, run=options(out, imports=("numpy",)), rerankers=["public_examples"])
    assert report.statuses == {"passed": 1}
    record = json.loads((out / "run.json").read_text())
    assert record["imports"] == record["sessions"][0]["settings"]["imports"] == ["numpy"]
    (line,) = (out / "scores" / "public_examples.jsonl").read_text().splitlines()
    assert json.loads(line)["score"] == 1.0
    # a reranker grants what the run had
    (out / "scores" / "public_examples.jsonl").unlink()
    rerank_run(out, rerankers=["public_examples"], run=options())
    assert json.loads((out / "scores" / "public_examples.jsonl").read_text())["score"] == 1.0


def test_a_run_goes_on_with_the_modules_it_began_with_and_no_others(given: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert execute_samples(*given, run=options(out)).statuses == {"error": 1}
    with pytest.raises(RunFolderError, match=r"imports is \('numpy',\), the run has \(\)"):
        execute_samples(*given, run=options(out, imports=("numpy",), resume=True))
    # as runs were recorded that knew of no such thing
    record = json.loads((out / "run.json").read_text())
    del record["imports"]
    (out / "run.json").write_text(json.dumps(record))
    assert execute_samples(*given, run=options(out, resume=True)).statuses == {"error": 1}


def test_references_are_verified_with_the_modules_granted(given: Any) -> None:
    _, problems = given
    assert verify_references(problems, run=options()).passed == 0
    assert verify_references(problems, run=options(imports=("numpy",))).passed == 1


class Unloadable:
    """A model whose loading would be noticed."""

    name, abilities, reproducibility = "unloadable", frozenset({"logprobs"}), "exact"

    def stream(self, requests: Any, params: Any, *, progress: Any = None) -> Any:
        raise ModelError("asked for candidates")

    def describe(self) -> dict[str, Any]:
        raise ModelError("loaded")


def test_a_module_that_is_not_there_is_refused_by_name_before_the_model_is_asked(
    adding: Task, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    for names, complaint in (
        (("numpy,numpi", "pandos"), "imports numpi, pandos: not among the packages installed here"),
        (("numpy.lynalg",), "imports numpy.lynalg: not among"),
        (("codesample",), "imports codesample: not among"),
    ):
        with pytest.raises(ParameterError, match=complaint):
            evaluate(adding, model=Unloadable(), n=1, rerankers=(), run=options(out, imports=names))
        assert not out.exists()


def test_a_module_that_cannot_be_loaded_in_the_sandbox_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "broken-packages"
    packages.mkdir()
    (packages / "broken_one.py").write_text("raise ImportError('needs a library that is not here')")
    monkeypatch.syspath_prepend(str(packages))
    with (
        pytest.raises(
            ParameterError, match=r"imports broken_one: cannot be imported by programs: .*needs a lib"
        ),
        open_judge(options(imports=("broken_one",))),
    ):
        pass


def test_names_of_modules_are_spread_and_checked() -> None:
    assert options(imports=("numpy,scipy.stats", "numpy")).imports == ("numpy", "scipy.stats")
    for odd in ("a b", "", "numpy,", "../x", "x;y"):
        with pytest.raises(ParameterError, match="expected the name of a module, such as numpy"):
            options(imports=(odd,))


def test_a_judge_of_one_s_own_grants_for_itself() -> None:
    with (
        Executor(workers=1) as judge,
        pytest.raises(ParameterError, match="grants modules by its own limits"),
    ):
        replace(options(imports=("numpy",)), judge=judge)


def test_what_can_be_granted_is_found_without_importing_it() -> None:
    names = [
        "numpy",
        "numpy.linalg",
        "json",
        "os.path",
        "nope",
        "numpy.nope",
        "codesample",
        "codesample.tasks",
    ]
    assert missing_modules(names) == ["nope", "numpy.nope", "codesample", "codesample.tasks"]
