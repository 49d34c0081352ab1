from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint

import pytest

from codesample import plugins
from codesample.records import Candidate, PublicView
from codesample.reports import inventory
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker
from codesample.rerankers.registry import GROUP


@reranker
def listed(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context, *, model: str, window: int = 32
) -> list[float | None]:
    """Say what it is.

    And more.
    """
    return [None] * len(candidates)


def test_rerankers_are_listed_with_their_first_line_and_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        EntryPoint("broken", "not_a_module_xyz:score", GROUP),
        EntryPoint("listed", f"{__name__}:listed", GROUP),
        EntryPoint("mean_logprob", "codesample.rerankers.logprob:mean_logprob", GROUP),
    ]
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries if group == GROUP else [])
    rows = dict(inventory.rerankers())
    assert rows["broken"].startswith("cannot be loaded: reranker 'broken'")
    assert rows["listed"] == (
        "Say what it is. Parameters: model (a text; to be given), window (a whole number; 32 by default)."
    )
    assert rows["mean_logprob"].endswith("an empty candidate abstains.")
