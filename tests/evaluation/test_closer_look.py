"""All that is known of a problem's candidates, as records and as plain data."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesample.evaluation.closer_look import (
    Check,
    candidate_facts,
    check_at,
    failed_checks,
    grouped,
    problem_facts,
    taken_of,
)
from codesample.evaluation.run_contents import read_run
from codesample.records import (
    Candidate,
    CodeTests,
    InputTests,
    ScriptExample,
    ScriptTests,
    Status,
    Tests,
    Verdict,
)


def test_equal_programs_are_one_group_the_largest_first(judged_run: Path) -> None:
    first, second, third = read_run(judged_run).pools
    assert [group.positions for group in grouped(first)] == [(0, 1), (2, 3)]
    assert [group.positions for group in grouped(second)] == [(0, 2, 3), (1,)]
    assert [group.positions for group in grouped(third)] == [(0, 1, 2, 3)]
    assert grouped(second)[1].program.endswith("return x + 1\n")


CALL = {"inputs": ((1, "a"),), "entry_point": "f"}


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        (CodeTests(checks=("assert f()", "assert g()")), Check(1, "assert f()")),
        (InputTests(**CALL, expected=([2],)), Check(1, "f(1, 'a') == [2]")),
        (InputTests(**CALL, reference="def f(a, b): ..."), Check(1, "f(1, 'a')  # as the reference returns")),
        (
            InputTests(**CALL, expected=(2,), oracle="def accept(*_): return True"),
            Check(1, "f(1, 'a')  # accepted by the tests' own oracle"),
        ),
        (
            InputTests(inputs=((10**5000,),), entry_point="f", expected=(1,)),
            Check(1, "f(<int that is too long to be spelt>) == 1"),
        ),
        (ScriptTests(cases=(ScriptExample("1\n", "2\n"),)), Check(1, "1\n", "2\n")),
        (CodeTests(checks=("assert f()",), parts=(("base", 1),)), Check(1, "assert f()", part="base")),
    ],
)
def test_a_check_of_each_kind_is_told_in_words(tests: Tests, expected: Check) -> None:
    assert check_at(tests, 0) == expected


def test_a_check_of_a_script_is_its_input_with_what_it_must_give() -> None:
    assert Check(1, "1 2\n", "3\n").whole == "input:\n1 2\n\nexpected output:\n3\n"
    assert Check(1, "assert f()").whole == "assert f()"


def test_failed_checks_are_those_of_the_verdict_where_it_has_one_for_each() -> None:
    tests = CodeTests(checks=("assert f()", "assert g()", "assert h()"))
    verdict = Verdict("t/0", 0, Status.WRONG, checks=(True, False, False))
    assert failed_checks(tests, verdict) == [1, 2]
    assert failed_checks(tests, replace(verdict, checks=())) == []
    assert failed_checks(tests, replace(verdict, checks=(False,))) == []


def test_what_was_taken_is_what_the_spans_hold() -> None:
    candidate = Candidate("t/0", 0, "say: a, b.", spans=((5, 6), (8, 9)))
    assert taken_of(candidate) == "ab"
    assert taken_of(replace(candidate, spans=None)) is None


def plain(facts: dict[str, Any]) -> dict[str, Any]:
    assert json.loads(json.dumps(facts, allow_nan=False)) is not None
    return json.loads(json.dumps(facts))


def test_a_problem_is_plain_data_with_hidden_tests_only_where_they_are_asked_for(judged_run: Path) -> None:
    contents = read_run(judged_run)
    facts = plain(problem_facts(contents, contents.pools[0]))
    assert facts["picks"]["near"] == {"indices": [0, 2], "passed": 1}
    assert facts["programs"][0]["indices"] == [0, 1]
    assert facts["candidates"][3] == {
        "index": 3,
        "status": "error",
        "passed": False,
        "scores": {"even,more": 0.0, "near": None},
    }
    assert facts["examples"] == [{"call": "add(0)", "expected": "1"}]
    assert "assert add(2) == 3" in facts["tests"]["source"]
    without = json.dumps(problem_facts(contents, contents.pools[0], tests=False)["candidates"])
    assert "add(2)" not in json.dumps(problem_facts(contents, contents.pools[0], tests=False))
    assert without


def test_a_candidate_is_plain_data_also_where_numbers_are_not_finite(judged_run: Path) -> None:
    contents = read_run(judged_run)
    pool = contents.pools[0]
    odd = replace(pool.candidates[0], logprobs=(-math.inf, -0.5))
    facts = plain(candidate_facts(contents, replace(pool, candidates=(odd, *pool.candidates[1:])), 0))
    assert facts["logprobs"] == [None, -0.5]
    assert facts["scores"]["near"] == {"score": 0.5, "places": [1, 2]}
    assert facts["verdict"]["passed"] is True
    assert facts["program"].startswith("def add(x):")
