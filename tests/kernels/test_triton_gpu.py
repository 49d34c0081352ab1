"""The Triton kernels on a GPU: exactness, poison, graphs; skipped where there is none."""

import pytest
import torch

from codesample.kernels.bifurcated_decode import LayerStore, bifurcated_decode, prepare_batch
from codesample.testing.attention import (
    DecodeCase,
    assert_within_rounding,
    joined_attention,
    make_decode_inputs,
    pack_inputs,
    unpacked,
)

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
CASES = [
    DecodeCase(groups=((1, 1),), lens=(0,), width=64),
    DecodeCase(groups=((1, 8192),), lens=(100,), heads=(32, 8), width=128),
    DecodeCase(groups=((32, 4096),), lens=tuple(range(0, 320, 10)), heads=(32, 32), width=128),
    DecodeCase(groups=((70, 1000), (3, 77), (1, 0)), lens=(17,) * 74, heads=(28, 4), width=128),
    DecodeCase(groups=((9, 2000), (7, 333)), lens=(40,) * 16, header=130, heads=(48, 1), width=128),
    DecodeCase(groups=((5, 700),), lens=(600, 3, 0, 1, 299), heads=(8, 2), width=80),
    DecodeCase(groups=((5, 700),), lens=(600, 3, 0, 1, 299), heads=(8, 8), width=96, window=256),
    DecodeCase(groups=((6, 700),), lens=(5,) * 6, heads=(8, 4), width=256, softcap=50.0, window=512),
    DecodeCase(groups=((6, 700),), lens=(5,) * 6, heads=(64, 8), width=64, sinks=True, window=128),
    DecodeCase(groups=((6, 700),), lens=(5, 0, 9, 8, 1, 2), heads=(32, 8), width=128, queries=4),
    DecodeCase(groups=((4, 65),), lens=(7,) * 4, spread=40.0, width=64),
    DecodeCase(groups=((3, 3000),), lens=(3900, 2, 0), heads=(8, 4), width=128, capacity=4096),
    DecodeCase(
        groups=((20, 900), (3, 41)),
        lens=tuple(range(23)),
        slots=tuple(range(40, 17, -1)),
        header=100,
        heads=(16, 4),
        width=128,
        queries=2,
        window=700,
        softcap=30.0,
        sinks=True,
    ),
]


@pytest.fixture(autouse=True)
def _poisoned_memory():
    """Fresh memory, outputs and partial results included, starts as NaN."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("impl", ["triton", "torch"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_equals_attention_over_joined_keys(case, dtype, impl):
    inputs = make_decode_inputs(case, dtype=dtype, device="cuda")
    exact, plain = joined_attention(inputs.to(torch.float64)), joined_attention(inputs)
    got = inputs.run(impl)
    assert_within_rounding(got.out, exact.out, plain.out)
    assert_within_rounding(got.lse, exact.lse, plain.lse)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_repeated_calls_are_bitwise_equal(case):
    inputs = make_decode_inputs(case, dtype=torch.bfloat16, device="cuda")
    first = inputs.run("triton")
    for _ in range(20):
        again = inputs.run("triton")
        assert torch.equal(first.out, again.out)
        assert torch.equal(first.lse, again.lse)


@pytest.mark.parametrize("kind", ["int8", "fp8"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_shared_keys_in_8_bits_are_read_as_they_are_held(case, kind):
    inputs = pack_inputs(make_decode_inputs(case, dtype=torch.bfloat16, device="cuda"), kind)
    exact, plain = (joined_attention(unpacked(inputs, dtype)) for dtype in (torch.float64, torch.bfloat16))
    got = inputs.run("triton")
    assert_within_rounding(got.out, exact.out, plain.out)
    assert_within_rounding(got.lse, exact.lse, plain.lse)


def test_one_graph_serves_steps_of_growing_length():
    case = DecodeCase(groups=((8, 600), (5, 90)), lens=(0,) * 13, capacity=40, heads=(16, 4), width=128)
    x = make_decode_inputs(case, dtype=torch.bfloat16, device="cuda")
    expected = LayerStore(*(t.clone() for t in x.store))
    prepared = prepare_batch(x.batch, "cuda", impl="triton")
    bifurcated_decode(*x[:3], LayerStore(*(t.clone() for t in x.store)), prepared, x.lens)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        got = bifurcated_decode(*x[:4], prepared, x.lens)
    for step in range(32):
        for tensor in x[:3]:
            tensor.normal_(generator=torch.Generator("cuda").manual_seed(step))
        graph.replay()
        wanted = bifurcated_decode(*x[:3], expected, *x[4:6], impl="triton")
        assert torch.equal(got.out, wanted.out)
        assert torch.equal(x.store.k_own.nan_to_num(7.0), expected.k_own.nan_to_num(7.0))
        exact, plain = joined_attention(x.to(torch.float64)), joined_attention(x)
        assert_within_rounding(got.out, exact.out, plain.out)
        x.lens.add_(1)
