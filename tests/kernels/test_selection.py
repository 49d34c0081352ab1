"""The seam at which keys of a shared segment are left out: exactly the others are attended to."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import ImplUnavailableError, ShapeError
from codesample.kernels.bifurcated_decode import (
    ALL_KEYS,
    DecodeOutput,
    KeptKeys,
    bifurcated_decode,
    prepare_batch,
)
from codesample.testing.attention import DecodeCase, DecodeInputs, make_decode_inputs

GROUPS = DecodeCase(groups=((3, 40), (2, 9)), lens=(4, 1, 2, 0, 6), header=12, heads=(4, 2))
CASES = [
    GROUPS,
    DecodeCase(groups=((4, 37),), lens=(5,) * 4, heads=(6, 1), width=80),
    DecodeCase(groups=((3, 40),), lens=(2, 2, 2), queries=4, heads=(4, 2)),
    DecodeCase(groups=((3, 40), (1, 21)), lens=(3, 8, 0, 2), header=6, window=20, heads=(6, 2), queries=2),
    DecodeCase(groups=((3, 30),), lens=(9, 0, 9), softcap=1.5, sinks=True, heads=(4, 2)),
    DecodeCase(groups=((2, 9), (1, 5)), lens=(0, 2, 0), write=False, heads=(4, 2)),
]


class Stretch:
    """Reads the keys [begin, end) of every segment; with `ragged`, each further KV head one key fewer."""

    name = "stretch"

    def __init__(self, begin, end, *, ragged=False, from_length=1):
        self.begin, self.end, self.ragged, self.from_length = begin, end, ragged, from_length
        self.asked = []

    def restricts(self, segment):
        return segment.length >= self.from_length

    def select(self, segment, call):
        self.asked.append((segment, call.q[segment.row_start : segment.row_stop].clone(), call.store))
        keys = torch.arange(self.begin, max(self.begin, min(self.end, segment.length)))
        index = keys.repeat(call.kv_heads, 1)
        for head in range(call.kv_heads if self.ragged else 0):
            index[head, len(keys) - min(head, len(keys)) :] = -1
        return index

    def kept(self, segment, head):
        if not self.restricts(segment):
            return list(range(segment.length))
        keys = list(range(self.begin, max(self.begin, min(self.end, segment.length))))
        return keys[: len(keys) - min(head, len(keys))] if self.ragged else keys


def restricted_attention(x: DecodeInputs, selection: Stretch) -> DecodeOutput:
    """Attend one query, one head and one key at a time to what the selection keeps."""
    rows, queries, heads, width = x.q.shape
    kv_heads = x.store.k_shared.shape[0]
    out, lse = torch.zeros_like(x.q), torch.full(x.q.shape[:3], float("-inf"), dtype=x.q.dtype)
    scale, window, softcap, sinks = x.scores[:4]
    for row in range(rows):
        stored = int(x.lens[row]) - (queries if x.k_new is None else 0)
        for query in range(queries):
            at = x.batch.own_starts[row] + stored + query
            for head in range(heads):
                g = head // (heads // kv_heads)
                keys, values = [], []
                for s in x.batch.chain(row):
                    for token in selection.kept(s, g):
                        if window is None or at - (s.position + token) < window:
                            keys.append(x.store.k_shared[g, s.start + token])
                            values.append(x.store.v_shared[g, s.start + token])
                for token in range(stored + query + 1):
                    if window is None or stored + query - token < window:
                        new = token >= stored and x.k_new is not None
                        slot = x.batch.slots[row]
                        keys.append(x.k_new[row, token - stored, g] if new else x.store.k_own[slot, g, token])
                        values.append(
                            x.v_new[row, token - stored, g] if new else x.store.v_own[slot, g, token]
                        )
                if not keys:
                    continue
                scores = (torch.stack(keys) @ x.q[row, query, head]) * (scale or width**-0.5)
                if softcap is not None:
                    scores = softcap * torch.tanh(scores / softcap)
                sink = scores.new_empty(0) if sinks is None else sinks[head : head + 1].double()
                total = torch.cat([scores, sink]).logsumexp(0)
                out[row, query, head] = (scores - total).exp() @ torch.stack(values)
                lse[row, query, head] = total
    return DecodeOutput(out, lse)


@pytest.mark.parametrize("impl", ["reference", "torch"])
@pytest.mark.parametrize("case", CASES, ids=str)
@settings(deadline=None, max_examples=12)
@given(begin=st.integers(0, 20), count=st.integers(0, 25), ragged=st.booleans())
def test_attends_to_the_chosen_keys_and_no_others(case, impl, begin, count, ragged):
    x = make_decode_inputs(case, dtype=torch.float64)
    selection = Stretch(begin, begin + count, ragged=ragged)
    got, exact = x.run(impl, selection), restricted_attention(x, selection)
    torch.testing.assert_close(got.out, exact.out, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(got.lse, exact.lse, rtol=1e-11, atol=1e-12)


class Gathered(Stretch):
    """Hands over what the keys hold, with one stand-in per head behind them where `stand_in` is set."""

    stand_in = False

    def select(self, segment, call):
        tokens = super().select(segment, call)
        at = tokens.clamp_min(0)[..., None].expand(-1, -1, call.q.shape[3])
        start = segment.start
        k, v = (x[:, start : start + segment.length].gather(1, at) for x in call.store[:2])
        bias = torch.zeros(tokens.shape, dtype=k.dtype).masked_fill(tokens < 0, float("-inf"))
        if self.stand_in:
            tokens = torch.cat([tokens, torch.full((len(tokens), 1), -1)], dim=1)
            k, v = (torch.cat([x, torch.full_like(x[:, :1], 0.1)], dim=1) for x in (k, v))
            bias = torch.cat([bias, torch.full((len(bias), 1), 2.0, dtype=k.dtype)], dim=1)
        plain = not self.ragged and not self.stand_in
        return KeptKeys(tokens, k, v, None if plain else bias)


@pytest.mark.parametrize("impl", ["reference", "torch"])
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("ragged", [False, True])
def test_keys_that_were_gathered_before_are_attended_to_as_if_named(case, impl, ragged):
    x = make_decode_inputs(case, dtype=torch.float64)
    gathered = Gathered(2, 9, ragged=ragged)
    got, exact = x.run(impl, gathered), restricted_attention(x, gathered)
    torch.testing.assert_close(got.out, exact.out, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(got.lse, exact.lse, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("case", CASES[:5], ids=str)
@pytest.mark.parametrize("ragged", [False, True])
def test_a_key_that_stands_for_several_counts_as_often_in_every_implementation(case, ragged):
    case = replace(case, window=None)
    x = make_decode_inputs(case, dtype=torch.float64)
    selection = Gathered(2, 9, ragged=ragged)
    without = x.run("torch", selection)
    selection.stand_in = True
    got, exact = x.run("torch", selection), x.run("reference", selection)
    torch.testing.assert_close(got.out, exact.out, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(got.lse, exact.lse, rtol=1e-11, atol=1e-12)
    assert (got.lse > without.lse).any()


@pytest.mark.parametrize("impl", ["reference", "torch"])
@pytest.mark.parametrize("change", [{"k": torch.zeros(2, 3, 4)}, {"bias": torch.zeros(2, 4)}])
def test_gathered_keys_of_another_form_are_refused_by_name(impl, change):
    selection, x = Stretch(0, 1), make_decode_inputs(GROUPS, dtype=torch.float32)
    kept = KeptKeys(torch.zeros(2, 3).long(), torch.zeros(2, 3, 16), torch.zeros(2, 3, 16))
    selection.select = lambda segment, call: kept._replace(**change)
    with pytest.raises(ShapeError, match=r"key selection 'stretch' gave .*expected tokens \[G, N\]"):
        x.run(impl, selection)


@pytest.mark.parametrize("impl", ["reference", "torch"])
def test_a_selection_that_wants_to_is_told_what_came_of_each_call(impl):
    class Told(Stretch):
        def attended(self, call, output):
            self.told = (call, output)

    x, selection = make_decode_inputs(GROUPS, dtype=torch.float32), Told(0, 5)
    got = x.run(impl, selection)
    assert selection.told[1] is got
    assert torch.equal(selection.told[0].q, x.q)
    whole = Told(0, 5, from_length=100)
    x.run(impl, whole)
    assert not hasattr(whole, "told")


@pytest.mark.parametrize("impl", ["reference", "torch"])
def test_keys_left_out_may_hold_anything(impl):
    x, selection = make_decode_inputs(GROUPS, dtype=torch.float64), Stretch(3, 8, ragged=True)
    before = x.run(impl, selection)
    for s in x.batch.segments:
        for pool in x.store[:2]:
            for token in set(range(s.length)) - set(selection.kept(s, 0)):
                pool[:, s.start + token] = float("nan")
    after = x.run(impl, selection)
    assert torch.equal(before.out, after.out)
    assert torch.equal(before.lse, after.lse)


@pytest.mark.parametrize("impl", ["reference", "torch"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_choosing_every_key_is_choosing_nothing(case, impl):
    x = make_decode_inputs(case, dtype=torch.float64)
    whole, chosen = x.run(impl), x.run(impl, Stretch(0, 10**6))
    torch.testing.assert_close(chosen.out, whole.out, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(chosen.lse, whole.lse, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("impl", ["reference", "torch"])
def test_none_reads_all_keys_for_this_layer_and_step(impl):
    class Never(Stretch):
        def select(self, segment, call):
            super().select(segment, call)

    x, never = make_decode_inputs(CASES[3], dtype=torch.float32), Never(0, 1)
    whole, got = x.run(impl), x.run(impl, never)
    assert never.asked
    assert torch.equal(got.out, whole.out)
    assert torch.equal(got.lse, whole.lse)


@pytest.mark.parametrize("impl", ["reference", "torch"])
def test_is_asked_once_per_layer_and_step_with_the_queries_of_the_segments_rows(impl):
    x, selection = make_decode_inputs(GROUPS, dtype=torch.float32), Stretch(0, 5, from_length=10)
    prepared = prepare_batch(x.batch, "cpu", impl=impl, selection=selection)
    header, first, _ = x.batch.segments
    for _ in range(3):
        bifurcated_decode(*x[:4], prepared, x.lens)
    assert [(s, len(q)) for s, q, _ in selection.asked] == [(header, 5), (first, 3)] * 3
    for s, q, store in selection.asked:
        assert torch.equal(q, x.q[s.row_start : s.row_stop])
        assert store is x.store


def test_all_keys_are_never_asked_for_one_by_one():
    x = make_decode_inputs(GROUPS, dtype=torch.float32)
    assert prepare_batch(x.batch, "cpu").restricted == frozenset()
    assert prepare_batch(x.batch, "cpu").selection is ALL_KEYS
    assert torch.equal(x.run("torch", Stretch(0, 1, from_length=100)).out, x.run("torch").out)


@pytest.mark.parametrize("impl", ["reference", "torch"])
@pytest.mark.parametrize("index", [torch.zeros(2, 3), torch.zeros(3, 3).long(), torch.zeros(3).long()])
def test_an_answer_of_another_form_is_refused_by_name(impl, index):
    selection = Stretch(0, 1)
    selection.select = lambda segment, call: index
    with pytest.raises(ShapeError, match=r"key selection 'stretch' gave .* expected \[2, N\] torch.int64"):
        make_decode_inputs(GROUPS, dtype=torch.float32).run(impl, selection)


def test_where_triton_would_serve_auto_honours_a_selection_with_torch():
    pytest.importorskip("triton", reason="the choice lies between Triton and PyTorch")
    from codesample.kernels.bifurcated_decode.auto import PreparedAuto
    from codesample.kernels.bifurcated_decode.triton import PreparedTriton

    x, selection = make_decode_inputs(GROUPS, dtype=torch.float32), Stretch(3, 8)
    got = bifurcated_decode(*x[:4], PreparedAuto(x.batch, "cpu", selection), x.lens)
    wanted = x.run("torch", selection)
    assert torch.equal(got.out, wanted.out)
    with pytest.raises(ImplUnavailableError, match="cannot honour the key selection 'stretch'"):
        PreparedTriton(x.batch, "cpu", selection)
