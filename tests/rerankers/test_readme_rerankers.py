from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from codesample.records import Candidate, PublicView
from codesample.rerankers.context import ABILITIES, Context
from codesample.rerankers.contract import reranker
from codesample.rerankers.expression import Chain, Filter, Named, Weighted, parse
from codesample.rerankers.registry import load_reranker

README = (Path(__file__).parents[2] / "rerankers" / "README.md").read_text()


def test_the_example_is_a_reranker(
    tmp_path: Path, view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "my_idea.py").write_text(block)
    scores = load_reranker(f"{tmp_path / 'my_idea.py'}:shortest").score(view, candidates, ctx)
    assert scores == [-float(len(candidate.completion)) for candidate in candidates]


def test_every_ability_is_described() -> None:
    for name in ABILITIES:
        assert f"| `{name}` |" in README


@pytest.mark.parametrize(
    ("spelling", "made"), re.findall(r'^`-r "my_idea.py:(\S+)"` .* `(\S+)`', README, re.MULTILINE)
)
def test_the_parameter_that_is_shown_is_one(spelling: str, made: str) -> None:
    @reranker(per_candidate=True)
    def lowest(view: PublicView, candidate: Candidate, ctx: Context, *, window: int = 32) -> float | None:
        return float(window)

    assert eval(made, {"lowest": lowest}).name == spelling


def test_what_is_written_of_several_together_is_read_so() -> None:
    table = README.partition("## Several together")[2]
    written = re.findall(r"^\| `([^`]+)`(?:, or `([^`]+)`)? \|", table, re.MULTILINE)
    trees = [[parse(each.replace("\\|", "|")) for each in row if each] for row in written if row[0] != "( )"]
    assert [{type(tree) for tree in row} for row in trees] == [{Chain}, {Filter}, {Weighted}]
    assert trees[0][0] == trees[0][1]
    (mixed,) = re.findall(r"then a sum: `([^`]+)`", table)
    assert parse(mixed) == parse("public_examples | ((0.5*z(a) + z(b)) > c)")
    (quoted,) = re.findall(r"^`\"(.+)\"`\. In Python", table, re.MULTILINE)
    assert parse(quoted) == Chain((Named("/my ideas/a.py:f"), Named("mean_logprob")))
