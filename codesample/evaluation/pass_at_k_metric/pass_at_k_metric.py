"""pass@k of programs with the inputs and outputs of `code_eval`, run by the confined executor."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from statistics import fmean
from typing import Any

import datasets
import evaluate

from codesample.errors import MetricError, ParameterError
from codesample.evaluation.metrics import pass_at_k
from codesample.execution import Executor, Level, Limits, Program
from codesample.execution.program_runner import settled
from codesample.records import CodeTests, Status, Verdict

__all__ = ["PassAtK"]

_DESCRIPTION = """\
Runs candidate programs against tests and estimates pass@k without bias (arXiv:2107.03374). Programs run in
the sandbox of codesample, apart from their tests, without network and without files.
"""
_INPUTS = """\
Args:
    predictions: list of lists of candidate programs, one list per problem; lists may differ in length.
    references: list of tests, one text per problem, run after each of its candidates.
    k: the k of pass@k (default: [1, 10, 100]); left out where a problem has fewer candidates.
    num_workers: programs that run at once (default: 4).
    timeout: CPU seconds of one program (default: 3.0).
    allow_weak_isolation: level to be content with, "limited" or "none", where the sandbox reaches no more.
Returns:
    pass_at_k: dict, such as {"pass@1": 0.5}.
    results: dict by number of the problem; a list of (number of the candidate, dict with task_id, passed,
        result and completion_id). `result` is "passed", "timed out", "failed: ..." or "not judged: ...".
"""
_DEFAULT_K = (1, 10, 100)
_TIMED_OUT = frozenset({Status.CPU_TIMEOUT, Status.WALL_TIMEOUT})
_LOST = "not judged: "
_log = logging.getLogger("codesample")


class PassAtK(evaluate.Metric):  # type: ignore[misc]
    """The metric; `compute(predictions=..., references=...)` returns a pair of pass@k and results.

    Loads by `evaluate.load(codesample.evaluation.PASS_AT_K)` too. What the harness could not judge, such as
    programs whose tests never use them, counts neither as passed nor as failed, and a k that too few
    judged candidates of a problem are left for is left out. HF_ALLOW_CODE_EVAL is not needed.
    """

    def _info(self) -> evaluate.MetricInfo:
        features = {
            "predictions": datasets.Sequence(datasets.Value("string")),
            "references": datasets.Value("string"),
        }
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features(features),
            reference_urls=["https://arxiv.org/abs/2107.03374"],
        )

    def compute(
        self,
        *,
        predictions: Iterable[Iterable[str]] | None = None,
        references: Iterable[str] | None = None,
        **settings: Any,
    ) -> tuple[dict[str, float], dict[int, list[tuple[int, dict[str, Any]]]]]:
        """Judge all programs; neither predictions nor references where they came by `add_batch`.

        Raises:
            MetricError: they are no lists of texts as asked for, or unequally many.
            CodesampleError: as `_compute`.
        """
        if predictions is None and references is None:
            return super().compute(**settings)  # type: ignore[no-any-return]
        candidates, tests = _listed("predictions", predictions), _texts("references", references)
        rows = [_texts(f"predictions[{number}]", each) for number, each in enumerate(candidates)]
        if len(rows) != len(tests):
            raise MetricError(f"{len(rows)} predictions for {len(tests)} references; expected one each")
        return super().compute(predictions=rows, references=tests, **settings)  # type: ignore[no-any-return]

    def _compute(
        self,
        predictions: Sequence[Sequence[str]],
        references: Sequence[str],
        k: int | Sequence[int] = _DEFAULT_K,
        num_workers: int = 4,
        timeout: float = 3.0,
        allow_weak_isolation: str | None = None,
    ) -> tuple[dict[str, float], dict[int, list[tuple[int, dict[str, Any]]]]]:
        """Judge all programs.

        Raises:
            ParameterError: a k, a timeout or a number of workers that is not positive.
            MetricError: no problem, or one without any candidate.
            IsolationError: the sandbox reaches less than asked for on this machine.
        """
        ks = (k,) if isinstance(k, int) else tuple(k)
        if any(isinstance(each, bool) or not isinstance(each, int) or each < 1 for each in ks):
            raise ParameterError(f"k = {k!r}: expected whole numbers from 1, such as [1, 10]")
        if not predictions:
            raise MetricError("pass@k of no problems is not defined; give at least one")
        for number, candidates in enumerate(predictions):
            if not candidates:
                raise MetricError(f"problem {number} has no candidates; give at least one program for each")
        weakest = Level.CONFINED if allow_weak_isolation is None else Level.parse(allow_weak_isolation)
        results: dict[int, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
        counts = [[0, 0] for _ in predictions]
        with Executor(workers=num_workers, limits=Limits(cpu_seconds=timeout), minimum=weakest) as executor:
            jobs = (partial(executor.submit, job) for job in _programs(predictions, references))
            for verdict in settled(executor, jobs):
                number = int(verdict.task_id)
                results[number].append((verdict.index, _entry(number, verdict)))
                counts[number][0] += verdict.status is not Status.HARNESS_ERROR
                counts[number][1] += verdict.passed
        for number, (judged, _) in enumerate(counts):
            if judged < len(predictions[number]):
                why = next(each["result"] for _, each in results[number] if _is_lost(each))
                lost = len(predictions[number]) - judged
                _log.warning("pass@k: %d candidates of problem %d were %s", lost, number, why)
        found = {
            f"pass@{each}": fmean(pass_at_k(judged, passed, each) for judged, passed in counts)
            for each in ks
            if all(judged >= each for judged, _ in counts)
        }
        return found, results


def _listed(name: str, given: Any) -> list[Any]:
    if given is None or isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise MetricError(f"{name} is {type(given).__name__}, expected a list")
    return list(given)


def _texts(name: str, given: Any) -> list[str]:
    found = _listed(name, given)
    for number, each in enumerate(found):
        if not isinstance(each, str):
            raise MetricError(f"{name}[{number}] is {type(each).__name__}, expected a text of Python")
    return found


def _programs(predictions: Sequence[Sequence[str]], references: Sequence[str]) -> Iterator[Program]:
    for number, (candidates, reference) in enumerate(zip(predictions, references, strict=True)):
        # no test at all asks for a program that runs
        tests = (
            CodeTests(source=reference) if reference.strip() else CodeTests(source="pass", mode="in_process")
        )
        for index, source in enumerate(candidates):
            yield Program(str(number), index, source, tests)


def _entry(number: int, verdict: Verdict) -> dict[str, Any]:
    return {
        "task_id": number,
        "passed": verdict.passed,
        "result": _result(verdict),
        "completion_id": verdict.index,
    }


def _is_lost(entry: dict[str, Any]) -> bool:
    return str(entry["result"]).startswith(_LOST)


def _result(verdict: Verdict) -> str:
    if verdict.passed:
        return "passed"
    if verdict.status in _TIMED_OUT:
        return "timed out"
    detail = verdict.detail.strip() or str(verdict.status)
    if verdict.status is Status.HARNESS_ERROR:
        return f"{_LOST}{detail}"
    return f"failed: {detail.splitlines()[-1]}"
