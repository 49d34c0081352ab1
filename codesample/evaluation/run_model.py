"""The model by which a saved run's texts are written and read: its own, wherever it lies now, or another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesample.engines.contract import Engine
from codesample.engines.model_options import ModelOptions
from codesample.errors import CodesampleError, ModelError
from codesample.evaluation.environment import engine_facts
from codesample.evaluation.plan import ModelSource, model_source
from codesample.evaluation.supply import RECORDED, opened_once
from codesample.runs import Manifest

__all__ = ["RunModel", "model_of_run"]


@dataclass(frozen=True, slots=True)
class RunModel:
    """Which model a saved run's rerankers write and read by.

    Attributes:
        source: Opens it; None where there is none.
        lacking: Why there is none, and what to do.
        estranged: Why it is not the model that drew the candidates; "" where it is, or where nobody knows
            which one that was.
        recorded: Whether the candidates come from elsewhere.
    """

    source: ModelSource | None
    lacking: str = ""
    estranged: str = ""
    recorded: bool = False


def model_of_run(manifest: Manifest, model: str | Path | ModelOptions | Engine | None) -> RunModel:
    """Find the model of a saved run, or take the one that was named.

    Args:
        manifest: Of the run.
        model: As for `evaluate`; None takes the run's own.

    Raises:
        UnknownNameError, ModelError: as `model_source`, of a model that was named.
    """
    recorded = engine_facts(manifest.sessions).recorded
    facts: Mapping[str, Any] = manifest.sessions[-1].get("model", {}) if manifest.sessions else {}
    if recorded:
        named = model if model is not None else manifest.settings.get("text_model")
        source = None if named is None else opened_once(model_source(named))
        return RunModel(source, RECORDED, recorded=True)
    if model is None:
        return _own(manifest.model, facts)
    other = model_source(model)
    return RunModel(opened_once(other), estranged=_estranged(other, manifest.model, facts))


def _own(name: str, facts: Mapping[str, Any]) -> RunModel:
    if "architecture" not in facts and ":" not in name:
        return RunModel(
            None, f"{name} was an engine of the caller's own; hand it over again: rerank_run(model=ENGINE)"
        )
    try:
        source = model_source(ModelOptions.named(name))
    except CodesampleError as error:
        return RunModel(None, f"{error}; name the model: --model MODEL")
    then = facts.get("checkpoint")
    if then is not None and source.checkpoint is None:
        return RunModel(_moved(name, then))
    return RunModel(opened_once(source), estranged=_estranged(source, name, facts))


def _moved(name: str, checkpoint: str) -> ModelSource:
    """Return a model that is no longer in its folder: what is kept of it can be used still."""

    def fail() -> Engine:
        raise ModelError(f"{name}: the run's model is no longer there; name its folder: --model FOLDER")

    return ModelSource(name, fail, checkpoint=checkpoint, abilities=frozenset({"prompt_logprobs"}))


def _estranged(source: ModelSource, name: str, facts: Mapping[str, Any]) -> str:
    then = facts.get("checkpoint") or name
    # of a run that recorded no fingerprint nobody can tell whether its model has changed
    if source.identity == then or (source.name == name and "checkpoint" not in facts):
        return ""
    if source.name == name:
        return f"{name} has changed since the run was sampled (fingerprint {source.identity}, then {then})"
    now = f" (fingerprint {source.checkpoint})" if source.checkpoint else ""
    before = f" (fingerprint {then})" if facts.get("checkpoint") else ""
    return f"{source.name}{now} is another model than the one that drew the candidates, {name}{before}"
