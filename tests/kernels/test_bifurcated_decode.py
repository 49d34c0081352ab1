"""The operation through its public function: exactness, what it may not read, what it refuses."""

import itertools
import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
import torch

from codesample.errors import ParameterError, ShapeError
from codesample.kernels.bifurcated_decode import (
    DecodeBatch,
    LayerStore,
    ScoreOptions,
    Segment,
    bifurcated_decode,
    prepare_batch,
)
from codesample.testing.attention import (
    DecodeCase,
    assert_within_rounding,
    joined_attention,
    make_decode_inputs,
)

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
CASES = [
    DecodeCase(groups=((1, 1),), lens=(0,)),
    DecodeCase(groups=((4, 37),), lens=(5,) * 4),
    DecodeCase(groups=((4, 37),), lens=(5, 0, 9, 2)),
    DecodeCase(groups=((3, 0), (2, 1)), lens=(0, 3, 1, 2, 0)),
    DecodeCase(groups=((1, 130), (5, 61), (2, 7)), lens=(11, 3, 3, 3, 3, 3, 0, 8), heads=(8, 2)),
    DecodeCase(groups=((3, 20), (2, 33)), lens=(4,) * 5, header=19, heads=(6, 1), width=80),
    DecodeCase(groups=((4, 12),), lens=(6, 6, 6, 6), slots=(2, 3, 7, 11)),
    DecodeCase(groups=((4, 12),), lens=(6, 1, 6, 30), slots=(9, 1, 4, 0), capacity=64),
    DecodeCase(groups=((3, 40),), lens=(2, 2, 2), queries=4, heads=(4, 2)),
    DecodeCase(groups=((2, 9), (2, 9)), lens=(5, 1, 0, 3), queries=3, header=4),
    DecodeCase(groups=((3, 9),), lens=(4, 1, 2), write=False),
    DecodeCase(groups=((2, 9), (1, 0)), lens=(0, 2, 0), write=False),
    DecodeCase(groups=((3, 70),), lens=(9, 9, 9), window=5),
    DecodeCase(groups=((3, 70), (2, 3)), lens=(1, 9, 4, 2, 0), window=8, header=2),
    DecodeCase(groups=((3, 70),), lens=(9, 0, 9), softcap=1.5),
    DecodeCase(groups=((3, 70),), lens=(9, 0, 9), sinks=True),
    DecodeCase(groups=((4, 65),), lens=(7,) * 4, spread=40.0, width=64),
    DecodeCase(
        groups=((3, 50), (1, 21)),
        lens=(3, 8, 0, 2),
        header=6,
        heads=(6, 2),
        queries=2,
        slots=(5, 6, 0, 9),
        window=40,
        softcap=3.0,
        sinks=True,
    ),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_equals_attention_over_joined_keys(case: DecodeCase, dtype: torch.dtype):
    inputs = make_decode_inputs(case, dtype=dtype)
    exact, plain = joined_attention(inputs.to(torch.float64)), joined_attention(inputs)
    got = inputs.run("torch")
    assert got.out.dtype == dtype
    assert got.lse.dtype == torch.float32
    assert_within_rounding(got.out, exact.out, plain.out)
    assert_within_rounding(got.lse, exact.lse, plain.lse)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_fp64_is_exact_to_as_many_roundings_as_there_are_keys(case: DecodeCase):
    inputs = make_decode_inputs(case, dtype=torch.float64)
    exact, got = joined_attention(inputs), inputs.run("torch")
    keys = case.header + max(n for _, n in case.groups) + max(case.lens) + case.queries
    for a, b in zip(got, exact, strict=True):
        assert a.dtype == torch.float64
        largest = b[b.isfinite()].abs().max().item() if b.isfinite().any() else 0.0
        torch.testing.assert_close(a, b, rtol=0, atol=keys * torch.finfo(torch.float64).eps * largest)


@pytest.mark.parametrize("impl", ["reference", "torch"])
@pytest.mark.parametrize("slots", [(0, 1, 2), (4, 5, 6), (6, 0, 3)])
@pytest.mark.parametrize("lens", [(2, 2, 2), (0, 5, 3)])
def test_writes_the_new_tokens_and_nothing_else(impl, slots, lens):
    case = DecodeCase(groups=((3, 8),), lens=lens, slots=slots, queries=2, capacity=9)
    x = make_decode_inputs(case, dtype=torch.float32)
    expected = [t.clone() for t in x.store]
    for row, (slot, stored) in enumerate(zip(slots, lens, strict=True)):
        expected[2][slot, :, stored : stored + 2] = x.k_new[row].transpose(0, 1)
        expected[3][slot, :, stored : stored + 2] = x.v_new[row].transpose(0, 1)
    bifurcated_decode(*x[:6], impl=impl)
    for got, wanted in zip(x.store, expected, strict=True):
        assert torch.equal(got.nan_to_num(7.0), wanted.nan_to_num(7.0))


def test_a_written_and_a_given_store_agree():
    case = DecodeCase(groups=((3, 8),), lens=(2, 0, 5), queries=2)
    x = make_decode_inputs(case, dtype=torch.float64)
    written = bifurcated_decode(*x[:6])
    given = bifurcated_decode(x.q, None, None, x.store, x.batch, x.lens + 2)
    assert torch.equal(written.out, given.out)
    assert torch.equal(written.lse, given.lse)


def test_a_repeated_call_is_bitwise_equal():
    case = DecodeCase(groups=((5, 300), (3, 80)), lens=(1, 2, 3, 4, 5, 6, 7, 8), heads=(4, 2))
    x = make_decode_inputs(case, dtype=torch.float32)
    a, b = x.run("torch"), x.run("torch")
    assert torch.equal(a.out, b.out)
    assert torch.equal(a.lse, b.lse)


def test_a_prepared_batch_serves_later_steps_and_changed_lengths():
    case = DecodeCase(groups=((8, 30),), lens=(0,) * 8, capacity=12, heads=(8, 4))
    x = make_decode_inputs(case, dtype=torch.float32)
    prepared = prepare_batch(x.batch, "cpu", impl="torch")
    for step in range(3):
        exact, plain = joined_attention(x.to(torch.float64)), joined_attention(x)
        got = bifurcated_decode(*x[:4], prepared, x.lens, impl="torch")
        assert_within_rounding(got.out, exact.out, plain.out)
        x.lens[0 if step else slice(None)] += 1


def test_strided_store_and_keys_are_read_in_place():
    case = DecodeCase(groups=((3, 21),), lens=(4, 4, 4), heads=(4, 2))
    x = make_decode_inputs(case, dtype=torch.float32)
    exact, plain = joined_attention(x.to(torch.float64)), joined_attention(x)
    wide = LayerStore(
        *(torch.nn.functional.pad(t, (0, 5), value=float("nan"))[..., : case.width] for t in x.store)
    )
    token_major = LayerStore(*(t.transpose(-3, -2).contiguous().transpose(-3, -2) for t in x.store))
    for store in (wide, token_major):
        assert not store.k_shared.is_contiguous()
        assert_within_rounding(x._replace(store=store).run("torch").out, exact.out, plain.out)
        bifurcated_decode(*x[:3], store, *x[4:6], impl="torch")
        assert torch.equal(store.k_own[1, :, 4], x.k_new[1, 0])


def test_queries_and_new_keys_may_be_strided_in_every_dimension():
    x = make_decode_inputs(DecodeCase(groups=((3, 21),), lens=(4, 4, 4), heads=(4, 2)), dtype=torch.float32)
    strided = [t.permute(3, 1, 2, 0).contiguous().permute(3, 1, 2, 0) for t in x[:3]]
    assert strided[0].stride(3) != 1
    got = x._replace(q=strided[0], k_new=strided[1], v_new=strided[2]).run("torch")
    assert torch.equal(got.out, x.run("torch").out)


def test_a_row_that_sees_nothing_gets_zero_and_minus_infinity():
    x = make_decode_inputs(DecodeCase(groups=((2, 0),), lens=(0, 1), write=False), dtype=torch.float32)
    for impl in ("reference", "torch"):
        got = x.run(impl)
        assert (got.out[0] == 0).all()
        assert (got.lse[0] == float("-inf")).all()
        assert got.lse[1].isfinite().all()


def test_a_nan_that_a_row_sees_reaches_that_row_alone():
    x = make_decode_inputs(DecodeCase(groups=((3, 10),), lens=(4, 1, 2)), dtype=torch.float32)
    x.store.v_own[0, :, 1] = float("nan")
    got = x.run("torch")
    assert got.out[0].isnan().all()
    assert got.out[1:].isfinite().all()


@pytest.mark.parametrize("queries", [1, 3])
def test_small_scratch_changes_nothing_but_rounding(monkeypatch, queries):
    from codesample.kernels.bifurcated_decode import torch_parts as backend

    case = DecodeCase(
        groups=((3, 50), (2, 21)), lens=(3, 8, 0, 2, 2), header=6, queries=queries, window=30, softcap=3.0
    )
    for options in itertools.product([None, 30], [None, 3.0]):
        x = make_decode_inputs(case, dtype=torch.bfloat16)
        x = x._replace(scores=ScoreOptions(None, *options))
        exact, plain = joined_attention(x.to(torch.float64)), joined_attention(x)
        monkeypatch.setattr(backend, "SCRATCH_BYTES", 2000)
        got = x.run("torch")
        monkeypatch.undo()
        assert_within_rounding(got.out, exact.out, plain.out)
        assert_within_rounding(got.lse, exact.lse, plain.lse)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda x: x._replace(q=x.q[:, :, :3]), ShapeError, "H = 3 .* is not a multiple of G = 2"),
        (lambda x: x._replace(q=x.q[:2]), ShapeError, "expected .3 rows of the batch"),
        (lambda x: x._replace(q=x.q.double()), ShapeError, "q is .*float64.* expected .*float32"),
        (
            lambda x: x._replace(store=LayerStore(*(t.long() for t in x.store))),
            ShapeError,
            "store is torch.int64",
        ),
        (lambda x: x._replace(k_new=x.k_new[..., :8]), ShapeError, "k_new is"),
        (lambda x: x._replace(v_new=None), ShapeError, "both k_new and v_new"),
        (lambda x: x._replace(lens=x.lens.long()), ShapeError, r"lens is .*int64.* expected \[3\] int32"),
        (lambda x: x._replace(lens=x.lens + 90), ShapeError, "capacity"),
        (
            lambda x: x._replace(store=x.store._replace(v_shared=x.store.v_shared[:1])),
            ShapeError,
            "v_shared is",
        ),
        (lambda x: x._replace(store=x.store._replace(k_own=x.store.k_own[0])), ShapeError, "k_own"),
        (lambda x: x._replace(scores=ScoreOptions(window=0)), ParameterError, "window = 0"),
        (lambda x: x._replace(scores=ScoreOptions(softcap=-1.0)), ParameterError, "softcap = -1.0"),
        (
            lambda x: x._replace(scores=ScoreOptions(sinks=torch.zeros(3))),
            ShapeError,
            r"sinks is \[3\].* expected \[4\]",
        ),
    ],
)
def test_refuses_what_does_not_fit_and_says_what_would(change, error, message):
    x = make_decode_inputs(DecodeCase(groups=((3, 10),), lens=(4, 1, 2), heads=(4, 2)), dtype=torch.float32)
    with pytest.raises(error, match=message):
        change(x).run("torch")


def test_refuses_a_store_or_pool_too_small_for_the_batch():
    x = make_decode_inputs(DecodeCase(groups=((3, 10),), lens=(4, 1, 2)), dtype=torch.float32)
    few = LayerStore(*x.store[:2], x.store.k_own[:2], x.store.v_own[:2])
    with pytest.raises(ShapeError, match="slot 2"):
        x._replace(store=few).run("torch")
    short = LayerStore(x.store.k_shared[:, :9], x.store.v_shared[:, :9], *x.store[2:])
    with pytest.raises(ShapeError, match="token 9 of the pool"):
        x._replace(store=short).run("torch")


def test_a_prepared_batch_refuses_another_implementation_and_another_device():
    x = make_decode_inputs(DecodeCase(groups=((1, 3),), lens=(0,)), dtype=torch.float32)
    prepared = prepare_batch(x.batch, "cpu", impl="reference")
    with pytest.raises(ParameterError, match="impl = 'torch', but the batch was prepared for 'reference'"):
        bifurcated_decode(*x[:4], prepared, x.lens, impl="torch")
    with pytest.raises(ShapeError, match="store is on cpu; the batch was prepared for meta"):
        bifurcated_decode(*x[:4], prepare_batch(x.batch, "meta", impl="torch"), x.lens)


def test_a_batch_is_a_value():
    def build():
        return DecodeBatch.build([Segment(0, 5, 0, 2, 0)], slots=[3, 1], own_starts=[5, 5])

    assert build() == build()
    assert hash(build()) == hash(build())
    with pytest.raises(FrozenInstanceError):
        build().slots = (0, 1)


@pytest.mark.parametrize("impl", ["reference", "torch"])
def test_implementations_that_lay_out_on_the_host_take_no_place(impl):
    x = make_decode_inputs(DecodeCase(groups=((2, 3),), lens=(0, 1)), dtype=torch.float32)
    prepared = prepare_batch(x.batch, "cpu", impl=impl)
    assert not prepared.take_over(x.batch)
    assert type(prepared.anew(x.batch)) is type(prepared)


def test_a_new_store_per_call_is_not_kept_for_ever(monkeypatch):
    from codesample.kernels.bifurcated_decode import prepared_batch, step_views

    for module in (prepared_batch, step_views):
        monkeypatch.setattr(module, "MOST_STORES", 3)
    x = make_decode_inputs(DecodeCase(groups=((2, 3),), lens=(0, 1)), dtype=torch.float32)
    prepared, wanted = prepare_batch(x.batch, "cpu", impl="torch"), x.run("torch")
    for _ in range(8):
        store = LayerStore(*(t.clone() for t in x.store))
        assert torch.equal(bifurcated_decode(*x[:3], store, prepared, x.lens).out, wanted.out)
        assert len(prepared._checked) <= 3
        assert len(prepared._whole[0]._views) <= 3


def test_the_readmes_example_runs():
    text = Path(bifurcated_decode.__code__.co_filename).with_name("README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    x = make_decode_inputs(DecodeCase(groups=((32, 900),), lens=tuple(range(32))), dtype=torch.float32)
    names = {"q": x.q, "k_new": x.k_new, "v_new": x.v_new, "store": x.store, "lens": x.lens}
    exec(example, names)
    exact, plain = joined_attention(x.to(torch.float64)), joined_attention(x)
    assert_within_rounding(names["out"], exact.out, plain.out)


def test_unknown_implementation_is_named():
    x = make_decode_inputs(DecodeCase(groups=((1, 3),), lens=(0,)), dtype=torch.float32)
    with pytest.raises(ParameterError, match="unknown impl 'tritn'"):
        x.run("tritn")


def test_public_surface_is_what_is_documented():
    import codesample.kernels.bifurcated_decode as package

    # constants first, as the linter wants it
    assert package.__all__ == sorted(package.__all__, key=lambda name: (not name.isupper(), name))
    assert {DecodeBatch, Segment, LayerStore, ScoreOptions} <= {
        getattr(package, name) for name in package.__all__
    }
