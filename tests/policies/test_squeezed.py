"""Squeezed: one threshold over all layers and heads, and the mass that it leaves out at most."""

import pytest
import torch

from codesample.errors import ParameterError
from codesample.policies.contract import StoredLayer
from codesample.policies.row_scores import pooled_rows, row_logits
from codesample.policies.squeezed import Squeezed, cluster_scores
from codesample.testing.policies import PolicyCase, check_policy, kept_mass

CASE = PolicyCase(tokens=640, layers=3)


@pytest.mark.parametrize(
    "settings", [{}, {"recent": 20, "segment": 150}, {"tail": "estimate", "keep": 0.3}, {"keep": 1.0}]
)
def test_conforms(settings: dict) -> None:
    check_policy(lambda: Squeezed(**settings))


def test_a_cluster_for_every_key_scores_by_the_true_softmax_which_bounds_what_is_missed() -> None:
    squeezed = Squeezed(clusters=1.0, first=0, recent=40, rounds=0, keep=0.3)
    layers = CASE.stored(squeezed.tail_queries)
    states = squeezed.prepare(layers)
    for layer, state in zip(layers, states, strict=True):
        assert (state.clusters.sizes == 1).all()
        ask = CASE.ask(layer)
        rows = pooled_rows(ask.queries, 2)
        attention = row_logits(rows, layer.keys[:, :600], layer.scores).softmax(dim=2).mean(dim=1)
        scores = cluster_scores(rows, state.clusters, layer.scores).gather(1, state.clusters.label)
        torch.testing.assert_close(scores, attention, rtol=1e-10, atol=1e-14)
        choice = squeezed.select(ask, state)
        assert choice is not None
        dropped = 640 - (choice.tokens >= 0).sum(dim=1)
        assert (1 - kept_mass(choice, ask) <= state.threshold * dropped + 1e-9).all()


def test_the_threshold_is_one_and_keeps_the_share_over_all_layers_and_heads() -> None:
    squeezed = Squeezed(keep=0.3, first=0, recent=40)
    layers = CASE.stored(squeezed.tail_queries)
    # layers differ in how sharp they are
    layers = [layer._replace(queries=layer.queries * 4**n) for n, layer in enumerate(layers)]
    states = squeezed.prepare(layers)
    assert len({float(state.threshold) for state in states}) == 1
    kept = []
    for layer, state in zip(layers, states, strict=True):
        rows = pooled_rows(layer.queries.transpose(0, 1)[:, None], 2)
        read = cluster_scores(rows, state.clusters, layer.scores) > state.threshold
        kept.append((read * state.clusters.sizes).sum(dim=1) + 40)
    share = torch.stack(kept).double().mean() / 640
    # up to one cluster
    assert abs(share - 0.3) < 0.03
    assert torch.stack(kept).unique().numel() > 1


def test_the_last_tokens_are_always_read_and_no_threshold_reads_all() -> None:
    squeezed = Squeezed(keep=0.05, recent=64)
    layer = CASE.stored(64)[0]
    (state,) = squeezed.prepare([layer])
    choice = squeezed.select(CASE.ask(layer), state)
    assert choice is not None
    for tokens in choice.tokens.tolist():
        assert {0, 1, 2, 3, *range(576, 640)} <= set(tokens)
    below = state._replace(threshold=torch.tensor(-1.0))
    assert squeezed.select(CASE.ask(layer), below) is None


def test_a_first_token_that_heads_rest_on_is_read() -> None:
    layer = CASE.stored(64)[0]
    keys = layer.keys.clone()
    # all queries look for it, and its cluster is that of keys of another length
    keys[:, 0] = 3 * CASE.ask(layer).queries.mean(dim=(0, 1)).view(2, 3, 32).mean(dim=1)
    layer = layer._replace(keys=keys)
    for first, least in ((0, 0.0), (1, 0.9)):
        squeezed = Squeezed(keep=0.12, first=first, recent=64, clusters=0.004)
        choice = squeezed.select(CASE.ask(layer), squeezed.prepare([layer])[0])
        assert (kept_mass(choice, CASE.ask(layer)) > least).all()
        assert all(0 in tokens for tokens in choice.tokens.tolist()) or first == 0  # type: ignore[union-attr]


def test_the_estimate_stands_for_clusters_that_are_not_read_alone() -> None:
    squeezed = Squeezed(keep=0.2, tail="estimate", recent=20)
    layer = CASE.stored(20)[0]
    (state,) = squeezed.prepare([layer])
    choice = squeezed.select(CASE.ask(layer), state)
    assert choice is not None
    assert choice.rest is not None
    counts = choice.rest.bias.exp().round().sum(dim=1) + (choice.tokens >= 0).sum(dim=1)
    assert (counts == 640).all()
    for head in range(2):
        for number in (choice.rest.bias[head] > float("-inf")).nonzero().flatten().tolist():
            mine = state.clusters.label[head] == number
            expected = layer.values[head, 4:620][mine].mean(dim=0)
            torch.testing.assert_close(choice.rest.v[head, number], expected)


def test_the_estimate_comes_nearer_to_the_exact_output() -> None:
    errors = {}
    for tail in ("drop", "estimate"):
        squeezed = Squeezed(keep=0.15, tail=tail, recent=20)
        layer = CASE.stored(20)[0]
        (state,) = squeezed.prepare([layer])
        ask = CASE.ask(layer)
        rows, choice = pooled_rows(ask.queries, 2), squeezed.select(ask, state)
        assert choice is not None
        exact = row_logits(rows, layer.keys, layer.scores).softmax(dim=2) @ layer.values
        at = choice.tokens.clamp_min(0)[..., None].expand(-1, -1, 32)
        k, v = layer.keys.gather(1, at), layer.values.gather(1, at)
        logits = row_logits(rows, k, layer.scores).masked_fill((choice.tokens < 0)[:, None], float("-inf"))
        if choice.rest is not None:
            more = row_logits(rows, choice.rest.k, layer.scores) + choice.rest.bias[:, None]
            logits, v = torch.cat([logits, more], dim=2), torch.cat([v, choice.rest.v], dim=1)
        errors[tail] = float((logits.softmax(dim=2) @ v - exact).norm() / exact.norm())
    assert errors["estimate"] < 0.8 * errors["drop"], errors


@pytest.mark.parametrize("tokens", [1, 30, 100, 104, 105])
def test_prompts_of_about_the_last_tokens_alone_are_read(tokens: int) -> None:
    case = PolicyCase(tokens=tokens)
    layers = case.stored(100)
    squeezed = Squeezed(keep=0.5)
    states = squeezed.prepare(layers)
    choice = squeezed.select(case.ask(layers[0]), states[0])
    assert choice is None if tokens <= 104 else choice is None or choice.tokens.shape[1] >= 104


def test_overflowing_scores_set_a_threshold_all_the_same() -> None:
    case = PolicyCase(spread=200.0, dtype=torch.float32)
    layers = case.stored(100)
    assert isinstance(layers[0], StoredLayer)
    states = Squeezed().prepare(layers)
    assert all(bool(state.threshold.isfinite()) for state in states)


@pytest.mark.parametrize(
    "settings", [{"tail": "keep"}, {"clusters": 0}, {"first": -1}, {"recent": 0}, {"seed": -1}]
)
def test_settings_outside_their_range_are_refused(settings: dict) -> None:
    with pytest.raises(ParameterError, match=f"{next(iter(settings))} = "):
        Squeezed(**settings)
