"""Clusters: every key has one, pieces do not mix, empty ones hurt nobody, and seeds repeat."""

import pytest
import torch
import torch.nn.functional as F

from codesample.policies.segment_kmeans import cluster


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


SETTINGS = {"share": 0.1, "piece": 64, "rounds": 10, "seed": 0}


@pytest.mark.parametrize("tokens", [1, 63, 64, 65, 200])
def test_every_key_has_a_cluster_of_its_piece(tokens: int) -> None:
    keys = draw(2, tokens, 8)
    found = cluster(keys, **SETTINGS)
    assert found.label.shape == (2, tokens)
    assert (found.sizes.sum(dim=1) == tokens).all()
    for head in range(2):
        for number in range(found.sizes.shape[1]):
            mine = found.label[head] == number
            assert mine.sum() == found.sizes[head, number]
            if mine.any():
                torch.testing.assert_close(found.centre[head, number], keys[head][mine].mean(dim=0))
                where = mine.nonzero().flatten()
                assert where.max() - where.min() < 64
    torch.testing.assert_close(found.means(keys), found.centre)


def test_keys_go_to_the_centre_of_nearest_direction() -> None:
    # a few directions, of very different lengths
    topics, lengths = draw(1, 5, 16), draw(1, 100, 1, seed=2).exp()
    of = torch.arange(100) % 5
    keys = lengths * (topics[:, of] + 0.01 * draw(1, 100, 16, seed=1))
    found = cluster(keys, share=0.2, piece=100, rounds=20, seed=0)
    for topic in range(5):
        assert not set(found.label[0, of == topic].tolist()) & set(found.label[0, of != topic].tolist())
    spread = F.normalize(found.centre, dim=2)
    assert spread.isfinite().all()


def test_equal_keys_leave_clusters_empty_and_give_numbers() -> None:
    found = cluster(draw(1, 1, 8).expand(1, 50, 8), share=0.2, piece=64, rounds=10, seed=0)
    assert (found.sizes > 0).sum() == 1
    assert found.centre.isfinite().all()
    zeros = cluster(torch.zeros(1, 20, 4), share=0.2, piece=64, rounds=3, seed=0)
    assert zeros.centre.isfinite().all()


def test_a_seed_repeats_and_another_does_not() -> None:
    keys = draw(2, 200, 8)
    first, again = cluster(keys, **SETTINGS), cluster(keys, **SETTINGS)
    assert all(map(torch.equal, first, again))
    other = cluster(keys, **SETTINGS | {"seed": 1})
    assert not torch.equal(first.label, other.label)


def test_heads_are_clustered_as_if_each_were_alone() -> None:
    keys = draw(3, 150, 8)
    together = cluster(keys, **SETTINGS)
    for head in range(3):
        assert torch.equal(cluster(keys[head : head + 1], **SETTINGS).label[0], together.label[head])


def test_no_keys_have_no_clusters() -> None:
    found = cluster(draw(2, 0, 8), **SETTINGS)
    assert found.sizes.shape == (2, 0)
    assert found.centre.shape == (2, 0, 8)
