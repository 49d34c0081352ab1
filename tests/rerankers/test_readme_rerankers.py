from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from codesample.records import Candidate, PublicView
from codesample.rerankers.context import ABILITIES, Context
from codesample.rerankers.registry import load_reranker, reranker_names

README = (Path(__file__).parents[2] / "rerankers" / "README.md").read_text()


def test_the_example_is_a_reranker(
    tmp_path: Path, view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "my_idea.py").write_text(block)
    scores = load_reranker(f"{tmp_path / 'my_idea.py'}:shortest").score(view, candidates, ctx)
    assert scores == [-float(len(candidate.completion)) for candidate in candidates]


def test_every_ability_and_every_built_in_is_described() -> None:
    for name in (*ABILITIES, *reranker_names()):
        assert f"`{name}`" in README
