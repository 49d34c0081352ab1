"""Shards of a table of runs become one table, run by run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from canned_engine import BROKEN, RIGHT, Canned

from codesample.errors import ParameterError, RunFolderError
from codesample.evaluation.merged_table import merge_tables
from codesample.evaluation.options import RunOptions
from codesample.evaluation.problem_set import read_problems
from codesample.evaluation.run_table import RunTable, evaluate_table, load_table

COUNT = 3


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return a table of two tasks, and its shards, the last of which has no problem."""
    folder = tmp_path_factory.mktemp("tables")
    sets = [read_problems(name, limit=2) for name in ("mini", "mini_blind")]

    def run(name: str, shard: str | None = None) -> RunTable:
        options = RunOptions(
            out=folder / name, shard=shard, workers=1, allow_weak_isolation="none", skip_health_check=True
        )
        return evaluate_table(sets, [Canned(RIGHT, BROKEN)], n=2, rerankers="mean_logprob", run=options)

    shards = [run(f"shard-{number}", f"{number}/{COUNT}").folder for number in range(1, COUNT + 1)]
    return {"whole": run("whole"), "shards": shards}


def test_is_the_table_of_one_process(made: dict[str, Any], tmp_path: Path) -> None:
    merged = merge_tables(made["shards"], tmp_path / "merged")
    assert merged == load_table(tmp_path / "merged")
    assert not merged.failed
    for one, other in zip(made["whole"].rows, merged.rows, strict=True):
        assert (other.title, other.run.name) == (one.title, one.run.name)
        assert one.report is not None
        assert other.report is not None
        assert (other.report.problems, other.report.samples, other.report.shard) == (2, 4, "")
        assert other.report.pass_at_k == one.report.pass_at_k
        for name in ("samples.jsonl", "scores/mean_logprob.jsonl"):
            lines = [(row.run / name).read_text().splitlines() for row in (one, other)]
            assert sorted(lines[0]) == sorted(lines[1])
    assert [each.name for each in tmp_path.iterdir()] == ["merged"]


def test_a_shard_without_a_problem_says_so(made: dict[str, Any]) -> None:
    (first, _) = load_table(made["shards"][-1]).rows
    assert first.error == "shard 3/3 has none of the problems; there is nothing to show"


def test_what_is_not_all_of_one_table_is_refused(made: dict[str, Any], tmp_path: Path) -> None:
    shards = made["shards"]
    fewer = Path(shutil.copytree(shards[1], tmp_path / "fewer"))
    (fewer / "table.json").write_text((fewer / "table.json").read_text().replace("mini_blind-", "other-"))
    run = made["whole"].rows[0].run
    for given, out, said in [
        (shards[:1], "no", "1 of 3 shards are not there: 2/3"),
        ([shards[0], fewer], "no", "are not shards of one table: only one has "),
        ([shards[0], run], "no", "mini-canned-t0.8: holds no table of runs, and others do"),
        (shards, shards[0] / "inside", "a shard; choose another folder"),
        ([made["whole"].folder], "no", "holds a whole run, not a shard"),
    ]:
        with pytest.raises(RunFolderError, match=said):
            merge_tables(given, tmp_path / out)
    with pytest.raises(ParameterError, match="no table to merge"):
        merge_tables([])
    assert not (tmp_path / "no").exists()
