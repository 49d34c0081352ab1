"""What tests of scoring have in common: options, an observer that remembers, a reranker that reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codesample.evaluation.observer import Observer
from codesample.evaluation.options import RunOptions
from codesample.records import SamplingParams
from codesample.rerankers.contract import reranker
from codesample.runs import RunFolder

PARAMS = SamplingParams(max_new_tokens=24)


def kept(out: Path | None = None, *, resume: bool = False) -> RunOptions:
    return RunOptions(out=out, resume=resume, workers=1, allow_weak_isolation="none", skip_health_check=True)


class Told(Observer):
    def __init__(self) -> None:
        self.notices: list[str] = []
        self.done: list[tuple[str, int]] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def scored(self, reranker: str, *, done: int, problems: int) -> None:
        self.done.append((reranker, done))


@reranker(needs={"logprobs"})
def likely(view: Any, candidates: Any, ctx: Any) -> list[float | None]:
    return [sum(each.logprobs) for each in candidates]


def scores_of(run: Path, name: str) -> dict[Any, Any]:
    with RunFolder.open(run) as folder:
        return folder.scores(name)
