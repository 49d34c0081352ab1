"""Puts a run's engine and judge on the nodes of the Ray cluster that it names; the run folder stays here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from codesample.engines.contract import Engine
from codesample.engines.model_options import ModelOptions
from codesample.engines.registry import split_model
from codesample.errors import RunFolderError
from codesample.evaluation.options import RunOptions
from codesample.evaluation.plan import EvaluationPlan, ModelSource, model_source
from codesample.execution import Level, Limits
from codesample.execution.judge import Judge
from codesample.runs import RunFolder

if TYPE_CHECKING:
    from codesample.distributed.cluster import Happened
    from codesample.distributed.placement import Placement, Slot
    from codesample.distributed.ray_cluster import RayCluster
    from codesample.distributed.ray_engine import RayEngine

__all__ = ["RunCluster", "befallen", "keep_record", "on_cluster", "open_cluster"]

_ASKED_FROM_HERE = frozenset({"openai"})
"""Engines that run elsewhere already: the driver asks them, and the cluster judges."""


@dataclass(frozen=True, slots=True)
class RunCluster:
    """The cluster of one run.

    Attributes:
        cluster: Connected.
        placement: Which nodes have which actors.
        happened: What befalls them.
        run: What was asked for.
        samples: Whether the model is drawn from there too.
        modules: That the tests of the run name.
        engines: That were opened there; they end with the run.
    """

    cluster: RayCluster
    placement: Placement
    happened: Happened
    run: RunOptions
    samples: bool = False
    modules: tuple[str, ...] = ()
    engines: list[RayEngine] = field(default_factory=list)

    def judge(self, minimum: Level) -> Judge:
        """Return the nodes as a judge; raises as `RayJudge`."""
        from codesample.distributed.judging_actor import MadeExecutor
        from codesample.distributed.ray_judges import RayJudge

        limits = Limits(imports=self.run.imports)

        def maker(slot: Slot) -> MadeExecutor:
            return MadeExecutor(self.run.workers or max(1, int(slot.cpus)), limits, minimum, self.modules)

        return RayJudge(
            self.cluster,
            maker,
            placement=self.placement,
            happened=self.happened,
            beside_samplers=self.samples,
        )

    def engine(self, options: ModelOptions) -> Engine:
        """Return the nodes as an engine; raises as `RayEngine`."""
        from codesample.distributed.ray_engine import RayEngine

        opener = partial(_opened_there, options)
        engine = RayEngine(self.cluster, opener, placement=self.placement, happened=self.happened)
        self.engines.append(engine)
        return engine

    def as_json(self) -> dict[str, Any]:
        """Return what a session records of it; plain JSON data."""
        return {"address": self.run.ray, "ray": self.cluster.version, **self.happened.as_json()}


@contextmanager
def open_cluster(
    run: RunOptions, *, samples: bool, modules: tuple[str, ...] = ()
) -> Iterator[RunCluster | None]:
    """Give the cluster that a run names within a `with` block; None where it names none.

    Args:
        run, samples, modules: See `RunCluster`.

    Raises:
        ParameterError: as `connected`; or no node has as many GPUs as one actor is to have.
    """
    if run.ray is None:
        yield None
        return
    from codesample.distributed.cluster import Happened
    from codesample.distributed.placement import Placement
    from codesample.distributed.ray_cluster import connected

    with connected(run.ray) as cluster:
        placement = Placement.for_cluster(cluster.nodes(), gpus=run.ray_gpus)
        there = RunCluster(cluster, placement, Happened(), run, samples, modules)
        try:
            yield there
        finally:
            for each in there.engines:
                each.close()


@contextmanager
def on_cluster(plan: EvaluationPlan) -> Iterator[tuple[EvaluationPlan, RunCluster | None]]:
    """Give a plan whose model is opened on the cluster that it names, and the cluster; raises likewise."""
    options = plan.source.options
    samples = options is not None and split_model(options).engine not in _ASKED_FROM_HERE
    named = {name for problem in plan.chosen.problems for name in problem.tests.imports}
    with open_cluster(plan.run, samples=samples, modules=tuple(sorted(named))) as cluster:
        if cluster is None or options is None or not samples:
            yield plan, cluster
            return
        source = replace(plan.source, open=partial(cluster.engine, options))
        yield replace(plan, source=source), cluster


@contextmanager
def keep_record(run: RunFolder, cluster: RunCluster | None, judge: Judge) -> Iterator[None]:
    """Note in the run's session what befell its cluster, once the block is left, however it is."""
    try:
        yield
    finally:
        # a run that was withdrawn has no record
        with suppress(RunFolderError):
            if cluster is not None:
                run.amend_session({"isolation": judge.isolation.as_json(), "cluster": cluster.as_json()})


def befallen(cluster: RunCluster | None) -> list[str]:
    """Return what the user should know of a run's cluster by now; nothing where it has none."""
    return [] if cluster is None else cluster.happened.notices()


def _opened_there(options: ModelOptions) -> tuple[Engine, str | None]:
    """Open a model on a node, by its own files."""
    source: ModelSource = model_source(options)
    return source.open(), source.checkpoint
