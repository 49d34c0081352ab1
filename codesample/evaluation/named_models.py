"""Looks for the models that rerankers name before anything is sampled for them; loads none."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Protocol

from codesample.engines.model_options import ModelOptions
from codesample.engines.registry import NATIVE, expect_engine, split_model
from codesample.errors import CodesampleError, ModelError, RerankerError
from codesample.hub import expect_on_hub
from codesample.rerankers.contract import Reranker
from codesample.sampling.checkpoint_source import BUILT_IN_MODELS, checkpoint_source, hub_file, is_on_hub

__all__ = ["Named", "expect_model", "expect_named_models"]


class Named(Protocol):
    """What has the name of a model: see `ModelSource`."""

    @property
    def name(self) -> str:
        """The name."""
        ...


def expect_named_models(
    rerankers: Iterable[Reranker], *given: Named | None, scored: Collection[str] = ()
) -> None:
    """Refuse rerankers that name a model which is not here and cannot be had; see `Opens`.

    Whether another engine has a model is for that engine to say, when it is opened.

    Args:
        rerankers: With all that they are made of.
        given: Models that the run has anyway, whatever they are called.
        scored: Names of rerankers that were asked before. What a model that one of them names has written is
            kept, so that it may be gone since.

    Raises:
        RerankerError: names the reranker and what it names.
    """
    known = {each.name for each in given if each}
    for reranker in rerankers:
        for each in _within(reranker):
            for name, parameter in each.takes.items():
                value = each.parameters.get(name)
                if not parameter.opens or not isinstance(value, str) or value in known:
                    continue
                if not any(value in name for name in scored):
                    try:
                        _expect(value, parameter.opens)
                    except CodesampleError as error:
                        raise RerankerError(f"reranker {each.name!r}: {error}") from error


def expect_model(name: str) -> None:
    """Refuse the name of a model that is not here and cannot be had; see `expect_named_models`.

    Raises:
        UnknownNameError, ModelError, HubUnavailableError: says what the name is not.
    """
    _expect(name, "model")


def _within(reranker: Reranker) -> Iterator[Reranker]:
    yield reranker
    for part in reranker.parts:
        yield from _within(part)


def _expect(name: str, kind: str) -> None:
    if kind == "model":
        options = ModelOptions(name)
        expect_engine(options)
        engine, name = split_model(options)
        if engine != NATIVE:
            return
    elif name in BUILT_IN_MODELS:
        raise ModelError(f"{name} writes text and classifies none; give a folder or a hub id of a classifier")
    checkpoint_source(name)
    if is_on_hub(name):
        expect_on_hub((hub_file(name) or (name,))[0])
