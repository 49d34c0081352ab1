"""Fingerprints are equal while code and parameters are, and in other processes too."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codesample.rerankers.compose import then
from codesample.rerankers.contract import Reranker, reranker
from codesample.rerankers.fingerprint import fingerprint_of
from codesample.rerankers.registry import load_reranker, reranker_names

IDEA = """
from codesample import reranker
{imports}
WEIGHT = {weight}

def helper(candidate):
    return {body}

@reranker
def mine(view, candidates, ctx, *, scale: float = 1.0):
    return [WEIGHT * scale * helper(candidate) for candidate in candidates]
"""


def idea(file: Path, *, weight: Any = 1, body: str = "candidate.index", imports: str = "") -> Reranker:
    file.write_text(IDEA.format(weight=weight, body=body, imports=imports))
    return load_reranker(f"{file}:mine")


def test_a_file_that_is_read_again_gives_the_same_wherever_it_lies(tmp_path: Path) -> None:
    first = idea(tmp_path / "one.py")
    assert idea(tmp_path / "one.py").fingerprint == first.fingerprint
    (tmp_path / "sub").mkdir()
    assert idea(tmp_path / "sub" / "one.py").fingerprint == first.fingerprint


@pytest.mark.parametrize(
    "change", [{"weight": 2}, {"body": "-candidate.index"}, {"imports": "import json"}], ids=str
)
def test_an_edited_file_gives_another(tmp_path: Path, change: dict[str, Any]) -> None:
    assert idea(tmp_path / "one.py").fingerprint != idea(tmp_path / "one.py", **change).fingerprint


def test_it_is_of_the_file_as_it_was_when_it_was_asked_for_first(tmp_path: Path) -> None:
    first = idea(tmp_path / "one.py")
    before = first.fingerprint
    (tmp_path / "one.py").write_text("")
    assert first.fingerprint == before


def test_a_helper_beside_the_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_helper_of_ideas.py").write_text("BY = 1\n")
    for imports in ("import my_helper_of_ideas", "from my_helper_of_ideas import *"):
        before = idea(tmp_path / "one.py", imports=imports).fingerprint
        helper = sys.modules["my_helper_of_ideas"]
        Path(str(helper.__file__)).write_text("BY = 2\n")
        after = idea(tmp_path / "one.py", imports=imports).fingerprint
        # names that were taken over as plain values count by those
        assert (before != after) == imports.startswith("import")
        Path(str(helper.__file__)).write_text("BY = 1\n")


def test_parameters_count(tmp_path: Path) -> None:
    plain = idea(tmp_path / "one.py")
    other = plain.with_parameters(scale=2.0)
    assert plain.fingerprint != other.fingerprint
    assert plain.with_parameters(scale=2.0).fingerprint == other.fingerprint
    assert plain.with_parameters(scale=1.0).fingerprint == plain.fingerprint


def made(weight: Any, *, name: str = "made") -> Reranker:
    def scorer(view: Any, candidates: Any, ctx: Any, bias: float = 0.0) -> list[float | None]:
        return [weight * each.index + bias for each in candidates]

    return Reranker(name, scorer)


def test_what_a_function_closes_over_counts() -> None:
    assert made(1).fingerprint == made(1).fingerprint
    assert len({made(each).fingerprint for each in (1, 2, 1.0, True, "1", (1,), [1], {1}, None)}) == 9
    assert made({"a": [1, 2]}).fingerprint == made({"a": [1, 2]}).fingerprint
    assert made({"a": [1, 2]}).fingerprint != made({"a": [2, 1]}).fingerprint
    assert made({"b", "a"}).fingerprint == made({"a", "b"}).fingerprint
    assert made(1).fingerprint != made(1, name="other").fingerprint


class Weighted:
    """A scorer that is an object."""

    def __init__(self, weight: Any) -> None:
        self.weight = weight

    def __call__(self, view: Any, candidates: Any, ctx: Any) -> list[float | None]:
        return [self.weight * each.index for each in candidates]

    def method(self, view: Any, candidates: Any, ctx: Any) -> list[float | None]:
        return self(view, candidates, ctx)


def test_objects_count_by_what_they_hold() -> None:
    def of(weight: Any) -> tuple[str, str]:
        return Reranker("r", Weighted(weight)).fingerprint, Reranker("r", Weighted(weight).method).fingerprint

    assert of(1) == of(1)
    assert not set(of(1)) & set(of(2))


def test_partial_functions_count_by_what_they_are_given() -> None:
    def scorer(weight: float, view: Any, candidates: Any, ctx: Any) -> list[float | None]:
        return [weight] * len(candidates)

    found = [Reranker("r", functools.partial(scorer, weight)).fingerprint for weight in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_what_cannot_be_told_from_others_is_like_no_other() -> None:
    torch = pytest.importorskip("torch")
    for thing in (object(), torch.ones(1), torch.nn.Linear(1, 1), iter([1]), made):
        first, second = made(thing).fingerprint, made(thing).fingerprint
        assert (first == second) == (thing is made)
    circle: list[Any] = []
    circle.append(circle)
    assert made(circle).fingerprint != made(circle).fingerprint


def test_rerankers_of_rerankers_count_by_their_parts(tmp_path: Path) -> None:
    first = idea(tmp_path / "one.py")
    both = then(first, made(1))
    assert then(first, made(1)).fingerprint == both.fingerprint
    assert then(first, made(2)).fingerprint != both.fingerprint
    edited = idea(tmp_path / "one.py", weight=2)
    assert then(edited, made(1)).fingerprint != both.fingerprint


SCRIPT = """
import sys
from codesample.rerankers.registry import load_reranker
for name in sys.argv[1:]:
    print(load_reranker(name).fingerprint)
"""


def test_they_are_the_same_in_another_process(tmp_path: Path) -> None:
    names = [*reranker_names()[:4], "public_examples > mean_logprob", f"{tmp_path}/one.py:mine"]
    idea(tmp_path / "one.py", weight={"b": 1, "a": (2.5, "é")})
    here = [load_reranker(name).fingerprint for name in names]
    there = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONHASHSEED": "7"},
    )
    assert there.stdout.split() == here
    assert len(set(here)) == len(here)


NOTEBOOK = """
from codesample.rerankers.contract import reranker
FACTOR = {factor}
def helper(x):
    return FACTOR * x
class Kind:
    scale = {scale}
    def by(self, x):
        return x
@reranker
def mine(view, candidates, ctx):
    return [Kind().by(helper(each.index)) for each in candidates]
"""


def test_in_a_notebook_what_a_function_uses_tells_what_it_is() -> None:
    def cell(**values: Any) -> str:
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(NOTEBOOK.format(**values), "<cell>", "exec"), names)
        made = names["mine"]
        assert isinstance(made, Reranker)
        return made.fingerprint

    plain = {"factor": 1, "scale": 1}
    assert cell(**plain) == cell(**plain)
    assert len({cell(**plain), cell(factor=2, scale=1), cell(factor=1, scale=2)}) == 3


def test_plain_values_are_told_by_type_and_value() -> None:
    values = [0, 0.0, -0.0, False, "", b"", (), [], {}, None, "0", float("inf")]
    assert len({fingerprint_of(each) for each in values}) == len(values)
    assert fingerprint_of(1, 2) != fingerprint_of(2, 1)


def test_the_decorator_keeps_what_was_written() -> None:
    def one(view: Any, candidate: Any, ctx: Any) -> float | None:
        return 1.0

    def two(view: Any, candidate: Any, ctx: Any) -> float | None:
        return 1.0

    made = [reranker("r", per_candidate=True)(each) for each in (one, one, two)]
    assert made[0].fingerprint == made[1].fingerprint != made[2].fingerprint
