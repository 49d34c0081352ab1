"""Carries out a plan: opens engine and run folder, samples and judges, reranks, writes the results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from time import monotonic

from codesample.engines.contract import Engine
from codesample.errors import ModelError, ParameterError
from codesample.evaluation.empty_shard import leave_empty
from codesample.evaluation.environment import session_facts
from codesample.evaluation.headline import headline
from codesample.evaluation.health_check import RunHealth, check_references
from codesample.evaluation.observer import Observer
from codesample.evaluation.on_ray import befallen, keep_record, on_cluster
from codesample.evaluation.plan import EvaluationPlan
from codesample.evaluation.policy_facts import kept_facts
from codesample.evaluation.report import EngineFacts, Report, Seconds
from codesample.evaluation.resources import Resources, resources_for
from codesample.evaluation.sample_and_judge import Spent, sample_and_judge
from codesample.evaluation.sandbox import notice_weakness, open_judge, recall, recalled
from codesample.evaluation.scoring import pools, score
from codesample.evaluation.summary import compared, summarise
from codesample.evaluation.supply import able_of, supply_of_plan
from codesample.evaluation.text_model import Models
from codesample.execution.judge import Judge
from codesample.runs import RunFolder

__all__ = ["carry_out"]


def carry_out(
    plan: EvaluationPlan, observer: Observer, *, began: float, notices: Sequence[str] = ()
) -> Report:
    """Carry out a plan and write its results.

    Args:
        plan: From `build_plan`.
        observer: Told of progress.
        began: `time.monotonic()` when the caller was asked.
        notices: What the observer is to be told first, behind what is run.

    Raises:
        CodesampleError: as `evaluate`, from opening the sandbox on; a reranker's failure after the results
            without it are written.
    """
    if not plan.wanted:
        return leave_empty(plan, observer)
    with on_cluster(plan) as (plan, cluster), open_judge(plan.run, cluster) as judge:
        health = RunHealth() if plan.run.skip_health_check else check_references(plan.chosen, judge)
        # a check of health is one of today; the rest may come from earlier sessions
        recall(judge, plan.run)
        # once everything else is known to be possible: it takes longest
        engine = plan.source.open()
        plan = plan.settled_for(engine)
        supply = supply_of_plan(plan, engine, able_of(plan.reader))
        supply.require(plan.rerankers)
        observer.planned(headline(plan, engine))
        start = RunFolder.resume if plan.run.resume else RunFolder.create
        manifest = replace(plan.manifest, sessions=(_session(plan, engine, judge),))
        with start(plan.out, manifest) as run, keep_record(run, cluster, judge):
            for notice in (*notices, *plan.notices, *health.notices, *run.notices, *befallen(cluster)):
                observer.notice(notice)
            notice_weakness(judge, observer)
            of_problems = plan.chosen.by_id
            run.write_origins(each for each in plan.source.origins if each.task_id in of_problems)
            try:
                spent = sample_and_judge(plan, run, engine=engine, judge=judge, observer=observer)
                with closing(_models(plan, run, engine)) as models:
                    resources = resources_for(
                        plan.rerankers,
                        run,
                        judge=judge,
                        models=models,
                        supply=supply,
                        recorded=plan.recorded,
                        tests=plan.run.tests,
                    )
                    plan = replace(plan, notices=(*plan.notices, *befallen(cluster)))
                    return _conclude(plan, run, spent, resources, observer, health=health, began=began)
            except ParameterError:
                # the same call would be refused again, and a corrected one is another run
                if not plan.run.resume and run.withdraw():
                    observer.withdrawn()
                raise
            finally:
                observer.stopped()


def _models(plan: EvaluationPlan, run: RunFolder, engine: Engine) -> Models:
    """Return the models that rerankers write and read by; the run's own is open."""
    if plan.recorded:
        return Models(plan.reader, run.artefacts)
    return Models(plan.source, run.artefacts, opened=engine)


def _session(plan: EvaluationPlan, engine: Engine, judge: Judge) -> dict[str, object]:
    facts = EngineFacts.of(engine)
    model = engine.describe() | facts.as_json()
    if plan.source.checkpoint:
        model["checkpoint"] = plan.source.checkpoint
    try:
        json.dumps(model)
    except (TypeError, ValueError) as error:
        raise ModelError(f"engine {engine.name!r} describes itself in what is no JSON: {error}") from error
    return session_facts(
        plan.command, model=model, isolation=judge.isolation.as_json(), settings=plan.as_settings()
    )


def _conclude(
    plan: EvaluationPlan,
    run: RunFolder,
    spent: Spent,
    resources: Resources,
    observer: Observer,
    *,
    health: RunHealth,
    began: float,
) -> Report:
    # rerankers ask for more
    found = recalled(resources.judge) if resources.judge else 0
    gathered = pools(run, plan.chosen, plan.wanted, strict=plan.strict)
    scored = score(
        plan.rerankers,
        gathered,
        chosen=plan.chosen,
        seed=plan.manifest.params.seed,
        resources=resources,
        run=run,
        observer=observer,
    )
    report = summarise(
        run,
        gathered,
        scored.scores,
        problems=plan.of_problems,
        n=plan.n,
        k=plan.k,
        seconds=Seconds(round(spent.sampling, 3), round(spent.execution, 3), round(monotonic() - began, 3)),
        tokens_per_second=round(spent.tokens / spent.sampling, 1) if spent.tokens else None,
        notices=[*plan.notices, *health.notices, *plan.source.notices, *scored.notices],
        unread=plan.source.unread,
        health=health.ended(),
        costs=scored.costs,
    )
    policy = kept_facts(run, spent.policy, tokens=spent.tokens)
    report = replace(compared(report, run, gathered), recalled=found, policy=policy)
    run.write_results(report.as_json())
    scored.raise_failures(run, observer)
    return report
