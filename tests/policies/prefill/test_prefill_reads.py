"""What prompts read is counted, and what queries miss is the mass that full attention gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch

from codesample.errors import PolicyError
from codesample.kernels.bifurcated_decode import ScoreOptions
from codesample.policies.accounting import PrefillTally
from codesample.policies.prefill.criti import Criti
from codesample.policies.prefill.prefill_policy import PrefillAsk, PrefillPass, PrefillPolicy, Stretch
from codesample.policies.prefill.prefill_reads import PrefillReads, missed_by
from codesample.policies.prefill.star import Star

PLAIN = ScoreOptions()


def ask(tokens: int, *, begin: int = 0, layer: int = 0, scores: ScoreOptions = PLAIN) -> PrefillAsk:
    generator = torch.Generator().manual_seed(layer)
    queries = torch.randn(4, tokens - begin, 8, generator=generator, dtype=torch.float64)
    keys = torch.randn(2, tokens, 8, generator=generator, dtype=torch.float64)
    return PrefillAsk(0, layer, queries, keys, tokens, scores)


def follow(policy: PrefillPolicy, layers: int = 2) -> tuple[PrefillReads, PrefillTally]:
    tally = PrefillTally()
    reads = PrefillReads(policy, layers, tally)
    reads.begin()
    return reads, tally


def test_pairs_are_those_of_the_mask() -> None:
    reads, tally = follow(Star(block=10, anchor=4, tail=3, guard=0))
    for layer in range(2):
        reads.stretches(ask(40, begin=5, layer=layer))
    mask = [[k <= q and (k // 10 == q // 10 or k < 4 or q >= 37) for k in range(40)] for q in range(5, 40)]
    account = tally.account
    assert account.tokens == 35
    assert account.pairs == 2 * 2 * sum(range(6, 41))
    assert account.pairs_read == 2 * 2 * sum(map(sum, mask))
    assert account.share == account.pairs_read / account.pairs
    assert account.audit is None
    assert account.as_json()["audit"] is None


def test_runs_below_the_guard_and_layers_with_a_window_are_run_in_full() -> None:
    reads, tally = follow(Star(block=10, tail=3, guard=41))
    assert reads.stretches(ask(40)) == [Stretch(0, 40)]
    reads, tally = follow(Star(block=10, tail=3, guard=40))
    assert reads.stretches(ask(40, scores=ScoreOptions(window=3))) == [Stretch(0, 40)]
    assert tally.account.pairs == 0
    assert tally.account.share == 1
    assert len(reads.stretches(ask(40))) > 1


@pytest.mark.parametrize(
    "scores",
    [ScoreOptions(), ScoreOptions(scale=0.3, softcap=2.0), ScoreOptions(sinks=torch.tensor([1.0, -1, 2, 0]))],
)
def test_what_is_missed_is_the_mass_of_full_attention(scores: ScoreOptions) -> None:
    policy = Criti(budget=8, segment=8, block=4, threshold=0, guard=0, layer_skip=0)
    asked = ask(64, scores=scores)
    stretch = next(each for each in policy.begin().stretches(asked) if each.own == 40)
    logits = asked.queries.unflatten(0, (2, 2)) @ asked.keys[:, None].transpose(2, 3) * scores.scale_for(8)
    if scores.softcap:
        logits = scores.softcap * torch.tanh(logits / scores.softcap)
    logits = logits.masked_fill(torch.ones(64, 64).triu(1).bool(), float("-inf")).flatten(0, 1)
    if scores.sinks is not None:
        logits = torch.cat([logits, scores.sinks.double()[:, None, None].expand(-1, 64, 1)], dim=2)
    mass = logits.softmax(2)
    assert stretch.earlier is not None
    unread = torch.ones(2, 64, dtype=torch.bool).scatter(1, stretch.earlier, False)
    unread[:, 40:] = False
    expected = (mass[:, 40:48, :64] * unread.repeat_interleave(2, 0)[:, None]).sum(2).T
    got = missed_by(stretch, asked)
    assert torch.allclose(got, expected, atol=1e-12, rtol=0)
    assert got.max() > 0.01


def test_every_so_manieth_stretch_is_looked_at() -> None:
    for audit, looked_at in ((0, 0), (1, 8 * 7), (3, 8 * 2)):
        reads, tally = follow(
            Criti(budget=4, segment=8, block=4, threshold=0, guard=0, layer_skip=0, audit=audit), layers=3
        )
        reads.stretches(ask(72))
        audited = tally.account.audit
        assert (audited.queries if audited else 0) == looked_at
        if audited:
            assert 0 < audited.overall < 1
            assert len(audited.mean) == 3


@dataclass(frozen=True)
class Gappy(PrefillPolicy):
    """Forgets some tokens."""

    name = "gappy"

    def begin(self) -> PrefillPass:
        return _GappyPass()


class _GappyPass(PrefillPass):
    def stretches(self, ask: PrefillAsk) -> Sequence[Stretch]:
        return [Stretch(0, 3), Stretch(4, ask.end)]


def test_a_policy_that_forgets_tokens_is_refused() -> None:
    reads, _ = follow(Gappy())
    with pytest.raises(PolicyError, match=r"'gappy' spoke of .* expected stretches from 0 to 9"):
        reads.stretches(ask(9))
