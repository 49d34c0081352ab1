"""Scores of pooled rows: which KV head a query head reads, sums that fit no memory, and large logits."""

import pytest
import torch

from codesample.kernels.bifurcated_decode import ScoreOptions
from codesample.policies import row_scores
from codesample.policies.row_scores import log_total, pooled_rows, row_logits, token_votes

SCORES = ScoreOptions()


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_query_heads_of_one_kv_head_stand_together() -> None:
    queries = draw(3, 2, 6, 4)
    rows = pooled_rows(queries, 2)
    assert rows.shape == (2, 18, 4)
    for kv_head in range(2):
        expected = queries[:, :, 3 * kv_head : 3 * kv_head + 3].permute(2, 0, 1, 3).reshape(18, 4)
        assert torch.equal(rows[kv_head], expected)
    # what h mod G would give
    assert not torch.equal(rows[0], queries[:, :, 0::2].permute(2, 0, 1, 3).reshape(18, 4))


@pytest.mark.parametrize("scratch", [1, 5_000, 1 << 30])
def test_votes_and_totals_are_those_of_one_softmax(scratch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_scores, "_SCRATCH_BYTES", scratch)
    rows, keys = draw(2, 5, 8), draw(2, 37, 8, seed=1)
    logits = (rows @ keys.transpose(1, 2)) / 8**0.5
    found = token_votes(rows, keys, SCORES)
    torch.testing.assert_close(found.votes, logits.softmax(dim=2).sum(dim=1), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(log_total(rows, keys, SCORES), logits.logsumexp(dim=2), rtol=1e-13, atol=0)
    assert found.read_bytes == keys.nbytes * (1 if scratch > 1e6 else 2)


def test_scale_and_cap_are_the_layers_own() -> None:
    rows, keys = draw(1, 3, 4), draw(1, 5, 4, seed=1)
    plain = rows @ keys.transpose(1, 2)
    torch.testing.assert_close(row_logits(rows, keys, ScoreOptions(scale=0.3)), 0.3 * plain)
    capped = row_logits(rows, keys, ScoreOptions(scale=1.0, softcap=2.0))
    torch.testing.assert_close(capped, 2 * torch.tanh(plain / 2))


def test_large_logits_and_no_keys_give_numbers() -> None:
    rows, keys = 300 * draw(2, 4, 8).float(), draw(2, 9, 8, seed=1).float()
    assert row_logits(rows, keys, SCORES).abs().max() > 200
    votes = token_votes(rows, keys, SCORES).votes
    assert votes.isfinite().all()
    torch.testing.assert_close(votes.sum(dim=1), torch.full((2,), 4.0))
    assert (log_total(rows, keys[:, :0], SCORES) == float("-inf")).all()
    assert token_votes(rows, keys[:, :0], SCORES).votes.shape == (2, 0)


def test_low_precision_is_widened() -> None:
    assert pooled_rows(draw(1, 1, 2, 4).bfloat16(), 1).dtype == torch.float32
    assert pooled_rows(draw(1, 1, 2, 4), 1).dtype == torch.float64
