"""Reports and runs as data frames of pandas, and as a data set of `datasets`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from codesample.errors import ParameterError
from codesample.evaluation.observer import is_graded

if TYPE_CHECKING:
    from datasets import Dataset
    from pandas import DataFrame

    from codesample.evaluation.intervals import Estimate
    from codesample.evaluation.report import Report
    from codesample.evaluation.run_contents import RunContents
    from codesample.evaluation.scoring import Pool
    from codesample.records import Candidate

__all__ = ["SCORE", "report_frame", "run_dataset", "run_frame"]

SCORE = "score:"
"""Stands before a reranker's name in the name of the column that holds its scores."""

_FIGURE_TYPES = {
    "task": "object",
    "model": "object",
    "problems": "int64",
    "figure": "object",
    "k": "int64",
    "by": "object",
    "part": "object",
    "value": "float64",
    "low": "float64",
    "high": "float64",
    "gap_closed": "float64",
}

# texts stay objects: what a model writes may hold characters that Arrow's strings cannot
_CANDIDATE_TYPES = {
    "task_id": "object",
    "index": "int64",
    "completion": "object",
    "program": "object",
    "rule": "object",
    "status": "object",
    "passed": "bool",
    "graded": "bool",
    "integrity": "object",
    "detail": "object",
    "cpu_seconds": "float64",
    "wall_seconds": "float64",
    "peak_memory": "Int64",
    "finish_reason": "object",
    "tokens": "Int64",
    "sum_logprob": "float64",
    "mean_logprob": "float64",
}


def report_frame(report: Report) -> DataFrame:
    """Return the figures of a report, a row for each.

    Columns: `task`, `model` and `problems`; `figure`, "pass@k" or "best of n"; `k`, of the former, or n;
    `by`, the reranker, "random" or "oracle", "" for pass@k; `part` of the tests up to which checks count, ""
    for all of them; `value` with the ends of its interval, `low` and `high`; `gap_closed`, NaN where there
    is none.

    Raises:
        ParameterError: pandas is not installed.
    """
    return _frame(_figures(report), _FIGURE_TYPES)


def run_frame(contents: RunContents) -> DataFrame:
    """Return the candidates of a run that have a verdict, a row for each, by problem and index.

    Columns are fields of `Candidate` and `Verdict` by their names; `graded`, whether the verdict says
    something of the program; `tokens`, how many; `sum_logprob` and `mean_logprob` over all tokens, in nats;
    and, for each reranker that scored the run, "score:" with its name. What is not known is None, NaN or NA.

    Raises:
        ParameterError: pandas is not installed.
    """
    scores = dict.fromkeys((f"{SCORE}{name}" for name in contents.scores), "float64")
    return _frame(_candidates(contents), _CANDIDATE_TYPES | scores)


def run_dataset(contents: RunContents) -> Dataset:
    """Return the same as a `datasets.Dataset`; lone surrogates, which it cannot hold, are U+FFFD there.

    Raises:
        ParameterError: pandas or datasets is not installed.
    """
    frame = run_frame(contents)
    try:
        from datasets import Dataset
    except ImportError as error:
        raise _missing(error) from error
    for name in [name for name, kind in _CANDIDATE_TYPES.items() if kind == "object"]:
        frame[name] = [None if each is None else _encodable(each) for each in frame[name]]
    return Dataset.from_pandas(frame, preserve_index=False)


def _figures(report: Report) -> Iterator[dict[str, Any]]:
    shared = {"task": report.task, "model": report.model, "problems": report.problems}

    def row(
        figure: str, k: int, by: str, part: str, found: Estimate, gap: float = math.nan
    ) -> dict[str, Any]:
        ends = {"value": found.value, "low": found.low, "high": found.high}
        return {**shared, "figure": figure, "k": k, "by": by, "part": part, **ends, "gap_closed": gap}

    for k, estimate in report.pass_at_k.items():
        yield row("pass@k", k, "", "", estimate)
    for part in list(report.parts)[:-1]:
        for k, estimate in report.parts[part].items():
            yield row("pass@k", k, "", part, estimate)
    yield row("best of n", report.n_max, "random", "", report.random, 0.0)
    for name, selection in report.rerankers.items():
        gap = math.nan if selection.gap_closed is None else selection.gap_closed.value
        yield row("best of n", report.n_max, name, "", selection.best_of_n, gap)
    yield row("best of n", report.n_max, "oracle", "", report.oracle, 1.0)


def _candidates(contents: RunContents) -> Iterator[dict[str, Any]]:
    for pool in contents.pools:
        for at, candidate in enumerate(pool.candidates):
            scores = {
                f"{SCORE}{name}": math.nan if (score := column[pool.problem.task_id][at]) is None else score
                for name, column in contents.scores.items()
            }
            yield {**_of_candidate(candidate), **_of_verdict(pool, at), **scores}


def _of_candidate(candidate: Candidate) -> dict[str, Any]:
    logprobs = candidate.logprobs
    total = math.nan if logprobs is None else math.fsum(logprobs)
    reason = candidate.finish_reason
    return {
        "task_id": candidate.task_id,
        "index": candidate.index,
        "completion": candidate.completion,
        "program": candidate.program,
        "rule": candidate.rule,
        "finish_reason": None if reason is None else str(reason),
        "tokens": None if candidate.token_ids is None else len(candidate.token_ids),
        "sum_logprob": total,
        "mean_logprob": total / len(logprobs) if logprobs else math.nan,
    }


def _of_verdict(pool: Pool, at: int) -> dict[str, Any]:
    verdict = pool.verdicts[at]
    return {
        "status": str(verdict.status),
        "passed": verdict.passed,
        "graded": is_graded(verdict, strict=pool.strict),
        "integrity": verdict.integrity,
        "detail": verdict.detail,
        "cpu_seconds": verdict.cpu_seconds,
        "wall_seconds": verdict.wall_seconds,
        "peak_memory": verdict.peak_memory,
    }


def _frame(rows: Iterator[dict[str, Any]], types: dict[str, str]) -> DataFrame:
    try:
        import pandas
    except ImportError as error:
        raise _missing(error) from error
    kept: Sequence[dict[str, Any]] = list(rows)
    columns = {
        name: pandas.Series([row[name] for row in kept], dtype=kind, name=name)
        for name, kind in types.items()
    }
    return pandas.DataFrame(columns)


def _encodable(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _missing(error: ImportError) -> ParameterError:
    what = error.name or str(error)
    return ParameterError(f"a frame needs {what}, which cannot be imported: pip install 'codesample[pandas]'")
