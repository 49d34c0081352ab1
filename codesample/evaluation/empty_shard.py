"""What becomes of a shard that has no problem, such as the ninth of sixteen where there are eight."""

from __future__ import annotations

import math
from dataclasses import replace

from codesample.evaluation.environment import session_facts
from codesample.evaluation.intervals import Estimate
from codesample.evaluation.observer import Observer
from codesample.evaluation.plan import EvaluationPlan
from codesample.evaluation.report import Report, Seconds
from codesample.evaluation.shard import nothing_to
from codesample.runs import RunFolder

__all__ = ["leave_empty"]

_NOTHING = Estimate(math.nan, math.nan, math.nan)


def leave_empty(plan: EvaluationPlan, observer: Observer) -> Report:
    """Leave a run folder that says there was nothing to do, so that all shards can be merged alike.

    No model is loaded and no program run.

    Returns: a report without figures: of no problems, its estimates not a number; nothing of it is written.

    Raises:
        RunFolderError: the folder is locked or cannot be written.
    """
    said = nothing_to("do", plan.manifest.shard)
    session = session_facts(plan.command, model={}, isolation={}, settings=plan.as_settings())
    start = RunFolder.resume if plan.run.resume else RunFolder.create
    with start(plan.out, replace(plan.manifest, sessions=(session,))):
        observer.started(plan.out, problems=0, candidates=0)
        observer.notice(said)
        observer.stopped()
    return Report(
        task=plan.manifest.task,
        model=plan.manifest.model,
        problems=0,
        n=plan.n,
        n_max=plan.n,
        samples=0,
        pass_at_k={},
        rerankers={},
        random=_NOTHING,
        oracle=_NOTHING,
        seconds=Seconds(0.0, 0.0, 0.0),
        tokens=0,
        tokens_per_second=None,
        statuses={},
        isolation="",
        notices=(said,),
        run=plan.out,
        shard=plan.manifest.shard or "",
    )
