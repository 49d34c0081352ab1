import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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
