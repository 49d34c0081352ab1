"""Block patterns: the published mask, to its offset; what a decode step gathers is a row of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import BlockPattern, ScoreOptions, stated_pattern
from codesample.policies.contract import Ask, ModelFacts
from codesample.policies.missed_mass import unread_of
from codesample.policies.pattern import Pattern
from codesample.testing.policies import PolicyCase, check_policy

CONFIG = {
    "blocksparse_block_size": 64,
    "blocksparse_num_local_blocks": 16,
    "blocksparse_vert_stride": 8,
    "dense_attention_every_n_layers": 2,
    "blocksparse_homo_head_pattern": False,
}
SMALL = Pattern(block_size=8, local_blocks=3, vert_stride=4, ablation=True)


def row_of(pattern: BlockPattern, head: int, heads: int, i: int) -> list[int]:
    """Return the keys that a query at position i sees, number by number."""
    size = pattern.block_size
    shift = 1 + (0 if pattern.homo_head else head * max(1, pattern.vert_stride // heads))
    return [
        j
        for j in range(i + 1)
        if i // size - j // size < pattern.local_blocks or (j // size + shift) % pattern.vert_stride == 0
    ]


def ask(tokens: int, positions: list[list[int]], heads: tuple[int, int] = (6, 2), start: int = 0) -> Ask:
    query_heads, kv_heads = heads
    at = torch.tensor(positions)
    queries = torch.randn(*at.shape, query_heads, 8, dtype=torch.float64)
    keys, values = torch.randn(2, kv_heads, tokens, 8, dtype=torch.float64)
    return Ask(queries, keys, values, ScoreOptions(), at, start)


@pytest.mark.parametrize("settings", [{}, {"homo_head": True}, {"vert_stride": 2, "local_blocks": 1}])
def test_conforms(settings: dict) -> None:
    check_policy(lambda: replace(SMALL, **settings))


@pytest.mark.parametrize("homo_head", [False, True])
@pytest.mark.parametrize("heads", [(6, 2), (4, 4), (3, 1)])
def test_what_a_step_gathers_is_a_row_of_the_prefill_mask(heads: tuple[int, int], homo_head: bool) -> None:
    policy = replace(SMALL, homo_head=homo_head)
    query_heads, kv_heads = heads
    # a header of 13 tokens lies before the run, and rows have drawn different numbers of tokens
    asked = ask(87, [[100, 101], [103, 104], [119, 118]], heads, start=13)
    choice = policy.select(asked, False)
    assert choice is not None
    assert choice.seen is not None
    seen = choice.seen.expand(kv_heads, query_heads // kv_heads, 3, 2, -1)
    assert asked.positions is not None
    for h in range(query_heads):
        g, p = divmod(h, query_heads // kv_heads)
        for row in range(3):
            for query in range(2):
                read = choice.tokens[g][seen[g, p, row, query] & (choice.tokens[g] >= 0)]
                wanted = row_of(policy.pattern, h, query_heads, int(asked.positions[row, query]))
                assert read.tolist() == [j - 13 for j in wanted if 13 <= j < 100]
    # nobody's block ends sooner
    assert choice.steps == 8 - 119 % 8


def test_the_offset_of_the_stripes_is_that_of_released_models() -> None:
    pattern = BlockPattern(1, 1, 8)
    sees = pattern.sees(torch.tensor([100]), torch.arange(100), 32)
    assert sees[0, 0].nonzero()[:, 0].tolist() == list(range(7, 100, 8))
    assert sees[1, 0].nonzero()[:, 0].tolist() == list(range(6, 100, 8))
    # eight neighbours cover all, one an eighth
    assert sees[:8].any(dim=0)[0].all()
    assert pattern._replace(homo_head=True).sees(torch.tensor([100]), torch.arange(100), 32)[5, 0].sum() == 12


def test_few_tokens_are_read_whole_and_so_are_dense_layers() -> None:
    assert SMALL.select(ask(24, [[23]]), False) is None
    assert SMALL.select(ask(24, [[24]]), False) is not None
    assert SMALL.select(ask(200, [[200]]), True) is None
    layers = PolicyCase(layers=5).stored()
    assert replace(SMALL, dense_every=2).prepare(layers) == [False, True, False, True, False]
    assert SMALL.prepare(layers) == [False] * 5


def test_what_a_head_does_not_see_is_missed_though_a_neighbour_reads_it() -> None:
    asked = ask(87, [[100]], start=13)
    choice = SMALL.select(asked, False)
    assert choice is not None
    mask = torch.zeros(6, 87, dtype=torch.bool)
    for h in range(6):
        mask[h, [j - 13 for j in row_of(SMALL.pattern, h, 6, 100) if 13 <= j < 100]] = True
    logits = torch.einsum("hd,hnd->hn", asked.queries[0, 0], asked.keys.repeat_interleave(3, 0)) / 8**0.5
    wanted = logits.masked_fill(mask, float("-inf")).logsumexp(dim=1)
    torch.testing.assert_close(unread_of(asked, choice).left_out[0, 0], wanted, rtol=1e-12, atol=1e-12)


def test_a_checkpoint_that_states_a_pattern_is_read_by_it() -> None:
    policy = Pattern().fitted(ModelFacts("phi", CONFIG, {}))
    assert policy.pattern == BlockPattern(64, 16, 8, False, 2)
    assert policy.longest_own == 15 * 64 + 1
    assert "ablation=false, block_size=64, dense_every=2" in policy.spelt
    assert policy.notice == ""
    # and again, as after a change of the model
    assert policy.fitted(ModelFacts("phi", CONFIG, {})) == policy
    assert Pattern(block_size=64).fitted(ModelFacts("phi", CONFIG, {})) == policy


@pytest.mark.parametrize(
    ("policy", "config", "said"),
    [
        (Pattern(), {}, "'it' states no pattern .*blocksparse_block_size.*pattern\\(ablation=true\\)"),
        (Pattern(ablation=True), CONFIG, "'it' states a pattern of its own; leave ablation out"),
        (Pattern(block_size=32), CONFIG, "trained with block_size=64.*got block_size=32"),
        (Pattern(), CONFIG | {"blocksparse_vert_stride": 0}, "blocksparse_vert_stride = 0; expected"),
        (Pattern(), CONFIG | {"blocksparse_block_size": None}, "blocksparse_block_size = None"),
    ],
)
def test_what_would_be_silently_wrong_is_refused(policy: Pattern, config: dict, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        policy.fitted(ModelFacts("it", config, {}))


def test_an_ablation_says_what_it_is() -> None:
    policy = Pattern(ablation=True, block_size=32).fitted(ModelFacts("it", {}, {}))
    assert policy.pattern == BlockPattern(32, 16, 8)
    assert "ablation=true, block_size=32" in policy.spelt
    assert "not trained" in policy.notice
    assert policy.longest_own is None
    assert stated_pattern({}) is None


@pytest.mark.parametrize("settings", [{"block_size": -1}, {"guard": -1}, {"audit": -1}])
def test_settings_outside_their_range_are_refused(settings: dict) -> None:
    with pytest.raises(ParameterError, match=f"{next(iter(settings))} = "):
        Pattern(**settings)
