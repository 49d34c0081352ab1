"""Tests of the Triton kernels in Triton's interpreter; `test_triton_interpreted.py` runs them in a process
of their own, because TRITON_INTERPRET must be set before Triton is first imported.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from triton.runtime import interpreter

from codesample.bench.attention_grid import Cell
from codesample.bench.schedule_speed import measure_schedules
from codesample.errors import ImplUnavailableError, ShapeError
from codesample.kernels.bifurcated_decode import (
    DecodeBatch,
    DecodeOutput,
    FixedSplits,
    LayerStore,
    PackedKeys,
    PackedStore,
    ScoreOptions,
    Segment,
    StepSchedule,
    StreamK,
    bifurcated_decode,
    usable_impls,
)
from codesample.kernels.bifurcated_decode.auto import PreparedAuto
from codesample.kernels.bifurcated_decode.call import Call
from codesample.kernels.bifurcated_decode.cost import Tiling
from codesample.kernels.bifurcated_decode.triton import GpuKind, PreparedTriton
from codesample.testing.attention import (
    DecodeCase,
    DecodeInputs,
    assert_within_rounding,
    joined_attention,
    make_decode_inputs,
    pack_inputs,
    unpacked,
)

SMALL = Tiling(
    shared=True,
    block_m=16,
    block_n=16,
    own_block_m=16,
    workers=5,
    busy_workers=4,
    splits=2,
    warps=4,
    stages=1,
    join_warps=1,
    fold=2,
)
JOINED = replace(SMALL, own="join", splits=1)
FORMS = pytest.mark.parametrize("tiling", [SMALL, JOINED], ids=lambda tiling: tiling.own)
CASES = [
    DecodeCase(groups=((1, 1),), lens=(0,)),
    DecodeCase(groups=((4, 37),), lens=(5, 5, 5, 5), heads=(4, 2)),
    DecodeCase(groups=((4, 37),), lens=(5, 0, 9, 40), slots=(3, 9, 0, 4)),
    DecodeCase(groups=((3, 0), (2, 1)), lens=(0, 3, 1, 2, 0)),
    DecodeCase(groups=((1, 130), (5, 61), (2, 7)), lens=(11, 3, 3, 3, 3, 3, 0, 8), heads=(8, 2)),
    DecodeCase(groups=((3, 20), (2, 33)), lens=(4,) * 5, header=19, heads=(6, 1), width=80),
    DecodeCase(groups=((3, 40),), lens=(2, 2, 2), queries=4, heads=(4, 2)),
    DecodeCase(groups=((2, 9), (2, 9)), lens=(5, 1, 0, 3), queries=3, header=4),
    DecodeCase(groups=((3, 9),), lens=(4, 1, 2), write=False),
    DecodeCase(groups=((2, 9), (1, 0)), lens=(0, 2, 0), write=False),
    DecodeCase(groups=((3, 70), (2, 3)), lens=(1, 39, 4, 2, 0), window=8, header=2),
    DecodeCase(groups=((3, 70),), lens=(1, 39, 4), window=20, write=False, queries=2),
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
    DecodeCase(groups=((2, 0),), lens=(0, 3)),
]
UNEVEN = DecodeCase(groups=((1, 50), (2, 21)), lens=(3, 0, 20), heads=(4, 2))
WIDTHS = [8, 64, 80, 96, 128, 256]


@pytest.fixture(autouse=True, scope="module")
def _exact_bf16_products():
    """The interpreter multiplies the bit patterns of bf16 operands in `dot`; widen them first."""
    original = interpreter.InterpreterBuilder.create_dot

    def widened(self, a, b, d, *rest):
        a, b = (
            interpreter.TensorHandle(
                (x.data.astype(np.uint32) << 16).view(np.float32), interpreter.tl.float32
            )
            if x.dtype.scalar == interpreter.tl.bfloat16
            else x
            for x in (a, b)
        )
        return original(self, a, b, d, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interpreter.InterpreterBuilder, "create_dot", widened)
        yield


@pytest.fixture
def rows_apart(monkeypatch):
    """Let no row of a product depend on where it stands, as in matrix units; the interpreter's own do."""

    def create_dot(self, a, b, d, *rest):
        left, right = a.data.astype(np.float64), b.data.astype(np.float64)
        product = (left[:, :, None] * right[None]).sum(1).astype(d.data.dtype)
        return interpreter.TensorHandle(product + d.data, d.dtype.scalar)

    monkeypatch.setattr(interpreter.InterpreterBuilder, "create_dot", create_dot)


@pytest.fixture(autouse=True)
def _poisoned_memory():
    """Fresh memory, outputs and partial results included, starts as NaN."""
    torch.use_deterministic_algorithms(True)
    assert torch.empty(1).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


def launch(inputs: DecodeInputs, tiling: Tiling | None = SMALL, prepared: PreparedTriton | None = None):
    """Run with a given tiling on a private store; return the output and the store."""
    store = LayerStore(*(x.clone() for x in inputs.store))
    prepared = prepared or PreparedTriton(inputs.batch, "cpu")
    call = Call(*inputs[:3], store, inputs.lens, inputs.scores)
    prepared.check(call)
    return prepared.decode(call, tiling), store


def fits(tiling: Tiling, per_row: int) -> Tiling:
    block = max(16, 1 << (per_row - 1).bit_length())
    return replace(tiling, block_m=block, own_block_m=block)


def of_each_case() -> list[object]:
    """Return every case in float32 and in one of the halves, in turn; in the other one is left to `whole`."""
    halves = [torch.bfloat16, torch.float16]
    return [
        pytest.param(case, dtype, marks=[pytest.mark.whole] if dtype == halves[number % 2] else [])
        for number, case in enumerate(CASES)
        for dtype in (torch.float32, *halves)
    ]


@pytest.mark.parametrize(("case", "dtype"), of_each_case(), ids=str)
def test_equals_attention_over_joined_keys(case, dtype):
    inputs = make_decode_inputs(case, dtype=dtype)
    exact, plain = joined_attention(inputs.to(torch.float64)), joined_attention(inputs)
    got, _ = launch(inputs)
    assert got.out.dtype == dtype
    assert got.lse.dtype == torch.float32
    assert_within_rounding(got.out, exact.out, plain.out)
    assert_within_rounding(got.lse, exact.lse, plain.lse)


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        *((case, torch.float16) for case in CASES[::2]),
        *((case, dtype) for case in (CASES[2], CASES[15]) for dtype in (torch.float32, torch.bfloat16)),
    ],
    ids=str,
)
def test_own_tokens_in_the_second_launch_give_the_same(case, dtype):
    inputs = make_decode_inputs(case, dtype=dtype)
    exact, plain = joined_attention(inputs.to(torch.float64)), joined_attention(inputs)
    got, _ = launch(inputs, JOINED)
    assert_within_rounding(got.out, exact.out, plain.out)
    assert_within_rounding(got.lse, exact.lse, plain.lse)


@FORMS
@pytest.mark.parametrize("queries", [1, 2])
def test_launches_hold_while_rows_grow(tiling, queries):
    case = DecodeCase(groups=((3, 40), (1, 0)), lens=(0, 15, 16, 1), queries=queries, capacity=40)
    x = make_decode_inputs(case, dtype=torch.float32)
    store, result = (
        LayerStore(*(t.clone() for t in x.store)),
        DecodeOutput(torch.empty(x.q.shape), torch.empty(x.q.shape[:3])),
    )
    prepared = PreparedTriton(x.batch, "cpu")
    captured = prepared.launches(Call(*x[:3], store, x.lens, x.scores), result, tiling)
    for step in range(3):
        for tensor in x[:3]:
            tensor.normal_(generator=torch.Generator().manual_seed(step))
        now = x._replace(store=LayerStore(*(t.clone() for t in store)))
        exact, plain = joined_attention(now.to(torch.float64)), joined_attention(now)
        for each in captured:
            each.run()
        assert_within_rounding(result.out, exact.out, plain.out)
        assert_within_rounding(result.lse, exact.lse, plain.lse)
        x.lens.add_(queries)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_one_launch_without_sharing_gives_the_same(case):
    inputs = make_decode_inputs(case, dtype=torch.float16)
    exact, plain = joined_attention(inputs.to(torch.float64)), joined_attention(inputs)
    got, _ = launch(inputs, replace(SMALL, shared=False))
    assert_within_rounding(got.out, exact.out, plain.out)
    assert_within_rounding(got.lse, exact.lse, plain.lse)


@pytest.mark.parametrize("width", WIDTHS)
def test_serves_every_head_width_with_its_own_choice_of_tiles(width):
    case = DecodeCase(groups=((3, 75), (1, 20)), lens=(3, 0, 5, 17), heads=(4, 2), width=width)
    inputs = make_decode_inputs(case, dtype=torch.float16)
    exact, plain = joined_attention(inputs.to(torch.float64)), joined_attention(inputs)
    got, _ = launch(inputs, tiling=None)
    assert_within_rounding(got.out, exact.out, plain.out)
    assert_within_rounding(got.lse, exact.lse, plain.lse)


@FORMS
@pytest.mark.parametrize("heads", [(7, 1), (48, 1), (14, 2)])
def test_serves_groups_that_do_not_fill_a_tile(heads, tiling):
    case = DecodeCase(groups=((3, 40),), lens=(3, 0, 17), heads=heads)
    inputs = make_decode_inputs(case, dtype=torch.float16)
    exact, plain = joined_attention(inputs.to(torch.float64)), joined_attention(inputs)
    got, _ = launch(inputs, fits(tiling, heads[0] // heads[1]))
    assert_within_rounding(got.out, exact.out, plain.out)


@FORMS
@pytest.mark.parametrize("queries", [1, 3])
def test_writes_the_new_tokens_and_nothing_else(queries, tiling):
    case = DecodeCase(groups=((3, 8),), lens=(0, 5, 20), slots=(6, 0, 3), queries=queries, capacity=24)
    x = make_decode_inputs(case, dtype=torch.bfloat16)
    expected = [t.clone() for t in x.store]
    for row, (slot, stored) in enumerate(zip(x.batch.slots, case.lens, strict=True)):
        expected[2][slot, :, stored : stored + queries] = x.k_new[row].transpose(0, 1)
        expected[3][slot, :, stored : stored + queries] = x.v_new[row].transpose(0, 1)
    _, store = launch(x, tiling)
    for got, wanted in zip(store, expected, strict=True):
        assert torch.equal(got.nan_to_num(7.0), wanted.nan_to_num(7.0))


@FORMS
def test_a_repeated_call_is_bitwise_equal(tiling):
    x = make_decode_inputs(UNEVEN, dtype=torch.float16)
    (a, _), (b, _) = launch(x, tiling), launch(x, tiling)
    assert torch.equal(a.out, b.out)
    assert torch.equal(a.lse, b.lse)


ORDER = [4, 1, 0, 5, 2, 3]


def other_layout(x: DecodeInputs) -> DecodeBatch:
    """Other rows behind the same segments: two see the last one, three the header and the first, one none."""
    header, first, last = x.batch.segments
    segments = [
        last._replace(row_start=0, row_stop=2, position=0),
        header._replace(row_start=2, row_stop=5),
        first._replace(row_start=2, row_stop=5),
    ]
    behind = header.length + first.length
    starts = [last.length] * 2 + [behind] * 3 + [7]
    return DecodeBatch.build(segments, slots=[x.batch.slots[r] for r in ORDER], own_starts=starts)


@pytest.mark.parametrize(
    "tiling", [SMALL, JOINED, replace(SMALL, shared=False)], ids=["split", "join", "one"]
)
def test_launches_of_one_layout_compute_another_that_took_its_place(tiling):
    case = DecodeCase(groups=((4, 70), (2, 30)), lens=(3, 0, 5, 17, 2, 2), header=12, heads=(4, 2))
    x = make_decode_inputs(case, dtype=torch.float32)
    x = x._replace(batch=replace(x.batch, segments=(x.batch.segments[0], *sorted(x.batch.segments[1:]))))
    new, store = other_layout(x), LayerStore(*(t.clone() for t in x.store))
    lens = x.lens[ORDER]
    exact, plain = (joined_attention(y._replace(batch=new, lens=lens)) for y in (x.to(torch.float64), x))
    result = DecodeOutput(torch.empty_like(x.q), torch.empty(x.q.shape[:3]))
    prepared = PreparedTriton(x.batch, "cpu")
    calls = prepared.launches(Call(*x[:3], store, x.lens, x.scores), result, tiling)
    assert prepared.take_over(new)
    assert prepared.batch is new
    x.lens.copy_(lens)
    for captured in calls:
        captured.run()
    assert_within_rounding(result.out, exact.out, plain.out)
    assert_within_rounding(result.lse, exact.lse, plain.lse)
    got, _ = launch(x._replace(batch=new), tiling, prepared)
    assert torch.equal(got.out, result.out)


def test_a_layout_that_needs_other_launches_takes_no_place():
    def used(segments, rows):
        case = DecodeCase(groups=((rows, 40),), lens=(2,) * rows)
        x = make_decode_inputs(case, dtype=torch.float16)
        batch = DecodeBatch.build(segments, slots=range(rows), own_starts=[40] * rows)
        prepared = PreparedTriton(batch, "cpu")
        launch(x._replace(batch=batch), None, prepared)
        return prepared

    together, fewer = used([Segment(0, 40, 0, 40, 0)], 40), used([Segment(0, 40, 0, 39, 0)], 39)
    apart = used([Segment(0, 40, row, row + 1, 0) for row in range(40)], 40)
    before = together.batch
    assert not together.take_over(fewer.batch)
    assert not together.take_over(apart.batch)
    assert together.batch is before


def test_a_batch_that_took_anothers_place_is_checked_against_the_store_again():
    x = make_decode_inputs(DecodeCase(groups=((3, 8),), lens=(1, 1, 1)), dtype=torch.float16)
    prepared = PreparedTriton(x.batch, "cpu")
    bifurcated_decode(*x[:4], prepared, x.lens)
    far = DecodeBatch.build(x.batch.segments, slots=[0, 1, 9], own_starts=x.batch.own_starts)
    assert prepared.take_over(far)
    with pytest.raises(ShapeError, match="slot 9"):
        bifurcated_decode(*x[:4], prepared, x.lens)


def test_a_key_selection_is_refused_by_name():
    class First:
        name = "first-half"

        def restricts(self, segment):
            return segment.length > 1

        def select(self, segment, call):
            return torch.arange(segment.length // 2).expand(call.kv_heads, -1)

    x = make_decode_inputs(DecodeCase(groups=((2, 8),), lens=(1, 1)), dtype=torch.float16)
    with pytest.raises(ImplUnavailableError, match=r"impl='triton' .* cannot honour .* 'first-half'"):
        x.run("triton", First())
    one = make_decode_inputs(DecodeCase(groups=((2, 1),), lens=(1, 1)), dtype=torch.float16)
    assert torch.equal(one.run("triton", First()).out, one.run("triton").out)


def test_strided_stores_are_read_in_place():
    x = make_decode_inputs(CASES[1], dtype=torch.float32)
    exact, plain = joined_attention(x.to(torch.float64)), joined_attention(x)
    token_major = LayerStore(*(t.transpose(-3, -2).contiguous().transpose(-3, -2) for t in x.store))
    got = x._replace(store=token_major).run("triton")
    assert_within_rounding(got.out, exact.out, plain.out)


def test_a_row_that_sees_nothing_gets_zero_and_minus_infinity():
    case = DecodeCase(groups=((2, 0),), lens=(0, 1), write=False)
    for tiling in (SMALL, JOINED):
        got, _ = launch(make_decode_inputs(case, dtype=torch.float32), tiling)
        assert (got.out[0] == 0).all()
        assert (got.lse[0] == float("-inf")).all()


@settings(deadline=None, max_examples=6, suppress_health_check=list(HealthCheck))
@given(
    workers=st.integers(1, 40),
    splits=st.integers(0, 4),
    block_n=st.sampled_from([16, 32]),
    fold=st.sampled_from([1, 2, 16]),
)
def test_workers_splits_and_folding_change_nothing_but_rounding(workers, splits, block_n, fold):
    x = make_decode_inputs(UNEVEN, dtype=torch.float32)
    exact, plain = joined_attention(x.to(torch.float64)), joined_attention(x)
    form = replace(SMALL, splits=splits) if splits else JOINED
    sizes = {"block_n": block_n, "own_block_n": block_n, "fold": fold}
    tiling = replace(form, workers=workers, busy_workers=workers, **sizes)
    got, _ = launch(x, tiling)
    assert_within_rounding(got.out, exact.out, plain.out)
    assert_within_rounding(got.lse, exact.lse, plain.lse)


@settings(deadline=None, max_examples=5, suppress_health_check=list(HealthCheck))
@given(cut=st.integers(0, 37))
def test_splitting_a_segment_changes_nothing_but_rounding(cut):
    x = make_decode_inputs(CASES[1], dtype=torch.float32)
    exact, plain = joined_attention(x.to(torch.float64)), joined_attention(x)
    (s,) = x.batch.segments
    halves = [s._replace(length=cut), s._replace(start=s.start + cut, length=s.length - cut, position=cut)]
    batch = DecodeBatch.build(halves, slots=x.batch.slots, own_starts=x.batch.own_starts)
    got, _ = launch(x._replace(batch=batch))
    assert_within_rounding(got.out, exact.out, plain.out)
    assert_within_rounding(got.lse, exact.lse, plain.lse)


@pytest.mark.parametrize("order", [(1, 0), (0, 1)])
def test_permuting_groups_permutes_the_result(order):
    x = make_decode_inputs(UNEVEN, dtype=torch.float32)
    before, _ = launch(x)
    segments, rows = [], []
    for group in order:
        s = x.batch.segments[group]
        start = len(rows)
        rows += range(s.row_start, s.row_stop)
        segments.append(Segment(s.start, s.length, start, len(rows), s.position))
    batch = DecodeBatch.build(
        segments,
        slots=[x.batch.slots[r] for r in rows],
        own_starts=[x.batch.own_starts[r] for r in rows],
    )
    moved = x._replace(q=x.q[rows], k_new=x.k_new[rows], v_new=x.v_new[rows], lens=x.lens[rows], batch=batch)
    after, _ = launch(moved)
    exact = joined_attention(x.to(torch.float64))
    assert_within_rounding(after.out, exact.out[rows], before.out[rows])
    assert_within_rounding(after.lse, exact.lse[rows], before.lse[rows])


def test_named_implementation_refuses_what_it_does_not_serve():
    assert usable_impls()[-1] == "triton"
    wide = make_decode_inputs(DecodeCase(groups=((1, 3),), lens=(0,), width=272), dtype=torch.float32)
    with pytest.raises(ImplUnavailableError, match="up to 256, not D = 272"):
        wide.run("triton")
    many = make_decode_inputs(DecodeCase(groups=((1, 3),), lens=(0,), heads=(130, 1)), dtype=torch.float32)
    with pytest.raises(ImplUnavailableError, match="= 130"):
        many.run("triton")
    large = DecodeCase(groups=((1, 3),), lens=(0,), heads=(40, 1), width=256)
    with pytest.raises(ImplUnavailableError, match=r"up to 32 queries .* D = 256 in torch.float32, .* = 40"):
        make_decode_inputs(large, dtype=torch.float32).run("triton")
    with pytest.raises(ImplUnavailableError, match="float64"):
        wide.to(torch.float64).run("triton")
    assert wide.run("auto").out.isfinite().all()


def test_the_benchmark_also_times_the_launch_that_was_not_chosen_for_own_tokens():
    cell = Cell("small-gqa", rows=8, context=512, own=2, prompts=1)
    options = {"dtype": torch.float32, "repeats": 1, "cold_bytes": 1}
    rows = list(measure_schedules(cell, impl="triton", device=torch.device("cpu"), **options))
    assert [row["method"] for row in rows] == ["auto", "stream-k", "fixed", "auto, own=split"]
    assert all("refused" not in row for row in rows)


TWO_POOLS = DecodeCase(groups=((3, 70), (1, 0), (1, 17)), lens=(40, 0, 3, 17, 33), header=17, heads=(2, 1))
FIXED = FixedSplits(64)


def by(x: DecodeInputs, schedule: StepSchedule) -> PreparedTriton:
    return PreparedTriton(x.batch, "cpu", schedule=schedule)


def assert_right(x: DecodeInputs, got: DecodeOutput) -> None:
    exact, plain = joined_attention(x.to(torch.float64)), joined_attention(x)
    assert_within_rounding(got.out, exact.out, plain.out)
    assert_within_rounding(got.lse, exact.lse, plain.lse)


@pytest.mark.parametrize("schedule", [StreamK(5), FIXED], ids=str)
@pytest.mark.parametrize("case", [CASES[3], CASES[7], CASES[9], *CASES[11:14], CASES[15]], ids=str)
def test_every_feature_by_either_schedule(case, schedule):
    x = make_decode_inputs(case, dtype=torch.float16)
    assert_right(x, launch(x, None, by(x, schedule))[0])


@pytest.mark.parametrize("workers", [1, 7, 132])
def test_any_number_of_workers_comes_to_the_same_and_repeats_to_the_bit(workers):
    x = make_decode_inputs(TWO_POOLS, dtype=torch.float32)
    (got, store), (again, _) = (launch(x, None, by(x, StreamK(workers))) for _ in range(2))
    assert_right(x, got)
    assert torch.equal(got.out, again.out)
    assert torch.equal(got.lse, again.lse)
    for row, (slot, stored) in enumerate(zip(x.batch.slots, TWO_POOLS.lens, strict=True)):
        assert torch.equal(store.k_own[slot, :, stored], x.k_new[row, 0])
        assert torch.equal(store.v_own[slot, :, stored], x.v_new[row, 0])


def test_quick_two_prompts_and_a_row_by_five_workers():
    case = DecodeCase(groups=((2, 40), (1, 0)), lens=(17, 3, 20), heads=(2, 1))
    x = make_decode_inputs(case, dtype=torch.float16)
    assert_right(x, launch(x, None, by(x, StreamK(5)))[0])


def test_row_tiles_of_one_prompt_are_cut_in_stretches():
    case = DecodeCase(groups=((20, 70),), lens=(3, 20) * 10, heads=(2, 1))
    x = make_decode_inputs(case, dtype=torch.float32)
    tiling = replace(SMALL, workers=4, busy_workers=4, splits=1)
    assert_right(x, launch(x, tiling, by(x, StreamK(4)))[0])


def test_launches_of_one_layout_compute_another_that_took_its_place_in_the_line():
    case = DecodeCase(groups=((4, 70), (2, 30)), lens=(3, 0, 5, 17, 2, 2), header=12, heads=(4, 2))
    x = make_decode_inputs(case, dtype=torch.float32)
    x = x._replace(batch=replace(x.batch, segments=(x.batch.segments[0], *sorted(x.batch.segments[1:]))))
    new, store = other_layout(x), LayerStore(*(t.clone() for t in x.store))
    lens = x.lens[ORDER]
    result = DecodeOutput(torch.empty_like(x.q), torch.empty(x.q.shape[:3]))
    prepared = by(x, StreamK(6))
    call = Call(*x[:3], store, x.lens, x.scores)
    calls = prepared.launches(call, result, prepared.tiling(call))
    assert prepared.take_over(new)
    x.lens.copy_(lens)
    for captured in calls:
        captured.run()
    assert_right(x._replace(batch=new, lens=lens), result)


@pytest.mark.parametrize(
    "case",
    [
        DecodeCase(groups=((9, 70), (7, 20), (1, 0)), lens=tuple(range(0, 136, 8)), heads=(2, 1)),
        DecodeCase(groups=((17, 90),), lens=(7,) * 17, header=64, heads=(4, 1), width=24, window=80),
    ],
    ids=str,
)
def test_a_row_alone_among_three_and_among_seventeen_is_bitwise_the_same(case, rows_apart):
    x = make_decode_inputs(case, dtype=torch.float32)
    whole, _ = launch(x, None, by(x, FIXED))
    assert_right(x, whole)
    for rows in ([8], [7, 8, 16]):
        few = x.only(rows)
        some, _ = launch(few, None, by(few, FIXED))
        assert torch.equal(some.out, whole.out[rows])
        assert torch.equal(some.lse, whole.lse[rows])


def test_auto_serves_no_fixed_splits_where_only_torch_could_and_is_refused():
    x = make_decode_inputs(DecodeCase(groups=((2, 3),), lens=(1, 1), width=272), dtype=torch.float32)
    with pytest.raises(ImplUnavailableError, match="up to 256, not D = 272"):
        x.run("triton", schedule=FIXED)
    assert x.run("auto", schedule=FIXED).out.isfinite().all()


def assert_reads_the_pool(x: DecodeInputs, kind: str, tiling: Tiling | None, **options) -> DecodeOutput:
    """Demand what attention over the unpacked pool gives."""
    packed = pack_inputs(x, kind)
    exact, plain = (joined_attention(unpacked(packed, dtype)) for dtype in (torch.float64, x.q.dtype))
    store = PackedStore.of(LayerStore(*(t.clone() for t in packed.store)), packed.store.packed)
    prepared = PreparedTriton(packed.batch, "cpu", **options)
    call = Call(*packed[:3], store, packed.lens, packed.scores)
    prepared.check(call)
    got = prepared.decode(call, tiling)
    assert_within_rounding(got.out, exact.out, plain.out)
    assert_within_rounding(got.lse, exact.lse, plain.lse)
    return got


IN_8_BITS = [CASES[2], CASES[7], CASES[11], CASES[15]]
KINDS = pytest.mark.parametrize("kind", ["int8", "fp8"])


@KINDS
@pytest.mark.parametrize("case", IN_8_BITS, ids=str)
def test_shared_keys_in_8_bits_are_read_as_they_are_held(case, kind):
    assert_reads_the_pool(make_decode_inputs(case, dtype=torch.float16), kind, JOINED)


# any two of them meet
@pytest.mark.parametrize(
    ("kind", "dtype", "block_n"),
    [
        ("int8", torch.float32, 64),
        ("int8", torch.bfloat16, 16),
        ("fp8", torch.float32, 16),
        ("fp8", torch.bfloat16, 64),
    ],
    ids=str,
)
def test_keys_in_8_bits_become_the_queries_dtype(kind, dtype, block_n):
    x = make_decode_inputs(CASES[15], dtype=dtype)
    assert_reads_the_pool(x, kind, replace(SMALL, block_n=block_n))
    assert_reads_the_pool(x, kind, replace(SMALL, block_n=block_n, shared=False))


@KINDS
@pytest.mark.parametrize("schedule", [StreamK(5), FIXED], ids=str)
def test_keys_in_8_bits_by_either_schedule(kind, schedule):
    # the header moves the cuts of the prompts' keys away from their groups
    case = DecodeCase(groups=((3, 150), (1, 33)), lens=(3, 0, 20, 1), header=19, heads=(4, 2), window=120)
    assert_reads_the_pool(make_decode_inputs(case, dtype=torch.float16), kind, None, schedule=schedule)


def test_e4m3_by_its_bits_is_what_an_instruction_gives():
    x = make_decode_inputs(CASES[4], dtype=torch.float32)
    new, old = (
        assert_reads_the_pool(x, "fp8", JOINED, gpu=GpuKind(3, capability)) for capability in (90, 80)
    )
    assert torch.equal(new.out, old.out)
    # every finite byte, as keys of one channel each with a scale of 1
    pool = PackedKeys.empty(1, 64, 256, kind="fp8", device=torch.device("cpu"))
    every = torch.arange(256, dtype=torch.uint8)
    every[[0x7F, 0xFF]] = 0
    pool.k.view(torch.uint8)[:] = every
    pool.v.view(torch.uint8)[:] = every
    for part, value in zip(pool[2:], (1.0, 0.0, 1.0), strict=True):
        part.fill_(value)
    own = torch.zeros(1, 1, 1, 256)
    store = PackedStore.of(LayerStore(own[0, :, :0], own[0, :, :0], own, own.clone()), pool)
    batch = DecodeBatch.build([Segment(0, 64, 0, 1, 0)], slots=[0], own_starts=[64])
    call = Call(own, None, None, store, torch.ones(1, dtype=torch.int32), ScoreOptions())
    one = replace(SMALL, splits=1)
    values = PreparedTriton(batch, "cpu", gpu=GpuKind(3, 80)).decode(call, one).out
    # 64 of 65 equal weights; the row's own token is zero
    assert torch.allclose(values[0, 0, 0], pool.v[0, 0].float() * (64 / 65), rtol=1e-6)


def test_auto_reads_keys_in_8_bits_from_the_middle_of_a_run():
    packed = pack_inputs(make_decode_inputs(CASES[1], dtype=torch.float32), "int8")
    (s,) = packed.batch.segments
    cut = 21
    halves = [s._replace(length=cut), s._replace(start=s.start + cut, length=s.length - cut, position=cut)]
    batch = DecodeBatch.build(halves, slots=packed.batch.slots, own_starts=packed.batch.own_starts)
    prepared = PreparedAuto(batch, "cpu")
    got = bifurcated_decode(*packed[:4], prepared, packed.lens)
    assert prepared._torch is None
    wanted = bifurcated_decode(*packed[:4], packed.batch, packed.lens, impl="torch")
    torch.testing.assert_close(got.out, wanted.out, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(got.lse, wanted.lse, rtol=1e-5, atol=1e-6)
