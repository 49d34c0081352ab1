from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import DataError, ParameterError
from codesample.records import (
    CallExample,
    Candidate,
    CodeTests,
    Message,
    PublicView,
    ScriptExample,
    ScriptTests,
    Verdict,
)
from codesample.tasks.contract import Task
from codesample.tasks.prompt_form import FENCE
from codesample.tasks.registry import load_task_file
from codesample.tasks.user_entry import UserEntry

ROW = {"task_id": "mine/0", "prompt": "def f(x):\n    '''f(1) == 2'''\n", "test": "assert f(1) == 2"}

TURN = {"role": "user", "content": "Write f, which adds 1."}
CASE = {"input": "1", "output": "2"}
CALL = {"call": "f(1)", "expected": "2"}


def _load(folder: Path, *rows: dict[str, Any]) -> Task:
    path = folder / "my_problems.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_task_file(path)


def test_three_fields_are_enough(tmp_path: Path) -> None:
    task = _load(tmp_path, ROW)
    (problem,) = task.problems()
    assert task.name == "my_problems"
    assert problem.tests.source == "assert f(1) == 2"
    assert problem.tests.stub == ""
    assert problem.entry_point is None
    assert problem.examples == ()
    assert task.program(problem, "    return x + 1") == ROW["prompt"] + "    return x + 1"
    assert "\nclass" in task.stop


@pytest.mark.parametrize(
    ("name", "content"), [("none.jsonl", ""), ("none.jsonl", "\n\n"), ("none.json", "[]")]
)
def test_a_file_without_problems_is_refused_by_its_path(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=rf"{name}: holds no problems; expected a JSON object for each, with"):
        load_task_file(tmp_path / name)


def test_an_entry_point_brings_examples_and_trusted_leading_code(tmp_path: Path) -> None:
    prompt = "import math\n\n" + ROW["prompt"]
    (problem,) = _load(tmp_path, {**ROW, "prompt": prompt, "entry_point": "f"}).problems()
    assert problem.examples == (CallExample("f(1)", "2"),)
    assert problem.tests.stub == "import math\n\n"
    assert problem.tests.entry_point == "f"


def test_tests_that_define_check_are_called_with_the_entry_point(tmp_path: Path) -> None:
    test = "def check(candidate):\n    assert candidate(1) == 2\n"
    (problem,) = _load(tmp_path, {**ROW, "entry_point": "f", "test": test}).problems()
    assert problem.tests.source.rstrip().endswith("check(f)")


@pytest.mark.parametrize(
    "test",
    [
        "import unittest\nclass T(unittest.TestCase):\n    def check(self, x): assert f(x) == x + 1\n"
        "    def test_one(self): self.check(1)\n",
        "# def check(candidate) is not here\nassert f(1) == 2\n",
        "def helper():\n    def check(x): assert f(x) == x + 1\n    check(1)\nhelper()\n",
    ],
    ids=["a method", "a comment", "within a function"],
)
def test_a_check_that_is_no_function_of_the_tests_is_not_called(tmp_path: Path, test: str) -> None:
    (problem,) = _load(tmp_path, {**ROW, "test": test, "entry_point": "f"}).problems()
    assert "check(f)" not in problem.tests.source


def test_a_check_that_a_call_would_not_run_is_refused(tmp_path: Path) -> None:
    test = "import asyncio\nasync def check(candidate):\n    assert await candidate(1) == 2\n"
    with pytest.raises(DataError, match="jsonl:1: line 2 of the tests: check is asynchronous"):
        _load(tmp_path, {**ROW, "test": test, "entry_point": "f"})


def test_stated_examples_replace_those_of_the_prompt(tmp_path: Path) -> None:
    row = {**ROW, "entry_point": "f", "examples": [{"call": "f(3)", "expected": "4"}]}
    (problem,) = _load(tmp_path, row).problems()
    assert problem.examples == (CallExample("f(3)", "4"),)
    (problem,) = _load(tmp_path, {**row, "examples": []}).problems()
    assert problem.examples == ()


def test_a_completion_may_be_the_whole_program(tmp_path: Path) -> None:
    row = {**ROW, "prompt": "Write f.", "entry_point": "f", "completion": "is_program", "stop": ["```"]}
    task = _load(tmp_path, row)
    assert task.program(task.problems()[0], "def f(x): ...") == "def f(x): ..."
    assert task.stop == ("```",)


def test_a_whole_program_is_cut_at_no_string_unless_some_are_stated(tmp_path: Path) -> None:
    row = {**ROW, "prompt": "Write f.", "completion": "is_program"}
    assert _load(tmp_path, row).stop == ()
    assert _load(tmp_path, {**row, "stop": ["```"]}).stop == ("```",)


def test_stating_no_stop_strings_means_none(tmp_path: Path) -> None:
    assert _load(tmp_path, {**ROW, "stop": []}).stop == ()
    assert _load(tmp_path, {**ROW, "stop": None}).stop == _load(tmp_path, ROW).stop != ()


def test_the_form_of_the_completion_changes_the_fingerprint(tmp_path: Path) -> None:
    continued = _load(tmp_path, ROW).fingerprint()
    assert _load(tmp_path, {**ROW, "completion": "is_program"}).fingerprint() != continued
    assert _load(tmp_path, {**ROW, "completion": "continues_prompt"}).fingerprint() == continued


@pytest.mark.parametrize(
    ("second", "complaint"),
    [
        ({"prompt": None}, "field 'prompt' is missing"),
        ({"test": 3}, "field 'test' is int, expected str"),
        ({"entrypoint": "f"}, "unknown field 'entrypoint'; did you mean 'entry_point'"),
        ({"entry_point": "f(x)"}, "is not a Python name"),
        ({"entry_point": "g"}, "does not define entry_point 'g'"),
        ({"stop": ["b"]}, r"stop \('b',\) differs from \('a',\) "),
        ({"stop": []}, r"stop \(\) differs from \('a',\) "),
        ({"stop": ["b", ""]}, "stop holds an empty string"),
        ({"examples": [3]}, "examples holds int, expected objects with call and expected"),
        (
            {"examples": [{"call": "f(1)"}]},
            r", examples\[0\]: field 'expected' is missing; fields present: call",
        ),
        ({"examples": [{"call": "f(1)", "expected": "4 # four"}]}, "'4 # four' is not a Python expression"),
        ({"completion": "is_program"}, "completion 'is_program' differs"),
        ({"io": [{"input": "1", "output": "2"}]}, "io stands alone"),
        ({"test": None, "in_process": True, "io": [{"input": "1", "output": "2"}]}, "io stands alone"),
        ({"atol": 1e-6}, "atol says how output is compared, and stands with io alone"),
        ({"rtol": 0}, "rtol says how output is compared, and stands with io alone"),
        ({"checker": "x = 1"}, "checker says how output is compared, and stands with io alone"),
        ({"test": None, "io": [CASE], "atol": "a"}, "field 'atol' is str, expected a number"),
        ({"test": None, "io": [CASE], "checker": 3}, "field 'checker' is int, expected str"),
        (
            {"test": None, "io": [CASE], "atol": -1},
            ", io: atol = -1.0: expected a finite number of at least 0",
        ),
        ({"test": None, "io": [CASE], "checker": ""}, ", io: checker is empty; it must define accept"),
        ({"test": None, "io": [CASE], "checker": "x", "rtol": 1}, ", io: a checker compares by itself"),
        ({"test": None, "io": [CASE], "cheker": "x"}, "unknown field 'cheker'; did you mean 'checker'"),
        ({"test": None, "io": []}, ", io: tests by scripts need at least one case of input and output"),
        ({"test": None, "io": ["1"]}, "io holds str, expected objects with input and output"),
        (
            {"test": None, "io": [{"input": "1"}]},
            r", io\[0\]: field 'output' is missing; fields present: input",
        ),
        (
            {"test": None, "io": [CASE, {"input": 1, "output": ""}]},
            r"io\[1\]: field 'input' is int, expected str",
        ),
        (
            {"test": None, "io": [{"call": "f(1)", "expected": "2"}]},
            r"io\[0\] holds call and expected, expected",
        ),
        (
            {"test": None, "io": [CASE], "examples": [3]},
            "examples holds int, expected objects with input and",
        ),
        (
            {"test": None, "io": [CASE], "examples": [{"input": ""}]},
            r"examples\[0\]: field 'output' is missing",
        ),
        (
            {"test": None, "io": [CASE], "examples": [CASE, CALL]},
            r"examples\[1\] holds call and expected, exp",
        ),
        (
            {"test": None, "io": [CASE], "examples": [{**CASE, **CALL}]},
            r"examples\[0\] holds call and expected",
        ),
        ({"test": None}, "field 'test' is missing; give it, or io"),
        ({"test": " "}, "no tests: give source, checks or both"),
        ({"metadata": []}, "field 'metadata' is list, expected dict"),
        ({"imports": "numpy"}, "field 'imports' is str, expected list"),
        ({"stop": [1]}, "field 'stop' holds something else than strings"),
        ({"time_limit": 0}, "time_limit 0.0; expected a number above 0"),
        ({"time_limit": float("nan")}, "time_limit nan; expected a number above 0"),
        ({"time_limit": True}, "'time_limit' is bool, expected a number"),
        ({"memory_mib": -1}, "memory_mib -1; expected a number above 0"),
        ({"scratch_mib": 0}, "scratch_mib 0; expected a number above 0"),
        ({"memory_mib": 0.5}, "'memory_mib' is float, expected int"),
        ({"imports": ["numpy; x"]}, "which is not the name of a module"),
        ({"in_process": "yes"}, "'in_process' is str, expected bool"),
        ({"time_limits": 3}, "unknown field 'time_limits'; did you mean 'time_limit'"),
        ({"mesages": []}, "unknown field 'mesages'; did you mean 'messages'"),
        ({"instructions": "Do."}, "unknown field 'instructions'; did you mean 'instruction'"),
        ({"messages": []}, r"messages = \[\]: expected at least one message"),
        (
            {"messages": [{"role": "human", "content": "Do."}]},
            r"messages\[0\]: role 'human'; expected system, developer, user, assistant",
        ),
        ({"messages": [{"role": "system", "content": "Be brief."}]}, "messages has no turn of the user's"),
        ({"messages": ["Do."]}, r"messages\[0\] = 'Do.': expected a message with role and content"),
        (
            {"messages": [TURN, {"role": "user"}]},
            r"messages\[1\] = {'role': 'user'}: expected a message with role and content",
        ),
        ({"messages": [{**TURN, "content": 3}]}, r"messages\[0\]\['content'\] = 3: expected a text"),
        ({"prompt": [{**TURN, "name": "x"}]}, "prompt 'messages' differs from 'a text'"),
        ({"prompt": [TURN]}, "prompt 'messages' differs from 'a text'"),
        ({"prompt": [TURN], "messages": [TURN]}, "prompt and messages both hold messages; give one of them"),
        ({"instruction": "Do."}, "instruction 'Do.' differs from 'Write it.'"),
        ({"shape": "method"}, "shape 'method'; expected one of function, class, script, expression"),
        (
            {"shape": "script"},
            "shape 'script', but by its tests and its completion an answer is a function or",
        ),
        (
            {"shape": "expression"},
            "shape 'expression', but by its tests and its completion an answer is a fun",
        ),
        (
            {"test": None, "io": [CASE], "shape": "class"},
            "its tests and its completion an answer is a script",
        ),
        ({"test": "x = 1\nassert f(1) = 2\n"}, "test is not Python: line 2: "),
        ({"test": "assert f(1) == 2\nreturn\n"}, "test is not Python: line 2: 'return' outside function"),
        ({"test": "x = '\0'"}, "test is not Python"),
        (
            {"test": "def check(f):\nassert f", "entry_point": "f"},
            "test is not Python: line 2: expected an i",
        ),
        ({"test": None, "io": [CASE], "checker": "def accept(:"}, "checker is not Python: line 1: "),
        (
            {"test": None, "io": [CASE], "checker": "x = 1"},
            r"checker defines no accept\(input, output, expec",
        ),
    ],
)
def test_a_malformed_row_is_named_by_file_and_line(
    tmp_path: Path, second: dict[str, Any], complaint: str
) -> None:
    first = {**ROW, "stop": ["a"], "completion": "continues_prompt", "instruction": "Write it."}
    with pytest.raises(DataError, match=complaint) as caught:
        _load(tmp_path, first, {**ROW, "task_id": "mine/1", **second})
    assert "my_problems.jsonl:2" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"io": [{"input": "1"}]}, "io[0]: field 'output' is missing; fields present: input"),
        ({"io": [CASE, {"input": 1, "output": ""}]}, "io[1]: field 'input' is int, expected str"),
        ({"io": [CALL]}, "io[0] holds call and expected, expected objects with input and output"),
        ({"examples": [3]}, "examples holds int, expected objects with input and output"),
        ({"examples": [{"output": ""}]}, "examples[0]: field 'input' is missing; fields present: output"),
        ({"examples": [CASE, CALL]}, "examples[1] holds call and expected, expected objects with input and"),
        ({"examples": [{**CASE, **CALL}]}, "examples[0] holds call and expected, expected objects with"),
        (
            {"io": None, "test": "assert f(1)", "examples": [CALL, CASE]},
            "examples[1] holds input and output, expected objects with call and expected",
        ),
    ],
)
def test_pairs_of_another_kind_are_named_by_file_line_and_field(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    script = {"task_id": "mine/0", "prompt": "Add.", "io": [CASE]}
    with pytest.raises(DataError) as caught:
        _load(tmp_path, script, {**script, "task_id": "mine/1", **changes})
    assert str(caught.value).startswith(f"{tmp_path / 'my_problems.jsonl'}:2, {complaint}")


def test_a_row_may_limit_its_programs_and_grant_them_modules(tmp_path: Path) -> None:
    limits = {"time_limit": 2, "memory_mib": 64, "imports": ["numpy", "scipy.special"], "scratch_mib": 3}
    (problem,) = _load(tmp_path, {**ROW, **limits}).problems()
    assert problem.tests == CodeTests(
        source=ROW["test"],
        time_limit=2.0,
        memory=64 << 20,
        imports=("numpy", "scipy.special"),
        scratch=3 << 20,
    )


def test_a_row_may_ask_for_scripts(tmp_path: Path) -> None:
    cases = [{"input": "1 2\n", "output": "3"}, {"input": "", "output": ""}]
    row = {"task_id": "mine/0", "prompt": "Add.", "completion": "is_program", "io": cases, "time_limit": 1}
    (problem,) = _load(tmp_path, row).problems()
    shown = (ScriptExample("1 2\n", "3"), ScriptExample("", ""))
    assert problem.tests == ScriptTests(cases=shown, time_limit=1.0)
    assert problem.examples == ()


def test_a_script_may_be_given_a_tolerance_or_a_checker(tmp_path: Path) -> None:
    row = {"task_id": "mine/0", "prompt": "Add.", "completion": "is_program", "io": [CASE]}
    cases = (ScriptExample("1", "2"),)
    (problem,) = _load(tmp_path, {**row, "atol": 1e-6, "rtol": 1}).problems()
    assert problem.tests == ScriptTests(cases=cases, atol=1e-6, rtol=1.0)
    view = PublicView.of("mine", problem)
    assert (view.atol, view.rtol) == (1e-6, 1.0)
    checker = "def accept(input, output, expected):\n    return True"
    (problem,) = _load(tmp_path, {**row, "checker": checker}).problems()
    assert problem.tests == ScriptTests(cases=cases, checker=checker)


def test_a_script_may_have_public_examples_of_its_own(tmp_path: Path) -> None:
    row = {"task_id": "mine/0", "prompt": "Add.", "completion": "is_program", "io": [CASE]}
    (problem,) = _load(tmp_path, {**row, "examples": [{"input": "4 5\n", "output": "9\n"}]}).problems()
    assert problem.examples == (ScriptExample("4 5\n", "9\n"),)
    assert problem.tests == ScriptTests(cases=(ScriptExample("1", "2"),))
    (problem,) = _load(tmp_path, {**row, "examples": []}).problems()
    assert problem.examples == ()


def test_public_examples_leave_the_fingerprint_alone(tmp_path: Path) -> None:
    row = {"task_id": "mine/0", "prompt": "Add.", "completion": "is_program", "io": [CASE]}
    assert _load(tmp_path, {**row, "examples": [CASE]}).fingerprint() == _load(tmp_path, row).fingerprint()


def test_a_row_may_have_its_tests_run_beside_the_program(tmp_path: Path) -> None:
    (problem,) = _load(tmp_path, {**ROW, "in_process": True}).problems()
    assert problem.tests.mode == "in_process"
    (problem,) = _load(tmp_path, {**ROW, "in_process": False}).problems()
    assert problem.tests.mode == "auto"


def test_fields_that_say_no_more_than_the_defaults_leave_the_fingerprint_alone(tmp_path: Path) -> None:
    said = {"time_limit": None, "memory_mib": None, "imports": [], "in_process": False, "scratch_mib": None}
    assert _load(tmp_path, {**ROW, **said}).fingerprint() == _load(tmp_path, ROW).fingerprint()
    assert _load(tmp_path, {**ROW, "memory_mib": 64}).fingerprint() != _load(tmp_path, ROW).fingerprint()


@pytest.mark.parametrize("field", ["messages", "prompt"])
def test_messages_stand_in_place_of_a_prompt(tmp_path: Path, field: str) -> None:
    given = [{"role": "system", "content": "Be brief."}, TURN]
    row = {"task_id": "mine/0", field: given, "entry_point": "f", "test": "assert f(1) == 2"}
    task = _load(tmp_path, row)
    (problem,) = task.problems()
    turns = (Message("system", "Be brief."), Message("user", TURN["content"]))
    assert problem.messages == turns
    assert problem.prompt == f"Be brief.\n\n{TURN['content']}"
    assert task.form("chat").ask(problem) == turns
    assert task.form("chat", prefill=True).ask(problem) == (*turns, Message("assistant", FENCE))
    assert task.program(problem, "def f(x): ...") == "def f(x): ..."
    with pytest.raises(ParameterError, match="mine/0 is given as messages and has no base form"):
        task.form("base").ask(problem)
    with pytest.raises(ParameterError, match="mine/0 begins with a system turn of its own; leave --system"):
        task.form("chat", system="Be kind.").ask(problem)
    # answers of other origin are read all the same
    assert task.form("base").read(problem, "x = 1").program == "x = 1"


def test_messages_beside_a_prompt_are_its_chat_form(tmp_path: Path) -> None:
    task = _load(tmp_path, {**ROW, "messages": [TURN]})
    (problem,) = task.problems()
    assert task.form("base").ask(problem) == ROW["prompt"]
    assert task.form("chat").ask(problem) == (Message("user", TURN["content"]),)


def test_a_beginning_of_the_answer_among_the_messages_is_the_prefill(tmp_path: Path) -> None:
    begun = {"role": "assistant", "content": "Here:\n```python\n"}
    task = _load(tmp_path, {"task_id": "mine/0", "messages": [TURN, begun], "test": "assert f(1) == 2"})
    (problem,) = task.problems()
    for prefill in (False, True):
        asked = task.form("chat", prefill=prefill).ask(problem)
        assert asked == (Message("user", TURN["content"]), Message("assistant", begun["content"]))


@pytest.mark.parametrize("field", ["messages", "prompt"])
def test_an_instruction_beside_messages_is_refused(tmp_path: Path, field: str) -> None:
    row = {"task_id": "mine/0", field: [TURN], "instruction": "Be brief.", "test": "assert f(1) == 2"}
    with pytest.raises(DataError, match=r"jsonl:1: instruction stands with a prompt that is a text"):
        _load(tmp_path, row)


def test_messages_alone_are_not_continued(tmp_path: Path) -> None:
    row = {"task_id": "mine/0", "messages": [TURN], "test": "assert f(1) == 2"}
    assert _load(tmp_path, row).stop == ()
    with pytest.raises(DataError, match="continues_prompt': needs a prompt that is a text"):
        _load(tmp_path, {**row, "completion": "continues_prompt"})


def test_the_roles_of_messages_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    row = {"task_id": "mine/0", "messages": [TURN], "test": "assert f(1) == 2"}
    spoken = [{**row, "messages": [{**TURN, "role": role}, TURN]} for role in ("system", "developer")]
    first, second = (_load(tmp_path, each).fingerprint() for each in spoken)
    assert first != second
    same = {"task_id": "mine/0", "prompt": [TURN], "test": "assert f(1) == 2"}
    assert _load(tmp_path, row).fingerprint() == _load(tmp_path, same).fingerprint()


def test_an_instruction_stands_before_the_prompt_or_around_it(tmp_path: Path) -> None:
    def turn(**more: Any) -> str:
        task = _load(tmp_path, {**ROW, **more})
        ((message,),) = (task.form("chat").ask(problem) for problem in task.problems())
        return message.content

    code = f"```python\n{ROW['prompt'].strip()}\n```\n"
    assert turn(instruction="Finish this:") == f"Finish this:\n\n{code}"
    words = {"prompt": "Add {x}.", "completion": "is_program"}
    assert turn(**words, instruction="Do this.\n") == "Do this.\n\nAdd {x}.\n"
    assert turn(**words, instruction="<<{prompt}>> {y}") == "<<Add {x}.>> {y}"
    assert turn(**words).endswith("Add {x}.\n")
    assert turn().endswith(code)


def test_wording_and_shapes_are_versions_of_the_chat_form(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {},
        {"instruction": "Do."},
        {"instruction": "Do it."},
        {"shape": "class"},
        {"shape": "class", "instruction": "Do."},
    ]
    versions = [_load(tmp_path, {**ROW, **row}).form("chat").version for row in rows]
    assert len(set(versions)) == len(rows)
    assert _load(tmp_path, {**ROW, "shape": "function"}).form("chat").version == versions[0]


@pytest.mark.parametrize(
    ("more", "shape"),
    [
        ({}, "function"),
        ({"prompt": "f(1)?", "completion": "is_expression"}, "expression"),
        ({"prompt": "f(1)?", "completion": "is_expression", "shape": "expression"}, "expression"),
        ({"prompt": "class F:\n    def g(self):\n        '''Do.'''\n"}, "class"),
        ({"prompt": "Write a class F.", "completion": "is_program"}, "function"),
        ({"prompt": "Write a class F.", "completion": "is_program", "shape": "class"}, "class"),
        ({"prompt": "Add.", "completion": "is_program", "io": [CASE], "test": None}, "script"),
    ],
)
def test_what_an_answer_is_to_be_is_told_from_tests_and_prompt_or_stated(
    tmp_path: Path, more: dict[str, Any], shape: str
) -> None:
    name = "F" if "F" in more.get("prompt", "") else "f"
    task = _load(tmp_path, {**ROW, "entry_point": name, "test": f"assert {name}", **more})
    (problem,) = task.problems()
    assert task.chat is not None
    wanted = task.chat.wanted(problem)
    assert (wanted.shape, wanted.name) == (shape, None if shape in ("script", "expression") else name)
    assert wanted.prompt == ("" if "completion" in more else problem.prompt)


def test_a_completion_may_be_an_expression_whose_value_the_tests_know_as_answer(tmp_path: Path) -> None:
    row = {"prompt": "assert f(3) == ", "completion": "is_expression", "test": "assert answer == 4"}
    task = _load(tmp_path, {"task_id": "mine/0", **row, "canonical_solution": "4"})
    (problem,) = task.problems()
    assert task.stop == ("\n",)
    names: dict[str, Any] = {}
    exec(task.form("base").read(problem, " 3 +\n 1").program, names)
    exec(problem.tests.source, names)
    assert problem.tests.reference == task.program(problem, "4")
    assert task.form("chat").version == "answer-1"
    ((turn,),) = (task.form("chat").ask(problem),)
    assert turn.content.endswith("\n\nassert f(3) ==\n")
    # a program of other origin is an expression too
    given = Candidate("mine/0", 0, "", program="4")
    ((_, program),) = task.form("base").assembled([given], {"mine/0": problem})
    assert program == task.program(problem, "4")
    with pytest.raises(DataError, match=r"jsonl:1: completion 'is_expression' stands with test"):
        _load(tmp_path, {"task_id": "mine/0", **row, "test": None, "io": [CASE]})


def test_an_unknown_form_of_completion_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="completion 'chat'; expected one of continues_prompt, is_program, is_expression"
    ):
        _load(tmp_path, {**ROW, "completion": "chat"})


def test_fields_of_other_tools_are_dropped(tmp_path: Path) -> None:
    (problem,) = _load(tmp_path, {**ROW, "contract": "x", "metadata": {"tier": "easy"}}).problems()
    assert problem.metadata == {"tier": "easy"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(UserEntry.__struct_fields__),
        VALUES,
    )
)
def test_any_row_is_a_problem_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any]
) -> None:
    try:
        task = _load(tmp_path_factory.mktemp("fuzz"), {**ROW, **changes})
        task.problems()
    except DataError:
        return
    assert all(isinstance(stop, str) and stop for stop in task.stop)


@pytest.mark.parametrize(
    "row",
    [
        {**ROW, "canonical_solution": "    return x + 1\n"},
        {**ROW, "canonical_solution": "def f(x): return x + 1", "completion": "is_program"},
        ROW,
    ],
    ids=["continues", "is program", "none"],
)
def test_the_tests_know_the_program_that_the_solution_makes(tmp_path: Path, row: dict[str, Any]) -> None:
    task = _load(tmp_path, row)
    (problem,) = task.problems()
    solution = problem.reference
    assert problem.tests.reference == (None if solution is None else task.program(problem, solution))


def test_a_problem_that_names_a_field_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"task_id": "a", "prompt": "p", "test": "assert f()", "test": "pass"}\n')
    with pytest.raises(DataError, match=r"mine\.jsonl:1: names the field 'test' twice"):
        load_task_file(file)


CASES = """
import unittest
class TestF(unittest.TestCase):
    def test_one(self):
        self.assertEqual(f(1), 2)
    def test_two(self):
        self.assertEqual(f(2), 3)
"""


@pytest.mark.parametrize("more", ["", "\nif __name__ == '__main__':\n    unittest.main()\n"])
@pytest.mark.parametrize("row", [{}, {"in_process": True}])
def test_unittest_classes_that_are_only_defined_are_run(
    tmp_path: Path, verdicts_of: Callable[..., list[Verdict]], more: str, row: dict[str, Any]
) -> None:
    task = _load(tmp_path, {**ROW, "test": CASES + more, "entry_point": "f", **row})
    right, half, none = verdicts_of(
        task,
        [("mine/0", f"def f(x): return {body}") for body in ("x + 1", "2", "None")],
    )
    assert right.passed
    assert [each.checks for each in (right, half, none)] == [(True, True), (True, False), (False, False)]
    assert not half.passed


def test_classes_that_the_text_runs_itself_stay_one_test(tmp_path: Path) -> None:
    (problem,) = _load(tmp_path, {**ROW, "test": f"{CASES}\nunittest.main()\n"}).problems()
    assert problem.tests.source.endswith("unittest.main()\n")
    assert problem.tests.checks == ()


def test_a_check_function_is_called_beside_such_classes(tmp_path: Path) -> None:
    text = f"{CASES}\ndef check(candidate):\n    assert candidate(3) == 4\n"
    (problem,) = _load(tmp_path, {**ROW, "test": text, "entry_point": "f"}).problems()
    assert problem.tests.source.endswith("check(f)\n")
    assert len(problem.tests.checks) == 2


@pytest.mark.parametrize(
    ("test", "complaint"),
    [
        ("def test_f():\n    assert f(1) == 2", r"line 1 of the tests defines test_f, which nothing calls"),
        ("import x\nclass TestF:\n    def test_f(self): pass", r"line 2 of the tests defines TestF, which"),
        ("import unittest\nclass TestF(unittest.TestCase):\n    def f(self): pass", r"TestF holds no test"),
    ],
)
def test_tests_that_nothing_runs_are_refused(tmp_path: Path, test: str, complaint: str) -> None:
    with pytest.raises(DataError, match=rf"my_problems\.jsonl:2: .*{complaint}"):
        _load(tmp_path, ROW, {**ROW, "task_id": "mine/1", "test": test})
