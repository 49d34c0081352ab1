"""A report as people see it."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from codesample.evaluation.health_check import RunHealth
from codesample.evaluation.intervals import Estimate
from codesample.evaluation.report import Counted, EngineFacts, Report, Seconds, Selection
from codesample.reports.terminal import render


@pytest.fixture
def report() -> Report:
    half = Estimate(0.5, 0.4, 0.6)
    return Report(
        task="mini",
        model="tiny",
        problems=86,
        n=32,
        n_max=32,
        samples=2752,
        pass_at_k={1: half, 5: Estimate(0.75, 0.7, 0.8)},
        rerankers={"mean_logprob": Selection(Estimate(0.625, 0.5, 0.7), Estimate(0.25, 0.0, 0.5))},
        random=half,
        oracle=Estimate(1.0, 1.0, 1.0),
        seconds=Seconds(10.0, 9.0, 12.0),
        tokens=123456,
        tokens_per_second=12345.6,
        statuses={"passed": 2000, "wrong": 700, "cpu_timeout": 52},
        isolation="confined",
        notices=(),
        run=Path("runs/[x]"),
    )


def shown(report: Report) -> str:
    stream = StringIO()
    Console(file=stream, width=100).print(render(report))
    return stream.getvalue()


def test_every_figure_is_there(report: Report) -> None:
    text = shown(report)
    for part in ("pass@5", "0.750", "0.700 - 0.800", "by mean_logprob", "25 %", "an oracle", "1.000"):
        assert part in text
    for part in ("52 cpu_timeout, 2000 passed, 700 wrong", "12,346 tokens/s", "confined", "runs/[x]"):
        assert part in text


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_gets_lines_that_fit_behind_their_labels(report: Report, terminal: bool) -> None:
    stream = StringIO()
    console = Console(file=stream, width=60, force_terminal=terminal, color_system=None, soft_wrap=True)
    long = "some words that go on and on beyond what any narrow terminal has room for on one line"
    console.print(render(replace(report, notices=(long,))))
    lines = stream.getvalue().splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("note "))
    if terminal:
        assert all(len(line) <= 60 for line in lines)
        assert lines[at + 1].startswith(" " * 12)
        assert " ".join(" ".join(lines[at : at + 2]).split()).startswith(f"note {long[:60]}")
    else:
        assert lines[at] == f"note        {long}"


def test_harness_errors_are_said_apart(report: Report) -> None:
    assert "could not be judged" not in shown(report)
    assert "3 candidates could not be judged" in shown(replace(report, statuses={"harness_error": 3}))


def test_unequal_numbers_of_candidates_are_no_single_n(report: Report) -> None:
    assert "best of 32, at random" in shown(report)
    text = shown(replace(report, n=1, n_max=100))
    assert "x 1 to 100," in text
    assert "best of 1 to 100, at random" in text


def test_time_and_tokens_of_different_sessions_are_told_apart(report: Report) -> None:
    assert "sampling    10.0 s, 123,456 tokens, 12,346 tokens/s" in shown(report)
    resumed = replace(report, seconds=Seconds(2.0, 9.0, 12.0))
    assert "sampling    2.0 s in the last session, 123,456 tokens in all, 12,346 tokens/s" in shown(resumed)
    judged_again = replace(report, tokens_per_second=None)
    assert "sampling    123,456 tokens, drawn in earlier sessions" in shown(judged_again)
    assert "sampling" not in shown(replace(judged_again, tokens=0))


def test_weak_isolation_is_said_loudly(report: Report) -> None:
    assert "weaker than confined" not in shown(report)
    assert "weaker than confined" in shown(replace(report, isolation="limited"))


def test_a_pool_without_a_gap_says_so(report: Report) -> None:
    rerankers = {"mean_logprob": Selection(Estimate(1.0, 1.0, 1.0), None)}
    assert "no gap" in shown(replace(report, rerankers=rerankers))


def test_what_the_figures_leave_out_is_said(report: Report) -> None:
    assert "note" not in shown(report)
    assert "note        pass@5 of [x]" in shown(replace(report, notices=("pass@5 of [x]",)))


def test_a_short_line_sums_a_report_up(report: Report) -> None:
    assert str(report) == "mini, tiny, 86 problems x 32: pass@1 0.500, mean_logprob 0.625, oracle 1.000"


def test_weak_verdicts_are_counted_where_there_are_any(report: Report) -> None:
    assert "weak verdicts" not in shown(replace(report, integrity={"split": Counted(9, 3)}))
    mixed = replace(report, integrity={"split": Counted(9, 3), "weak": Counted(12, 7)})
    assert "weak verdicts: 12, of them 7 passed; --integrity strict leaves these out" in shown(mixed)
    assert "weak verdicts: 12, of them 7 passed; these 7 count in no figure" in shown(
        replace(mixed, strict=True)
    )


def test_figures_of_parts_stand_before_those_of_the_whole(report: Report) -> None:
    base = {1: Estimate(0.9, 0.8, 1.0)}
    text = shown(replace(report, parts={"base": base, "plus": report.pass_at_k}))
    first, second = text.index("pass@1 on base "), text.index("pass@1 on base + plus ")
    assert first < text.index("0.900") < second < text.index("pass@5 on base + plus")
    assert "pass@5 on base " not in text.replace("pass@5 on base + plus", "")
    assert "pass@1 on" not in shown(report)


def test_the_form_of_prompts_and_the_rules_of_answers_are_shown(report: Report) -> None:
    assert "prompt" not in shown(report)
    base = replace(report, prompt={"style": "base"}, rules={"continuation": 2752})
    assert "prompt      base\n" in shown(base)
    chat = replace(
        report,
        prompt={"style": "chat", "version": "v-1", "system": None, "prefill": "```python\n"},
        rules={"fence": 150, "whole [x]": 14},
    )
    text = shown(chat)
    assert "prompt      chat (version v-1, answers begun); 164 answers: 150 fence, 14 whole [x]" in text


def test_of_recorded_samples_only_how_they_were_read_is_said(report: Report) -> None:
    recorded = replace(report, engine=EngineFacts(reproducibility="recorded"), rules={"continuation": 9})
    for told in ({}, {"style": "base"}):
        text = shown(replace(recorded, prompt=told))
        assert "prompt" not in text
        assert "answers" not in text
    read = replace(recorded, prompt={"style": "chat", "version": "v-1"}, rules={"fence": 9})
    assert "answers     read by chat (version v-1); 9 answers: 9 fence" in shown(read)
    assert "prompt" not in shown(read)


def test_a_health_line_says_whether_verdicts_can_be_trusted(report: Report) -> None:
    sound = RunHealth(4, 4, timeouts=52, retried=3, load=1.26, processors=2)
    assert (
        "health      4 of 4 references pass, 52 time-outs, 3 run twice, 0 harness errors, load 1.3 on 2 cores"
        in shown(replace(report, health=sound))
    )
    assert "health      0 time-outs, 0 run twice, 0 harness errors\n" in shown(report)
    assert "3 of 4 references pass" in shown(replace(report, health=RunHealth(4, 3, ("mini/1: wrong",))))


def test_integrity_stands_beside_isolation(report: Report) -> None:
    kinds = {"split": Counted(9, 3), "weak": Counted(12, 7)}
    assert "isolation   confined; integrity 9 split, 12 weak" in shown(replace(report, integrity=kinds))
