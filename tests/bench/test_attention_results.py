"""The table and the plot of the attention benchmark."""

import pytest

from codesample.bench.attention_results import attention_plot, attention_table
from codesample.bench.attention_rivals import EXPANDED
from codesample.errors import ParameterError


def found(rows=2, **more):
    return {
        "model": "small-gqa",
        "device": "a processor",
        "prompts": 1,
        "rows": rows,
        "context": 40,
        "own": 5,
        "seconds": 1.5e-3,
        "bytes_per_second": 2e9,
        "copy_bytes_per_second": 8e9,
        "best_single": "SDPA",
        "faster_than": {"SDPA": 0.5, EXPANDED: 2.0},
    } | more


def test_the_table_marks_slower_cells_and_says_why_one_has_no_figures():
    lines = attention_table([found(), found(refused="needs 9.0 GB, 1.0 GB are free")]).splitlines()
    assert lines[0].startswith("| model | prompts | n | context | own | µs | GB/s | of copy | over expanded")
    assert lines[2] == "| small-gqa | 1 | 2 | 40 | 5 | 1500.0 | 2.0 | 25% | 2.00x | 0.50x (slower) | - | - |"
    assert lines[3] == "| small-gqa | 1 | 2 | 40 | 5 | not shown: needs 9.0 GB, 1.0 GB are free | | | | | | |"


def test_the_plot_has_a_line_per_model_and_context_over_one_prompt_and_the_least_own_tokens():
    several = [found(8), found(2), found(4, own=9), found(4, prompts=2), found(2, context=80)]
    plot = attention_plot(several)
    assert plot.title == "a processor"
    assert plot.lines == {"small-gqa, 40": [(8, 1500.0), (2, 1500.0)], "small-gqa, 80": [(2, 1500.0)]}


def test_nothing_to_plot_is_refused():
    with pytest.raises(ParameterError, match="no measured cell"):
        attention_plot([found(prompts=2)])
