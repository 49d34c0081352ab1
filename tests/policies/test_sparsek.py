"""SPARSEK as a policy: by a checkpoint's own scores, by votes as an experiment, and by nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from codesample.errors import ParameterError
from codesample.policies.contract import ModelFacts
from codesample.policies.learned_scores import learned_scorers
from codesample.policies.sparsek import Sparsek
from codesample.policies.sparsek_projection import sparsek
from codesample.testing.policies import PolicyCase, check_policy

CONFIG = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 8}
WEIGHTS = {f"model.layers.{layer}.self_attn.w_s.weight": torch.ones(2, 8) for layer in range(2)}
LEARNED = Sparsek(keep=0.2, recent=40)
VOTES = replace(LEARNED, scores="votes")


@pytest.mark.parametrize("policy", [LEARNED, VOTES, Sparsek(), Sparsek(keep=1.0), replace(VOTES, recent=0)])
def test_conforms(policy: Sparsek) -> None:
    check_policy(lambda: policy)


def test_learned_scores_choose_once_and_gate_what_they_choose() -> None:
    case = PolicyCase(tokens=300)
    layer, _ = case.stored()
    (state, _) = LEARNED.prepare(case.stored())
    choice = LEARNED.select(case.ask(layer), state)
    assert choice is state
    assert choice is not None
    assert choice.steps is not None
    assert choice.steps > 10**9
    assert choice.scored_bytes == 0
    assert layer.learned is not None
    assert choice.gate is not None
    weights = sparsek(layer.learned[:, :260], 20).weights
    for head in range(2):
        filled = choice.tokens[head] >= 0
        tokens, gate = choice.tokens[head][filled], choice.gate[head][filled]
        older = tokens < 260
        assert tokens[older].tolist() == (weights[head] > 0).nonzero()[:, 0].tolist()
        assert tokens[~older].tolist() == list(range(260, 300))
        torch.testing.assert_close(gate[older], weights[head][weights[head] > 0])
        assert (gate[~older] == 1).all()
        assert float(gate[older].sum()) == pytest.approx(20)


def test_votes_read_the_keys_and_gate_nothing() -> None:
    case = PolicyCase(tokens=300)
    layer = case.stored()[0]
    choice = VOTES.select(case.ask(layer), None)
    assert choice is not None
    assert choice.gate is None
    assert choice.steps is None
    assert choice.scored_bytes == layer.keys[:, :260].nbytes
    # soft: no fewer than were asked for
    assert (choice.tokens >= 0).sum(dim=1).min() >= 60
    assert choice.tokens.shape[1] < 200


def test_what_is_all_is_left_alone() -> None:
    case = PolicyCase(tokens=41)
    for policy in (LEARNED, VOTES):
        (state, _) = policy.prepare(case.stored())
        assert policy.select(case.ask(case.stored()[0]), state) is None


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"model.layers.0.self_attn.w_s.weight": torch.ones(2, 8)},
        {name: torch.ones(3, 8) for name in WEIGHTS},
        {name.replace("w_s", "w_k"): value for name, value in WEIGHTS.items()},
    ],
)
def test_a_checkpoint_without_scores_is_refused_with_what_to_do(tensors: dict) -> None:
    facts = ModelFacts("it", CONFIG, tensors)
    with pytest.raises(ParameterError, match=r"'it' has no scores of its own .*w_s.*sparsek\(scores=votes\)"):
        Sparsek().fitted(facts)
    assert Sparsek(scores="votes").fitted(facts) == Sparsek(scores="votes")


@pytest.mark.parametrize("form", ["{}", "base_model.{}"])
@pytest.mark.parametrize("end", ["", ".weight"])
def test_a_checkpoint_with_scores_is_served(form: str, end: str) -> None:
    tensors = {form.format(name.removesuffix(".weight") + end): value for name, value in WEIGHTS.items()}
    facts = ModelFacts("it", CONFIG, tensors)
    assert Sparsek().fitted(facts) == Sparsek()
    assert [each.module for each in learned_scorers(facts).values()] == [
        form.format(f"model.layers.{layer}.self_attn") for layer in range(2)
    ]


def test_it_says_when_it_is_an_experiment() -> None:
    assert "experiment" in Sparsek(scores="votes").notice
    assert Sparsek().notice == ""


def test_a_layer_that_gave_no_scores_is_named() -> None:
    layer = PolicyCase().stored()[1]._replace(learned=None)
    with pytest.raises(ParameterError, match="layer 1 gave its tokens no scores"):
        LEARNED.prepare([layer])


@pytest.mark.parametrize("changes", [{"recent": -1}, {"scores": "mine"}, {"keep": 0}])
def test_settings_outside_their_range_are_refused(changes: dict) -> None:
    with pytest.raises(ParameterError, match=f"{next(iter(changes))} = "):
        Sparsek(**changes)
