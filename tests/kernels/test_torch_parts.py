"""Attention in bfloat16 where many queries read many keys, and nowhere else."""

import pytest
import torch

from codesample.kernels.bifurcated_decode import (
    DecodeBatch,
    LayerStore,
    ScoreOptions,
    Segment,
    bifurcated_decode,
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
def test_each_query_sees_the_keys_up_to_its_own():
    q, k, v = given(MANY_KEYS, MANY_KEYS)
    found = attend_own(q[:1], k[:1], v[:1], scale=0.25, in_bf16=True)
    plain = attend_own(q[:1].double(), k[:1].double(), v[:1].double(), scale=0.25)
    assert not torch.equal(found.out, attend_own(q[:1], k[:1], v[:1], scale=0.25).out)
    # the first of them sees one
    torch.testing.assert_close(found.out[:, :, 0], v[:1, :, 0].bfloat16().float(), atol=0, rtol=2**-8)
    torch.testing.assert_close(found.out.double(), plain.out, atol=OFF * float(plain.out.abs().max()), rtol=0)


@torch.inference_mode()
def test_a_step_rounds_what_rows_share_and_nothing_of_their_own():
    rows, shared = MANY_QUERIES, MANY_KEYS
    torch.manual_seed(0)
    store = LayerStore(*torch.randn(2, 2, shared, 16), *torch.randn(2, rows, 2, 8, 16))
    q, k, v = torch.randn(rows, 1, 4, 16), *torch.randn(2, rows, 1, 2, 16)
    lens = torch.full((rows,), 5, dtype=torch.int32)

    def step(count, in_bf16):
        segments = [Segment(0, count, 0, rows, 0)] if count else []
        batch = DecodeBatch.build(segments, slots=range(rows), own_starts=[count] * rows)
        own = [x.clone() for x in store[2:]]
        return bifurcated_decode(
            q, k, v, LayerStore(*store[:2], *own), batch, lens, ScoreOptions(in_bf16=in_bf16), impl="torch"
        )

    found, plain = step(shared, True), step(shared, False)
    assert not torch.equal(found.out, plain.out)
    torch.testing.assert_close(found.out, plain.out, atol=OFF * float(plain.out.abs().max()), rtol=0)
    torch.testing.assert_close(found.lse, plain.lse, atol=OFF, rtol=0)
    assert all(map(torch.equal, step(0, True), step(0, False)))
