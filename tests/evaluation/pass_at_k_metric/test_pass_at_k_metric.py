"""The metric of `evaluate`: inputs and outputs of code_eval, figures by the definition, programs confined."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

import codesample.evaluation
from codesample.errors import CodesampleError, MetricError

evaluate = pytest.importorskip("evaluate", reason="the library whose metric this is")

RIGHT, WRONG, RAISING = (
    "def add(a, b):\n    return a + b\n",
    "def add(a, b):\n    return a * b\n",
    "def add(a, b):\n    raise KeyError('no')\n",
)
ENDLESS = "def add(a, b):\n    while True:\n        pass\n"
NEGATIVE = "def neg(a):\n    return -a\n"
PREDICTIONS = [[RIGHT, WRONG, RAISING, RIGHT], [NEGATIVE, WRONG, "def neg(:", NEGATIVE]]
REFERENCES = ["assert add(2, 3) == 5", "def check(f):\n    assert f(1) == -1\n\ncheck(neg)"]
PASSED = [[True, False, False, True], [True, False, False, True]]
OPTIONS: dict[str, Any] = {"num_workers": 1, "allow_weak_isolation": "none"}


@pytest.fixture(scope="module")
def metric(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return codesample.evaluation.PassAtK(cache_dir=str(tmp_path_factory.mktemp("cache")))


def share(passed: list[bool], k: int) -> Fraction:
    subsets = list(combinations(passed, k))
    return Fraction(sum(any(each) for each in subsets), len(subsets))


def test_figures_and_results_are_in_code_evals_form(metric: Any) -> None:
    found, results = metric.compute(
        predictions=PREDICTIONS, references=REFERENCES, k=[1, 2, 4, 10], **OPTIONS
    )
    # a k that some problem does not reach is left out
    assert list(found) == ["pass@1", "pass@2", "pass@4"]
    for k in (1, 2, 4):
        exact = sum(share(each, k) for each in PASSED) / 2
        assert found[f"pass@{k}"] == pytest.approx(float(exact))
    assert isinstance(results, defaultdict)
    assert list(results) == [0, 1]
    for number, row in results.items():
        assert [index for index, _ in row] == [0, 1, 2, 3]
        for index, entry in row:
            assert entry.keys() == {"task_id", "passed", "result", "completion_id"}
            assert (entry["task_id"], entry["completion_id"]) == (number, index)
            assert entry["passed"] is PASSED[number][index]
            assert (entry["result"] == "passed") == entry["passed"]
    assert results[0][1][1]["result"].startswith("failed: AssertionError")
    assert results[0][2][1]["result"] == "failed: KeyError: 'no'"
    assert results[1][2][1]["result"].startswith("failed: SyntaxError")


def test_problems_with_unequally_many_candidates_count_with_their_own(metric: Any) -> None:
    found, _ = metric.compute(
        predictions=[[RIGHT, WRONG, WRONG], [NEGATIVE]], references=REFERENCES, k=[1, 2], **OPTIONS
    )
    assert found == {"pass@1": pytest.approx((1 / 3 + 1) / 2)}


def test_a_program_that_runs_on_is_stopped_at_the_timeout(metric: Any) -> None:
    found, results = metric.compute(
        predictions=[[ENDLESS]], references=REFERENCES[:1], k=1, timeout=0.5, **OPTIONS
    )
    assert found == {"pass@1": 0.0}
    assert results[0][0][1]["result"] == "timed out"


def test_without_a_test_a_program_has_only_to_run(metric: Any) -> None:
    found, _ = metric.compute(predictions=[["x = 1", "x = y"]], references=[""], k=[1], **OPTIONS)
    assert found == {"pass@1": 0.5}


def test_what_could_not_be_judged_is_neither_passed_nor_failed(
    metric: Any, caplog: pytest.LogCaptureFixture
) -> None:
    found, results = metric.compute(
        predictions=[[RIGHT, WRONG], [RIGHT]], references=[REFERENCES[0], "assert True"], k=[1], **OPTIONS
    )
    assert found == {}
    assert results[1][0][1] == {
        "task_id": 1,
        "passed": False,
        "result": "not judged: the tests never use the program",
        "completion_id": 0,
    }
    assert "1 candidates of problem 1 were not judged: the tests never use" in caplog.text


def test_a_program_can_neither_write_nor_end_the_harness(metric: Any, tmp_path: Path) -> None:
    traces = [
        f"open({str(tmp_path / 'trace')!r}, 'w')\ndef add(a, b):\n    return a + b\n",
        "import os\nos._exit(0)\n",
        RIGHT,
    ]
    found, _ = metric.compute(predictions=[traces], references=REFERENCES[:1], k=[1], **OPTIONS)
    assert found["pass@1"] <= 2 / 3
    assert not (tmp_path / "trace").exists() or found["pass@1"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"predictions": [], "references": []}, "no problems is not defined"),
        ({"predictions": [[], ["x"]], "references": ["", ""]}, "problem 0 has no candidates"),
        ({"predictions": [["x = 1"]], "references": [""], "k": [0]}, r"k = \[0\]: expected whole numbers"),
        ({"predictions": [["x = 1"]], "references": [""], "k": True}, "k = True"),
        ({"predictions": [["x = 1"]], "references": [""], "timeout": 0.0}, "cpu_seconds"),
    ],
)
def test_what_has_no_figure_is_refused(metric: Any, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(CodesampleError, match=complaint):
        metric.compute(**options, **OPTIONS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("predictions", "references", "complaint"),
    [
        ([], [], "no problems"),
        ([], ["assert add"], "0 predictions for 1 references"),
        ([[RIGHT], [RIGHT]], REFERENCES[:1], "2 predictions for 1 references"),
        ([RIGHT], REFERENCES[:1], r"predictions\[0\] is str, expected a list"),
        ([[1]], REFERENCES[:1], r"predictions\[0\]\[0\] is int, expected a text"),
        ([[RIGHT]], [None], r"references\[0\] is NoneType, expected a text"),
        ([[RIGHT]] * 3, "abc", "references is str, expected a list"),
        ([[RIGHT]], None, "references is NoneType, expected a list"),
        (None, REFERENCES, "predictions is NoneType, expected a list"),
        (7, REFERENCES, "predictions is int, expected a list"),
    ],
)
def test_what_are_no_lists_of_texts_of_one_length_is_refused(
    metric: Any, predictions: Any, references: Any, complaint: str
) -> None:
    with pytest.raises(MetricError, match=complaint):
        metric.compute(predictions=predictions, references=references, **OPTIONS)


def test_evaluate_loads_it_from_its_folder_without_network_or_leave(tmp_path: Path) -> None:
    script = f"""
import json, os, socket, sys

def refuse(*args, **kwargs):
    raise OSError("no network here")

socket.socket.connect = refuse
import codesample.evaluation
assert "evaluate" not in sys.modules
import evaluate

metric = evaluate.load(codesample.evaluation.PASS_AT_K)
assert "HF_ALLOW_CODE_EVAL" not in os.environ
metric.add_batch(predictions={[[RIGHT, WRONG]]!r}, references={REFERENCES[:1]!r})
found, results = metric.compute(k=[1, 2], num_workers=1, allow_weak_isolation="none")
print(json.dumps([type(metric).__name__, found, results[0][1][1]["passed"]]))
"""
    file = tmp_path / "script.py"
    file.write_text(script)
    done = subprocess.run(
        [sys.executable, file],
        capture_output=True,
        text=True,
        timeout=300,
        env={
            **_clean_environment(),
            "HF_HOME": str(tmp_path / "hf"),
            "HF_MODULES_CACHE": str(tmp_path / "m"),
        },
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ["PassAtK", {"pass@1": 0.5, "pass@2": 1.0}, False]


def test_the_package_gives_it_by_name_and_no_other() -> None:
    assert codesample.evaluation.PassAtK.__name__ == "PassAtK"
    assert (Path(codesample.evaluation.PASS_AT_K) / "pass_at_k_metric.py").is_file()
    with pytest.raises(AttributeError, match="no attribute 'PassAtN'"):
        _ = codesample.evaluation.PassAtN


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "HF_ALLOW_CODE_EVAL"}
