"""What commands share that look at a model or a run before anything is loaded or run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from codesample.cli.output import emit_json, show_plain
from codesample.engines.model_options import ModelOptions
from codesample.engines.registry import NATIVE, expect_engine, split_model
from codesample.evaluation.options import PromptOptions, RunOptions
from codesample.records import SamplingParams

if TYPE_CHECKING:
    from codesample.evaluation.problem_set import ProblemSet
    from codesample.sampling.outline import Outline

__all__ = ["opened_outline", "show_dry_runs", "stream_encoding"]


def opened_outline(model: ModelOptions) -> Outline | None:
    """Return what can be seen of a model before it is loaded; None for another engine's.

    Raises:
        CodesampleError: as `expect_engine` and `Outline`.
    """
    expect_engine(model)
    name, rest = split_model(model)
    if name != NATIVE:
        return None
    from codesample.sampling.native import look_at_native

    return look_at_native(replace(model, model=rest))


def stream_encoding() -> str:
    """Return the encoding of stdout."""
    return sys.stdout.encoding or "ascii"


def show_dry_runs(
    sets: Sequence[ProblemSet],
    models: Sequence[ModelOptions],
    params: Sequence[SamplingParams],
    *,
    n: int,
    k: Sequence[int] | None,
    rerankers: Sequence[str],
    prompts: PromptOptions,
    run: RunOptions,
    as_json: bool,
) -> None:
    """Write to stdout what each run of every task by every model would come to.

    Raises:
        CodesampleError: as `evaluate`, as far as it is known before a model is loaded.
    """
    from codesample.evaluation.dry_run import dry_run
    from codesample.evaluation.plan import choose_rerankers, model_source
    from codesample.reports.dry_page import dry_page

    loaded = choose_rerankers(rerankers)
    outlines = [opened_outline(each) for each in models]
    found = [
        dry_run(
            chosen,
            model_source(model),
            outline=outline,
            n=n,
            params=each,
            k=k,
            rerankers=loaded,
            prompts=prompts,
            run=run,
        )
        for chosen, (model, outline), each in product(sets, zip(models, outlines, strict=True), params)
    ]
    if as_json:
        emit_json([each.as_json() for each in found] if len(found) > 1 else found[0].as_json())
        return
    show_plain("\n".join(dry_page(each, encoding=stream_encoding()) for each in found))
