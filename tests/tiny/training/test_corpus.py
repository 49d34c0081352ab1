"""The generated corpus: repeatable, true to its examples, and disjoint from the mini task."""

from __future__ import annotations

import random
import re
from functools import cache

import pytest

from codesample.tiny.training.composition import MIXES, draw_composition
from codesample.tiny.training.corpus import Function, HeldOut, generate, load_held_out
from codesample.tiny.training.normalise import normal_forms
from codesample.tiny.training.train import TrainOptions

SAMPLE = 1500
EXAMPLE = re.compile(r"^    >>> (.*)\n    (.*)$", re.MULTILINE)
NOTHING = HeldOut(frozenset(), frozenset(), frozenset())


@pytest.fixture(scope="module")
def functions() -> list[Function]:
    return list(generate(SAMPLE, seed=TrainOptions().seed))


@pytest.fixture(scope="module")
def plain_functions() -> list[Function]:
    return list(generate(SAMPLE, seed=1, mix="plain"))


@cache
def results() -> dict[tuple[str, str], str]:
    """Return the type that each stage makes of a type, learnt from drawn compositions."""
    learnt: dict[tuple[str, str], str] = {}
    for mix in MIXES.values():
        rng = random.Random(0)
        for _ in range(20_000):
            drawn = draw_composition(rng, mix)
            for kind, stage, result in zip(drawn.types, drawn.stages, drawn.types[1:], strict=False):
                learnt[kind, stage.key] = result
    return learnt


def parts_of(signature: str) -> set[str]:
    """Return the signatures of all contiguous parts of a composition, itself included."""
    kind, *stages = signature.split(" > ")
    parts: set[str] = set()
    for at, stage in enumerate(stages):
        parts |= {" > ".join([kind, *stages[at:end]]) for end in range(at + 1, len(stages) + 1)}
        # these keep the type, and there are too many choices to draw all
        kind = kind if stage.startswith(("filter.", "choose.")) else results()[kind, stage]
    return parts


def assert_disjoint_from_mini(functions: list[Function]) -> None:
    held = load_held_out()
    for function in functions:
        text, tree = normal_forms(function.prompt + function.body)
        assert text not in held.texts, function.prompt
        assert tree not in held.trees, function.prompt + function.body
        assert not parts_of(function.signature) & held.signatures, function.signature


def assert_examples_hold(functions: list[Function]) -> None:
    for function in functions:
        namespace: dict = {}
        exec(function.prompt + function.body, namespace)
        examples = EXAMPLE.findall(function.prompt)
        assert len(examples) >= 2, function.prompt
        for call, expected in examples:
            assert repr(eval(call, namespace)) == expected, function.prompt + function.body


def test_same_seed_gives_the_same_functions(functions):
    assert list(generate(200, seed=TrainOptions().seed)) == functions[:200]


def test_another_seed_gives_other_functions(functions):
    assert list(generate(50, seed=TrainOptions().seed + 1)) != functions[:50]


def test_prompts_are_distinct(functions):
    assert len({f.prompt for f in functions}) == len(functions)


def test_prompt_has_the_published_form(functions):
    for function in functions:
        assert function.prompt.startswith(f"def {function.name}(")
        assert function.prompt.endswith('\n    """\n')
        assert all(line.startswith("    ") for line in function.body.splitlines())
        assert function.body.endswith("\n")


def test_every_example_is_what_the_code_returns(functions, plain_functions):
    assert_examples_hold(functions + plain_functions)


def test_bodies_use_loops_comprehensions_branches_and_early_returns(functions):
    bodies = [f.body for f in functions]
    patterns = (
        r"\n    for .*:\n",
        r" for \w+ in \w+ if ",
        r"        else:\n",
        r"\n        return ",
        r"\{\w+: ",
    )
    for pattern in patterns:
        assert sum(bool(re.search(pattern, body)) for body in bodies) > SAMPLE / 100, pattern


def test_parts_of_a_composition_begin_and_end_anywhere_with_the_type_that_holds_there():
    assert parts_of("words > map.len > filter.even > sum") == {
        "words > map.len",
        "words > map.len > filter.even",
        "words > map.len > filter.even > sum",
        "ints > filter.even",
        "ints > filter.even > sum",
        "ints > sum",
    }


def test_corpus_is_disjoint_from_mini(functions, plain_functions):
    assert_disjoint_from_mini(functions + plain_functions)


def test_hold_out_removes_what_would_be_generated_otherwise():
    held = load_held_out()
    rejected = [f for f in generate(5000, seed=0, held_out=NOTHING) if f.signature in held.signatures]
    assert rejected


def test_hold_out_covers_longer_compositions():
    held = HeldOut(frozenset({"ints > filter.even > map.square"}), frozenset(), frozenset())
    for function in generate(SAMPLE, seed=0, held_out=held):
        assert "filter.even > map.square" not in function.signature


def test_a_function_with_a_held_out_tree_or_text_is_left_out():
    first = next(generate(1, seed=3, held_out=NOTHING))
    text, tree = normal_forms(first.prompt + first.body)
    without_text = next(generate(1, seed=3, held_out=HeldOut(frozenset(), frozenset({text}), frozenset())))
    without_tree = next(generate(1, seed=3, held_out=HeldOut(frozenset(), frozenset(), frozenset({tree}))))
    assert first not in (without_text, without_tree)


def test_every_composition_of_mini_can_be_written_with_the_stages():
    signatures = load_held_out().signatures
    drawn = (draw_composition(random.Random(i), MIXES["plain"]) for i in range(20_000))
    known = {key for composition in drawn for key in composition.signature.split(" > ")}
    rare = {key for s in signatures for key in s.split(" > ") if key.startswith("choose.")}
    assert {key for s in signatures for key in s.split(" > ")} - rare <= known


@pytest.mark.whole
@pytest.mark.parametrize(("mix", "seed"), [("broad", 0), ("plain", 1)])
def test_whole_corpora_of_the_shipped_model_are_true_and_disjoint_from_mini(mix, seed):
    functions = list(generate(TrainOptions().functions, seed=seed, mix=mix))
    assert len(functions) == TrainOptions().functions
    assert_disjoint_from_mini(functions)
    assert_examples_hold(functions)
