"""What must hold of the torch form for any batch layout."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.kernels.bifurcated_decode import DecodeBatch, Segment
from codesample.testing.attention import (
    DecodeCase,
    assert_within_rounding,
    joined_attention,
    make_decode_inputs,
)


@st.composite
def decode_cases(draw):
    groups = draw(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 70)), min_size=1, max_size=3))
    rows = sum(n for n, _ in groups)
    lens = draw(
        st.integers(0, 30).map(lambda n: [n] * rows)
        | st.lists(st.integers(0, 30), min_size=rows, max_size=rows)
    )
    slots = draw(st.lists(st.integers(0, rows + 8), min_size=rows, max_size=rows, unique=True))
    return DecodeCase(
        groups=tuple(groups),
        lens=tuple(lens),
        header=draw(st.sampled_from([0, 11])),
        heads=draw(st.sampled_from([(4, 4), (6, 2), (4, 1)])),
        queries=draw(st.sampled_from([1, 1, 3])),
        slots=tuple(sorted(slots) if draw(st.booleans()) else slots),
        write=draw(st.booleans()),
        window=draw(st.sampled_from([None, 1, 9, 40])),
        softcap=draw(st.sampled_from([None, 2.0])),
        sinks=draw(st.booleans()),
    )


@settings(deadline=None, max_examples=60)
@given(decode_cases(), st.sampled_from([torch.float64, torch.bfloat16]))
def test_any_layout_equals_attention_over_joined_keys(case, dtype):
    inputs = make_decode_inputs(case, dtype=dtype)
    exact, got = joined_attention(inputs.to(torch.float64)), inputs.run("torch")
    if dtype == torch.float64:
        torch.testing.assert_close(got.out, exact.out, rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(got.lse, exact.lse, rtol=1e-11, atol=1e-12)
    else:
        plain = joined_attention(inputs)
        assert_within_rounding(got.out, exact.out, plain.out)
        assert_within_rounding(got.lse, exact.lse, plain.lse)


@settings(deadline=None, max_examples=20)
@given(decode_cases(), st.data())
def test_splitting_a_segment_changes_nothing_but_rounding(case, data):
    x = make_decode_inputs(case, dtype=torch.float64)
    number = data.draw(st.integers(0, len(x.batch.segments) - 1))
    s = x.batch.segments[number]
    cut = data.draw(st.integers(0, s.length))
    halves = [
        s._replace(length=cut),
        s._replace(start=s.start + cut, length=s.length - cut, position=s.position + cut),
    ]
    others = [t for i, t in enumerate(x.batch.segments) if i != number]
    batch = DecodeBatch.build([*others, *halves], slots=x.batch.slots, own_starts=x.batch.own_starts)
    whole, split = x.run("torch"), x._replace(batch=batch).run("torch")
    torch.testing.assert_close(split.out, whole.out, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(split.lse, whole.lse, rtol=1e-11, atol=1e-12)


def test_an_empty_segment_may_be_named_after_the_one_that_begins_where_it_ends():
    empty, header, prompt = Segment(11, 0, 0, 1, 11), Segment(0, 11, 0, 1, 0), Segment(14, 1, 0, 1, 11)
    batch = DecodeBatch.build([prompt, empty, header], slots=[0], own_starts=[12])
    assert batch.segments == (header, empty, prompt)
    assert batch.levels == ((header,), (prompt,))


@settings(deadline=None, max_examples=20)
@given(decode_cases(), st.data())
def test_permuting_groups_and_their_rows_permutes_the_result(case, data):
    x = make_decode_inputs(case, dtype=torch.float64)
    prompts = [s for s in x.batch.segments if s.position == case.header][-len(case.groups) :]
    segments, rows = [s for s in x.batch.segments if s not in prompts], []
    for s in data.draw(st.permutations(prompts)):
        mine = data.draw(st.permutations(range(s.row_start, s.row_stop)))
        segments.append(Segment(s.start, s.length, len(rows), len(rows) + len(mine), s.position))
        rows += mine
    batch = DecodeBatch.build(
        segments,
        slots=[x.batch.slots[r] for r in rows],
        own_starts=[x.batch.own_starts[r] for r in rows],
    )
    new = [None if t is None else t[rows] for t in (x.k_new, x.v_new)]
    moved = x._replace(q=x.q[rows], k_new=new[0], v_new=new[1], lens=x.lens[rows], batch=batch).run("torch")
    before = x.run("torch")
    torch.testing.assert_close(moved.out, before.out[rows], rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(moved.lse, before.lse[rows], rtol=1e-11, atol=1e-12)
