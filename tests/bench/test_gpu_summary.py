"""The summary of a card's rows says what was met, what was not, and what is missing."""

import json

from codesample.bench.gpu_summary import summary_files

CARD = {
    "kind": "environment",
    "device": "a card",
    "copy_bytes_per_second": 2.15e12,
    "torch": "2.11",
    "rehearsal": False,
}
CHECK = {"kind": "check", "what": "attention", "passed": True, "rehearsal": False}
CELL = {"kind": "step", "model": "7b-mha", "rows": 32, "context": 8192, "rehearsal": False}
STEP = {**CELL, "seconds": 0.012, "bytes_per_second": 1.5e12, "copy_bytes_per_second": 2.15e12}


def summed(*rows):
    files = dict(summary_files(rows))
    assert list(files) == ["summary.json", "summary.md"]
    return json.loads(files["summary.json"]), files["summary.md"]


def test_each_row_stands_beside_its_bar_as_scaled_for_the_card():
    found, page = summed(CARD, CHECK, STEP)
    assert (found["measured"], found["bars_met"], len(found["bars"])) == (1, 1, 2)
    assert [(each["got"], each["side"], each["bar"], each["met"]) for each in found["bars"]] == [
        (12.0, "at most", 10.8, False),
        (12.0, "at most", 18.8, True),
    ]
    assert "times 2 here" in page
    assert "| step | 7b-mha | 32 | 8192 | step ms | 12.0 | at most | 10.8 | NO |" in page
    assert "| 7b-mha | 32 | 8192 | private decoder | 12.00 | 70% |" in page
    assert "1 of 1 checks passed" in page


def test_what_is_missing_is_listed_with_its_reason():
    lost = {"kind": "end", "refused": "the device answers no more: x", "rehearsal": False}
    found, page = summed(CARD, CHECK, CELL | {"refused": "OutOfMemoryError: 7 GiB"}, lost)
    assert found["measured"] == 0
    assert [each["refused"] for each in found["left_out"]] == ["OutOfMemoryError: 7 GiB", lost["refused"]]
    assert "| step | 7b-mha | 32 | 8192 | | OutOfMemoryError: 7 GiB |" in page
    assert "the device answers no more: x" in page


def test_a_failed_check_is_told_with_its_reason():
    failed = CHECK | {"what": "sampler", "passed": False, "reason": "error 0.1"}
    unknown = CHECK | {"what": "more", "passed": None, "no_time": True, "refused": "no time"}
    found, page = summed(CARD, CHECK, failed, unknown)
    assert "1 of 3 checks passed, 1 had no time." in page
    assert "- FAILED: sampler: error 0.1" in page
    assert found["checks"]["failed"] == [failed]
    assert found["checks"]["without_time"] == 1


def test_a_later_call_replaces_what_had_no_time_and_costs_nothing_that_had():
    late = CELL | {"refused": "no time", "no_time": True}
    for rows in ([late, STEP], [STEP, late]):
        found, _ = summed(CARD, CHECK, CARD, CHECK, *rows)
        assert (found["measured"], found["left_out"], found["checks"]["passed"]) == (1, [], 1)


def test_both_methods_of_a_job_are_kept():
    job = {**CELL, "kind": "job", "tokens_per_second": 9.0, "first_token_seconds": 0.1, "seconds": 2.0}
    found, page = summed(CARD, *(job | {"method": name} for name in ("generate", "codesample")))
    assert found["measured"] == 2
    assert "| generate | 2.0 | 9.0 | 0.1 |" in page


def test_no_figure_of_a_rehearsal_can_pass_for_a_cards():
    rehearsed = [row | {"rehearsal": True, "device": "CPU (x)"} for row in (CARD, CHECK, STEP)]
    found, page = summed(*rehearsed)
    assert found["rehearsal"] is True
    assert found["bars"] == []
    assert page.startswith("# Rehearsal: CPU (x)")
    assert "No figure below is of a GPU" in page
    assert "Beside the bars" not in page


def test_a_call_that_has_hardly_begun_has_a_summary_too():
    assert summed(CARD)[0]["measured"] == 0
    assert "0 of 0 checks passed" in summed()[1]
