"""lm-evaluation-harness' logged samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import DataError
from codesample.foreign import Matched, open_samples
from codesample.records import Candidate

Reader = Callable[..., Matched]
Lines = Callable[..., Path]


def logged(doc_id: int, resps: Any, filtered: Any, share: float, **extra: Any) -> dict[str, Any]:
    return {
        "doc_id": doc_id,
        "doc": {"task_id": "ab"[doc_id], "prompt": "p"},
        "target": "t",
        "arguments": {"gen_args_0": {"arg_0": "p", "arg_1": {"until": ["\n"]}}},
        "resps": resps,
        "filtered_resps": filtered,
        "filter": "create_test",
        "metrics": ["pass@1"],
        "pass@1": share,
        **extra,
    }


def test_filtered_answers_are_programs_and_the_raw_ones_are_kept(lines: Lines, read: Reader) -> None:
    path = lines(logged(0, [["  x"]], [["p  x"]], 1.0), logged(1, [["  y"]], [["p  y"]], 0.0))
    assert open_samples(path).form == "lm-evaluation-harness"
    found = read(path)
    assert found.candidates == [
        Candidate("a", 0, "p  x", program="p  x"),
        Candidate("b", 0, "p  y", program="p  y"),
    ]
    first, second = found.origins
    assert (first.passed, first.answer, second.passed) == (True, "  x", False)
    assert first.fields["arguments"]["gen_args_0"]["arg_1"] == {"until": ["\n"]}
    # what the model wrote is what programs are read out of
    assert [each.completion for each in read(path, extract=True).candidates] == ["  x", "  y"]


def test_an_answer_that_no_filter_changed_continues_the_prompt(lines: Lines, read: Reader) -> None:
    path = lines(logged(0, [["code"]], ["code"], 1.0, filter="none"))
    assert read(path).candidates == [Candidate("a", 0, "code")]
    path = lines(logged(0, [["code"]], ["code"], 1.0, filter="extract_code"))
    assert read(path).candidates == [Candidate("a", 0, "code", program="code")]


def test_several_answers_have_a_share_of_passes_and_no_verdict_each(lines: Lines, read: Reader) -> None:
    path = lines(logged(0, [["x", "y", "z"]], [["px", "py", "pz"]], 1 / 3))
    found = read(path)
    assert [(each.index, each.program) for each in found.candidates] == [(0, "px"), (1, "py"), (2, "pz")]
    assert [each.share for each in found.origins] == [pytest.approx(1 / 3), None, None]
    assert [each.passed for each in found.origins] == [None] * 3


def test_a_filter_that_takes_the_first_leaves_the_others_out(lines: Lines, read: Reader) -> None:
    found = read(lines(logged(0, [["x", "y"]], ["px"], 1.0)))
    assert [each.program for each in found.candidates] == ["px"]


def test_lines_of_another_filter_are_left_out_with_a_notice(lines: Lines, read: Reader) -> None:
    path = lines(
        logged(0, [["x"]], [["px"]], 1.0),
        logged(0, [["x"]], [["qx"]], 0.0, filter="other"),
    )
    found = read(path)
    assert [each.program for each in found.candidates] == ["px"]
    assert found.notices == [
        f"{path}: answers filtered by 'create_test' are taken; those by 'other' are left out"
    ]


def test_without_a_name_the_number_is_the_position(lines: Lines, read: Reader) -> None:
    row = logged(1, [["x"]], [["px"]], 1.0, doc={"prompt": "p"})
    assert [each.task_id for each in read(lines(row)).candidates] == ["b"]


def test_another_metric_of_the_task_is_its_verdict(lines: Lines, read: Reader) -> None:
    row = logged(0, [["x"]], ["px"], 1.0, metrics=["pass_at_1"], pass_at_1=0.0)
    del row["pass@1"]
    assert read(lines(row)).origins[0].passed is False


@pytest.mark.parametrize("broken", [{"resps": [[3]]}, {"doc_id": "x"}, {"resps": "x"}])
def test_a_malformed_line_is_named(lines: Lines, read: Reader, broken: dict[str, Any]) -> None:
    path = lines(logged(0, [["x"]], ["x"], 1.0), logged(1, [["x"]], ["x"], 1.0) | broken)
    with pytest.raises(DataError, match=r"given\.txt:2: "):
        read(path)


def test_figures_alone_are_no_samples(lines: Lines) -> None:
    with pytest.raises(DataError, match=r"give the samples_TASK_DATE\.jsonl beside it"):
        open_samples(lines({"results": {"humaneval": {}}, "configs": {}}))


@pytest.mark.parametrize("name", ["pass@2", "pass@10", "pass_at_10", "pass_at_100", "bleu", "doc_hash"])
def test_a_metric_that_is_no_share_of_answers_is_no_verdict(lines: Lines, read: Reader, name: str) -> None:
    row = logged(0, [["x", "y"]], ["px", "py"], 1.0, metrics=[name]) | {name: 1.0}
    assert [each.share for each in read(lines(row)).origins] == [1.0, None]
    del row["pass@1"]
    assert [(each.share, each.passed) for each in read(lines(row)).origins] == [(None, None)] * 2
