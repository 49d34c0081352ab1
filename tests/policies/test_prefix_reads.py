"""A policy at work over a store: what is prepared, chosen, gathered, counted and measured, and when."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch

from codesample.errors import PolicyError
from codesample.kernels.bifurcated_decode import (
    DecodeBatch,
    LayerStore,
    ScoreOptions,
    Segment,
    bifurcated_decode,
    prepare_batch,
)
from codesample.policies.contract import Choice, PrefixPolicy, PseudoKeys, SparsePolicy
from codesample.policies.exact import Exact
from codesample.policies.prefix_reads import PrefixReads
from codesample.policies.registry import prefix_policy

HEADS, KV_HEADS, WIDTH = 4, 2, 8
START, LENGTH = 5, 40
RANGES = [(START, LENGTH)]


@dataclass(frozen=True)
class Fixed(SparsePolicy):
    """Reads the same tokens for every head, and keeps a list of what it was asked."""

    name = "fixed"
    keep: float = 0.5
    guard: int = 10
    tokens: tuple[int, ...] = (0, 3, 4, 39)
    asked: list[Any] = field(default_factory=list, compare=False)
    rest: PseudoKeys | None = field(default=None, compare=False)
    all_keys: bool = False

    def prepare(self, layers):
        self.asked.append(("prepare", len(layers)))
        return [torch.zeros(100, dtype=torch.float32)] * len(layers)

    def select(self, ask, state):
        self.asked.append(("select", ask))
        if self.all_keys:
            return None
        return Choice(torch.tensor(self.tokens).repeat(len(ask.keys), 1), 7, self.rest)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def layer_store(seed: int = 0) -> LayerStore:
    shared, own = (KV_HEADS, 60, WIDTH), (4, KV_HEADS, 50, WIDTH)
    return LayerStore(
        *(draw(*shape, seed=4 * seed + i) for i, shape in enumerate((shared, shared, own, own)))
    )


def batch(rows: int = 3, *, header: bool = False) -> DecodeBatch:
    segments = [Segment(START, LENGTH, 0, rows, 0)]
    own_start = LENGTH
    if header:
        segments.append(Segment(46, 12, 0, rows, LENGTH))
        own_start += 12
    return DecodeBatch.build(segments, slots=range(rows), own_starts=[own_start] * rows)


class Loop:
    """Steps layers as a decode loop does."""

    def __init__(self, policy: PrefixPolicy, layers: int = 2, scores: ScoreOptions = ScoreOptions()) -> None:  # noqa: B008
        self.layers = [layer_store(seed) for seed in range(layers)]
        self.reads, self.scores, self.steps = PrefixReads(policy, self.layers), scores, 0
        self.ranges = list(RANGES)

    def store(self) -> None:
        tails = self.reads.tails(self.ranges)
        for start, length in self.ranges:
            for layer in range(len(self.layers)):
                tails.hear(start, layer, draw(HEADS, length, WIDTH, seed=9), self.scores)
        self.reads.prepare(self.ranges, tails)

    def begin(self, laid_out: DecodeBatch) -> None:
        self.batch = self.reads.lay_out(laid_out, self.ranges)
        self.prepared = prepare_batch(self.batch, "cpu", impl="torch", selection=self.reads)

    def step(self, queries: torch.Tensor | None = None) -> list[Any]:
        rows, outputs = self.batch.rows, []
        q = draw(rows, 1, HEADS, WIDTH, seed=100 + self.steps) if queries is None else queries
        lens = torch.full((rows,), self.steps, dtype=torch.int32)
        new = draw(rows, 1, KV_HEADS, WIDTH, seed=200 + self.steps)
        for layer in self.layers:
            outputs.append(bifurcated_decode(q, new, new, layer, self.prepared, lens, self.scores))
        self.steps += 1
        return outputs


def started(policy: PrefixPolicy, laid_out: DecodeBatch | None = None, **settings: Any) -> Loop:
    loop = Loop(policy, **settings)
    loop.store()
    loop.begin(laid_out or batch())
    return loop


def test_bytes_and_tokens_are_those_that_were_read() -> None:
    policy = Fixed(refresh=3)
    loop = started(policy)
    for _ in range(7):
        loop.step()
    account, element = loop.reads.account, 8
    kept = KV_HEADS * 4 * WIDTH * element * 2
    assert account.prefixes == 1
    assert account.steps == 2 * 7
    # at steps 0, 3 and 6, in two layers
    assert account.refreshes == 2 * 3
    assert account.tokens == 2 * 7 * KV_HEADS * LENGTH
    assert account.tokens_kept == 2 * 7 * KV_HEADS * 4
    assert account.exact_bytes == 2 * 7 * KV_HEADS * LENGTH * WIDTH * element * 2
    assert account.read_bytes == 2 * 7 * kept
    assert account.gathered_bytes == 2 * 3 * kept
    assert account.scored_bytes == 2 * 3 * 7
    assert account.state_bytes == 2 * (kept + 400)
    assert account.share == (2 * 7 * kept + 2 * 3 * kept + 42) / account.exact_bytes
    assert account.audit is None


def test_steps_between_choices_attend_to_what_was_chosen() -> None:
    loop = started(Fixed(refresh=4))
    for _ in range(6):
        found = loop.step()
        for layer, output in zip(loop.layers, found, strict=True):
            k, v = layer.k_shared.clone(), layer.v_shared.clone()
            dropped = [START + t for t in range(LENGTH) if t not in (0, 3, 4, 39)]
            read = torch.tensor([t for t in range(60) if t not in dropped and START <= t < START + LENGTH])
            short = LayerStore(k[:, read], v[:, read], layer.k_own.clone(), layer.v_own.clone())
            row = DecodeBatch.build([Segment(0, 4, 0, 3, 0)], slots=range(3), own_starts=[4] * 3)
            q = draw(3, 1, HEADS, WIDTH, seed=100 + loop.steps - 1)
            lens = torch.full((3,), loop.steps, dtype=torch.int32)
            exact = bifurcated_decode(q, None, None, short, row, lens)
            torch.testing.assert_close(output.out, exact.out, rtol=1e-12, atol=1e-13)
            torch.testing.assert_close(output.lse, exact.lse, rtol=1e-12, atol=1e-13)


def test_choosing_all_is_exact_and_is_counted_as_such() -> None:
    for policy in (Fixed(all_keys=True), Fixed(tokens=tuple(range(LENGTH)))):
        loop, exact = started(policy), started(Fixed(guard=1000))
        for _ in range(3):
            for mine, theirs in zip(loop.step(), exact.step(), strict=True):
                torch.testing.assert_close(mine.out, theirs.out, rtol=1e-13, atol=1e-14)
        assert loop.reads.account.tokens_kept == loop.reads.account.tokens
        assert loop.reads.account.read_bytes == loop.reads.account.exact_bytes
        assert exact.reads.account.steps == 0


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("sinks", [False, True])
def test_the_audit_is_the_error_identity_of_whole_steps(header: bool, sinks: bool) -> None:
    scores = ScoreOptions(sinks=draw(HEADS, seed=5) if sinks else None)
    loop = started(Fixed(audit=1, guard=20), batch(header=header), layers=1, scores=scores)
    exact = started(Fixed(guard=1000), batch(header=header), layers=1, scores=scores)
    (mine,), (theirs,) = loop.step(), exact.step()
    audit = loop.reads.account.audit
    assert audit is not None
    # of all that a query sees, the exact sum holds what both read and what was left out
    mass = 1 - (mine.lse - theirs.lse).exp()
    assert audit.queries == 3
    for found, wanted in ((audit.mean, mass.mean(dim=(0, 1))), (audit.most, mass.amax(dim=(0, 1)))):
        assert found[0] == pytest.approx(wanted.tolist(), rel=1e-11)
    assert 0 < audit.overall < 1
    assert audit.worst == (max(audit.mean[0]), 0, audit.mean[0].index(max(audit.mean[0])))


def test_the_audit_takes_what_stands_for_the_rest_for_nothing_read() -> None:
    rest = PseudoKeys(draw(KV_HEADS, 3, WIDTH), draw(KV_HEADS, 3, WIDTH), draw(KV_HEADS, 3).abs())
    with_rest, without = (started(Fixed(audit=1, rest=each), layers=1) for each in (rest, None))
    with_rest.step(), without.step()
    mine, theirs = with_rest.reads.account.audit, without.reads.account.audit
    assert mine is not None
    assert theirs is not None
    assert mine.mean[0] == pytest.approx(theirs.mean[0], rel=1e-10)


@pytest.mark.parametrize("every", [1, 2, 3, 8])
def test_audits_look_at_one_step_in_so_many_whatever_the_age_of_a_choice(every: int) -> None:
    policy = Fixed(audit=every, refresh=4)
    loop = started(policy, layers=1)
    ages = []
    before = 0
    for step in range(48):
        loop.step()
        audit = loop.reads.account.audit
        if audit is not None and audit.queries > before:
            ages.append(step % 4)
            before = audit.queries
    assert len(ages) == 48 // every
    assert set(ages) == {0, 1, 2, 3}


def test_runs_below_the_guard_are_read_whole_and_are_never_asked_for() -> None:
    policy = Fixed(guard=LENGTH + 1)
    loop = started(policy)
    assert loop.prepared.restricted == frozenset()
    assert loop.prepared.attended is None
    loop.step()
    assert policy.asked == []
    assert loop.reads.account.prefixes == 0
    assert started(Fixed(guard=LENGTH)).prepared.restricted


def test_layers_with_a_window_keep_their_own_mask() -> None:
    scores = ScoreOptions(window=9)
    loop, exact = (started(Fixed(guard=guard), scores=scores) for guard in (10, 1000))
    for mine, theirs in zip(loop.step(), exact.step(), strict=True):
        torch.testing.assert_close(mine.out, theirs.out, rtol=1e-13, atol=1e-14)
    assert loop.reads.account.steps == 0
    assert ("prepare", 2) not in loop.reads.policy.asked


def test_another_run_in_its_place_is_prepared_anew() -> None:
    policy = Fixed()
    loop = started(policy)
    loop.step()
    loop.ranges = [(START + 3, LENGTH)]
    loop.store()
    assert [kind for kind, _ in policy.asked].count("prepare") == 2
    assert not loop.reads.restricts(Segment(START, LENGTH, 0, 3, 0))
    assert loop.reads.restricts(Segment(START + 3, LENGTH, 0, 3, 0))


def test_what_nobody_needs_is_forgotten_and_its_memory_no_longer_counted() -> None:
    loop = started(Fixed())
    loop.step()
    held = loop.reads.account.state_bytes
    loop.ranges = []
    loop.begin(DecodeBatch.build([], slots=range(2), own_starts=[0, 0]))
    assert not loop.reads.restricts(Segment(START, LENGTH, 0, 3, 0))
    assert loop.reads._held == 0
    assert loop.reads.account.state_bytes == held


def test_a_new_batch_chooses_anew_by_its_own_rows() -> None:
    policy = Fixed(refresh=100)
    loop = started(policy, layers=1)
    loop.step()
    loop.begin(batch(2))
    loop.step()
    rows = [len(ask.queries) for kind, ask in policy.asked if kind == "select"]
    assert rows == [3, 2]


def test_rows_that_choose_by_themselves_do() -> None:
    policy = Fixed(pool=False, refresh=2)
    loop = started(policy, layers=1)
    pooled = started(replace(policy, pool=True), layers=1)
    (mine,), (theirs,) = loop.step(), pooled.step()
    assert [len(ask.queries) for kind, ask in policy.asked if kind == "select"][:3] == [1, 1, 1]
    torch.testing.assert_close(mine.out, theirs.out, rtol=1e-13, atol=1e-14)
    # each reads for itself what exact steps read once for all
    own, shared = loop.reads.account, pooled.reads.account
    assert own.read_bytes == 3 * shared.read_bytes
    assert (own.exact_bytes, own.steps) == (shared.exact_bytes, shared.steps)
    assert own.share == pytest.approx(3 * shared.share)
    assert own.tokens_kept / own.tokens == shared.tokens_kept / shared.tokens


def test_one_row_is_the_rule_for_rows_that_choose_by_themselves() -> None:
    outputs = [started(Fixed(pool=pool), batch(1), layers=1).step()[0].out for pool in (True, False)]
    assert torch.equal(*outputs)


def test_a_choice_is_made_anew_where_queries_turn_away() -> None:
    policy = Fixed(refresh=100, similarity=0.9)
    loop = started(policy, layers=1)
    towards = draw(3, 1, HEADS, WIDTH, seed=1)
    for queries in (towards, 2 * towards, towards + 0.05 * draw(3, 1, HEADS, WIDTH), -towards, -towards):
        loop.step(queries)
    assert [kind for kind, _ in policy.asked].count("select") == 2


def test_a_store_that_grows_goes_on() -> None:
    loop = started(Fixed(refresh=2), layers=2)
    loop.step()
    loop.layers[:] = [
        LayerStore(*(torch.nn.functional.pad(x, (0, 0, 0, 7)) for x in layer)) for layer in loop.layers
    ]
    loop.begin(batch())
    loop.step()
    assert loop.reads.account.steps == 4


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        ((3, 3), "do not rise"),
        ((4, 2), "do not rise"),
        ((-1, 2), "do not rise"),
        ((0, 40), "outside of the 40"),
    ],
)
def test_choices_of_another_form_are_refused_by_name(tokens: tuple[int, ...], said: str) -> None:
    with pytest.raises(PolicyError, match=f"policy 'fixed' chose .*{said}"):
        started(Fixed(tokens=tokens)).step()


def test_a_policy_that_forgets_a_layer_is_refused_by_name() -> None:
    class Forgetful(Fixed):
        def prepare(self, layers):
            return [None]

    with pytest.raises(PolicyError, match="policy 'fixed' prepared 1 layers of 2"):
        started(Forgetful())


@pytest.mark.parametrize(
    "text",
    [
        "quest(keep=0.3, guard=0, page=4, audit=1)",
        "squeezed(keep=0.3, guard=0, recent=4, audit=1)",
        "squeezed(keep=0.3, guard=0, recent=4, tail=estimate, audit=1)",
        "token-select(keep=0.3, guard=0, first=2, last=4, audit=1)",
    ],
)
def test_logits_of_200_give_numbers(text: str) -> None:
    loop = started(prefix_policy(text))
    loop.layers[:] = [LayerStore(*(x.float() for x in layer)) for layer in loop.layers]
    loop.store()
    loop.begin(batch())
    q = 150 * draw(3, 1, HEADS, WIDTH, seed=1).float()
    new = draw(3, 1, KV_HEADS, WIDTH, seed=2).float()
    logits = q[0, 0, 0] @ loop.layers[0].k_shared[0, START : START + LENGTH].T / WIDTH**0.5
    assert logits.max() > 200 > -200 > logits.min()
    for layer in loop.layers:
        lens = torch.zeros(3, dtype=torch.int32)
        output = bifurcated_decode(q, new, new, layer, loop.prepared, lens)
        assert output.out.isfinite().all()
        assert output.lse.isfinite().all()
    account = loop.reads.account
    assert account.tokens_kept < account.tokens
    assert account.audit is not None
    assert all(0 <= mass <= 1 for layer in account.audit.most for mass in layer)


@dataclass(frozen=True)
class Whole(Fixed):
    """Says that it reads all, and is no `Exact`."""

    name = "whole"
    reads_all = True


@pytest.mark.parametrize("policy", [Exact(), Whole()])
def test_reading_all_restricts_nothing_and_is_counted_all_the_same(policy: PrefixPolicy) -> None:
    loop = started(policy, batch(header=True))
    # whoever reads all keys, as the Triton kernels do, serves it
    assert loop.prepared.restricted == frozenset()
    for _ in range(3):
        loop.step()
    account = loop.reads.account
    one_read = 2 * LENGTH * KV_HEADS * WIDTH * 8
    assert (account.prefixes, account.steps, account.refreshes) == (1, 6, 0)
    assert account.exact_bytes == account.read_bytes == 6 * one_read
    assert account.tokens == account.tokens_kept == 6 * LENGTH * KV_HEADS
    assert (account.gathered_bytes, account.scored_bytes, account.state_bytes) == (0, 0, 0)
