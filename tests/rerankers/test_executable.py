from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codesample.execution import Executor
from codesample.execution.program_runner import ProgramRunner
from codesample.records import CallExample, Candidate, PublicView, ScriptExample, Tests
from codesample.rerankers.context import Context
from codesample.rerankers.executable import executable
from codesample.testing.rerankers import TrustedChecks


def _with_programs(candidates: Sequence[Candidate], *programs: str) -> list[Candidate]:
    return [replace(each, program=program) for each, program in zip(candidates, programs, strict=False)]


def test_what_runs_on_the_examples_is_executable_whatever_it_returns(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    assert executable.score(view, candidates, ctx) == [1.0, 1.0, 1.0, 0.0, 0.0]


def test_without_examples_the_function_must_be_there(
    view: PublicView, candidates: Sequence[Candidate], checks: TrustedChecks
) -> None:
    bare = replace(view, examples=())
    programs = _with_programs(candidates, "def f(x): return 1 / 0", "f = 3", "def g(x): return x", "1 / 0")
    assert executable.score(bare, programs, Context(bare, checks=checks)) == [1.0, 0.0, 0.0, 0.0]


def test_scripts_must_end_normally_whatever_they_print(
    view: PublicView, candidates: Sequence[Candidate], checks: TrustedChecks
) -> None:
    shown = replace(view, entry_point=None, examples=(ScriptExample("1\n", "2"), ScriptExample("0\n", "2")))
    programs = _with_programs(
        candidates, "print(input())", "print(1 / int(input()))", "input(", "input(); input()"
    )
    assert executable.score(shown, programs, Context(shown, checks=checks)) == [1.0, 0.0, 0.0, 0.0]


def test_nothing_to_run_and_a_harness_that_fails_abstain(
    view: PublicView, candidates: Sequence[Candidate], checks: TrustedChecks
) -> None:
    nothing = replace(view, entry_point=None, examples=())
    assert executable.score(nothing, candidates, Context(nothing, checks=checks)) == [None] * 5
    assert checks.runs == []

    class Failing(TrustedChecks):
        def check(self, programs: Sequence[str], tests: Tests) -> list[tuple[bool, ...] | None]:
            return [None] * len(programs)

    assert executable.score(view, candidates, Context(view, checks=Failing())) == [None] * 5


def test_in_the_sandbox_a_program_cannot_say_so_itself(
    view: PublicView, candidates: Sequence[Candidate]
) -> None:
    shown = replace(view, examples=(CallExample("f(0)", "1"), CallExample("f(1)", "2")))
    programs = _with_programs(
        candidates,
        "def f(x):\n    return lambda: x",
        "def f(x):\n    return 1 / x",
        "import sys\ndef f(x):\n    sys.exit(0)",
        "raise SystemExit(0)\ndef f(x): return x",
        "class f:\n    def __init__(self, x): pass",
    )
    with Executor(workers=1) as judge:
        runner = ProgramRunner(judge, "t/0")
        assert executable.score(shown, programs, Context(shown, checks=runner)) == [1.0, 0.0, 0.0, 0.0, 1.0]
        scripts = replace(view, entry_point=None, examples=(ScriptExample("1\n", "2"),))
        programs = _with_programs(candidates, "print(input())", "import sys\nsys.exit(3)", "print(1 / 0)")
        assert executable.score(scripts, programs, Context(scripts, checks=runner)) == [1.0, 0.0, 0.0]
        assert runner.failures == []
