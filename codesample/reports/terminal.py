"""A report as a table for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.markup import escape

from codesample.evaluation.headline import form_text
from codesample.evaluation.policy_facts import policy_line
from codesample.evaluation.report import Report
from codesample.records import Status
from codesample.records.counted import counted
from codesample.reports.choice_table import ChoiceTable, choice_lines, cost_table
from codesample.reports.page_lines import LabelledLine

__all__ = ["render"]

_WEAK = {"none", "limited"}
_REPEATS = {
    "exact": "exact: but for rounding no candidate depends on n, batch or resume",
    "seeded": "seeded: the same call gives the same candidates; another n may not",
    "recorded": "recorded samples; how they were drawn is not known here",
    "none": "not reproducible: the same call may give other candidates",
}


def render(report: Report, *, costs: bool = False) -> RenderableType:
    """Return the tables and lines that `codesample eval` ends with.

    Args:
        costs: Also what the scores of each reranker took.
    """
    tables: list[RenderableType] = [ChoiceTable(report)]
    if costs and report.rerankers:
        tables.append(cost_table(report))
    return Group(*tables, *map(LabelledLine, _lines(report)))


def _lines(report: Report) -> Iterator[str]:
    yield from choice_lines(report)
    counts = ", ".join(f"{count} {status}" for status, count in sorted(report.statuses.items()))
    if report.engine.recorded and report.prompt.get("style") == "chat":
        # what was asked is not known; how answers were read is
        yield escape(f"answers     read by {_prompt(report)}")
    elif report.prompt and not report.engine.recorded:
        yield escape(f"prompt      {_prompt(report)}")
    yield f"verdicts    {counts}"
    if report.recalled:
        yield f"cache       {report.recalled} of them from earlier runs; --no-cache judges all anew"
    if report.harness_errors:
        yield (
            f"[red]harness     {counted(report.harness_errors, 'candidate')} could not be judged "
            f"({Status.HARNESS_ERROR}); they count in no figure; --resume judges them again[/red]"
        )
    if report.weak.verdicts:
        strict = f"[red]these {report.weak.passed} count in no figure[/red]"
        left = strict if report.strict else "--integrity strict leaves these out"
        yield (
            f"integrity   weak verdicts: {report.weak.verdicts}, of them {report.weak.passed} passed; {left}"
        )
    for notice in report.notices:
        yield f"note        {escape(notice)}"
    yield f"health      {_health(report)}"
    weak = " [red](weaker than confined)[/red]" if report.isolation in _WEAK else ""
    integrity = ", ".join(f"{each.verdicts} {name}" for name, each in report.integrity.items())
    yield f"isolation   {report.isolation}{weak}{f'; integrity {integrity}' if integrity else ''}"
    if report.engine.reproducibility in _REPEATS:
        yield f"engine      {_REPEATS[report.engine.reproducibility]}"
    if report.policy:
        yield escape(f"policy      {policy_line(report.policy)}")
    seconds = report.seconds
    if report.tokens_per_second:
        speed = f"{report.tokens_per_second:,.0f} tokens/s"
        # a run that was resumed has tokens of earlier sessions too
        # both figures are rounded, to a millisecond and a tenth of a token
        drawn = (seconds.sampling + 0.001) * report.tokens_per_second
        earlier = drawn < 0.99 * report.tokens
        last, every = (" in the last session", " in all") if earlier else ("", "")
        yield f"sampling    {seconds.sampling:.1f} s{last}, {counted(report.tokens, 'token')}{every}, {speed}"
    elif report.tokens:
        yield f"sampling    {counted(report.tokens, 'token')}, drawn in earlier sessions"
    if report.usage is not None:
        cost = "" if report.usage.cost is None else f", cost {report.usage.cost:,.4g}"
        yield (
            f"server      says {counted(report.usage.prompt_tokens, 'token')} of prompts, "
            f"{report.usage.completion_tokens:,} drawn{cost}"
        )
    beside = ", beside sampling" if report.tokens_per_second else ""
    yield f"execution   {seconds.execution:.1f} s{beside}; {seconds.total:.1f} s in all"
    yield f"run folder  {escape(str(report.run))}"


def _prompt(report: Report) -> str:
    """Say how problems were put to the model, and by which rules programs came from what it wrote."""
    text = form_text(report.prompt)
    if set(report.rules) <= {"continuation"}:
        return text
    rules = ", ".join(f"{count} {rule}" for rule, count in report.rules.items())
    return f"{text}; {sum(report.rules.values())} answers: {rules}"


def _health(report: Report) -> str:
    """Say what speaks for or against the verdicts, in one line."""
    health = report.health
    parts = []
    if health.references_tried:
        tried = f"{health.references_passed} of {health.references_tried} references pass"
        parts.append(f"[red]{tried}[/red]" if health.references_failed else tried)
    parts += [
        counted(health.timeouts, "time-out"),
        f"{health.retried} run twice",
        f"{health.harness_errors} harness errors",
    ]
    if health.load is not None:
        parts.append(f"load {health.load:.1f} on {health.processors} cores")
    return ", ".join(parts)
