"""The error identity: what is left out tells by how much an output is wrong, to rounding."""

import pytest
import torch

from codesample.kernels.bifurcated_decode import ScoreOptions
from codesample.policies.contract import Ask, Choice, PseudoKeys
from codesample.policies.missed_mass import Unread, missed_mass, unread_of

SCORES = ScoreOptions()


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Attend q [R, H, D] to k, v [H, N, D]: out [R, H, D] and lse [R, H]."""
    logits = torch.einsum("rhd,hnd->rhn", q, k) / q.shape[2] ** 0.5
    return torch.einsum("rhn,hnd->rhd", logits.softmax(dim=2), v), logits.logsumexp(dim=2)


@pytest.mark.parametrize("spread", [1.0, 8.0])
@pytest.mark.parametrize("heads", [(4, 2), (3, 3), (6, 1)])
def test_the_error_of_an_output_is_its_missed_mass_times_a_distance(
    spread: float, heads: tuple[int, int]
) -> None:
    query_heads, kv_heads = heads
    queries = spread * draw(3, 1, query_heads, 8)
    keys, values = draw(kv_heads, 30, 8, seed=1), draw(kv_heads, 30, 8, seed=2)
    own_k, own_v = draw(query_heads, 4, 8, seed=3), draw(query_heads, 4, 8, seed=4)
    # heads keep different tokens, and not as many
    kept = torch.full((kv_heads, 9), -1)
    for head in range(kv_heads):
        count = 9 - head % 2
        order = torch.randperm(30, generator=torch.Generator().manual_seed(head))[:count]
        kept[head, :count] = order.sort().values
    ask = Ask(queries, keys, values, SCORES)
    k, v = (x.repeat_interleave(query_heads // kv_heads, 0) for x in (keys, values))
    for row in range(3):
        for head in range(query_heads):
            mine = kept[head // (query_heads // kv_heads)]
            read = torch.zeros(30, dtype=torch.bool)
            read[mine[mine >= 0]] = True
            q = queries[row : row + 1, 0, head : head + 1]

            def over(which: torch.Tensor, *, own: bool, head: int = head, q: torch.Tensor = q):
                own_part = [own_k[head], own_v[head]] if own else [own_k[head][:0], own_v[head][:0]]
                joined = [
                    torch.cat([shared[head][which], mine])[None]
                    for shared, mine in zip((k, v), own_part, strict=True)
                ]
                return attend(q, *joined)

            exact, _ = over(torch.ones_like(read), own=True)
            approximate, lse = over(read, own=True)
            dropped, _ = over(~read, own=False)
            unread = unread_of(ask, Choice(kept, 0))
            part = Unread(*(x[row, 0, head][None, None, None] for x in unread))
            mass = missed_mass(part, lse[..., None])[0, 0, 0]
            error, wanted = exact - approximate, mass * (dropped - approximate)
            torch.testing.assert_close(error, wanted, rtol=0, atol=1e-12)


def test_nothing_left_out_misses_nothing() -> None:
    ask = Ask(draw(2, 1, 4, 8), draw(2, 5, 8), draw(2, 5, 8), SCORES)
    everything = Choice(torch.arange(5).expand(2, -1), 0)
    for unread in (unread_of(ask, None), unread_of(ask, everything)):
        assert (missed_mass(unread, torch.zeros(2, 1, 4)) == 0).all()


def test_what_stands_for_the_rest_is_taken_for_nothing_read() -> None:
    queries, keys, values = draw(2, 1, 2, 8), draw(2, 12, 8, seed=1), draw(2, 12, 8, seed=2)
    ask = Ask(queries, keys, values, SCORES)
    tokens = torch.arange(5).expand(2, -1)
    rest = PseudoKeys(draw(2, 3, 8, seed=5), draw(2, 3, 8, seed=6), draw(2, 3, seed=7))
    plain = unread_of(ask, Choice(tokens, 0))
    filled = unread_of(ask, Choice(tokens, 0, rest))
    read = torch.einsum("rhd,hnd->rhn", queries[:, 0], keys[:, :5]) / 8**0.5
    stands = torch.einsum("rhd,hnd->rhn", queries[:, 0], rest.k) / 8**0.5 + rest.bias
    without = read.logsumexp(dim=2)[:, None]
    together = torch.cat([read, stands], dim=2).logsumexp(dim=2)[:, None]
    torch.testing.assert_close(
        missed_mass(filled, together), missed_mass(plain, without), rtol=1e-12, atol=1e-14
    )


def test_logits_of_200_give_numbers() -> None:
    ask = Ask(400 * draw(2, 1, 4, 8).float(), draw(2, 9, 8).float(), draw(2, 9, 8).float(), SCORES)
    unread = unread_of(ask, Choice(torch.tensor([[0, 1], [4, -1]]), 0))
    assert unread.left_out.abs().max() > 200
    mass = missed_mass(unread, torch.full((2, 1, 4), -250.0))
    assert mass.isfinite().all()
    assert ((mass >= 0) & (mass <= 1)).all()
