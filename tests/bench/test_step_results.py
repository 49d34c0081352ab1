"""Whole steps as a table."""

from codesample.bench.step_results import rivals_left_out, step_table

CELL = {"model": "mistral-7b", "rows": 32, "context": 8192}
TIMED = CELL | {
    "seconds": 0.005,
    "bytes_per_second": 3e12,
    "copy_bytes_per_second": 4e12,
    "faster_than": {"torch cascade": 1.257},
    "left_out": {"flex_attention": "no memory"},
}


def test_a_step_stands_beside_rivals_and_a_refused_one_has_its_reason():
    lines = step_table([TIMED, CELL | {"refused": "needs 99 GB"}]).splitlines()
    assert lines[0] == (
        "| model | n | context | ms | GB/s | of copy | over torch cascade | over flex_attention |"
    )
    assert lines[2] == "| mistral-7b | 32 | 8192 | 5.00 | 3000.0 | 75% | 1.26x | - |"
    assert lines[3].startswith("| mistral-7b | 32 | 8192 | not shown: needs 99 GB |")


def test_each_reason_is_said_once():
    assert rivals_left_out([TIMED, TIMED, CELL]) == ["flex_attention: no memory"]
