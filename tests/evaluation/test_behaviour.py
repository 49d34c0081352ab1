"""The behaviour of programs: tests and matrices, made once and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from codesample.evaluation.behaviour import InMemory, Made, behaviour_of, write_tests
from codesample.evaluation.test_options import TestOptions
from codesample.execution import Executor
from codesample.execution.program_runner import ProgramRunner
from codesample.execution.questions import Did, Questions
from codesample.records import (
    CallExample,
    Candidate,
    Example,
    Message,
    Prompt,
    PublicView,
    SamplingParams,
    ScriptExample,
)
from codesample.runs.artefacts import Artefacts

PROMPT = 'def f(x):\n    """Return the next number."""\n'
NEXT, BROKEN, LIST = (f"def f(x):\n    return {body}\n" for body in ("x + 1", "x +", "[x + 1]"))
OPTIONS = TestOptions(max_inputs=4, test_samples=2)


def view(*examples: Example, entry_point: str | None = "f", task_id: str = "t/0") -> PublicView:
    return PublicView("t", task_id, PROMPT, PROMPT, entry_point, examples or (CallExample("f(1)", "2"),))


class Writer:
    """A model that writes the same texts for every prompt, and remembers what it was asked."""

    name = "writer"

    def __init__(self, *texts: str) -> None:
        self._texts = texts
        self.asked: list[list[tuple[str, Prompt]]] = []
        self.params: list[SamplingParams] = []

    def generate_all(
        self,
        asked: Sequence[tuple[str, Prompt]],
        *,
        n: int,
        params: SamplingParams,
        finished: Callable[[int], None] | None = None,
    ) -> list[list[Candidate]]:
        for number, _ in enumerate(asked, 1):
            if finished is not None:
                finished(number)
        self.asked.append(list(asked))
        self.params.append(params)
        return [
            [Candidate(key, index, text, token_ids=(1, 2)) for index, text in enumerate(self._texts[:n])]
            for key, _ in asked
        ]


class Counting(ProgramRunner):
    """Remembers which programs were run."""

    def __init__(self, judge: Any, task_id: str) -> None:
        super().__init__(judge, task_id)
        self.ran: list[str] = []
        self.questions: list[Questions] = []
        self.broken = False

    def answers(self, programs: Sequence[str], questions: Questions) -> list[Did | None]:
        self.ran += programs
        self.questions.append(questions)
        return [None] * len(programs) if self.broken else super().answers(programs, questions)


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(workers=2) as opened:
        yield opened


@pytest.fixture
def runner(executor: Executor) -> Counting:
    return Counting(executor, "t/0")


@pytest.fixture
def made() -> Callable[..., Made]:
    def make(model: Any = None, *, folder: Path | None = None, **options: Any) -> Made:
        kinds: dict[str, Any] = {}

        def stores(kind: str) -> Any:
            new = InMemory() if folder is None else Artefacts(folder / f"{kind}.jsonl", writable=True)
            return kinds.setdefault(kind, new)

        given = TestOptions(**{"max_inputs": 4, "test_samples": 2, **options})
        return Made(stores, given, data_hash="d", model=model)

    return make


def test_each_program_has_a_row_and_each_input_a_column(runner: Counting, made: Callable[..., Made]) -> None:
    behaviour = behaviour_of(view(), made(), runner=runner)
    outputs = behaviour.outputs([NEXT, BROKEN, LIST, NEXT])
    assert outputs.inputs[0] == "f(1)"
    assert len(outputs.inputs) == 4
    first, broken, listed, again = outputs.rows
    assert first is not None
    assert listed is not None
    assert first[0] == "2"
    assert listed[0] == "[2]"
    assert broken == (None,) * 4
    assert again == first
    assert outputs.cost.executions == 3
    assert outputs.cost.seconds > 0
    assert [each.source for each in behaviour.inputs()] == ["examples", *["varied"] * 3]


def test_equal_programs_run_once_and_none_again(
    runner: Counting, made: Callable[..., Made], tmp_path: Path
) -> None:
    given = made(Writer("2) == 3"), folder=tmp_path)
    one = behaviour_of(view(), given, runner=runner)
    outputs, passes = one.outputs([NEXT, LIST, NEXT]), one.passes([NEXT, LIST, NEXT])
    assert runner.ran == [NEXT, LIST]
    # another session, with one program more
    model = Writer("never asked")
    other = behaviour_of(view(), made(model, folder=tmp_path), runner=runner)
    assert other.outputs([NEXT, LIST, NEXT]) == outputs
    assert other.passes([LIST, BROKEN]).rows == (passes.rows[1], (False,))
    assert runner.ran == [NEXT, LIST, BROKEN]
    assert other.passes([NEXT, LIST, NEXT]).cost == passes.cost
    assert model.asked == []
    third = behaviour_of(view(), made(model, folder=tmp_path), runner=runner)
    assert third.passes([NEXT, LIST, BROKEN]).rows == ((True,), (False,), (False,))
    assert runner.ran == [NEXT, LIST, BROKEN]


@pytest.mark.parametrize("changed", [{"max_inputs": 3}, {"test_seed": 5}, {"inputs": ("varied",)}])
def test_what_results_depend_on_is_part_of_their_key(
    runner: Counting, made: Callable[..., Made], tmp_path: Path, changed: dict[str, Any]
) -> None:
    before = behaviour_of(view(), made(folder=tmp_path), runner=runner).outputs([NEXT])
    after = behaviour_of(view(), made(folder=tmp_path, **changed), runner=runner).outputs([NEXT])
    assert before.inputs != after.inputs
    assert len(runner.ran) == 2


def test_another_problem_data_set_or_model_has_tests_of_its_own(made: Callable[..., Made]) -> None:
    model = Writer("1) == 2")
    given = made(model)
    write_tests([view()], [PROMPT], given)
    write_tests([view(), view(task_id="t/1")], [PROMPT, PROMPT], given)
    assert [[key for key, _ in each] for each in model.asked] == [["t/0/tests"], ["t/1/tests"]]
    other = Writer("1) == 2")
    other.name = "other"
    write_tests([view()], [PROMPT], Made(given.stores, given.options, data_hash="d", model=other))
    write_tests([view()], [PROMPT], Made(given.stores, given.options, data_hash="e", model=other))
    assert len(other.asked) == 2


def test_tests_of_all_problems_are_drawn_in_one_stream(made: Callable[..., Made]) -> None:
    model = Writer("1) == 2", "1) == 2\nassert f(2) == 3")
    views = [view(task_id=f"t/{number}") for number in range(5)]
    given = made(model)
    write_tests(views, [PROMPT] * 5, given)
    (asked,) = model.asked
    assert [key for key, _ in asked] == [f"t/{number}/tests" for number in range(5)]
    tests = behaviour_of(views[3], given, runner=None).tests()  # type: ignore[arg-type]
    assert [(each.statement, each.written) for each in tests.asserts] == [
        ("assert f(1) == 2", 2),
        ("assert f(2) == 3", 1),
    ]
    assert tests.cost.tokens_drawn == 4
    assert len(model.asked) == 1


def test_how_many_problems_have_tests_is_told_while_they_are_drawn(made: Callable[..., Made]) -> None:
    given, told = made(Writer("1) == 2")), list[int]()
    views = [view(task_id="t/0"), view(entry_point=None, task_id="t/1"), view(task_id="t/2")]
    write_tests(views[:1], [PROMPT], given)
    write_tests(views, [PROMPT] * 3, given, written=told.append)
    write_tests(views, [PROMPT] * 3, given, written=told.append)
    assert told == [1, 2, 3]


def test_functions_and_scripts_are_asked_for_apart_for_they_end_otherwise(made: Callable[..., Made]) -> None:
    model = Writer("1) == 2")
    write_tests([view(), view(entry_point=None, task_id="t/1")], [PROMPT] * 2, made(model))
    assert len(model.asked) == 2
    assert model.params[0].stop != model.params[1].stop


def test_a_model_that_was_asked_by_messages_is_asked_for_tests_by_messages(made: Callable[..., Made]) -> None:
    model = Writer("1) == 2")
    given = made(model)
    behaviour = behaviour_of(view(), given, runner=None, asked=(Message("user", PROMPT),))  # type: ignore[arg-type]
    assert len(behaviour.tests().asserts) == 1
    assert isinstance(model.asked[0][0][1], tuple)


def test_without_a_model_there_are_no_tests(runner: Counting, made: Callable[..., Made]) -> None:
    given = made()
    write_tests([view()], [PROMPT], given)
    behaviour = behaviour_of(view(), given, runner=runner)
    assert behaviour.tests().asserts == ()
    passes = behaviour.passes([NEXT, BROKEN])
    assert (passes.asserts, passes.rows) == ((), ((), ()))
    assert runner.ran == []


def test_calls_of_generated_tests_are_inputs_too_in_the_same_process(
    runner: Counting, made: Callable[..., Made]
) -> None:
    behaviour = behaviour_of(view(), made(Writer("7) == 8\nassert f(9) > 9\nprint(f(11))")), runner=runner)
    outputs = behaviour.outputs([NEXT])
    assert outputs.inputs[4:] == ("f(7)", "f(9)", "f(11)")
    assert outputs.rows[0] is not None
    assert outputs.rows[0][4:] == ("8", "10", "12")
    assert behaviour.passes([NEXT, LIST]).rows == ((True, True), (False, False))
    assert runner.ran == [NEXT, LIST]
    assert {each.source for each in behaviour.inputs()[4:]} == {"tests"}
    without = behaviour_of(view(), made(Writer("7) == 8"), inputs=("examples",)), runner=runner)
    assert without.outputs([NEXT]).inputs == ("f(1)",)
    assert without.passes([NEXT]).rows == ((True,),)


@pytest.mark.parametrize(
    ("body", "expected", "holds"),
    [
        ("1", "1.0", True),
        ("True", "1", True),
        ("1.0", "True", True),
        ("0.1 + 0.2", "0.3", False),
        ("0.1 + 0.2", "0.30000000000000004", True),
        ("[1, 2]", "(1, 2)", False),
        ("{1: 'a', 2: 'b'}", "{2: 'b', 1: 'a'}", True),
        ("{3, 1}", "{1, 3}", True),
        ("frozenset([1])", "{1}", True),
        ("None", "None", True),
        ("-0.0", "0", True),
        ("'1'", "1", False),
        ("b'a'", "b'a'", True),
        ("1e999", "1e999", True),
        ("'a' * 1000", repr("a" * 1000), True),
        ("'a' * 1000", repr("a" * 999 + "b"), False),
        ("10 ** 400", str(10**400), True),
        ("__import__('collections').Counter('aa')", "{'a': 2}", True),
        ("__import__('collections').OrderedDict(a=1)", "{'a': 1}", True),
        ("type('A', (), {'__eq__': lambda *_: True})()", "1", False),
    ],
)
def test_a_pair_holds_as_python_s_equality_says(
    runner: Counting, made: Callable[..., Made], body: str, expected: str, holds: bool
) -> None:
    behaviour = behaviour_of(view(), made(Writer(f"0) == {expected}")), runner=runner)
    assert len(behaviour.tests().asserts) == 1
    assert behaviour.passes([f"def f(x):\n    return {body}\n"]).rows == ((holds,),)


def test_a_failure_of_the_harness_is_a_row_of_none_and_is_tried_again(
    runner: Counting, made: Callable[..., Made]
) -> None:
    given = made(Writer("1) == 2"))
    runner.broken = True
    behaviour = behaviour_of(view(), given, runner=runner)
    assert behaviour.outputs([NEXT, LIST]).rows == (None, None)
    assert behaviour.passes([NEXT]).rows == (None,)
    runner.broken = False
    assert behaviour.passes([NEXT, LIST]).rows == ((True,), (False,))


def test_helpers_of_the_prompt_can_be_used_in_tests(runner: Counting, made: Callable[..., Made]) -> None:
    prompt = 'def helper(x):\n    return 10 * x\n\n\ndef f(x):\n    """Next."""\n'
    shown = PublicView("t", "t/0", prompt, prompt, "f", ())
    behaviour = behaviour_of(
        shown, made(Writer("helper(1)) == 11")), runner=runner, stub="def helper(x):\n    return 10 * x\n"
    )
    assert behaviour.passes([NEXT]).rows == ((True,),)


def test_scripts_have_outputs_and_tests_too(runner: Counting, made: Callable[..., Made]) -> None:
    shown = PublicView("t", "t/0", "Add one.", "Add one.", None, (ScriptExample("1\n", "2\n"),), atol=1e-3)
    text = "5\n```\nOutput:\n```\n6.0001\n```\nInput:\n```\n7\n```\nOutput:\n```\n9\n```\n"
    behaviour = behaviour_of(shown, made(Writer(text), inputs=("examples", "tests")), runner=runner)
    right, wrong = "print(int(input()) + 1)", "print('no')"
    outputs = behaviour.outputs([right, wrong])
    assert (outputs.inputs[0], outputs.inputs[-2:]) == ("1\n", ("5\n", "7\n"))
    assert outputs.rows[0] is not None
    assert (outputs.rows[0][0], outputs.rows[0][-1]) == ("2", "8")
    assert behaviour.passes([right, wrong]).rows == ((True, False), (False, False))


def test_a_problem_without_inputs_has_no_columns(runner: Counting, made: Callable[..., Made]) -> None:
    shown = PublicView("t", "t/0", "Do it.", "Do it.", "f", ())
    behaviour = behaviour_of(shown, made(), runner=runner)
    assert behaviour.outputs([NEXT, BROKEN]).rows == ((), ())
    assert runner.ran == []


def test_programs_that_are_no_text_of_unicode_are_run_like_others(
    runner: Counting, made: Callable[..., Made]
) -> None:
    behaviour = behaviour_of(view(), made(), runner=runner)
    assert behaviour.outputs(["x = '\ud800'", NEXT]).rows[0] == (None,) * 4
