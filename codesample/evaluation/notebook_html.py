"""Results as a notebook shows them: small tables in its own colours, light or dark, that hold no script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codesample.evaluation.best_of_n import BestOfN
    from codesample.evaluation.intervals import Estimate
    from codesample.evaluation.report import Report
    from codesample.evaluation.run_table import RunTable

__all__ = ["best_of_n_html", "report_html", "run_table_html"]

# colours are those of the page around it: lines and pale text are shades of the text's own
_TABLE = "border-collapse:collapse;margin:.5em 0;color:inherit;font-size:inherit"
_NUMBER = "text-align:right;padding:.15em .8em;font-variant-numeric:tabular-nums"
_LABEL = "text-align:left;padding:.15em .8em .15em 0"
_HEAD = "border-bottom:1px solid currentColor"
_CODE = "border-left:3px solid currentColor;padding:.3em .8em;margin:.5em 0;overflow-x:auto"
_PALE = "opacity:.7"

_MOST_CHARACTERS, _MOST_CANDIDATES = 20_000, 10


def report_html(report: Report) -> str:
    """Return the figures of a run with their intervals, and what is to be known of them."""
    each = str(report.n) if report.n >= report.n_max else f"{report.n} to {report.n_max}"
    rows = [_figure(label, estimate) for label, estimate in _passes(report)]
    rows.append(_figure(f"best of {each}, at random", report.random, "0 %"))
    for name, selection in report.rerankers.items():
        gap = "no gap" if selection.gap_closed is None else f"{100 * selection.gap_closed.value:.0f} %"
        rows.append(_figure(f"by {name}", selection.best_of_n, gap))
    rows.append(_figure("by an oracle", report.oracle, "100 %"))
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(report.statuses.items()))
    title = f"{report.task}, {report.model}: {report.size.replace(' x ', ' × ')}"
    return _box(
        _title(title),
        _table(("figure", "value", "95 % interval", "gap closed"), rows),
        *map(_line, (f"verdicts: {statuses}", *(f"note: {each}" for each in report.notices))),
        _line(f"run folder: {report.run}"),
    )


def run_table_html(table: RunTable) -> str:
    """Return a line for each run of a table."""
    reports = [row.report for row in table.rows if row.report]
    ks = sorted({k for report in reports for k in report.pass_at_k})
    names = list(dict.fromkeys(name for report in reports for name in report.rerankers))
    heads = ("task", "model", "temperature", "n", *(f"pass@{k}" for k in ks))
    rows = []
    for row in table.rows:
        cells = [row.task, row.model, f"{row.temperature:g}"]
        if row.report is None:
            rows.append([*cells, f"failed: {row.error}"])
            continue
        chosen = [row.report.rerankers.get(name) for name in names]
        cells += [str(row.report.n), *(_value(row.report.pass_at_k.get(k)) for k in ks)]
        cells += [_value(each.best_of_n if each else None) for each in chosen]
        rows.append([*cells, _value(row.report.oracle)])
    shown = _table((*heads, *(f"by {name}" for name in names), "oracle"), rows, labels=2)
    return _box(_title(f"{len(table.rows)} runs"), shown, _line(f"run folders: {table.folder}"))


def best_of_n_html(chosen: BestOfN) -> str:
    """Return the winner's program and why it won, and the scores of the first candidates."""
    best = chosen.best
    said = f"candidate {best.index} of {len(chosen.candidates)}: {chosen.why}"
    held = chosen.examples_passed
    lines = [] if held is None else [f"it gets {'all' if held else 'not all'} of the prompt's examples right"]
    lines += [f"note: {each}" for each in (*chosen.notes, *chosen.failures)]
    code = best.completion if best.program is None else best.program
    names = list(chosen.scores)
    rows = [
        [str(each.index), *(_score(chosen.scores[name], at) for name in names)]
        for at, each in enumerate(chosen.candidates[:_MOST_CANDIDATES])
    ]
    more = len(chosen.candidates) - len(rows)
    return _box(
        _title(said),
        f'<pre style="{_CODE}"><code>{_text(code)}</code></pre>',
        *map(_line, lines),
        _table(("candidate", *names), rows) if names else "",
        _line(f"and {more} more candidates") if names and more > 0 else "",
    )


def _passes(report: Report) -> Iterable[tuple[str, Estimate]]:
    names = list(report.parts)
    for k, estimate in report.pass_at_k.items():
        for number, name in enumerate(names[:-1], start=1):
            if k in report.parts[name]:
                yield f"pass@{k} on {' + '.join(names[:number])}", report.parts[name][k]
        yield f"pass@{k} on {' + '.join(names)}" if names else f"pass@{k}", estimate


def _figure(label: str, estimate: Estimate, gap: str = "") -> list[str]:
    return [label, f"{estimate.value:.3f}", f"{estimate.low:.3f} – {estimate.high:.3f}", gap]


def _value(estimate: Estimate | None) -> str:
    return "–" if estimate is None else f"{estimate.value:.3f}"


def _score(scores: Sequence[float | None], at: int) -> str:
    score = scores[at] if at < len(scores) else None
    return "–" if score is None else f"{score:.5g}"


def _box(*parts: str) -> str:
    return f'<div class="codesample">{"".join(parts)}</div>'


def _title(text: str) -> str:
    return f"<strong>{_text(text)}</strong>"


def _line(text: str) -> str:
    return f'<div style="{_PALE}">{_text(text)}</div>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, labels: int = 1) -> str:
    """Return a table; its first `labels` columns hold words, the others numbers."""
    styles: Mapping[bool, str] = {True: _LABEL, False: _NUMBER}
    head = "".join(
        f'<th scope="col" style="{styles[at < labels]};{_HEAD}">{_text(each)}</th>'
        for at, each in enumerate(heads)
    )
    body = "".join(
        "<tr>"
        + "".join(f'<td style="{styles[at < labels]}">{_text(each)}</td>' for at, each in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _text(text: str) -> str:
    """Return text as HTML shows it, whatever it holds; characters that steer what is shown are marked."""
    cut = text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}\n… and more"
    return escape(
        "".join(char if char in "\n\t" or char.isprintable() else f"<U+{ord(char):04X}>" for char in cut)
    )
