"""Rerankers are found by the names that their scores are kept under."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codesample.errors import UnknownNameError
from codesample.evaluation.scored_by import found_by_scores
from codesample.rerankers.registry import load_reranker
from codesample.runs import ScoreOrigin

OWN = """
from codesample import reranker

@reranker
def longest(view, candidates, ctx, *, least: int = 0):
    return [max(least, len(each.completion)) for each in candidates]
"""


def run(*places: str) -> Any:
    return SimpleNamespace(given_by={f"r{at}": ScoreOrigin(place) for at, place in enumerate(places)})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean_logprob", "mean_logprob"),
        ("longest", "FILE:longest"),
        ("longest(least=3)", "FILE:longest(least=3)"),
        ("z(longest) + mean_logprob", "z(FILE:longest) + mean_logprob"),
        ("executable | longest", "executable | FILE:longest"),
    ],
)
def test_what_is_not_installed_is_found_in_the_file_that_gave_scores(
    tmp_path: Path, name: str, expected: str
) -> None:
    file = tmp_path / "own.py"
    file.write_text(OWN)
    found, spec = found_by_scores(name, [run("codesample.rerankers.logprob"), run(f"absent.py, {file}")])
    assert spec == expected.replace("FILE", str(file))
    assert found.name == load_reranker(spec).name == str(name)


def test_what_no_file_has_stays_unknown(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    with pytest.raises(UnknownNameError, match="unknown reranker 'shortest'"):
        found_by_scores("shortest", [run(str(tmp_path / "own.py"))])
