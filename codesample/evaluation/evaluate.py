"""Evaluates a model on a task: prompts in, figures with intervals out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from codesample.engines.contract import Engine
from codesample.engines.model_options import DEFAULT_MODEL, ModelOptions
from codesample.errors import MetricError
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import (
    DEFAULT_N,
    DEFAULT_RERANKERS,
    PromptOptions,
    RunOptions,
    choose_k,
    greedy_n,
)
from codesample.evaluation.pipeline import carry_out
from codesample.evaluation.plan import (
    EvaluationPlan,
    ModelSource,
    build_plan,
    choose_rerankers,
    model_source,
)
from codesample.evaluation.problem_choice import Ids, Limit
from codesample.evaluation.problem_set import ProblemSet, read_problems
from codesample.evaluation.report import Report
from codesample.records import SamplingParams
from codesample.records.validation import validated
from codesample.rerankers.contract import Reranker
from codesample.tasks.contract import Task

__all__ = ["evaluate", "plan_evaluation"]


@validated
def evaluate(
    task: str | Path | Task | ProblemSet,
    *,
    model: str | Path | ModelOptions | Engine = DEFAULT_MODEL,
    n: int = DEFAULT_N,
    params: SamplingParams | None = None,
    rerankers: str | Reranker | Sequence[str | Reranker] = DEFAULT_RERANKERS,
    k: int | Sequence[int] | None = None,
    data: Path | None = None,
    limit: Limit = None,
    ids: Ids = None,
    prompts: PromptOptions | None = None,
    run: RunOptions | None = None,
    observer: Observer | None = None,
) -> Report:
    """Sample n candidates for every problem, judge them, rerank them, and report.

    Settings are checked before the model is loaded. Everything finished is in the run folder at once, so
    that a run that ends early, however it ends, is continued by the same call with `resume`.

    Args:
        task: A name (see `codesample list tasks`), a `Path` to problems of one's own, a task, or problems
            that `read_problems` read.
        model: "tiny", a folder, a hub id, "ENGINE:MODEL", `ModelOptions`, or an engine.
        n: Candidates per problem. At temperature 0 one is drawn, for all would be equal.
        params: How tokens are chosen, and the seed. Default: `SamplingParams()`. Its stops come after the
            task's, and its limit of tokens, where it has one, in place of the task's.
        rerankers: One or several: names, `FILE.py:NAME`, names with commas between (later ones settle ties),
            or rerankers.
        k: The k of pass@k, one or several; None takes those of 1, 5, 10 that n allows.
        data: The task's data in their published form, instead of the hub's copy.
        limit: Only the first problems, or a range of places such as "11-20"; None takes all.
        ids: Only those of these ids, such as "3,10-19,HumanEval/42" or a list; see `choose_problems`.
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
    began, watching = monotonic(), observer or Observer()
    choose_k(k, n)
    loaded = choose_rerankers(rerankers)
    whole = task if isinstance(task, ProblemSet) else read_problems(task, data=data)
    chosen = whole.narrowed(limit=limit, ids=ids)
    plan, notice = plan_evaluation(
        chosen, model_source(model), n=n, params=params, k=k, rerankers=loaded, prompts=prompts, run=run
    )
    return carry_out(plan, watching, began=began, notices=[notice] if notice else [])


def plan_evaluation(
    chosen: ProblemSet,
    source: ModelSource,
    *,
    n: int,
    params: SamplingParams | None,
    k: int | Sequence[int] | None,
    rerankers: Sequence[Reranker],
    prompts: PromptOptions | None = None,
    run: RunOptions | None = None,
) -> tuple[EvaluationPlan, str]:
    """Check what an evaluation is to do; return the plan, and what the user should know of it or "".

    Args:
        chosen, source: What is sampled of, and by what.
        n, params, k, rerankers, prompts, run: As for `evaluate`; rerankers are loaded.

    Raises:
        CodesampleError: as `evaluate`, as far as it is known before a model is loaded.
    """
    run = run or RunOptions()
    drawn, notice = greedy_n(n, params)
    try:
        ks = choose_k(k, drawn)
    except MetricError as error:
        raise MetricError(f"{error}; {notice}" if notice else str(error)) from None
    plan = build_plan(
        "eval",
        chosen,
        chosen.keys(drawn),
        source,
        params=params,
        k=ks,
        rerankers=rerankers,
        run=run,
        prompts=prompts or PromptOptions(),
    )
    # a run that is gone on with may be finished, and its model gone; of a cluster others have it
    if not run.resume and run.ray is None:
        source.expect_model()
    return plan, notice
