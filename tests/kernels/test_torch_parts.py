"""Attention in bfloat16 where many queries read many keys, and nowhere else."""

import pytest
import torch

from codesample.kernels.bifurcated_decode import (
    DecodeBatch,
    LayerStore,
    ScoreOptions,
    Segment,
    StreamK,
    bifurcated_decode,
    prepare_batch,
    torch_parts,
)
from codesample.kernels.bifurcated_decode.torch_parts import attend, attend_own

MANY_QUERIES, MANY_KEYS = torch_parts._MANY_QUERIES, torch_parts._MANY_KEYS
# eight binary digits of outputs of about one, of weights and of what is weighed
OFF = 2**-7


def given(queries, keys, dtype=torch.float32):
    torch.manual_seed(queries + keys)
    return [torch.randn(2, 3, n, 16).to(dtype) for n in (queries, keys, keys)]


def attended(parts, in_bf16, **named):
    return attend(*parts, scale=0.25, softcap=None, seen=None, in_bf16=in_bf16, **named)


@torch.inference_mode()
def test_many_queries_of_many_keys_are_rounded_as_bfloat16_does():
    parts = given(MANY_QUERIES, MANY_KEYS)
    found, plain = attended(parts, True), attended([x.double() for x in parts], False)
    assert (found.out.dtype, found.lse.dtype) == (torch.float32, torch.float32)
    assert not torch.equal(found.out, attended(parts, False).out)
    torch.testing.assert_close(found.out.double(), plain.out, atol=OFF * float(plain.out.abs().max()), rtol=0)
    torch.testing.assert_close(found.lse.double(), plain.lse, atol=OFF, rtol=0)


@torch.inference_mode()
@pytest.mark.parametrize(
    ("queries", "keys", "dtype"),
    [
        (MANY_QUERIES - 1, MANY_KEYS, torch.float32),
        (MANY_QUERIES, MANY_KEYS - 1, torch.float32),
        (MANY_QUERIES, 0, torch.float32),
        (MANY_QUERIES, MANY_KEYS, torch.float64),
    ],
)
def test_fewer_and_other_numbers_are_left_as_they_are(queries, keys, dtype):
    parts = given(queries, keys, dtype)
    assert all(map(torch.equal, attended(parts, True), attended(parts, False)))


@torch.inference_mode()
@pytest.mark.parametrize("named", [{"cuts": (40,)}, {"softcap": 3.0}], ids=str)
def test_keys_taken_apart_and_scores_that_are_capped_are_left_as_they_are(named):
    parts = given(MANY_QUERIES, MANY_KEYS)
    asked = {"scale": 0.25, "softcap": None, "seen": None} | named
    found, plain = (attend(*parts, **asked, in_bf16=on) for on in (True, False))
    assert all(map(torch.equal, found, plain))


@torch.inference_mode()
@pytest.mark.parametrize("keys", [40, MANY_KEYS])
@pytest.mark.parametrize("in_bf16", [True, False])
def test_strides_do_not_matter(keys, in_bf16):
    torch.manual_seed(keys)
    odd = [torch.randn(2, 3, 16, n).transpose(2, 3) for n in (MANY_QUERIES, keys, keys)]
    even = [x.contiguous() for x in odd]
    assert all(map(torch.equal, attended(odd, in_bf16), attended(even, in_bf16)))


@torch.inference_mode()
def test_each_query_sees_the_keys_up_to_its_own():
    q, k, v = given(MANY_KEYS, MANY_KEYS)
    found = attend_own(q[:1], k[:1], v[:1], scale=0.25, in_bf16=True)
    plain = attend_own(q[:1].double(), k[:1].double(), v[:1].double(), scale=0.25)
    assert not torch.equal(found.out, attend_own(q[:1], k[:1], v[:1], scale=0.25).out)
    # the first of them sees one
    torch.testing.assert_close(found.out[:, :, 0], v[:1, :, 0].bfloat16().float(), atol=0, rtol=2**-8)
    torch.testing.assert_close(found.out.double(), plain.out, atol=OFF * float(plain.out.abs().max()), rtol=0)


def stepped(rows, shared, own, in_bf16, heads=4, **prepared):
    torch.manual_seed(0)
    pool = torch.randn(2, 2, shared, 16)
    rest = [torch.randn(rows, *size) for size in ((2, own + 1, 16), (2, own + 1, 16), (1, heads, 16))]
    segments = [Segment(0, shared, 0, rows, 0)] if shared else []
    batch = DecodeBatch.build(segments, slots=range(rows), own_starts=[shared] * rows)
    lens = torch.full((rows,), own, dtype=torch.int32)
    store = LayerStore(*pool, *rest[:2])
    ready = prepare_batch(batch, "cpu", impl="torch", **prepared)
    return bifurcated_decode(rest[2], None, None, store, ready, lens, ScoreOptions(in_bf16=in_bf16))


@torch.inference_mode()
def test_a_step_rounds_what_many_rows_share_and_nothing_of_their_own():
    rows = MANY_QUERIES // 2
    found, plain = (stepped(rows, MANY_KEYS, 5, on) for on in (True, False))
    assert not torch.equal(found.out, plain.out)
    torch.testing.assert_close(found.out, plain.out, atol=OFF * float(plain.out.abs().max()), rtol=0)
    torch.testing.assert_close(found.lse, plain.lse, atol=0, rtol=OFF)
    assert all(map(torch.equal, *(stepped(rows - 1, MANY_KEYS, 5, on) for on in (True, False))))
    # queries of one row alone are as many as are rounded elsewhere
    alone = (stepped(2, 0, MANY_KEYS, on, heads=2 * MANY_QUERIES) for on in (True, False))
    assert all(map(torch.equal, *alone))


@torch.inference_mode()
def test_a_step_that_is_divided_or_chooses_keys_is_left_as_it_is():
    found, plain = (
        stepped(MANY_QUERIES, MANY_KEYS, 5, on, schedule=StreamK(workers=1)) for on in (True, False)
    )
    assert all(map(torch.equal, found, plain))
