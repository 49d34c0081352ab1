"""Which blocks a segment of a prompt reads, by a formula that is written out here once more."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import ScoreOptions
from codesample.policies.prefill.criti import Criti, criticality
from codesample.policies.prefill.prefill_policy import PrefillAsk, Stretch

HEADS, KV_HEADS, WIDTH = 6, 2, 8


def ask(tokens: int, *, begin: int = 0, layer: int = 3, stop: int | None = None, seed: int = 0) -> PrefillAsk:
    generator = torch.Generator().manual_seed(seed)
    queries = torch.randn(HEADS, tokens - begin, WIDTH, generator=generator, dtype=torch.float64)
    keys = torch.randn(KV_HEADS, tokens, WIDTH, generator=generator, dtype=torch.float64)
    return PrefillAsk(0, layer, queries, keys, tokens if stop is None else stop, ScoreOptions())


def written_out(asked: PrefillAsk, own: int, size: int, block: int) -> Tensor:
    """Return [G, own // block], softmax of a segment's scores."""
    found = torch.zeros(KV_HEADS, own // block, dtype=torch.float64)
    group = HEADS // KV_HEADS
    for kv in range(KV_HEADS):
        for b in range(own // block):
            keys = asked.keys[kv, b * block : (b + 1) * block]
            high, low = keys.amax(0), keys.amin(0)
            for head in range(kv * group, (kv + 1) * group):
                q = asked.queries[head, own - asked.begin : own + size - asked.begin]
                up = (q.amax(0) @ high + q.amin(0) @ high) / 2
                down = (q.amax(0) @ low + q.amin(0) @ low) / 2
                found[kv, b] += torch.maximum(up, down) / group / WIDTH**0.5
    return found.softmax(1)


def test_a_segment_reads_the_blocks_of_highest_score_and_itself() -> None:
    policy = Criti(budget=12, segment=8, block=4, threshold=16, guard=0)
    asked = ask(64)
    first, *others, last = policy.begin().stretches(asked)
    assert first[:3] == (0, 16, 0)
    assert first.earlier is None
    assert [each[:3] for each in others] == [(own, own + 8, own) for own in range(16, 56, 8)]
    # the last segment reads everything
    assert last == Stretch(56, 64)
    for each in others:
        best = written_out(asked, each.own, 8, 4).topk(3, dim=1).indices.sort(dim=1).values
        expected = (best[..., None] * 4 + torch.arange(4)).flatten(1)
        assert each.earlier is not None
        assert torch.equal(each.earlier, expected)


def test_scores_of_a_layer_go_on_into_the_next_from_the_third_on() -> None:
    policy = Criti(budget=4, segment=8, block=4, threshold=0, guard=0, layer_skip=1)
    run = policy.begin()
    asked = [ask(40, layer=layer, seed=layer) for layer in range(4)]
    assert run.stretches(asked[0]) == [Stretch(0, 40)]
    scores = [written_out(each, 16, 8, 4) for each in asked]
    fused = scores[1]
    for layer in (1, 2, 3):
        if layer > 1:
            fused = 0.25 * fused + 0.75 * scores[layer]
        stretch = next(each for each in run.stretches(asked[layer]) if each.own == 16)
        assert stretch.earlier is not None
        assert torch.equal(stretch.earlier[:, 0] // 4, fused.argmax(dim=1))


def test_a_budget_that_holds_everything_leaves_nothing_out() -> None:
    policy = Criti(budget=64, segment=8, block=4, threshold=0, guard=0, layer_skip=0)
    assert policy.begin().stretches(ask(64)) == [Stretch(0, 64)]


def test_what_a_segment_reads_does_not_depend_on_where_a_pass_is_cut() -> None:
    policy = Criti(budget=8, segment=8, block=4, threshold=0, guard=0)
    whole = ask(72)
    together = policy.begin().stretches(whole)
    later = whole._replace(queries=whole.queries[:, 24:])
    earlier = whole._replace(queries=whole.queries[:, :24], keys=whole.keys[:, :24])
    apart = [*policy.begin().stretches(earlier), *policy.begin().stretches(later)]
    assert [each[:3] for each in together if each.own] == [each[:3] for each in apart if each.own]
    for one, other in zip(*([e for e in part if e.own] for part in (together, apart)), strict=True):
        assert torch.equal(one.earlier, other.earlier)
    assert policy.step == 8


def test_a_pass_that_begins_inside_a_segment_chooses_by_the_queries_it_has() -> None:
    policy = Criti(budget=8, segment=8, block=4, threshold=0, guard=0)
    found = policy.begin().stretches(ask(40, begin=19, stop=100))
    assert [each[:3] for each in found] == [(19, 24, 16), (24, 32, 24), (32, 40, 32)]
    assert all(each.earlier is not None and int(each.earlier.max()) < each.own for each in found)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_large_scores_and_half_precision_stay_finite(dtype: torch.dtype) -> None:
    asked = ask(64)
    asked = asked._replace(queries=(asked.queries * 60).to(dtype), keys=(asked.keys * 60).to(dtype))
    found = Criti(budget=8, segment=8, block=4, threshold=0, guard=0).begin().stretches(asked)
    assert all(len(row.unique()) == 8 for each in found if each.earlier is not None for row in each.earlier)


def test_a_short_last_block_is_left_to_its_segment() -> None:
    middles, keys = torch.ones(2, 1, 4), torch.ones(1, 10, 4)
    assert criticality(middles, keys, block=4, scale=1.0).shape == (1, 1, 2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"segment": 48}, "segment = 48: expected a multiple of block = 32"),
        ({"budget": 31}, "budget = 31: expected at least one block of 32"),
        ({"budget": 0}, "budget = 0: expected at least 1"),
        ({"guard": -1}, "guard = -1: expected at least 0"),
        ({"layer_skip": 0.5}, "layer_skip = 0.5"),
        ({"audit": True}, "audit = True"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(given: dict, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        Criti(**given)


def test_prompts_below_32k_are_left_alone_by_default() -> None:
    assert Criti().guard == 32768
