"""Fixed splits: what a row gets does not depend, to the bit, on who it is computed beside."""

from dataclasses import replace

import pytest
import torch

from codesample.errors import ImplUnavailableError, ParameterError
from codesample.kernels.bifurcated_decode import DecodeBatch, FixedSplits, LayerStore, prepare_batch
from codesample.kernels.bifurcated_decode.torch_fixed import PreparedFixedTorch
from codesample.testing.attention import (
    DecodeCase,
    assert_within_rounding,
    joined_attention,
    make_decode_inputs,
)

FIXED = FixedSplits(64)
CASES = [
    DecodeCase(groups=((9, 150), (7, 70), (1, 0)), lens=tuple(range(0, 136, 8)), heads=(4, 2)),
    DecodeCase(groups=((12, 90), (5, 64)), lens=(7,) * 17, header=64, heads=(3, 1), width=24, queries=2),
    DecodeCase(groups=((17, 300),), lens=tuple(range(17)), window=70, heads=(2, 1)),
    DecodeCase(groups=((17, 100),), lens=(70,) * 9 + (3,) * 8, softcap=2.0, sinks=True, heads=(6, 2)),
    DecodeCase(groups=((10, 9), (7, 0)), lens=(0, 2) * 8 + (1,), write=False),
    DecodeCase(groups=((17, 130),), lens=(66,) * 17, heads=(1, 1), width=64),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_equals_attention_over_joined_keys_in_double_precision(case):
    x = make_decode_inputs(case, dtype=torch.float64)
    exact, got = joined_attention(x), x.run("torch", schedule=FIXED)
    torch.testing.assert_close(got.out, exact.out, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(got.lse, exact.lse, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_rounds_as_plain_attention_does(dtype):
    x = make_decode_inputs(CASES[0], dtype=dtype)
    exact, plain = joined_attention(x.to(torch.float64)), joined_attention(x)
    got = x.run("torch", schedule=FIXED)
    assert_within_rounding(got.out, exact.out, plain.out)
    assert_within_rounding(got.lse, exact.lse, plain.lse)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("threads", [1, 3])
def test_a_row_alone_among_three_and_among_seventeen_is_bitwise_the_same(case, dtype, threads):
    x = make_decode_inputs(case, dtype=dtype)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        all_rows = x.run("torch", schedule=FIXED)
        for rows in ([0], [8], [16], [7, 8, 16], [16, 0, 1], [2, 4, 6]):
            some = x.only(rows).run("torch", schedule=FIXED)
            assert torch.equal(some.out, all_rows.out[rows])
            assert torch.equal(some.lse, all_rows.lse[rows])
    finally:
        torch.set_num_threads(before)


def test_room_in_a_slot_that_other_rows_need_changes_nothing():
    case = DecodeCase(groups=((3, 70),), lens=(5, 9, 40))
    small, large = (make_decode_inputs(replace(case, capacity=c), dtype=torch.float32) for c in (41, 200))
    store = [t.clone() for t in large.store]
    store[0], store[1] = (t.clone() for t in small.store[:2])
    for mine, other in zip(store[2:], small.store[2:], strict=True):
        mine[:, :, :41] = other
    got = small._replace(store=LayerStore(*store)).run("torch", schedule=FIXED)
    assert torch.equal(got.out, small.run("torch", schedule=FIXED).out)


def test_a_header_cut_at_a_multiple_of_the_keys_changes_nothing():
    x = make_decode_inputs(DecodeCase(groups=((3, 200),), lens=(5, 9, 40)), dtype=torch.float32)
    (s,) = x.batch.segments
    halves = [
        s._replace(length=128),
        s._replace(start=s.start + 128, length=72, position=128),
    ]
    batch = DecodeBatch.build(halves, slots=x.batch.slots, own_starts=x.batch.own_starts)
    whole, cut = x.run("torch", schedule=FIXED), x._replace(batch=batch).run("torch", schedule=FIXED)
    assert torch.equal(whole.out, cut.out)
    assert torch.equal(whole.lse, cut.lse)


@pytest.mark.parametrize("keys", [0, 63, 100, -64])
def test_keys_are_cut_by_whole_tiles(keys):
    with pytest.raises(ParameterError, match=f"keys = {keys}: expected a multiple of 64"):
        FixedSplits(keys)


def test_rows_that_choose_keys_together_are_refused():
    class Half:
        name = "half"

        def restricts(self, segment):
            return True

        def select(self, segment, call):
            return None

    batch = make_decode_inputs(CASES[0], dtype=torch.float32).batch
    with pytest.raises(ImplUnavailableError, match=r"'half' lets rows choose together"):
        prepare_batch(batch, "cpu", selection=Half(), schedule=FIXED)


def test_a_gpu_is_refused():
    batch = make_decode_inputs(CASES[0], dtype=torch.float32).batch
    with pytest.raises(ImplUnavailableError, match="no fixed splits on a GPU"):
        PreparedFixedTorch(batch, torch.device("cuda", 0), schedule=FIXED)
