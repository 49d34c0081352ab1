"""What the rerankers that compare behaviour cost on a large pool: one row, made in one run.

    python docs/benchmarks/behaviour.py HumanEval.jsonl.gz [--problems 164] [-n 100] [--tests 100]

Each problem gets n programs, all different: its reference, and copies of it with constants, comparisons and
operators changed, so that they loop, raise and return like the wrong programs of a model. The tests are
asserts on what the reference returns, up to the number asked; a stand-in for a model "writes" them, so the
time is that of everything but a model's. All rerankers then score all problems, twice: once with nothing
made, once with the matrices on the disk. Appends to behaviour.jsonl beside this file.
HumanEval's references are carried out in this process.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import json
import random
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from codesample.evaluation.behaviour import Made, behaviour_of, write_tests
from codesample.evaluation.inputs import made_inputs
from codesample.evaluation.test_options import TestOptions
from codesample.execution import Executor
from codesample.execution.program_runner import ProgramRunner
from codesample.records import Candidate, Problem, Prompt, PublicView, SamplingParams
from codesample.rerankers.context import Context
from codesample.rerankers.dual_agreement import b4, codet, tests_passed
from codesample.rerankers.output_agreement import largest_cluster, mbr_exec, srank
from codesample.runs.artefacts import Artefacts
from codesample.tasks.function_form import stub_of
from codesample.tasks.registry import load_task

RERANKERS = (largest_cluster, mbr_exec, srank, tests_passed, codet, b4)
# seconds for one call of a reference
_LONGEST = 0.05
ROWS = Path(__file__).with_name("behaviour.jsonl")


class _Changed(ast.NodeTransformer):
    """Changes the places of a tree whose numbers it is given."""

    def __init__(self, rng: random.Random, places: set[int]) -> None:
        self._rng, self._places, self.seen = rng, places, 0

    def _chosen(self) -> bool:
        self.seen += 1
        return self.seen - 1 in self._places

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if type(node.value) is int and self._chosen():
            return ast.Constant(node.value + self._rng.choice((-1, 1, 2)))
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if self._chosen():
            others = (ast.Lt(), ast.LtE(), ast.Gt(), ast.GtE(), ast.Eq(), ast.NotEq())
            node.ops = [self._rng.choice(others), *node.ops[1:]]
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if self._chosen():
            others = (ast.Add(), ast.Sub(), ast.Mult(), ast.FloorDiv(), ast.Mod())
            node.op = self._rng.choice(others)
        return node


def variants(source: str, n: int, rng: random.Random) -> list[str]:
    """Return the program and n - 1 changed copies, no two of one text."""
    tree = ast.parse(source)
    counted = _Changed(rng, set())
    counted.visit(copy.deepcopy(tree))
    found = [source]
    for number in range(n - 1):
        places = rng.sample(range(counted.seen), min(counted.seen, rng.choice((0, 1, 1, 2, 3))))
        changed = _Changed(rng, set(places)).visit(copy.deepcopy(tree))
        found.append(f"{ast.unparse(ast.fix_missing_locations(changed))}\n# {number}\n")
    return found


def asserts(problem: Problem, view: PublicView, most: int) -> list[str]:
    """Return statements that hold of the reference."""
    scope: dict[str, Any] = {}
    exec(f"{problem.prompt}{problem.reference}", scope)
    found: list[str] = []
    for each in made_inputs(view, TestOptions(max_inputs=4 * most), seed=1):
        if len(found) == most:
            break
        # some references take for ever on large numbers
        signal.setitimer(signal.ITIMER_REAL, _LONGEST)
        with contextlib.suppress(Exception):
            found.append(f"assert {each.text} == {eval(each.text, scope)!r}")
        signal.setitimer(signal.ITIMER_REAL, 0)
    return found


def _too_long(number: int, frame: object) -> None:
    raise TimeoutError


class _Writer:
    """Stands for a model: its answers are there already."""

    name = "references"

    def __init__(self, texts: dict[str, list[str]]) -> None:
        self._texts = texts

    def generate_all(
        self,
        asked: Sequence[tuple[str, Prompt]],
        *,
        n: int,
        params: SamplingParams,
        finished: Callable[[int], None] | None = None,
    ) -> Sequence[Sequence[Candidate]]:
        return [
            [Candidate(key, at, text) for at, text in enumerate(self._texts[key][:n])] for key, _ in asked
        ]


def _texts(problem: Problem, view: PublicView, options: TestOptions) -> list[str]:
    """Return answers of a model, which goes on behind the `assert NAME(` that it is given."""
    given = f"assert {view.entry_point}("
    lines = [each for each in asserts(problem, view, options.max_tests) if each.startswith(given)]
    step = options.asserts_per_sample
    parts = ["\n".join(lines[at : at + step]).removeprefix(given) for at in range(0, len(lines), step)]
    return parts or [""]


def _score(
    problems: Sequence[Problem], pools: Sequence[list[Candidate]], made: Made, executor: Executor
) -> tuple[int, int, int]:
    """Let every reranker score every problem; return how many programs, inputs and asserts there were."""
    views = [PublicView.of("humaneval", each) for each in problems]
    write_tests(views, [each.prompt for each in views], made)
    programs = inputs = tests = 0
    for problem, view, pool in zip(problems, views, pools, strict=True):
        with ProgramRunner(executor, view.task_id) as runner:
            behaviour = behaviour_of(view, made, runner=runner, stub=stub_of(problem))
            ctx = Context(view, behaviour=behaviour)
            for reranker in RERANKERS:
                reranker.score(view, pool, ctx)
            programs += len(pool)
            inputs += len(behaviour.inputs())
            tests += len(behaviour.tests().asserts)
    return programs, inputs, tests


def measure(data: Path, *, problems: int, n: int, tests: int, workers: int) -> dict[str, Any]:
    """Return the row."""
    signal.signal(signal.SIGALRM, _too_long)
    options = TestOptions(test_samples=tests, asserts_per_sample=5, max_tests=tests)
    chosen = load_task("humaneval", data=data).load()[:problems]
    rng = random.Random(0)
    written, pools = {}, []
    for each in chosen:
        view = PublicView.of("humaneval", each)
        written[f"{each.task_id}/tests"] = _texts(each, view, options)
        sources = variants(f"{each.prompt}{each.reference}", n, rng)
        pools.append([Candidate(each.task_id, at, text, program=text) for at, text in enumerate(sources)])
    row: dict[str, Any] = {"rerankers": [each.name for each in RERANKERS], "problems": len(chosen), "n": n}
    with tempfile.TemporaryDirectory() as folder:
        for time_of in ("first", "again"):
            stores: dict[str, Artefacts] = {}

            def store(kind: str, stores: dict[str, Artefacts] = stores) -> Artefacts:
                if kind not in stores:
                    stores[kind] = Artefacts(Path(folder, f"{kind}.jsonl"), writable=True)
                return stores[kind]

            made = Made(store, options, model=_Writer(written))
            begun = time.monotonic()
            with Executor(workers=workers) as executor:
                programs, inputs, asserted = _score(chosen, pools, made, executor)
            seconds = time.monotonic() - begun
            for each in stores.values():
                each.close()
            row |= {"programs": programs, "inputs": inputs, "asserts": asserted}
            row[f"{time_of}_seconds"] = round(seconds, 1)
        row["bytes"] = sum(each.stat().st_size for each in Path(folder).iterdir())
    return row | {"workers": workers, "date": time.strftime("%Y-%m-%d")}


def main() -> None:
    """Measure, append and print."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("data", type=Path)
    words.add_argument("--problems", type=int, default=164)
    words.add_argument("-n", type=int, default=100)
    words.add_argument("--tests", type=int, default=100)
    words.add_argument("--workers", type=int, default=2)
    given = words.parse_args()
    row = measure(given.data, problems=given.problems, n=given.n, tests=given.tests, workers=given.workers)
    with ROWS.open("a") as out:
        out.write(json.dumps(row) + "\n")
    print(json.dumps(row, indent=1))


if __name__ == "__main__":
    main()
