"""Many questions to one program in one process: values, statements, scripts, and their bounds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from codesample.execution import Executor
from codesample.execution.evaluating import Evaluator
from codesample.execution.program_runner import ProgramRunner, kept_text, printed_alike
from codesample.execution.questions import Did, Questions

CALLS = ("f(1)", "f([1])", "f('a')")


@pytest.fixture(scope="module")
def runner() -> Iterator[ProgramRunner]:
    with Executor(workers=2) as executor, ProgramRunner(executor, "t/0") as made:
        yield made


def did(runner: ProgramRunner, source: str, *expressions: str, **named: Any) -> Did:
    (found,) = runner.answers([source], Questions(expressions=expressions, **named))
    assert found is not None
    assert runner.failures == []
    return found


def test_values_are_told_as_canonical_texts(runner: ProgramRunner) -> None:
    found = did(runner, "def f(x):\n    return [x, 1.0, True, {2: None}]", *CALLS)
    assert found.values == ("[1,1,1,{2:None}]", "[[1],1,1,{2:None}]", "['a',1,1,{2:None}]")


def test_a_call_that_fails_costs_itself_alone(runner: ProgramRunner) -> None:
    assert did(runner, "def f(x):\n    return x + 1", *CALLS).values == ("2", None, None)


def test_expressions_may_be_more_than_calls(runner: ProgramRunner) -> None:
    source = "class S:\n    def __init__(self, n): self.n = n\n    def get(self, k=0): return self.n + k"
    assert did(runner, source, "S(1).get()", "[S(n).get(k=1) for n in range(3)]", "S(1)").values == (
        "1",
        "[1,2,3]",
        None,
    )


def test_statements_hold_where_they_end_normally(runner: ProgramRunner) -> None:
    statements = ("assert f(1) is True", "assert abs(f(2) - 1) < 1e-6", "assert f(1) == 0", "f(", "1 / 0")
    assert did(runner, "def f(x):\n    return True", statements=statements).held == (
        True,
        True,
        False,
        False,
        False,
    )


def test_no_call_sees_what_another_made_of_its_arguments(runner: ProgramRunner) -> None:
    source = "def f(x):\n    x.append(9)\n    return x"
    assert did(runner, source, "f([1])", "f([1])").values == ("[1,9]", "[1,9]")


def test_random_numbers_do_not_depend_on_the_calls_before(runner: ProgramRunner) -> None:
    source = "import random\ndef f(x):\n    return random.random()"
    first, second = did(runner, source, "f(1)", "f(2)").values
    assert first == second is not None


def test_names_of_tests_are_not_lent_to_the_program(runner: ProgramRunner) -> None:
    forgetful = "def f(x):\n    return math.sqrt(x) + helper()"
    named: dict[str, Any] = {"modules": ("math",), "stub": "def helper():\n    return 1"}
    assert did(runner, forgetful, "f(4)", "math.sqrt(4) + helper()", **named).values == (None, "3")


def test_trusted_helpers_are_those_of_the_prompt_but_the_function_is_the_program_s(
    runner: ProgramRunner,
) -> None:
    stub = "def helper():\n    return 'ours'\ndef f():\n    return 'ours'"
    source = "def helper():\n    return 'theirs'\ndef f():\n    return 'theirs'"
    values = did(runner, source, "f()", "helper()", stub=stub, entry_point="f").values
    assert values == ("'theirs'", "'ours'")
    assert did(runner, source, "f()", stub="1 / 0", entry_point="f").values == ("'theirs'",)


@pytest.mark.parametrize(
    "source",
    [
        "def f(x:",
        "raise ValueError",
        "def g(x): pass",
        "x = '\ud800'",
        "\x00",
        "import os\nos._exit(0)",
        "raise SystemExit",
        "while True: pass",
        "def f(x):\n    import os\n    os._exit(1)",
        "def f(x):\n    raise SystemExit",
        "def f(x):\n    return object()",
        "def f(x):\n    return [0] * 10**7",
        "def f(x):\n    a = []\n    for _ in range(40): a = [a, a]\n    return a",
        "def f(x):\n    return 'a' * 10**6",
        "def f(x):\n    return f(x)",
        "def f(x):\n    print('x' * 10**7)\n    raise ValueError",
    ],
    ids=range(16),
)
def test_a_program_that_cannot_be_used_fails_everywhere(runner: ProgramRunner, source: str) -> None:
    assert did(runner, source, *CALLS, statements=("assert f(1) == 1",)) == Did((None,) * 3, (False,))


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "while True:\n        try:\n            while True: pass\n        except Exception: pass",
        "sum(range(10**12))",
    ],
)
def test_calls_without_end_cost_a_program_little(runner: ProgramRunner, body: str) -> None:
    source = f"def f(x):\n    if x > 0:\n        {body.replace(chr(10), chr(10) + '    ')}\n    return x"
    calls = [f"f({n})" for n in (0, 1, -1, 2, 3, *range(4, 100), -2)]
    begun = time.monotonic()
    values = did(runner, source, *calls).values
    assert values[:3] == ("0", None, "-1")
    assert set(values[3:]) == {None}
    # a hundred time-outs of a tenth of a second would be ten CPU seconds
    assert time.monotonic() - begun < 60


def test_slow_calls_end_with_the_time_of_a_program(runner: ProgramRunner) -> None:
    source = (
        "from time import process_time\n"
        "def f(x):\n    end = process_time() + 0.05\n    while process_time() < end: pass\n    return x"
    )
    values = did(runner, source, *(f"f({n})" for n in range(100))).values
    answered = [value for value in values if value is not None]
    assert 3 <= len(answered) < 60
    assert values[: len(answered)] == tuple(answered)


def test_a_program_that_waits_is_stopped_too(runner: ProgramRunner) -> None:
    source = "import time\ndef f(x):\n    time.sleep(1000 * x)\n    return x"
    assert did(runner, source, "f(0)", "f(1)", "f(0)").values == ("0", None, "0")


def test_what_crashes_goes_on_in_another_process(runner: ProgramRunner) -> None:
    source = "import os\ndef f(x):\n    return os._exit(1) if x == 1 else x"
    assert did(runner, source, "f(0)", "f(1)", "f(2)").values == ("0", None, "2")


@pytest.mark.parametrize(
    "source",
    [
        "print(int(input()) * 2)",
        "import sys\nprint(int(sys.stdin.read()) * 2)",
        "import sys\nfor line in sys.stdin: print(int(line) * 2, end='')",
        "import sys\nsys.stdout.buffer.write(b'%d\\n' % (int(sys.stdin.buffer.readline()) * 2))",
        "print(int(open(0).read()) * 2); exit()",
        "def main():\n    print(int(input()) * 2)\nif __name__ == '__main__':\n    raise SystemExit(main())",
        "import threading\nthreading.Thread(target=lambda: print(int(input()) * 2)).start()",
        "x = int(input())\ndef double():\n    return 2 * x\nprint(double())",
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass A:\n    x: int\nprint(A(int(input())).x * 2)",
    ],
    ids=range(9),
)
def test_scripts_read_each_input_anew(runner: ProgramRunner, source: str) -> None:
    (found,) = runner.answers([source], Questions(inputs=("1\n", "21", "no number")))
    assert found is not None
    assert found.values[:2] == ("2", "42")
    assert found.values[2] in (None, "")


@pytest.mark.parametrize(
    "source",
    ["raise ValueError", "import sys\nsys.exit(1)", "exit('no')", "while True: pass", "print('a' * 10**7)"],
)
def test_scripts_that_fail_print_nothing(runner: ProgramRunner, source: str) -> None:
    assert runner.answers([source], Questions(inputs=("1", "2"))) == [Did((None, None), ())]


def test_blanks_at_ends_do_not_tell_outputs_apart(runner: ProgramRunner) -> None:
    programs = ["print('a ')\nprint()", "print('a', end='')", "print(' a')"]
    found = runner.answers(programs, Questions(inputs=("",)))
    assert [each.values for each in found if each] == [("a",), ("a",), (" a",)]
    assert printed_alike("0.1000001", "0.1", atol=1e-6)
    assert not printed_alike("0.1000001", "0.1")


def test_nothing_is_run_where_nothing_is_asked() -> None:
    def no_judge() -> Any:
        raise AssertionError("opened")

    class Unused:
        in_flight = 1

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    with ProgramRunner(Unused, "t/0") as made:
        assert made.answers(["x", "y"], Questions()) == [Did((), ()), Did((), ())]


def test_long_texts_are_kept_by_their_hash() -> None:
    one, other = kept_text("a" * 1000), kept_text("a" * 999 + "b")
    assert one != other
    assert len(one) < 300
    assert one.startswith("a" * 200)
    assert kept_text("a" * 500) == "a" * 500


def test_the_evaluator_needs_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    # the signals of this process are not its own
    monkeypatch.setattr("codesample.execution.evaluating.signal", lambda *_: None)
    monkeypatch.setattr("codesample.execution.evaluating.setitimer", lambda *_: None)
    names: dict[str, Any] = {}
    evaluator = Evaluator(names, "def f(x): return x + 1", False, "", "f", ["math"], (5.0, 5.0, 3, 5.0, 100))
    assert evaluator.say("value", "f(1) + math.floor(1.5)") == 3
    assert evaluator.say("holds", "assert f(1) == 2")
    with pytest.raises(OverflowError):
        evaluator.say("value", "[0] * 200")
