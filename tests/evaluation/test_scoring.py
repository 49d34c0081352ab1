"""What rerankers get: examples judged with the prompt's definitions, and no way to the hidden tests."""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesample.evaluation.best_of_n import best_of_n
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.options import RunOptions
from codesample.execution import Executor
from codesample.execution.program_runner import ProgramRunner
from codesample.records import CallExample, Candidate, CodeTests, Problem, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker
from codesample.tasks.contract import Task

SECRET = "planted-in-the-hidden-tests"
DEPTH = 8
PROMPT = 'from math import *\n\ndef half(x):\n    """Return half of x."""\n'
EXAMPLE = CallExample("isclose(half(3), 1.5)", "True")
CHEAT = "    return 0\n\ndef isclose(*_):\n    return True\n"
RIGHT = "    return x / 2\n"


def halving() -> Task:
    tests = CodeTests(
        source=f"assert half(8) == 4, {SECRET!r}", entry_point="half", stub="from math import *\n"
    )
    problem = Problem(
        task_id="half/0",
        prompt=PROMPT,
        tests=tests,
        entry_point="half",
        examples=(EXAMPLE,),
        reference=f"    return x / 2  # {SECRET}\n",
    )
    return Task(name="halving", version="1", source="made", stop=(), max_new_tokens=9, load=lambda: [problem])


class Two:
    """An engine of two candidates: one that redefines what the example compares with, and a right one."""

    name = "two"
    abilities = frozenset({"logprobs"})
    reproducibility = "exact"

    def stream(self, requests: Any, params: Any, *, progress: Any = None) -> Iterator[Candidate]:
        for request in requests:
            for index in request.indices:
                yield Candidate(request.task_id, index, (CHEAT, RIGHT)[index], (1,), (-1.0,))

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}


def options(tmp_path: Path) -> RunOptions:
    return RunOptions(out=tmp_path / "run", workers=1, allow_weak_isolation="none")


def test_an_example_means_by_a_name_what_the_prompt_means(tmp_path: Path) -> None:
    report = evaluate(halving(), model=Two(), n=2, rerankers=["public_examples"], run=options(tmp_path))
    assert report.rerankers["public_examples"].best_of_n.value == 1.0
    assert report.statuses == {"passed": 1, "wrong": 1}


def test_so_it_does_for_a_single_prompt() -> None:
    got = best_of_n(Two(), PROMPT, n=2, reranker="public_examples", entry_point="half", examples=[EXAMPLE])
    assert got.scores == {"public_examples": (0.0, 1.0)}


class ByHeart(Two):
    """Likewise; asked for tests, it writes a hidden one and one of its own."""

    text = "\nassert half(8) == 4\nassert half(6) == 3\n"

    def stream(self, requests: Any, params: Any, *, progress: Any = None) -> Iterator[Candidate]:
        for request in requests:
            if request.task_id == "half/0":
                yield from super().stream([request], params)
            else:
                yield from (Candidate(request.task_id, index, self.text, (1,)) for index in request.indices)


def test_generated_asserts_that_are_hidden_checks_are_told_of(tmp_path: Path) -> None:
    report = evaluate(halving(), model=ByHeart(), n=2, rerankers=["tests_passed"], run=options(tmp_path))
    (said,) = [each for each in report.notices if "generated asserts" in each]
    assert said.startswith(
        "1 of 2 generated asserts equal hidden checks that no prompt shows, in 1 of 1 problem"
    )
    guessing = ByHeart()
    guessing.text = "\nassert half(2) == 1\n"
    other = options(tmp_path / "other")
    without = evaluate(halving(), model=guessing, n=2, rerankers=["tests_passed"], run=other)
    assert not [each for each in without.notices if "generated asserts" in each]


BUILT_IN = (
    types.BuiltinFunctionType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)
HIDDEN_NAMES = ("__closure__", "__self__", "__func__", "__wrapped__", "__dict__", "cell_contents")


def steps(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what can be reached from a value by one attribute, or by one look into a container."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield f"[{key!r}]", item
            yield f".key({key!r})", key
    elif isinstance(value, list | tuple | set | frozenset | deque):
        for item in value:
            yield "[...]", item
    # the methods of built-in types have none but built-in ones in turn, without end
    names = {"__self__"} if isinstance(value, BUILT_IN) else {*dir(value), *HIDDEN_NAMES}
    # a module's names lead anywhere, with or without a context
    for name in names - {"__globals__", "__builtins__"}:
        try:
            yield f".{name}", getattr(value, name)
        except Exception:
            continue


def ways_to(start: Any, found: Any) -> list[str]:
    """Walk breadth-first from an object; return the ways that lead to a value of which `found` says yes."""
    seen: dict[tuple[int, int], Any] = {}
    ways = []
    edge = deque([("ctx", start, 0)])
    while edge:
        way, value, depth = edge.popleft()
        # a bound method is made anew at each look
        key = (
            (id(value.__self__), id(value.__func__))
            if isinstance(value, types.MethodType)
            else (id(value), 0)
        )
        if key in seen or isinstance(value, types.ModuleType):
            continue
        seen[key] = value
        if found(value):
            ways.append(way)
        elif depth < DEPTH:
            edge.extend((way + step, each, depth + 1) for step, each in steps(value))
    return ways


def hidden(value: Any) -> bool:
    if isinstance(value, str | bytes):
        return SECRET.encode() in (value.encode(errors="replace") if isinstance(value, str) else value)
    return isinstance(value, Executor | ProgramRunner | Problem)


def test_no_attribute_of_what_a_reranker_is_given_leads_to_hidden_tests(tmp_path: Path) -> None:
    looked: list[str] = []

    @reranker(needs={"public_examples", "run"})
    def curious(view: PublicView, candidates: Any, ctx: Context) -> list[float | None]:
        ctx.check(candidates, ["assert half(2) == 1"], trusted=True)
        ctx.run(candidates, [(4,)])
        looked.extend(ways_to([view, candidates, ctx], hidden))
        return [None] * len(candidates)

    evaluate(halving(), model=Two(), n=2, rerankers=[curious], run=options(tmp_path))
    assert looked == []


def test_a_way_to_hidden_tests_would_be_found() -> None:
    class Runner:
        def check(self, programs: Any, tests: Any) -> Any:
            return SECRET, self

    runner = Runner()
    runner.tests = {"t": CodeTests(source=SECRET)}  # type: ignore[attr-defined]

    def closed(programs: Any, tests: Any) -> Any:
        return runner.check(programs, tests)

    assert ways_to([closed], hidden)
    assert ways_to([runner.check], hidden)
    view = PublicView("t", "t", "", "", None, ())
    assert ways_to([Context(view, checks=runner)], hidden) == []


@pytest.mark.parametrize("examples", [None, ()])
def test_a_prompt_that_nobody_vouches_for_is_not_run(examples: Any, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    prompt = f"open({str(trap)!r}, 'w')\n{PROMPT}    >>> half(2)\n    1.0\n"
    got = best_of_n(Two(), prompt, n=2, reranker="public_examples", entry_point="half", examples=examples)
    assert len(got.candidates) == 2
    assert not trap.exists()


def test_the_prompt_of_tests_that_are_not_trusted_is_not_run_for_examples_either(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    (problem,) = halving().all_problems()
    stub = f"from math import *\ntry:\n    open({str(trap)!r}, 'w')\nexcept OSError:\n    pass\n"
    tests = CodeTests(source="assert half(8) == 4", entry_point="half", stub=stub, mode="in_process")
    prompt = PROMPT.replace("from math import *\n", stub)
    untrusted = replace(halving(), load=lambda: [replace(problem, prompt=prompt, tests=tests)])
    # at the strongest level, for the tests themselves may run it
    run = RunOptions(out=tmp_path / "run", workers=1)
    report = evaluate(untrusted, model=Two(), n=2, rerankers=["public_examples"], run=run)
    assert not trap.exists()
    assert report.rerankers["public_examples"].best_of_n.value == 1.0
