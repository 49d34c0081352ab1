"""Tests and outputs in whole runs: made once, kept in the folder, found again by whoever ranks it later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.options import RunOptions
from codesample.evaluation.reranking import rerank_run
from codesample.evaluation.test_options import TestOptions
from codesample.records import Candidate, CodeTests, Problem
from codesample.rerankers.dual_agreement import codet, tests_passed
from codesample.rerankers.output_agreement import largest_cluster, mbr_exec, srank
from codesample.tasks.contract import Task

ALL = [codet, tests_passed, largest_cluster, mbr_exec, srank]
BODIES = ("    return x + 1\n", "    return 1 + x\n", "    return x * 2\n", "    return x +\n")
TESTS = "1) == 2\nassert f(5) == 6\nassert f(7) == 0\n"


def counting(problems: int = 3) -> Task:
    prompt = 'def f(x: int) -> int:\n    """Return the next number."""\n'
    made = [
        Problem(
            task_id=f"next/{number}",
            prompt=prompt,
            description=prompt,
            tests=CodeTests(source=f"assert f({number}) == {number + 1}", entry_point="f"),
            entry_point="f",
            reference=BODIES[0],
        )
        for number in range(10, 10 + problems)
    ]
    return Task(name="next", version="1", source="made", stop=(), max_new_tokens=9, load=lambda: made)


class Writing:
    """An engine that writes programs for problems and tests for those who ask for tests."""

    name = "writing"
    abilities = frozenset({"logprobs"})
    reproducibility = "exact"

    def __init__(self) -> None:
        self.streams: list[list[str]] = []

    def stream(self, requests: Any, params: Any, *, progress: Any = None) -> Iterator[Candidate]:
        self.streams.append([request.prompt[-9:] for request in requests])
        for request in requests:
            for index in request.indices:
                text = TESTS if request.prompt.endswith("assert f(") else BODIES[index]
                yield Candidate(request.task_id, index, text, (1,), (-1.0,), token_ends=(len(text),))

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}


def run_of(tmp_path: Path, tests: TestOptions | None = None) -> RunOptions:
    return RunOptions(out=tmp_path / "run", workers=1, allow_weak_isolation="none", tests=tests)


SMALL = TestOptions(test_samples=2, max_inputs=5)


def test_right_candidates_win_by_tests_and_by_agreement(tmp_path: Path) -> None:
    engine = Writing()
    report = evaluate(counting(), model=engine, n=4, rerankers=ALL, run=run_of(tmp_path, SMALL))
    assert {name: each.best_of_n.value for name, each in report.rerankers.items()} == dict.fromkeys(
        ("codet", "tests_passed", "largest_cluster", "mbr_exec", "srank"), 1.0
    )
    # one stream for the programs of all problems, and one for their tests
    assert [len(each) for each in engine.streams] == [3, 3]


def test_a_later_call_asks_for_as_many_tests_and_for_nothing_that_is_there(tmp_path: Path) -> None:
    engine = Writing()
    evaluate(counting(), model=engine, n=4, rerankers=ALL[:1], run=run_of(tmp_path, SMALL))
    folder = tmp_path / "run" / "artefacts"
    kept = {kind: (folder / f"{kind}.jsonl").read_bytes() for kind in ("drawn", "tests", "outputs")}
    again = rerank_run(
        tmp_path / "run",
        rerankers=ALL,
        task=counting(),
        model=engine,
        run=RunOptions(workers=1, allow_weak_isolation="none"),
    )
    assert set(again.rerankers) == {each.name for each in ALL}
    assert len(engine.streams) == 2
    assert {kind: (folder / f"{kind}.jsonl").read_bytes() for kind in kept} == kept


def test_no_text_is_written_where_inputs_come_from_elsewhere(tmp_path: Path) -> None:
    engine = Writing()
    options = TestOptions(inputs=("examples", "varied", "typed"))
    report = evaluate(
        counting(), model=engine, n=4, rerankers=[largest_cluster], run=run_of(tmp_path, options)
    )
    assert report.rerankers["largest_cluster"].best_of_n.value == 1.0
    assert len(engine.streams) == 1
