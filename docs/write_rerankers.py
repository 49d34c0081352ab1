"""Writes the tables of docs/rerankers.md from the rerankers themselves, and from what was measured.

    python docs/write_rerankers.py

The rerankers are those of this project's own entry-point group; what stands between the marks of the page is
written anew, the rest is kept. Figures are the rows of docs/benchmarks/rerankers.jsonl.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from codesample.rerankers.contract import Reranker
from codesample.rerankers.description import describe_reranker

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "rerankers.md"
ROWS = ROOT / "docs" / "benchmarks" / "rerankers.jsonl"
GROUP = "codesample.rerankers"
MARKED = re.compile(r"(<!-- (\w+): written by docs/write_rerankers\.py -->\n).*?(<!-- end -->)", re.DOTALL)


def own_rerankers() -> Iterator[Reranker]:
    """Yield the rerankers that this project registers, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for _, place in sorted(project["entry-points"][GROUP].items()):
        module, _, name = place.partition(":")
        yield getattr(import_module(module), name)


def measured() -> list[dict[str, Any]]:
    """Return the rows of figures; none where nothing was measured yet."""
    if not ROWS.exists():
        return []
    return [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines() if line.strip()]


def page(text: str, rerankers: Sequence[Reranker], rows: Sequence[dict[str, Any]]) -> str:
    """Return the page with its tables written anew."""
    tables = {
        "overview": overview(rerankers, rows),
        "methods": "\n".join(section(each) for each in rerankers),
        "measured": figures(rows),
    }
    return MARKED.sub(lambda mark: f"{mark[1]}\n{tables[mark[2]]}\n{mark[3]}", text)


def overview(rerankers: Iterable[Reranker], rows: Sequence[dict[str, Any]]) -> str:
    """Return the table with a line for each reranker, and a column for each pool that was measured."""
    pools = list(dict.fromkeys(row["pool"] for row in rows))
    closed = {(row["pool"], row["reranker"]): row["gap_closed"] for row in rows}
    head = ["reranker", "needs", "scores depend on", "cost", *(f"gap closed, {pool}" for pool in pools)]
    lines = [_line(head), _line(["---"] * len(head))]
    for each in rerankers:
        gaps = [_share(closed.get((pool, each.name))) for pool in pools]
        depends = "the candidate" if each.independent else "the whole set"
        needs = ", ".join(f"`{need}`" for need in sorted(each.needs)) or "nothing"
        name = f"[`{each.name}`](#{each.name})"
        lines.append(_line([name, needs, depends, describe_reranker(each).cost, *gaps]))
    return "\n".join(lines) + "\n"


def section(reranker: Reranker) -> str:
    """Return what a reranker says of itself, field by field."""
    said = describe_reranker(reranker)
    lines = [f"### {reranker.name}", "", said.summary, ""]
    if said.text:
        lines += [said.text, ""]
    parameters = ", ".join(f"`{name}={value!r}`" for name, value in reranker.parameters.items())
    facts = {
        "Formula": f"`{said.formula}`" if said.formula else "",
        "Source": said.source,
        "Needs": said.needs,
        "Parameters": parameters,
        "Cost": said.cost,
        "Leaning": said.leaning,
    }
    lines += [f"- {name}: {text}" for name, text in facts.items() if text]
    return "\n".join(lines) + "\n"


def figures(rows: Sequence[dict[str, Any]]) -> str:
    """Return a table of each pool, best first."""
    if not rows:
        return "Nothing was measured yet.\n"
    parts = []
    for pool in dict.fromkeys(row["pool"] for row in rows):
        of_pool = [row for row in rows if row["pool"] == pool]
        parts.append(f"### {pool}\n")
        ends = of_pool[0]
        parts.append(f"A choice at random: {ends['random']:.3f}; an oracle: {ends['oracle']:.3f}.\n")
        lines = [_line(["reranker", "best of n", "95 % interval", "gap closed", ""]), _line(["---"] * 5)]
        for row in sorted(of_pool, key=lambda row: -row["best_of_n"]):
            interval = f"{row['low']:.3f} - {row['high']:.3f}"
            shown = [f"`{row['reranker']}`", f"{row['best_of_n']:.3f}", interval, _share(row["gap_closed"])]
            lines.append(_line([*shown, row.get("note") or ""]))
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _share(gap: float | None) -> str:
    return "" if gap is None else f"{100 * gap:.0f} %"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    before = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page(before, list(own_rerankers()), measured()), encoding="utf-8")
