"""Products in 8 bits: whole numbers exactly, each row as if alone; and what a sampler makes of them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import ModelError, ParameterError
from codesample.records import GivenText
from codesample.sampling import Sampler, int8_matmul, packed_weights
from codesample.sampling.int8_matmul import Int8Weight, int8_kernel
from codesample.sampling.int16_matmul import Int16Weight
from codesample.testing.models import random_model

PROMPT = "def double(x):\n    "

pytestmark = pytest.mark.skipif(int8_kernel() is None, reason="no library here multiplies in 8 bits")


def by_hand(rows, weight, kernel):
    """Return the product as the definition has it, in float64."""
    top, weight_top = 2 ** (kernel.bits - 1) - 1, 2 ** (kernel.weight_bits - 1) - 1
    scales = weight.abs().amax(1).div(weight_top).clamp_min(1e-38).double()
    whole = (weight.double() / scales[:, None]).round()
    row_scales = rows.abs().amax(-1, keepdim=True).div(top).clamp_min(1e-38).double()
    return (rows.double() / row_scales).round() @ whole.t() * row_scales * scales


@torch.inference_mode()
@pytest.mark.parametrize("shape", [(1, 1), (8, 1), (33,), (2, 3, 5), (0,), (300,)])
def test_a_product_is_that_of_the_rounded_numbers(shape, kernel):
    torch.manual_seed(0)
    rows, weight = torch.randn(*shape, 72), torch.randn(50, 72) * torch.logspace(-3, 3, 50)[:, None]
    found = Int8Weight(weight, kernel).multiplied(rows, None)
    expected = by_hand(rows, weight, kernel)
    assert (found.shape, found.dtype) == (expected.shape, torch.float32)
    # a number that lies in the middle of two may be rounded to either
    steps = weight.abs().amax(1) * rows.abs().amax(-1, keepdim=True) / 2 ** (kernel.bits - 1)
    assert ((found - expected).abs() <= steps + 1e-6 * expected.abs()).all()
    assert ((found - expected).norm() <= 0.01 * expected.norm()) or not found.numel()


@torch.inference_mode()
@pytest.mark.parametrize("packed", [Int8Weight, Int16Weight])
def test_a_weight_is_taken_as_it_lies(packed, kernel):
    torch.manual_seed(0)
    rows, weight = torch.randn(3, 72), torch.randn(72, 50).t()
    aside = torch.empty(50, 144)[:, ::2].copy_(weight)
    expected = packed(weight.contiguous(), kernel).multiplied(rows, None)
    for each in (weight, aside):
        assert torch.equal(packed(each, kernel).multiplied(rows, None), expected)


@torch.inference_mode()
@pytest.mark.parametrize("packed", [Int8Weight, Int16Weight])
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 40), size=st.sampled_from([1e-30, 1e-3, 1.0, 1e30]))
def test_a_row_is_multiplied_as_if_it_were_alone(packed, seed, count, size):
    torch.manual_seed(seed)
    weight = packed(torch.randn(24, 40), int8_kernel())
    rows = torch.randn(count, 40) * torch.logspace(-4, 4, count)[:, None]
    rows[0] *= size
    together = weight.multiplied(rows, None)
    assert all(
        torch.equal(weight.multiplied(row[None], None)[0], found)
        for row, found in zip(rows, together, strict=True)
    )


@torch.inference_mode()
@pytest.mark.parametrize("packed", [Int8Weight, Int16Weight])
def test_no_sum_overflows_and_rows_that_are_no_numbers_stay_with_themselves(packed, kernel):
    rows = torch.stack([torch.full((512,), v) for v in (1.0, -1.0, 0.0, float("nan"), float("inf"))])
    found = packed(torch.full((32, 512), 0.5), kernel).multiplied(rows, None)
    torch.testing.assert_close(found[:3], torch.tensor([256.0, -256.0, 0.0])[:, None].expand(3, 32))
    assert not found[3:].isfinite().any()
    assert packed(torch.zeros(32, 512), kernel).multiplied(rows[:1], None).eq(0).all()


def test_a_kernel_that_overflows_or_is_gone_is_not_chosen(monkeypatch):
    class Saturating(type(int8_kernel())):
        def product(self, ready, packed):
            return super().product(ready, packed).clamp_max(2**15)

    assert not int8_matmul._is_exact(Saturating())
    monkeypatch.setattr(int8_matmul._Fbgemm, "pack", lambda *_: torch.ops.quantized.no_such())
    assert not int8_matmul._is_exact(int8_matmul._Fbgemm())


@pytest.fixture(scope="module")
def model():
    return random_model("qwen2", seed=3)


@pytest.fixture(scope="module")
def tiny():
    return Sampler("tiny", step="int8")


def test_sampling_goes_through_8_bits_and_says_about_the_same(tiny):
    exact = Sampler("tiny").sample(PROMPT, n=1, max_new_tokens=12, temperature=0, stop=())[0]
    found = tiny.sample(PROMPT, n=1, max_new_tokens=12, temperature=0, stop=())[0]
    assert found.token_ids[:4] == exact.token_ids[:4]
    assert found.logprobs != exact.logprobs
    assert found.logprobs[0] == pytest.approx(exact.logprobs[0], abs=0.3)
    assert tiny.describe()["matmul"] == "int8"
    assert Sampler("tiny").describe()["matmul"] == "float32"


def test_a_candidate_does_not_depend_on_how_many_are_drawn(tiny):
    many = tiny.sample(PROMPT, n=9, max_new_tokens=10)
    tiny._cache.clear()
    assert tiny.sample(PROMPT, n=2, max_new_tokens=10) == many[:2]


def test_prompts_are_read_in_8_bits_and_given_texts_as_ever(model, tokenizer, monkeypatch):
    seen = []
    plain = Int8Weight.multiplied
    monkeypatch.setattr(
        Int8Weight, "multiplied", lambda self, x, b: seen.append(x.shape) or plain(self, x, b)
    )
    sampler = Sampler(model, tokenizer=tokenizer, step="int8")
    sampler.sample("x" * 200, n=2, max_new_tokens=3)
    assert max(shape[-2] for shape in seen) == 200
    seen.clear()
    (reading,) = sampler.read([GivenText(PROMPT, "return 1")])
    assert not seen
    (expected,) = Sampler(model, tokenizer=tokenizer).read([GivenText(PROMPT, "return 1")])
    assert reading == expected


def test_the_copies_follow_the_weights(tokenizer):
    model = random_model("qwen2", seed=5)
    sampler = Sampler(model, tokenizer=tokenizer, step="int8")
    sampler.sample(PROMPT, n=2, max_new_tokens=6)
    with torch.no_grad():
        for p in model.parameters():
            p += 0.05 * torch.randn_like(p)
    fresh = Sampler(model, tokenizer=tokenizer, step="int8")
    assert sampler.sample(PROMPT, n=2, max_new_tokens=6) == fresh.sample(PROMPT, n=2, max_new_tokens=6)


def test_what_cannot_be_done_in_8_bits_is_refused_at_load(model, tokenizer, monkeypatch):
    with pytest.raises(ModelError, match=r"linear layers in float32 on a CPU, got torch.float64 on cpu"):
        Sampler("tiny", dtype="float64", step="int8")
    with pytest.raises(ParameterError, match="step = 'int4': expected 'auto', 'plain'"):
        Sampler("tiny", step="int4")
    with monkeypatch.context() as patch:
        patch.setattr(packed_weights, "int8_kernel", lambda: None)
        with pytest.raises(ModelError, match="no library here"):
            Sampler(model, tokenizer=tokenizer, step="int8")
    sampler = Sampler(model, tokenizer=tokenizer, step="int8")
    monkeypatch.setattr(packed_weights, "free_memory", lambda device: 1000)
    with pytest.raises(ModelError, match="copies of the weights in int8 take"):
        sampler.sample(PROMPT, n=1, max_new_tokens=2)
