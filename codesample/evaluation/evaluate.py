"""Evaluates a model on a task: prompts in, figures with intervals out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from codesample.engines.contract import Engine
from codesample.engines.model_options import DEFAULT_MODEL, ModelOptions
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import DEFAULT_N, DEFAULT_RERANKERS, PromptOptions, RunOptions, choose_k
from codesample.evaluation.pipeline import carry_out
from codesample.evaluation.plan import build_plan, choose_rerankers, model_source
from codesample.evaluation.problem_set import read_problems
from codesample.evaluation.report import Report
from codesample.records import SamplingParams
from codesample.rerankers.contract import Reranker
from codesample.tasks.contract import Task

__all__ = ["evaluate"]


def evaluate(
    task: str | Path | Task,
    *,
    model: str | Path | ModelOptions | Engine = DEFAULT_MODEL,
    n: int = DEFAULT_N,
    params: SamplingParams | None = None,
    rerankers: Sequence[str | Reranker] = DEFAULT_RERANKERS,
    k: Sequence[int] | None = None,
    data: Path | None = None,
    limit: int | None = None,
    prompts: PromptOptions | None = None,
    run: RunOptions | None = None,
    observer: Observer | None = None,
) -> Report:
    """Sample n candidates for every problem, judge them, rerank them, and report.

    Settings are checked before the model is loaded. Everything finished is in the run folder at once, so
    that a run that ends early, however it ends, is continued by the same call with `resume`.

    Args:
        task: A name (see `codesample list tasks`), a `Path` to problems of one's own, or a task.
        model: "tiny", a folder, a hub id, "ENGINE:MODEL", `ModelOptions`, or an engine.
        n: Candidates per problem.
        params: How tokens are chosen, and the seed. Default: `SamplingParams()`. Its stops come after the
            task's, and its limit of tokens, where it has one, in place of the task's.
        rerankers: Names, `FILE.py:NAME`, several with commas between (later ones settle ties), or rerankers.
        k: The k of pass@k; None takes those of 1, 5, 10 that n allows.
        data: The task's data in their published form, instead of the hub's copy.
        limit: Only the first problems; None takes all.
        prompts: How problems are put to the model. Default: as messages where it has a chat template.
        run: Where the run is kept, whether it goes on with one, and how programs are run.
        observer: Told of progress.

    Returns:
        Figures with intervals; `Report.run` is the folder with everything behind them.

    Raises:
        ParameterError, MetricError: a parameter outside its range; k above n.
        UnknownNameError, DataError, HubUnavailableError: there is no such thing, or it cannot be had.
        ModelError: the checkpoint is broken or does not fit into memory.
        RerankerError: a reranker lacks what it needs, or broke its contract; the results without it are kept.
        RunFolderError: the folder cannot be written, holds another run, or was made with other settings.
        IsolationError, ExecutionError: this machine isolates less than asked for; the sandbox failed.
    """
    began = monotonic()
    ks = choose_k(k, n)
    loaded = choose_rerankers(rerankers)
    chosen = read_problems(task, data=data, limit=limit)
    plan = build_plan(
        "eval",
        chosen,
        chosen.keys(n),
        model_source(model),
        params=params,
        k=ks,
        rerankers=loaded,
        run=run or RunOptions(),
        prompts=prompts or PromptOptions(),
    )
    return carry_out(plan, observer or Observer(), began=began)
