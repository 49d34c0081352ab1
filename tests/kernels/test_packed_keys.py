"""Shared keys in 8 bits: how far they move, what they take, and attention that reads exactly them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from codesample.errors import ShapeError
from codesample.kernels.bifurcated_decode import (
    GROUP,
    DecodeBatch,
    KeptKeys,
    LayerStore,
    PackedKeys,
    PackedStore,
    ScoreOptions,
    Segment,
    bifurcated_decode,
    prepare_batch,
)
from codesample.kernels.bifurcated_decode.triton_support import why_not_served

CPU = torch.device("cpu")
KINDS: tuple[Any, ...] = ("int8", "fp8")
HEADS, KV_HEADS, WIDTH = 4, 2, 16


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(kind: Any, tokens: int) -> PackedKeys:
    pool = PackedKeys.empty(KV_HEADS, tokens, WIDTH, kind=kind, device=CPU)
    for x in pool:
        # whatever is read must have been written
        x.copy_(torch.full(x.shape, 77.0))
    return pool


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
def test_what_is_read_lies_within_half_a_step_of_what_was_written(kind: Any, count: int) -> None:
    pool = made(kind, 300)
    k, v = 3 * draw(KV_HEADS, count, WIDTH), draw(KV_HEADS, count, WIDTH, seed=1)
    # one channel is large throughout, as in models with biased keys
    k[..., 5] += 500
    pool.write(GROUP, k, v)
    got_k, got_v = pool.read(GROUP, GROUP + count, torch.float64)
    # integers have 254 steps over a range; of e4m3 the coarsest at an end is a fourteenth of half of it
    part = 1 / 254 if kind == "int8" else 1 / 28
    for begin in range(0, count, GROUP):
        group = k[:, begin : begin + GROUP]
        span = (group.amax(dim=1) - group.amin(dim=1))[:, None]
        off = (got_k[:, begin : begin + GROUP] - group).abs()
        assert (off <= 0.51 * part * span + 2e-5 * group.abs().amax()).all()
    largest = v.abs().amax(dim=2, keepdim=True)
    assert ((got_v - v).abs() <= 0.51 * 2 * part * largest + 1e-6).all()


@pytest.mark.parametrize("kind", KINDS)
def test_runs_may_be_written_piece_by_piece(kind: Any) -> None:
    whole, pieces = made(kind, 256), made(kind, 256)
    k, v = draw(KV_HEADS, 180, WIDTH), draw(KV_HEADS, 180, WIDTH, seed=1)
    whole.write(0, k, v)
    for begin, end in ((0, 64), (64, 100), (100, 101), (101, 180)):
        pieces.write(begin, k[:, begin:end], v[:, begin:end])
    for one, other, given in zip(
        *(x.read(0, 180, torch.float64) for x in (whole, pieces)), (k, v), strict=True
    ):
        # the second group is written to three times
        assert (one - other).abs().max() <= 4 * (one - given).abs().max() + 1e-9
    assert torch.equal(whole.read(64, 128, torch.float64)[1], pieces.read(64, 128, torch.float64)[1])


def test_equal_keys_and_values_of_zero_come_back_as_they_were() -> None:
    pool = made("int8", 64)
    k, v = torch.full((KV_HEADS, 9, WIDTH), 3.25), torch.zeros(KV_HEADS, 9, WIDTH)
    pool.write(0, k, v)
    got_k, got_v = pool.read(0, 9, torch.float32)
    assert torch.equal(got_k, k)
    assert torch.equal(got_v, v)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pool_takes_a_quarter_of_float32_and_its_scales(kind: Any) -> None:
    pool = made(kind, 1000)
    assert pool.tokens == 1024
    each = KV_HEADS * (2 * WIDTH + 4 + 2 * 4 * WIDTH / GROUP)
    assert pool.token_bytes == each
    assert pool.bytes_of(640) == round(640 * each)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pool_that_grows_keeps_what_it_holds(kind: Any) -> None:
    pool = made(kind, 128)
    k, v = draw(KV_HEADS, 128, WIDTH), draw(KV_HEADS, 128, WIDTH, seed=1)
    pool.write(0, k, v)
    grown = pool.grown(500)
    assert grown.tokens == 512
    for one, other in zip(pool.read(0, 128, torch.float64), grown.read(0, 128, torch.float64), strict=True):
        assert torch.equal(one, other)
    grown.write(448, k[:, :64], v[:, :64])
    assert pool.grown(1).tokens == 128


def packed_call(kind: Any, dtype: torch.dtype = torch.float64) -> tuple[LayerStore, LayerStore, DecodeBatch]:
    """Return a packed store, a plain one of the same numbers, and a batch: a header, two prompts, 3 rows."""
    pool = made(kind, 320)
    for start, length in ((0, 70), (128, 100), (256, 33)):
        pool.write(start, draw(KV_HEADS, length, WIDTH, seed=start), draw(KV_HEADS, length, WIDTH, seed=1))
    own = [draw(3, KV_HEADS, 9, WIDTH, seed=seed).to(dtype) for seed in (7, 8)]
    nothing = torch.empty(KV_HEADS, 0, WIDTH, dtype=dtype)
    packed = PackedStore.of(LayerStore(nothing, nothing, *own), pool)
    plain = LayerStore(*pool.read(0, 320, dtype), *(x.clone() for x in own))
    segments = [Segment(0, 70, 0, 3, 0), Segment(128, 100, 0, 2, 70), Segment(256, 33, 2, 3, 70)]
    return packed, plain, DecodeBatch.build(segments, slots=[2, 0, 1], own_starts=[170, 170, 103])


@pytest.mark.parametrize("impl", ["torch", "reference"])
@pytest.mark.parametrize(
    "scores", [ScoreOptions(), ScoreOptions(window=50), ScoreOptions(softcap=2.0, sinks=draw(HEADS))], ids=str
)
@pytest.mark.parametrize("kind", KINDS)
def test_attention_reads_what_the_pool_holds(kind: Any, scores: ScoreOptions, impl: str) -> None:
    packed, plain, batch = packed_call(kind)
    q, new = draw(3, 2, HEADS, WIDTH, seed=4), draw(3, 2, KV_HEADS, WIDTH, seed=5)
    lens = torch.tensor([1, 4, 0], dtype=torch.int32)
    one, other = (
        bifurcated_decode(q, new, new, store, prepare_batch(batch, "cpu", impl=impl), lens, scores)
        for store in (packed, plain)
    )
    torch.testing.assert_close(one.out, other.out, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(one.lse, other.lse, rtol=1e-12, atol=1e-13)


def test_attention_unpacks_chunk_by_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    from codesample.kernels.bifurcated_decode import torch_parts as backend

    packed, plain, batch = packed_call("int8")
    q, lens = draw(3, 1, HEADS, WIDTH, seed=4), torch.tensor([2, 4, 1], dtype=torch.int32)
    whole = bifurcated_decode(q, None, None, plain, batch, lens, impl="torch")
    read, most = PackedKeys.read, []
    monkeypatch.setattr(
        PackedKeys, "read", lambda self, a, b, dtype: (most.append(b - a), read(self, a, b, dtype))[1]
    )
    monkeypatch.setattr(backend, "SCRATCH_BYTES", 40_000)
    got = bifurcated_decode(q, None, None, packed, batch, lens, impl="torch")
    torch.testing.assert_close(got.out, whole.out, rtol=1e-12, atol=1e-13)
    assert max(most) < 40
    assert len(most) > 5
    assert sum(most) == 70 + 100 + 33


def test_a_store_says_what_it_holds() -> None:
    packed, plain, _ = packed_call("fp8")
    assert packed.packed is not None
    assert plain.packed is None
    assert (packed.shared_tokens, plain.shared_tokens) == (320, 320)
    assert packed.whole_bytes(10) == plain.held_bytes(10) == 2 * 10 * KV_HEADS * WIDTH * 8
    assert packed.held_bytes(10) == packed.packed.bytes_of(10)
    for one, other in zip(packed.shared(130, 40), plain.shared(130, 40), strict=True):
        assert torch.equal(one, other)


def test_what_does_not_fit_is_refused() -> None:
    packed, _, batch = packed_call("int8")
    q, lens = draw(3, 1, HEADS, WIDTH), torch.zeros(3, dtype=torch.int32)
    assert packed.packed is not None
    narrow = PackedStore.of(LayerStore(*packed), PackedKeys(*(x[:1] for x in packed.packed)))
    with pytest.raises(ShapeError, match=r"packed is \[1, 320, 16\]"):
        bifurcated_decode(q, q[:, :, :2], q[:, :, :2], narrow, batch, lens)
    apart = packed.packed._replace(k_middle=packed.packed.k_middle.transpose(1, 2).contiguous().mT)
    with pytest.raises(ShapeError, match=r"k_middle.*one after the other"):
        bifurcated_decode(q, q[:, :, :2], q[:, :, :2], PackedStore.of(packed, apart), batch, lens)
    short = DecodeBatch.build([Segment(300, 30, 0, 3, 0)], slots=range(3), own_starts=[30] * 3)
    with pytest.raises(ShapeError, match="token 329 of the pool, which has 320"):
        bifurcated_decode(q, q[:, :, :2], q[:, :, :2], packed, short, lens)


def test_the_triton_kernels_serve_fewer_queries_per_row_and_say_so() -> None:
    q = torch.zeros(3, 5, 8, WIDTH)
    assert why_not_served(q, 2) is None
    assert why_not_served(q, 4, packed=True) is None
    assert "up to 16 queries per row and KV head with D = 16 in torch.float32 beside keys in 8 bits" in str(
        why_not_served(q, 2, packed=True)
    )
    assert why_not_served(q.half(), 2, packed=True) is None


class OwnSight:
    """Lets each query of a segment's rows see gathered keys of its own."""

    name = "own-sight"

    def __init__(self, kept: KeptKeys) -> None:
        self.kept = kept

    def restricts(self, segment):
        return segment.length == 100

    def select(self, segment, call):
        return self.kept


@pytest.mark.parametrize("impl", ["torch", "reference"])
def test_queries_of_a_head_may_see_different_keys(impl: str) -> None:
    _, plain, batch = packed_call("int8")
    tokens = torch.tensor([[0, 3, 50, 99], [1, 2, 98, -1]])
    k, v = (x[:, 128:228] for x in plain[:2])
    at = tokens.clamp_min(0)[..., None].expand(-1, -1, WIDTH)
    # rows x queries x query heads of a KV head
    seen = draw(KV_HEADS, 2 * 2 * 2, 4, seed=3) > -0.3
    bias = torch.zeros(2, 4, dtype=torch.float64).masked_fill(tokens < 0, float("-inf"))
    selection = OwnSight(KeptKeys(tokens, k.gather(1, at), v.gather(1, at), bias, seen))
    q, new = draw(3, 2, HEADS, WIDTH, seed=4), draw(3, 2, KV_HEADS, WIDTH, seed=5)
    lens = torch.tensor([1, 4, 0], dtype=torch.int32)
    got = bifurcated_decode(
        q, new, new, plain, prepare_batch(batch, "cpu", impl=impl, selection=selection), lens
    )
    for row, query, head in ((0, 0, 0), (0, 1, 3), (1, 0, 1), (1, 1, 2)):
        g, p = divmod(head, 2)
        mine = tokens[g][seen[g, (row * 2 + query) * 2 + p] & (tokens[g] >= 0)]
        slot, own = batch.slots[row], int(lens[row]) + query + 1
        keys, values = (
            torch.cat([x[g, :70], x[g, 128 + mine], y[slot, g, :own]])
            for x, y in ((plain[0], plain[2]), (plain[1], plain[3]))
        )
        weights = (keys @ q[row, query, head] / WIDTH**0.5).softmax(dim=0)
        torch.testing.assert_close(got.out[row, query, head], weights @ values, rtol=1e-12, atol=1e-13)


def test_sight_of_another_shape_is_refused() -> None:
    _, plain, batch = packed_call("int8")
    tokens = torch.zeros(2, 1, dtype=torch.int64)
    k = torch.zeros(2, 1, WIDTH, dtype=torch.float64)
    selection = OwnSight(KeptKeys(tokens, k, k, None, torch.ones(2, 3, 1, dtype=torch.bool)))
    q, lens = draw(3, 1, HEADS, WIDTH), torch.ones(3, dtype=torch.int32)
    with pytest.raises(ShapeError, match="seen"):
        bifurcated_decode(
            q, None, None, plain, prepare_batch(batch, "cpu", impl="torch", selection=selection), lens
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_tokens_that_are_gathered_are_those_that_are_read(kind: Any, dtype: torch.dtype) -> None:
    pool = made(kind, 300)
    pool.write(GROUP, draw(KV_HEADS, 150, WIDTH), draw(KV_HEADS, 150, WIDTH, seed=1))
    whole = LayerStore(
        *(draw(KV_HEADS, 0, WIDTH).to(dtype) for _ in range(2)), *draw(2, 1, KV_HEADS, 9, WIDTH)
    )
    packed = PackedStore.of(whole, pool)
    plain = LayerStore(*pool.read(0, 2 * GROUP + 150, dtype), *whole[2:])
    tokens = torch.tensor([[0, 1, 63, 64, 149], [5, 5, 70, 140, 0]])
    for store in (packed, plain):
        got = store.gathered(GROUP, tokens)
        for found, all_of_them in zip(got, store.shared(GROUP, 150), strict=True):
            for head in range(KV_HEADS):
                assert torch.equal(found[head], all_of_them[head, tokens[head]])
    for one, other in zip(packed.gathered(GROUP, tokens), plain.gathered(GROUP, tokens), strict=True):
        assert torch.equal(one, other)
