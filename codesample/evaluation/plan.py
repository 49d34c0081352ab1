"""The plan of an evaluation: everything that can be checked before the model is loaded, checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from codesample.engines.contract import Engine
from codesample.engines.model_options import ModelOptions
from codesample.engines.registry import NATIVE, checked_engine, expect_engine, open_engine, split_model
from codesample.errors import MetricError, ParameterError, RerankerError
from codesample.evaluation.checkpoint_hash import model_fingerprint
from codesample.evaluation.lacking_packages import (
    lacking_packages,
    notice_of_lacking,
    refuse_if_all_lack,
)
from codesample.evaluation.named_models import expect_model, expect_named_models
from codesample.evaluation.options import PromptOptions, RunOptions, choose_k
from codesample.evaluation.problem_set import ProblemSet
from codesample.evaluation.run_place import check_run_folder, new_run_folder
from codesample.evaluation.shard import apart
from codesample.records import Origin, SamplingParams
from codesample.rerankers.contract import Reranker
from codesample.rerankers.registry import expect_own_name, load_reranker
from codesample.runs import Key, Manifest, RunFolder
from codesample.sampling.native import NATIVE_ABILITIES
from codesample.tasks.contract import Task
from codesample.tasks.prompt_form import Style
from codesample.tasks.readable_tests import expect_readable

__all__ = [
    "Able",
    "EvaluationPlan",
    "ModelSource",
    "build_plan",
    "choose_rerankers",
    "model_source",
    "style_for",
]


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where candidates will come from; nothing is loaded yet.

    Attributes:
        name: By which a run knows the model.
        open: Makes the engine.
        checkpoint: Fingerprint of the model's folder; None where it is in none.
        abilities: What the engine will be able to do at the least; None where that is known once it is open.
        label: Short name for a new run folder; "" takes `name`.
        origins: What is known of recorded candidates besides their texts.
        notices: What the report is to say of them.
        unread: What it is to say of texts that look like answers and are run as they are.
        options: By which the model is opened; None where it is open, or candidates are recorded.
    """

    name: str
    open: Callable[[], Engine]
    checkpoint: str | None = None
    abilities: frozenset[str] | None = None
    label: str = ""
    origins: Sequence[Origin] = ()
    notices: Sequence[str] = ()
    unread: Sequence[str] = ()
    options: ModelOptions | None = None

    @property
    def identity(self) -> str:
        """What tells this model from others: its fingerprint, wherever it lies, or else its name."""
        return self.checkpoint or self.name

    def expect_model(self) -> None:
        """Refuse a model that is nowhere; loads none. See `named_models.expect_model`."""
        if self.options is not None:
            expect_model(self.options.model)


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """A run whose every setting was checked; nothing has been loaded or written. Made by `build_plan`.

    Attributes:
        command: "eval" or "execute".
        chosen: The task and the problems that candidates are wanted of.
        of_problems: How many problems the task has, with those that no candidate is wanted of.
        wanted: Keys of the candidates the run is to hold.
        n: Candidates of the problem that has fewest.
        k: The k of pass@k, ascending.
        rerankers: Loaded.
        source: Opens the engine.
        prompts: How problems are put to the model, as far as it was said; which form "auto" means is known
            once the engine is open, see `settled_for`.
        params: How tokens are chosen, with nothing settled yet; None where nothing is drawn.
        manifest: Says what the run is; without sessions.
        out: The run folder.
        run: How programs are run, and whether the folder exists already.
        settings: What else was asked for, for the record; plain JSON data.
        notices: What the user should know before it begins, and beside its figures.
        reader: Writes and reads text for rerankers, where `source` has recorded samples; None where nothing
            does.
    """

    command: str
    chosen: ProblemSet
    of_problems: int
    wanted: frozenset[Key]
    n: int
    k: tuple[int, ...]
    rerankers: Sequence[Reranker]
    source: ModelSource
    manifest: Manifest
    out: Path
    run: RunOptions
    settings: Mapping[str, Any] = field(default_factory=dict)
    prompts: PromptOptions | None = None
    params: SamplingParams | None = None
    notices: tuple[str, ...] = ()
    reader: ModelSource | None = None

    def settled_for(self, engine: Able) -> EvaluationPlan:
        """Return the plan with the form of prompts that the engine takes; a run in hand keeps its own.

        A new run records how sure the model was where a reranker needs that.

        Raises:
            ParameterError: the chat form was asked for, or the run has it, and the engine takes no messages.
        """
        if self.prompts is None:
            return self
        if self.run.resume and not self.prompts.said:
            if self.manifest.prompt["style"] == "chat" and "chat" not in engine.abilities:
                raise ParameterError(
                    f"{self.out}: its prompts are messages, and {engine.name} has no chat template now; "
                    "give it the tokenizer that the run began with"
                )
            return self
        style = style_for(engine, self.prompts, self.chosen.task)
        if style == "base" and not self.chosen.task.base:
            raise ParameterError(
                f"{engine.name} has no chat template, which {self.chosen.task.name} needs: its problems are "
                "messages; choose an instruct model"
            )
        params, chosen = self.params, self.chosen
        if any("confidence" in each.needs for each in self.rerankers) and "confidence" in engine.abilities:
            params = replace(params or SamplingParams(), confidence=True)
        if style != self.manifest.prompt["style"]:
            chosen = chosen.put(style, self.prompts)
        manifest = replace(self.manifest, params=chosen.settled(params), prompt=chosen.prompt_form.as_json())
        return replace(self, chosen=chosen, manifest=manifest, params=params)

    @property
    def recorded(self) -> bool:
        """Whether the candidates come from elsewhere, so that nothing is drawn."""
        return self.prompts is None

    @property
    def strict(self) -> bool:
        """Whether passes of integrity "weak" count as not judged."""
        return self.run.integrity == "strict"

    def as_settings(self) -> dict[str, Any]:
        """Return what was asked for, as a session of the run records it; plain JSON data."""
        return {
            **self.settings,
            "workers": self.run.workers,
            "allow_weak_isolation": self.run.allow_weak_isolation,
            "imports": list(self.run.imports),
            **({"ray": self.run.ray} if self.run.ray else {}),
            "integrity": self.run.integrity or "any",
            **({"prompt": self.prompts.style} if self.prompts else {}),
            **self.chosen.origin,
            "n": self.n,
            "candidates": len(self.wanted),
            "k": self.k,
            "rerankers": [each.name for each in self.rerankers],
            **({"tests": asdict(self.run.tests)} if self.run.tests else {}),
        }


def build_plan(
    command: str,
    chosen: ProblemSet,
    wanted: Collection[Key],
    source: ModelSource,
    *,
    params: SamplingParams | None,
    k: int | Sequence[int] | None,
    rerankers: Sequence[Reranker],
    run: RunOptions,
    settings: Mapping[str, Any] | None = None,
    prompts: PromptOptions | None = None,
    reader: ModelSource | None = None,
) -> EvaluationPlan:
    """Check what an evaluation is to do, and look at its run folder; writes nothing.

    Args:
        chosen: All problems; those with nothing wanted of them or with packages missing here are left out.
        wanted: Keys of candidates, at least one, all of them of these problems.
        params: How tokens are chosen; with `prompts`, the form's stops and limit come to them.
        k: The k of pass@k; None takes those of 1, 5, 10 that the problem with the fewest candidates allows.
        rerankers, settings: From `choose_rerankers`; what the run is to record besides.
        prompts: How problems are put to the model; None leaves them in the form that `chosen` has.
        reader: Writes and reads text for rerankers of recorded samples.

    Raises:
        DataError: tests that are no Python; names the problem, the part and the line.
        RerankerError, MetricError: a model that is not to be had; a k above the candidates of a problem.
        ParameterError, RunFolderError: as `_possible` and `check_run_folder`.
    """
    expect_named_models(rerankers, source, reader)
    wanted, left_out = _possible(chosen, wanted, run)
    per_problem = Counter(task_id for task_id, _ in wanted)
    n, ks = min(per_problem.values()), _chosen_k(k, per_problem)
    expect_readable(chosen.task.name, (each for each in chosen.problems if each.task_id in per_problem))
    chosen = chosen.put(_provisional(prompts, run), prompts) if prompts else chosen
    part = chosen.sharded(run.shard)
    params, lacks = _as_the_run_records(params, run) if prompts else (params, None)
    settled = (params or SamplingParams()).settled() if prompts is None else chosen.settled(params)
    manifest = _manifest(chosen, source, settled, n=n, run=run)
    out = run.out or new_run_folder(chosen.task.name, source.label or source.name, shard=run.shard)
    check_run_folder(out, manifest, resume=run.resume)
    return EvaluationPlan(
        command=command,
        chosen=part.only(frozenset(per_problem)),
        of_problems=len(part.problems),
        wanted=frozenset(key for key in wanted if key[0] in part.by_id),
        n=n,
        k=ks,
        rerankers=rerankers,
        source=source,
        manifest=manifest,
        out=out,
        run=run,
        settings=settings or {},
        prompts=prompts,
        params=params,
        notices=tuple(filter(None, [apart(run.shard), left_out, lacks])),
        reader=reader,
    )


def _possible(
    chosen: ProblemSet, wanted: Collection[Key], run: RunOptions
) -> tuple[Collection[Key], str | None]:
    """Return the keys of problems whose packages are here, and what to say of the others.

    Raises:
        ParameterError: every problem needs packages that are not installed.
    """
    asked = {task_id for task_id, _ in wanted}
    lacking = lacking_packages((each for each in chosen.problems if each.task_id in asked), run)
    refuse_if_all_lack(lacking, len(asked))
    return [key for key in wanted if key[0] not in lacking], notice_of_lacking(lacking, len(asked))


def _as_the_run_records(
    params: SamplingParams | None, run: RunOptions
) -> tuple[SamplingParams | None, str | None]:
    """Return parameters that record what the run in hand records, and what to say where more was asked for.

    Whether candidates say how sure the model was changes nothing that is drawn.
    """
    if not run.resume or run.out is None:
        return params, None
    with RunFolder.open(run.out) as kept:
        records = kept.manifest.params.confidence
    asked = params is not None and params.confidence
    if records == asked:
        return params, None
    lacks = f"{run.out} records no confidence, and does not begin to; it is read anew where it is needed"
    return replace(params or SamplingParams(), confidence=records), lacks if asked else None


def _chosen_k(k: int | Sequence[int] | None, per_problem: Mapping[str, int]) -> tuple[int, ...]:
    """Return the k that the problem with the fewest candidates allows; one that it does not names it."""
    fewest, n = min(per_problem.items(), key=lambda item: item[1])
    try:
        return choose_k(k, n)
    except MetricError as error:
        if len(set(per_problem.values())) == 1:
            raise
        raise MetricError(f"{error}; {fewest} has the fewest samples") from None


def _manifest(
    chosen: ProblemSet, source: ModelSource, params: SamplingParams, *, n: int, run: RunOptions
) -> Manifest:
    return Manifest(
        task=chosen.task.name,
        task_version=chosen.task.version,
        data_hash=chosen.task.fingerprint(),
        model=source.name,
        params=params,
        n=n,
        imports=run.imports,
        prompt=chosen.prompt_form.as_json(),
        shard=run.shard,
    )


class Able(Protocol):
    """What says of a model what it can do: an engine, or one that is not opened yet."""

    @property
    def name(self) -> str:
        """The model, for messages."""
        ...

    @property
    def abilities(self) -> frozenset[str]:
        """See `Engine.abilities`."""
        ...


def style_for(engine: Able, prompts: PromptOptions, task: Task | None = None) -> Style:
    """Return the form in which an engine is given problems, or a text of no task.

    Raises:
        ParameterError: the chat form was asked for, and the engine takes no messages.
    """
    if "chat" in engine.abilities:
        left_open = not prompts.said and task is not None and task.chat_form is None
        return "base" if prompts.style == "base" or left_open else "chat"
    if prompts.chat_only:
        asked = "--prompt chat" if prompts.style == "chat" else "a system turn or a prefill"
        raise ParameterError(
            f"{engine.name} has no chat template, which {asked} needs; leave it out, or choose an "
            "instruct model, or of a server its chat endpoint (--api chat)"
        )
    return "base"


def _provisional(prompts: PromptOptions, run: RunOptions) -> Style:
    """Return the form to go by until the engine is open: what was said, or what the run in hand has."""
    if prompts.chat_only:
        return "chat"
    if not prompts.said and run.resume and run.out is not None:
        with RunFolder.open(run.out) as kept:
            return "chat" if kept.manifest.prompt["style"] == "chat" else "base"
    return "base"


def model_source(model: str | Path | ModelOptions | Engine) -> ModelSource:
    """Say where candidates come from; loads nothing.

    Raises:
        UnknownNameError: no engine of the name that the model begins with.
        ModelError: the model's folder cannot be read.
    """
    if isinstance(model, str | Path):
        model = ModelOptions(str(model))
    if not isinstance(model, ModelOptions):
        engine = checked_engine(model, "the model is")
        return ModelSource(engine.name, lambda: engine, abilities=engine.abilities)
    expect_engine(model)
    name, rest = split_model(model)
    # one model, however it is spelt
    options = replace(model, model=rest) if name == NATIVE else model
    return ModelSource(
        options.name,
        lambda: open_engine(options),
        checkpoint=model_fingerprint(model),
        abilities=NATIVE_ABILITIES if name == NATIVE else None,
        options=options,
    )


def choose_rerankers(specs: str | Reranker | Sequence[str | Reranker]) -> list[Reranker]:
    """Load each reranker; the same one given twice counts once, and one name is a list of one.

    Raises:
        UnknownNameError: no installed reranker of that name.
        RerankerError: a file or plug-in that cannot be loaded, two different rerankers of one name, or one
            that is called as an installed one.
        ParameterError: no expression, or a parameter that is not taken so or lacks.
    """
    found: dict[str, Reranker] = {}
    for spec in dict.fromkeys([specs] if isinstance(specs, str | Reranker) else specs):
        each = load_reranker(spec)
        each.expect_parameters()
        expect_own_name(each)
        # the fingerprint is taken now, for its file may be edited while candidates are sampled
        if found.setdefault(each.name, each).fingerprint != each.fingerprint:
            raise RerankerError(
                f"two rerankers are called {each.name!r}; rename one of them with @reranker(NAME)"
            )
    return list(found.values())
