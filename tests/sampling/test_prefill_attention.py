import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention.bias import CausalBias

from codesample.kernels.bifurcated_decode import ScoreOptions
from codesample.sampling import prefill_attention
from codesample.sampling.prefill_attention import attend_causally


def definition(q, k, v, scale, window, softcap, sinks):
    group = len(q) // len(k)
    k, v = k.repeat_interleave(group, 0), v.repeat_interleave(group, 0)
    out = torch.zeros(q.shape[1], len(q), v.shape[-1], dtype=q.dtype)
    for i in range(q.shape[1]):
        at = k.shape[1] - q.shape[1] + i
        first = 0 if window is None else max(0, at + 1 - window)
        scores = (k[:, first : at + 1] @ q[:, i, :, None])[..., 0] * (
            q.shape[-1] ** -0.5 if scale is None else scale
        )
        if softcap is not None:
            scores = softcap * torch.tanh(scores / softcap)
        extra = torch.empty(len(q), 0, dtype=q.dtype) if sinks is None else sinks[:, None]
        weights = torch.cat([scores, extra], -1).softmax(-1)[:, : scores.shape[1]]
        out[i] = (weights[:, None] @ v[:, first : at + 1])[:, 0]
    return out


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 20),
    st.integers(0, 20),
    st.sampled_from([None, 1, 5, 100]),
    st.sampled_from([None, 3.0]),
    st.booleans(),
    st.sampled_from([None, 0.3]),
    st.sampled_from([3, 512]),
)
def test_equals_the_definition(queries, before, window, softcap, with_sinks, scale, block):
    torch.manual_seed(queries * 31 + before)
    q = torch.randn(4, queries, 8, dtype=torch.float64)
    k, v = torch.randn(2, 2, queries + before, 8, dtype=torch.float64)
    sinks = torch.randn(4, dtype=torch.float64) if with_sinks else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefill_attention, "_BLOCK", block)
        got = attend_causally(q, k, v, ScoreOptions(scale, window, softcap, sinks))
    torch.testing.assert_close(got, definition(q, k, v, scale, window, softcap, sinks))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([None, 100]), st.sampled_from([1, 2, 4]))
def test_what_flash_attention_is_asked_for_equals_the_definition(queries, before, window, kv_heads):
    torch.manual_seed(queries * 31 + before)
    q = torch.randn(4, queries, 8, dtype=torch.float64)
    k, v = torch.randn(2, kv_heads, queries + before, 8, dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefill_attention, "_flash_serves", lambda *_: True)
        got = attend_causally(q, k, v, ScoreOptions(window=window))
    torch.testing.assert_close(got, definition(q, k, v, None, window, None, None))


@pytest.fixture
def asked(monkeypatch):
    """What attention is asked for: heads of the keys, what masks them, grouped or not."""
    calls = []

    def note(q, k, v, *, attn_mask, is_causal, scale, enable_gqa):
        calls.append((k.shape[1], type(attn_mask), enable_gqa))
        return torch.empty_like(q)

    monkeypatch.setattr(F, "scaled_dot_product_attention", note)
    return calls


def on_a_gpu(queries, keys, scores=None):
    # any device but a CPU is treated alike here, and this one computes nothing
    q, k = (torch.empty(n, t, 16, device="meta") for n, t in ((8, queries), (2, keys)))
    return attend_causally(q, k, k, *([scores] if scores else []))


@pytest.mark.parametrize("scores", [None, ScoreOptions(window=600)])
def test_on_a_gpu_no_mask_meets_grouped_heads(asked, monkeypatch, scores):
    monkeypatch.setattr(prefill_attention, "_flash_serves", lambda *_: False)
    assert on_a_gpu(700, 900, scores).shape == (700, 8, 16)
    assert len(asked) == 2
    assert {(heads, grouped) for heads, _, grouped in asked} == {(8, False)}


def test_on_a_gpu_later_chunks_are_one_call_without_a_stored_mask(asked, monkeypatch):
    monkeypatch.setattr(prefill_attention, "_flash_serves", lambda *_: True)
    assert on_a_gpu(700, 900).shape == (700, 8, 16)
    assert asked == [(2, CausalBias, True)]


def test_on_a_cpu_nobody_is_asked_about_flash_attention(monkeypatch):
    monkeypatch.setattr(prefill_attention, "can_use_flash_attention", None)
    assert attend_causally(*(torch.randn(2, n, 4) for n in (3, 5, 5))).shape == (3, 2, 4)


@pytest.mark.parametrize("before", [0, 700])
def test_in_bfloat16_passes_are_rounded_and_say_nearly_the_same(before):
    torch.manual_seed(before)
    q, k, v = torch.randn(4, 600, 16), *torch.randn(2, 2, 600 + before, 16)
    plain = attend_causally(q, k, v)
    found = attend_causally(q, k, v, ScoreOptions(in_bf16=True))
    assert (found.shape, found.dtype) == (plain.shape, plain.dtype)
    assert not torch.equal(found, plain)
    torch.testing.assert_close(found, plain, atol=2**-7 * float(plain.abs().max()), rtol=0)


@pytest.mark.parametrize(
    "asked",
    [{"window": 100}, {"softcap": 2.0}, {"sinks": torch.zeros(4)}],
    ids=lambda asked: next(iter(asked)),
)
def test_in_bfloat16_masked_and_capped_scores_are_left_as_they_are(asked):
    torch.manual_seed(0)
    q, k, v = torch.randn(4, 600, 16), *torch.randn(2, 2, 1300, 16)
    found, plain = (attend_causally(q, k, v, ScoreOptions(**asked, in_bf16=on)) for on in (True, False))
    assert torch.equal(found, plain)
