"""What every way of choosing gives on one pool of candidates: rows and a table.

    python docs/benchmarks/rerankers.py RUN [--name NAME] [-r RERANKER...] [--model MODEL] [--data FILE]

RUN is a folder of `codesample eval`; it is scored by the rerankers named, or by all of `METHODS`, and the
rows of the pool NAME (default: task, model and n) replace those that rerankers.jsonl beside this file has
of it. With --kept nothing is scored: rows are made of the scores that the folder holds.
One that a run cannot be scored by is left out and said.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from codesample.errors import CodesampleError
from codesample.evaluation.report import Report
from codesample.evaluation.reranking import load_report, rerank_run
from codesample.reports.progress import RunProgress

HERE = Path(__file__).parent
ROWS = HERE / "rerankers.jsonl"

METHODS = (
    "sum_logprob",
    "mean_logprob",
    "min_window_logprob",
    "self_certainty",
    "deepconf",
    "deepconf_lowest",
    "deepconf_tail",
    "deepconf_bottom",
    "ngram_consistency",
    "text_majority",
    "not_degenerate",
    "reads_arguments",
    "executable",
    "public_examples",
    "largest_cluster",
    "mbr_exec",
    "tests_passed",
    "codet",
    "srank",
    "b4",
    "reviewer",
    "coder_reviewer",
)
"""Each alone, in the order of docs/rerankers.md; judges and reward models are named with -r."""


def rows_of(report: Report, pool: str) -> list[dict[str, Any]]:
    """Return a row for each reranker of a report, with what bounds it."""
    rows = []
    for name, chosen in report.rerankers.items():
        given = chosen.as_json()
        closed = given["gap_closed"]
        rows.append(
            {
                "pool": pool,
                "task": report.task,
                "model": Path(report.model).name,
                "problems": report.problems,
                "n": report.n,
                "reranker": name,
                "best_of_n": chosen.best_of_n.value,
                "low": chosen.best_of_n.low,
                "high": chosen.best_of_n.high,
                "random": report.random.value,
                "oracle": report.oracle.value,
                "gap_closed": closed and closed["value"],
                "gap_low": closed and closed["low"],
                "gap_high": closed and closed["high"],
                **{field: given[field] for field in ("over_random", "abstained", "cost")},
                "note": chosen.below_random,
            }
        )
    return [_rounded(row) for row in rows]


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def _write(rows: list[dict[str, Any]], pool: str) -> None:
    """Put rows in the place of those that the file has of the same pool."""
    known = [json.loads(line) for line in ROWS.read_text().splitlines()] if ROWS.exists() else []
    kept = [row for row in known if row["pool"] != pool]
    ROWS.write_text("".join(json.dumps(row) + "\n" for row in [*kept, *rows]))


def _scored(run: Path, names: list[str], model: str | None, data: Path | None) -> Report:
    """Score a run by one reranker after the other, so that one that cannot be had costs no other."""
    for name in names:
        try:
            rerank_run(run, rerankers=[name], model=model, data=data, observer=RunProgress())
        except CodesampleError as error:
            print(f"left out: {error}", file=sys.stderr)
    return load_report(run)


def main() -> None:
    """Score, write and print."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("run", type=Path)
    words.add_argument("--name")
    words.add_argument("-r", "--reranker", action="append")
    words.add_argument("--model")
    words.add_argument("--data", type=Path)
    words.add_argument("--kept", action="store_true", help="make rows of the scores that are there")
    given = words.parse_args()
    if given.kept:
        report = load_report(given.run)
    else:
        report = _scored(given.run, given.reranker or list(METHODS), given.model, given.data)
    pool = given.name or f"{report.task}, {Path(report.model).name}, n = {report.n}"
    rows = rows_of(report, pool)
    _write(rows, pool)
    for row in sorted(rows, key=lambda row: -row["best_of_n"]):
        closed = row["gap_closed"]
        share = "" if closed is None else f"{closed:6.0%} ({row['gap_low']:.0%} to {row['gap_high']:.0%})"
        print(f"{row['best_of_n']:.3f} ({row['low']:.3f} to {row['high']:.3f}) {share:24} {row['reranker']}")


if __name__ == "__main__":
    main()
