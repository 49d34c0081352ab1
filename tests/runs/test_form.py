"""The form of a run folder and its content for known calls: what other tools, and older runs, rely on.

The golden files hold what version 0.1.0 wrote for these calls before its modules were regrouped. Sampled
tokens, verdicts and scores are to be the same; log-probabilities the same up to rounding. Facts that may be
added to a record are left alone: every key that was there must be there, with the value that it had. The
intervals and the details of verdicts alone are of later versions, whose kind they are.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).with_name("golden")
PROBLEMS = ROOT / "tasks" / "mini" / "problems.jsonl"
CALLS = {
    "eval": ["eval", "mini", "--n", "3", "--limit", "4"],
    "execute": ["execute", "samples.jsonl", "--task", "mini"],
}
# a second call into each folder, by which it is what it is in the end
AFTER = {"eval": ["-r", "sum_logprob"], "execute": ["-r", "public_examples"]}
VOLATILE = {
    "started",
    "versions",
    "machine",
    "isolation",
    "seconds",
    "tokens_per_second",
    "cpu_seconds",
    "wall_seconds",
    "peak_memory",
}


def normalised(folder: Path) -> dict[str, Any]:
    """Read every file of a run folder; what differs from one machine or minute to the next is left out."""
    content: dict[str, Any] = {}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.suffix == ".json":
            content[name] = _settled(json.loads(file.read_text()))
        elif file.suffix == ".jsonl":
            rows = [_settled(json.loads(line)) for line in file.read_text().splitlines()]
            content[name] = sorted(
                rows, key=lambda row: (row.get("task_id", row.get("key", "")), row.get("index", 0))
            )
        elif file.is_file():
            content[name] = "a file"
    return content


def _settled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _settled(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, str) and value.startswith("/"):
        # where a file lay is no matter, which one it was is
        return Path(value).name
    return [_settled(item) for item in value] if isinstance(value, list) else value


def same(got: Any, golden: Any, where: str) -> None:
    """Require everything that the golden content holds, floats up to rounding."""
    if isinstance(golden, dict):
        assert isinstance(got, dict), where
        for key, item in golden.items():
            assert key in got, f"{where}: {key!r} is gone"
            same(got[key], item, f"{where}.{key}")
    elif isinstance(golden, list):
        assert isinstance(got, list), where
        assert len(got) == len(golden), where
        for position, (one, other) in enumerate(zip(got, golden, strict=True)):
            same(one, other, f"{where}[{position}]")
    elif isinstance(golden, float):
        assert type(got) is float, where
        assert got == pytest.approx(golden, rel=1e-4, abs=1e-4), where
    else:
        assert (type(got), got) == (type(golden), golden), where


def write_samples(place: Path) -> None:
    """Write recorded samples: the references of the first problems, and something wrong beside each."""
    with place.open("w") as file:
        for line in PROBLEMS.read_text().splitlines()[:5]:
            row = json.loads(line)
            for completion in (row["canonical_solution"], "    return None\n"):
                file.write(json.dumps({"task_id": row["task_id"], "completion": completion}) + "\n")


def make(name: str, place: Path, *python: str) -> Path:
    """Carry out the calls in `place` and return the run folder."""
    write_samples(place / "samples.jsonl")
    command = [*(python or (sys.executable,)), "-m", "codesample"]
    weak = ["--workers", "1", "--allow-weak-isolation", "none"]
    for words in ([*CALLS[name], "--out", "run"], ["rerank", "run", *AFTER[name]]):
        done = subprocess.run(
            [*command, *words, *weak], cwd=place, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
    return place / "run"


def _scored_in(content: dict[str, Any]) -> set[str]:
    scores = {file for file in content if file.startswith("scores/") and file.endswith(".jsonl")}
    return {file.removeprefix("scores/").removesuffix(".jsonl") for file in scores}


@pytest.mark.parametrize("name", CALLS)
def test_the_same_call_writes_the_same_run(name: str, tmp_path: Path) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    got = normalised(make(name, tmp_path))
    added = {
        file
        for file in got
        if file.startswith("artefacts/") or (file[:7] == "scores/" and file.endswith((".json", ".members")))
    }
    assert set(got) - added == set(golden)
    assert {f"scores/{reranker}.json" for reranker in _scored_in(got)} <= added
    same(got, golden, name)


def test_a_golden_value_that_differs_is_noticed() -> None:
    golden = json.loads((GOLDEN / "eval.json").read_text())
    for file, change in (
        ("samples.jsonl", lambda rows: rows[0]["token_ids"].append(1)),
        ("samples.jsonl", lambda rows: rows[0]["logprobs"].__setitem__(0, 1.0)),
        ("verdicts.jsonl", lambda rows: rows[0].pop("status")),
        ("scores/sum_logprob.jsonl", lambda rows: rows[0].update(score=None)),
        ("run.json", lambda record: record["params"].update(seed=1)),
    ):
        changed = json.loads(json.dumps(golden))
        change(changed[file])
        with pytest.raises(AssertionError):
            same(changed, golden, "eval")


def write_golden(source: Path) -> None:
    """Write the golden files with the code in `source`: `python tests/runs/test_form.py SOURCE`."""
    import tempfile

    for name in CALLS:
        place = Path(tempfile.mkdtemp())
        content = normalised(make(name, place, "env", f"PYTHONPATH={source}", sys.executable))
        (GOLDEN / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
        shutil.rmtree(place)


if __name__ == "__main__":
    write_golden(Path(sys.argv[1]).resolve())
