"""Rewards for TRL: what programs earn, in their order, whatever they do, and None where nobody can say."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from adding_tasks import BODIES, adding, numbers_task
from hypothesis import given, settings
from hypothesis import strategies as st
from judges_of_tests import FailingJudge

from codesample import CodeTests, Problem, RunOptions, read_problems, rewards
from codesample.errors import DataError, ExecutionError, ParameterError, UnknownNameError

TWO = RunOptions(workers=2)


@pytest.fixture(scope="module")
def reward() -> Iterator[rewards.TrlReward]:
    made = rewards.for_trl(adding(), run=TWO)
    yield made
    made.close()


def earned(reward: rewards.TrlReward, bodies: list[str], ids: list[str] | None = None, **more: Any) -> Any:
    return reward(completions=bodies, task_id=ids or ["adding/1"] * len(bodies), **more)


def test_programs_earn_one_or_zero_in_their_order(reward: rewards.TrlReward) -> None:
    right = ["    return x + 1\n", "    return x + 2\n", "    return x + 5\n"]
    ids = ["adding/2", "adding/2", "adding/5"]
    assert earned(reward, right, ids) == [0.0, 1.0, 1.0]


def test_an_empty_batch_earns_nothing(reward: rewards.TrlReward) -> None:
    assert reward(prompts=[], completions=[], task_id=[]) == []


def test_equal_completions_earn_the_same_each(reward: rewards.TrlReward) -> None:
    bodies = ["    return x + 1\n", "    return 0\n"] * 3
    assert earned(reward, bodies) == [1.0, 0.0] * 3


def test_a_text_is_cut_where_the_task_ends_candidates(reward: rewards.TrlReward) -> None:
    assert earned(reward, ["    return x + 1\n\ndef rest(\n"]) == [1.0]


def test_answers_to_messages_are_searched_for_their_program(reward: rewards.TrlReward) -> None:
    answers = [
        [{"role": "assistant", "content": "Sure!\n```python\ndef add(x):\n    return x + 1\n```\nDone."}],
        [{"role": "assistant", "content": "I cannot."}],
        [{"role": "assistant", "content": None, "tool_calls": []}],
        [
            {"role": "assistant", "content": "Let me see."},
            {"role": "tool", "content": "4"},
            {"role": "assistant", "content": [{"type": "text", "text": "def add(x):\n    return x + 1"}]},
        ],
    ]
    prompts = [[{"role": "user", "content": "Add one."}]] * len(answers)
    assert reward(prompts=prompts, completions=answers, task_id=["adding/1"] * 4) == [1.0, 0.0, 0.0, 1.0]


def test_a_text_that_answers_another_prompt_than_the_base_forms_is_an_answer(
    reward: rewards.TrlReward,
) -> None:
    written = ["Here:\n```python\ndef add(x):\n    return x + 1\n```"]
    assert reward(prompts=["<user>Add one.<assistant>"], completions=written, task_id=["adding/1"]) == [1.0]
    base = rewards.for_trl(adding(), style="base", run=TWO)
    assert base(prompts=["<user>Add one.<assistant>"], completions=written, task_id=["adding/1"]) == [0.0]


HOSTILE = {
    "ends the process": "    import os\n    os._exit(0)\n",
    "ends it while it is loaded": "    return x + 7\nimport os\nos._exit(0)\n",
    "leaves": "    raise SystemExit(0)\n",
    "never ends": "    while True:\n        pass\n",
    "prints what a judge may say": "    print('passed', '{\"status\": \"passed\"}')\n    return 0\n",
    "returns what is equal to everything": (
        "    class Yes(int):\n        def __eq__(self, other):\n            return True\n"
        "        __hash__ = int.__hash__\n    return Yes()\n"
    ),
    "patches the tests' language": (
        "    return 0\nimport builtins\nbuiltins.AssertionError = type('Quiet', (Exception,), {})\n"
        "import unittest, sys\nsys.settrace(None)\nsys.excepthook = lambda *a: None\n"
    ),
    "reads the stack": "    import sys\n    return sys._getframe(1).f_locals.get('expected', 0)\n",
    "takes the memory": "    return len('x' * (1 << 40))\n",
    "is no program": "\x00\ud800 ) not python (",
    "is too long": "    return 0\n#" + "x" * 2_000_000,
}


def test_hostile_programs_earn_nothing_and_cost_no_other_its_reward() -> None:
    reward = rewards.for_trl(adding(time_limit=1.0), style="base", run=TWO)
    bodies = [each for hostile in HOSTILE.values() for each in (hostile, "    return x + 1\n")]
    got = earned(reward, bodies)
    assert dict(zip(HOSTILE, got[::2], strict=True)) == dict.fromkeys(HOSTILE, 0.0)
    assert got[1::2] == [1.0] * len(HOSTILE)


def test_a_worker_that_dies_in_a_batch_costs_no_reward(reward: rewards.TrlReward) -> None:
    bodies = [f"    return x + 1  # {number}\n" for number in range(40)]
    executor: Any = reward._grader._judge()
    earned(reward, ["    return x + 1  # so that workers run\n"])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(earned, reward, bodies)
        for each in list(executor._scheduler._workers.values()):
            each.process.kill()
        assert waiting.result(120) == [1.0] * len(bodies)


def test_a_fault_of_the_harness_is_tried_again_and_then_none(caplog: pytest.LogCaptureFixture) -> None:
    judge = FailingJudge(failures={"# once": 1, "# always": 99})
    reward = rewards.for_trl(adding(), style="base", run=RunOptions(judge=judge, skip_health_check=True))
    bodies = [
        "    return x + 1\n",
        "    return x + 1  # once\n",
        "    return x + 1  # always\n",
        "    return 0\n",
    ]
    told: dict[str, Any] = {}
    with caplog.at_level(logging.WARNING):
        got = earned(reward, bodies, log_metric=told.__setitem__, log_extra=told.__setitem__)
    assert got == [1.0, 1.0, None, 0.0]
    assert "1 of 4 programs were not judged: out of order" in caplog.text
    assert told == {
        "codesample/passed": pytest.approx(2 / 3),
        "codesample/checks_passed": pytest.approx(2 / 3),
        "codesample/timeouts": 0.0,
        "codesample/no_program": 0.0,
        "codesample/harness_errors": 0.25,
        "codesample/status": ["passed", "passed", "harness_error", "wrong"],
    }


def test_a_judge_that_fails_as_a_whole_ends_the_training() -> None:
    judge = FailingJudge(broken=True)
    reward = rewards.for_trl(adding(), run=RunOptions(judge=judge, skip_health_check=True))
    with pytest.raises(ExecutionError, match="no more room"):
        earned(reward, ["    return x\n"])


def test_a_machine_where_no_reference_passes_is_refused() -> None:
    reward = rewards.for_trl(adding(), run=RunOptions(judge=FailingJudge(failures={"": 99})))
    with pytest.raises(ExecutionError, match=r"none of 4 reference solutions tried passes here"):
        earned(reward, ["    return x\n"])


def test_time_outs_earn_nothing_and_are_told() -> None:
    reward = rewards.for_trl(numbers_task(time_limit=0.5), partial=True, style="base", run=TWO)
    told: dict[str, Any] = {}
    slow = "    while x == 9:\n        pass\n    return x + 1\n"
    assert reward(completions=[slow], task_id=["numbers"], log_metric=told.__setitem__) == [0.0]
    assert told["codesample_partial/timeouts"] == 1.0


def test_partial_credit_is_the_share_of_checks_that_held() -> None:
    reward = rewards.for_trl(numbers_task(), partial=True, style="base", run=TWO)
    bodies = [
        "    return x + 1\n",
        "    return x + 1 if x != 9 else 0\n",
        "    return [][0] if x else 1\n",
        "    import os\n    return os._exit(0) if x == 9 else x + 1\n",
        "    retur\n",
    ]
    assert reward(completions=bodies, task_id=["numbers"] * 5) == [1.0, 0.75, 0.25, 0.0, 0.0]


def test_an_answer_without_a_program_earns_what_was_said() -> None:
    reward = rewards.for_trl(adding(), style="chat", no_program=-0.5, run=TWO)
    answers = [
        "I do not know.",
        "",
        "```python\ndef add(x):\n    return 0\n```",
        "```python\ndef add(x:\n```",
    ]
    assert earned(reward, answers) == [-0.5, -0.5, 0.0, -0.5]
    with pytest.raises(ParameterError, match=r"no_program = 0\.1: expected a number of at most 0"):
        rewards.for_trl(adding(), no_program=0.1)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"task_id": ["adding/77"]}, "unknown task id 'adding/77'"),
        ({"task_id": [None]}, "a row has no 'task_id'"),
        ({"id": ["adding/1"]}, "a row has no 'task_id', which names its problem; columns: id"),
    ],
)
def test_a_row_that_names_no_problem_is_refused(
    reward: rewards.TrlReward, columns: dict[str, Any], message: str
) -> None:
    with pytest.raises((ParameterError, UnknownNameError), match=message):
        reward(completions=["    return x\n"], **columns)


def test_the_ids_may_stand_in_another_column() -> None:
    reward = rewards.for_trl(adding(), columns={"task_id": "name"}, run=TWO)
    assert reward(completions=["    return x + 1\n"], name=["adding/1"]) == [1.0]
    with pytest.raises(ParameterError, match="columns: 'test' beside a task"):
        rewards.for_trl(adding(), columns={"test": "asserts"})


def test_tests_that_can_be_faked_are_not_judged_unless_accepted(caplog: pytest.LogCaptureFixture) -> None:
    weak = Problem(
        task_id="weak",
        prompt="def add(x):\n",
        tests=CodeTests(source="assert add(1) == 2", entry_point="add", mode="in_process"),
        entry_point="add",
    )
    problems = [weak, *adding()]
    bodies, ids = ["    return x + 1\n"] * 2, ["weak", "adding/1"]
    assert earned(rewards.for_trl(problems, run=TWO), bodies, ids) == [None, 1.0]
    assert "weak: not judged: its tests run beside the program" in caplog.text
    accepting = rewards.for_trl(problems, run=RunOptions(workers=2, integrity="any"))
    assert earned(accepting, bodies, ids) == [1.0, 1.0]
    with pytest.raises(ParameterError, match="can fake a pass; accept that by run=RunOptions"):
        rewards.for_trl([weak])


@pytest.mark.parametrize(("integrity", "worth"), [(None, None), ("strict", None), ("any", 1.0)])
def test_a_pass_that_its_judge_calls_weak_counts_only_where_accepted(
    integrity: str | None, worth: float | None
) -> None:
    run = RunOptions(judge=FailingJudge(integrity="weak"), skip_health_check=True, integrity=integrity)
    bodies = ["    return x + 1\n", "    return 0\n"]
    assert earned(rewards.for_trl(adding(), style="base", run=run), bodies) == [worth, 0.0]


def test_less_isolation_than_asked_for_is_refused_with_what_to_do() -> None:
    judge = FailingJudge(level="none")
    reward = rewards.for_trl(adding(), run=RunOptions(judge=judge))
    with pytest.raises(ExecutionError, match="allow_weak_isolation='none'"):
        earned(reward, ["    return x\n"])


def test_a_task_that_is_not_there_is_refused_at_once() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'mini'"):
        rewards.for_trl("minni")


def test_an_async_function_gives_the_same_and_lets_others_run(reward: rewards.TrlReward) -> None:
    later = rewards.for_trl(adding(), asynchronous=True, run=TWO)
    bodies = ["    return x + 1\n", "    return x\n", "    return x + 1  # again\n"]

    async def both() -> list[Any]:
        calls = (later(completions=bodies, task_id=["adding/1"] * 3) for _ in range(3))
        return list(await asyncio.gather(*calls, later(completions=[], task_id=[])))

    assert asyncio.run(both()) == [[1.0, 0.0, 1.0]] * 3 + [[]]


def test_threads_may_share_a_reward(reward: rewards.TrlReward) -> None:
    def one(number: int) -> Any:
        return earned(reward, [f"    return x + 1 + 0 * {number}\n", f"    return {number}\n"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(100, 124))) == [[1.0, 0.0]] * 24


def test_a_reward_can_be_pickled_and_closed_and_used_again() -> None:
    reward = rewards.for_trl("mini", style="base", run=TWO)
    solution = {"completions": [read_problems("mini").problems[0].reference], "task_id": ["mini/0"]}
    assert reward(**solution) == [1.0]
    copy = pickle.loads(pickle.dumps(reward))
    reward.close()
    reward.close()
    assert copy(**solution) == reward(**solution) == [1.0]
    assert copy.__name__ == reward.__name__ == "codesample"
    copied = pickle.loads(pickle.dumps(rewards.for_trl(adding(), run=TWO)))
    assert earned(copied, ["    return x + 1\n"]) == [1.0]


def test_a_task_of_local_functions_is_refused_when_it_is_sent_away() -> None:
    from codesample import Task

    task = Task("local", "1", "", (), 64, load=lambda: adding())
    with pytest.raises(ParameterError, match=r"task local cannot be sent to another process .*FILE.py:NAME"):
        pickle.dumps(rewards.for_trl(task))


@settings(max_examples=12)
@given(st.lists(st.tuples(st.sampled_from(BODIES), st.sampled_from([1, 2, 3, 5])), max_size=6), st.booleans())
def test_a_batch_earns_what_its_members_earn_alone(batch: list[tuple[str, int]], partial: bool) -> None:
    reward = rewards.for_trl(adding(), partial=partial, no_program=-1.0, style="base", run=TWO)
    bodies, ids = [body for body, _ in batch], [f"adding/{addend}" for _, addend in batch]
    alone = [earned(reward, [body], [task_id])[0] for body, task_id in zip(bodies, ids, strict=True)]
    assert reward(completions=bodies, task_id=ids) == alone


def test_two_rewards_of_a_process_share_one_judge(reward: rewards.TrlReward) -> None:
    other = rewards.for_trl(adding(), partial=True, run=TWO)
    assert other._grader._judge() is reward._grader._judge()
    other.close()
    assert earned(reward, ["    return x + 1\n"]) == [1.0]


def test_rows_with_bad_tests_are_refused_by_name() -> None:
    reward = rewards.for_trl(run=TWO)
    with pytest.raises(DataError, match="test is not Python: line 1"):
        reward(prompts=["Add."], completions=["x"], test=["assert ("])
