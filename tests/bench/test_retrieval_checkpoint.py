"""Problems that need their whole prompt, and the small checkpoint that is trained on their kind."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "benchmarks" / "retrieval_checkpoint.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("retrieval_checkpoint", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def passes(problem: dict[str, str], body: str) -> bool:
    space: dict[str, object] = {}
    exec(problem["prompt"] + body + problem["test"], space)
    try:
        space["check"](space[problem["entry_point"]])  # type: ignore[operator]
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("tokens", [600, 2000])
def test_what_is_asked_stands_in_one_place_and_its_reference_passes(script: ModuleType, tokens: int) -> None:
    words = script.tokenizer()
    for problem in script.problems(tokens, 5, 1):
        prompt, reference = problem["prompt"], problem["canonical_solution"]
        ids = words(prompt + reference)["input_ids"]
        assert words.decode(ids) == prompt + reference
        assert words.unk_token_id not in ids
        assert 0.8 * tokens < len(ids) <= tokens
        asked = prompt.splitlines()[-1].split()[-2:]
        assert len(set(asked)) == 2
        for name in asked:
            assert prompt.split().count(name) == 2
            assert prompt.count(f"# {name} = ") == 1
        assert passes(problem, reference)


def test_other_numbers_fail(script: ModuleType) -> None:
    (problem,) = script.problems(400, 1, 0)
    lines = problem["canonical_solution"].splitlines(keepends=True)
    for at in (0, 1):
        name, value = lines[at].split(" = ")
        wrong = [*lines]
        wrong[at] = f"{name} = {int(value) + 1}\n"
        assert not passes(problem, "".join(wrong))


def test_files_mark_each_number_that_was_looked_up(script: ModuleType) -> None:
    made = script.file_of(300, random.Random(3))
    sought = [
        piece for piece, wanted in zip(made.pieces, made.wanted, strict=True) if wanted == script.SOUGHT
    ]
    assert sought
    assert all(piece.startswith(" = ") for piece in sought)
    assert len(sought) == 2 * made.pieces.count("def")


def test_a_checkpoint_is_written_that_the_sampler_reads(script: ModuleType, tmp_path: Path) -> None:
    from codesample import Sampler

    script.train(tmp_path, seed=0, rate=1e-3, stages=((64, 2, 2),))
    (problem,) = script.problems(100, 1, 0)
    drawn = Sampler(str(tmp_path)).sample(problem["prompt"], n=2, max_new_tokens=3)
    assert len(drawn) == 2
