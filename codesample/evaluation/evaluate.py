"""Evaluates a model on a task: prompts in, figures with intervals out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from codesample.errors import ParameterError
from codesample.evaluation.checkpoint_hash import fingerprint
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import DEFAULT_MODEL, DEFAULT_N, DEFAULT_RERANKERS, ModelOptions, choose_k
from codesample.evaluation.pipeline import Plan, conduct, open_executor
from codesample.evaluation.plan import (
    check_run_folder,
    choose_rerankers,
    choose_task,
    manifest_of,
    model_name,
    new_run_folder,
)
from codesample.evaluation.report import Report
from codesample.records import SamplingParams
from codesample.rerankers.contract import Reranker
from codesample.tasks.contract import Task

if TYPE_CHECKING:
    from codesample.engines.contract import Engine

__all__ = ["evaluate"]

_DRAWS = SamplingParams()


def evaluate(
    task: str | Path | Task,
    *,
    model: str | Path | ModelOptions | Engine = DEFAULT_MODEL,
    n: int = DEFAULT_N,
    k: Sequence[int] | None = None,
    rerankers: Sequence[str | Reranker] = DEFAULT_RERANKERS,
    data: Path | None = None,
    limit: int | None = None,
    out: Path | None = None,
    resume: bool = False,
    temperature: float = _DRAWS.temperature,
    top_p: float = _DRAWS.top_p,
    top_k: int = _DRAWS.top_k,
    min_p: float = _DRAWS.min_p,
    typical_p: float = _DRAWS.typical_p,
    repetition_penalty: float = _DRAWS.repetition_penalty,
    frequency_penalty: float = _DRAWS.frequency_penalty,
    max_new_tokens: int | None = None,
    seed: int = _DRAWS.seed,
    workers: int | None = None,
    allow_weak_isolation: str | None = None,
    observer: Observer | None = None,
) -> Report:
    """Sample n candidates for every problem, judge them, rerank them, and report.

    Settings are checked before the model is loaded. Everything finished is in the run folder at once, so
    that a run that ends early, however it ends, is continued by the same call with `resume`.

    Args:
        task: A name (see `codesample list tasks`), a `Path` to problems of one's own, or a task.
        model: "tiny", a folder, a hub id, `ModelOptions` that say how to load it, or an engine.
        n: Candidates per problem.
        k: The k of pass@k; None takes those of 1, 5, 10 that n allows.
        rerankers: Names, `FILE.py:NAME`, several with commas between (later ones settle ties), or rerankers.
        data: The task's data in their published form, instead of the hub's copy.
        limit: Only the first problems; None takes all.
        out: Run folder; None makes one under `runs/`.
        resume: Go on with the run in `out`; n may grow, the rest must agree.
        temperature, top_p, top_k, min_p, typical_p, seed: See `SamplingParams`.
        repetition_penalty, frequency_penalty: See `SamplingParams`.
        max_new_tokens: Tokens per candidate; None takes the task's.
        workers: Sandbox workers; None takes one per usable core.
        allow_weak_isolation: Level to be content with, "limited" or "none", where the sandbox reaches no
            more; None insists on "confined".
        observer: Told of progress.

    Returns:
        Figures with intervals; `Report.run` is the folder with everything behind them.

    Raises:
        ParameterError, MetricError: a parameter outside its range; k above n.
        UnknownNameError: no task, reranker or model of that name.
        DataError, HubUnavailableError: the data or the model cannot be had.
        ModelError: the checkpoint is broken or does not fit into memory.
        RerankerError: a reranker cannot be loaded, lacks what it needs, or broke its contract; in the
            last case the results without it are in the run folder.
        RunFolderError: the folder cannot be written, or holds another run or files of one; with `resume`,
            other settings or other weights than the run's.
        IsolationError: this machine grants less isolation than asked for.
        ExecutionError: the sandbox itself failed.
    """
    began = monotonic()
    ks = choose_k(k, n)
    if resume and out is None:
        raise ParameterError("resume without a run folder; name the one to go on with: --out RUN --resume")
    loaded = choose_rerankers(rerankers)
    chosen = choose_task(task, data=data, limit=limit)
    source = ModelOptions(str(model)) if isinstance(model, str | Path) else model
    named = model_name(source)
    params = SamplingParams(
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        min_p=min_p,
        typical_p=typical_p,
        repetition_penalty=repetition_penalty,
        frequency_penalty=frequency_penalty,
        max_new_tokens=chosen.task.max_new_tokens if max_new_tokens is None else max_new_tokens,
        stop=chosen.task.stop,
        seed=seed,
    )
    manifest = manifest_of(chosen, named, params, n)
    out = out or new_run_folder(chosen.task.name, named)
    check_run_folder(out, manifest, resume=resume)
    folder = source.folder if isinstance(source, ModelOptions) else None
    plan = Plan(
        command="eval",
        chosen=chosen,
        of_problems=len(chosen.problems),
        wanted=frozenset((problem.task_id, index) for problem in chosen.problems for index in range(n)),
        n=n,
        k=ks,
        rerankers=loaded,
        manifest=manifest,
        out=out,
        resume=resume,
        settings={"limit": limit, "workers": workers, "allow_weak_isolation": allow_weak_isolation},
        checkpoint=fingerprint(folder) if folder else None,
    )
    with open_executor(workers, allow_weak_isolation) as executor:
        return conduct(plan, lambda: _engine(source), executor, observer or Observer(), began=began)


def _engine(source: ModelOptions | Engine) -> Engine:
    return source.load() if isinstance(source, ModelOptions) else source
