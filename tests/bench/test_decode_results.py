"""Tables and plot of the decode benchmark."""

import pytest

from codesample.bench.decode_results import decode_plot, decode_tables
from codesample.errors import ParameterError

JOB = {"kind": "job", "shape": "small", "workload": "short", "n": 4, "method": "generate"}
STEP = {"kind": "step", "shape": "small", "context": 40, "device": "a processor", "threads": 2}


def step(n, **more):
    return (
        STEP
        | {
            "n": n,
            "ms": {"codesample": 2.0 * n},
            "ratio": {"codesample": 1.0},
            "ratio_low": {"codesample": 0.9},
            "ratio_high": {"codesample": 1.1},
            "attention_ms": 0.5,
            "left_out": {"joined buffers": "needs 9.0 GB"},
        }
        | more
    )


def test_jobs_and_steps_have_a_table_each():
    figures = {
        "tokens_per_second": 10.5,
        "first_token_seconds": 0.1,
        "peak_extra_mib": 3.0,
        "codesample_is_faster_by": 2.0,
    }
    found = [JOB | figures, JOB | {"refused": "wrong"}, step(3), STEP | {"n": 4, "refused": "wrong"}]
    assert decode_tables(found).splitlines() == [
        "| shape | workload | n | method | tokens/s | first token, s | extra MiB | codesample is faster by |",
        "|---|---|---|---|---|---|---|---|",
        "| small | short | 4 | generate | 10.5 | 0.1 | 3.0 | 2.0x |",
        "| small | short | 4 | generate | not shown: wrong | | | |",
        "",
        "| shape | context | n | codesample, ms | joined buffers, ms | attention, ms |",
        "|---|---|---|---|---|---|",
        "| small | 40 | 3 | 6.0 (1.0x, 0.9 to 1.1) | not shown: needs 9.0 GB | 0.5 |",
        "| small | 40 | 4 | not shown: wrong | | |",
    ]


def test_without_our_own_run_there_is_no_ratio():
    names = ("tokens_per_second", "first_token_seconds", "peak_extra_mib")
    job = JOB | dict.fromkeys(names, 1.0) | {"codesample_is_faster_by": None}
    assert decode_tables([job]).splitlines()[-1] == "| small | short | 4 | generate | 1.0 | 1.0 | 1.0 | - |"


def test_the_plot_is_of_the_commonest_context():
    plot = decode_plot([step(3), step(1), step(2, context=80), JOB])
    assert plot.title == "small, 40 prompt tokens, a processor, 2 threads"
    assert plot.lines == {"codesample": [(3, 6.0), (1, 2.0)]}


def test_without_steps_there_is_nothing_to_plot():
    with pytest.raises(ParameterError, match="run without --no-steps"):
        decode_plot([JOB])
