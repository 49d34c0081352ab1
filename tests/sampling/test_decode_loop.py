import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from codesample.errors import ModelError
from codesample.records import Request, SamplingParams
from codesample.sampling import Sampler, decode_loop, decode_step, prefix_cache, store_making
from codesample.testing.models import random_model

PARAMS = SamplingParams(max_new_tokens=7)
REQUESTS = [
    Request(f"p{i}", "shared start of all\n" * 4 + "abcd"[i] * (3 * i + 2), tuple(range(6))) for i in range(4)
]


def keyed(candidates):
    return {(c.task_id, c.index): c for c in candidates}


@pytest.fixture(scope="module")
def double():
    return random_model("llama", seed=1).double()


@pytest.fixture(scope="module")
def expected(double, tokenizer):
    sampler = Sampler(double, tokenizer=tokenizer)
    return {key: c for request in REQUESTS for key, c in keyed(sampler.stream([request], PARAMS)).items()}


class Failing:
    """Lets the model's forward pass run out of memory at chosen calls, or whenever a batch is too large."""

    def __init__(self, monkeypatch, sampler, *, at=(), above=10**9):
        model = sampler.checkpoint.model
        self.calls, forward = -(10**9), type(model).forward

        def failing(module, input_ids=None, **kwargs):
            self.calls += 1
            if self.calls in at or (self.calls > 0 and input_ids.numel() > above):
                raise torch.OutOfMemoryError("out of memory")
            return forward(module, input_ids=input_ids, **kwargs)

        monkeypatch.setattr(type(model), "forward", failing)
        # with another forward it is another model, which is probed first
        sampler._renew()
        self.calls = 0


@settings(max_examples=12, deadline=None)
@given(at=st.sets(st.integers(1, 28), max_size=3), rows=st.sampled_from([5, 9, 24]))
def test_running_out_of_memory_at_any_call_loses_and_changes_nothing(double, tokenizer, expected, at, rows):
    sampler = Sampler(double, tokenizer=tokenizer, max_rows=rows)
    with pytest.MonkeyPatch.context() as patch:
        Failing(patch, sampler, at=at)
        got = list(sampler.stream(REQUESTS, PARAMS))
    assert len(got) == len(expected)
    assert keyed(got) == expected


def test_the_batch_shrinks_until_it_fits_and_says_so(double, tokenizer, expected, monkeypatch, caplog):
    sampler = Sampler(double, tokenizer=tokenizer, max_rows=24)
    Failing(monkeypatch, sampler, above=70)
    assert keyed(sampler.stream(REQUESTS, PARAMS)) == expected
    assert "out of memory: going on with" in caplog.text


def test_memory_for_not_even_one_row_is_an_error_with_a_way_out(double, tokenizer, monkeypatch):
    sampler = Sampler(double, tokenizer=tokenizer)
    Failing(monkeypatch, sampler, above=0)
    with pytest.raises(ModelError, match=r"out of memory with a single candidate; lower"):
        list(sampler.stream(REQUESTS, PARAMS))


@settings(max_examples=18, deadline=None)
@given(
    lag=st.integers(0, 3),
    patience=st.sampled_from([0.0, 0.25, 0.9]),
    narrow=st.sampled_from([2, 1024]),
    rows=st.sampled_from([1, 5, 24]),
    fail=st.sets(st.integers(1, 21), max_size=1),
)
def test_how_far_the_device_runs_ahead_changes_nothing(
    double, tokenizer, expected, lag, patience, narrow, rows, fail
):
    sampler = Sampler(double, tokenizer=tokenizer, max_rows=rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode_loop, "CPU_PACE", decode_loop.Pace(lag, patience))
        patch.setattr(decode_step, "_NARROW", narrow)
        Failing(patch, sampler, at=fail)
        got = list(sampler.stream(REQUESTS, PARAMS))
    assert len(got) == len(expected)
    assert keyed(got) == expected


@pytest.mark.parametrize("more", [{"repetition_penalty": 1.3}, {"stop": ("e", "\0")}, {"temperature": 0}])
def test_running_ahead_heeds_penalties_and_stops(double, tokenizer, monkeypatch, more):
    params = SamplingParams(max_new_tokens=12, **more)
    plain = keyed(Sampler(double, tokenizer=tokenizer).stream(REQUESTS, params))
    monkeypatch.setattr(decode_loop, "CPU_PACE", decode_loop.GPU_PACE)
    assert keyed(Sampler(double, tokenizer=tokenizer).stream(REQUESTS, params)) == plain


def test_another_failure_is_not_taken_for_lack_of_memory(double, tokenizer, monkeypatch):
    sampler = Sampler(double, tokenizer=tokenizer)

    def broken(*_, **__):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(type(double), "forward", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        list(sampler.stream(REQUESTS, PARAMS))


@settings(max_examples=15, deadline=None)
@given(taken=st.integers(0, 24), rows=st.sampled_from([4, 24]))
def test_what_was_yielded_before_a_cancel_is_what_the_whole_run_gives(
    double, tokenizer, expected, taken, rows
):
    sampler = Sampler(double, tokenizer=tokenizer, max_rows=rows)
    stream = sampler.stream(REQUESTS, PARAMS)
    got = [next(stream) for _ in range(taken)]
    stream.close()
    assert all(expected[c.task_id, c.index] == c for c in got)
    rest = [
        Request(r.task_id, r.prompt, tuple(i for i in r.indices if (r.task_id, i) not in keyed(got)))
        for r in REQUESTS
    ]
    assert keyed(got) | keyed(sampler.stream(rest, PARAMS)) == expected


def test_keys_and_values_are_freed_with_the_last_candidate(double, tokenizer, monkeypatch):
    stores = []

    class Watched(store_making.KVStore):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            stores.append(weakref.ref(self))

    monkeypatch.setattr(store_making, "KVStore", Watched)
    gc.disable()
    try:
        list(Sampler(double, tokenizer=tokenizer).stream(REQUESTS, PARAMS))
        assert [store() for store in stores] == [None]
    finally:
        gc.enable()


def test_a_second_call_reuses_what_the_first_stored(double, tokenizer, expected):
    sampler = Sampler(double, tokenizer=tokenizer)
    list(sampler.stream(REQUESTS, PARAMS))
    first = sampler.cache_info
    assert keyed(sampler.stream(REQUESTS, PARAMS)) == expected
    second = sampler.cache_info
    assert second.hits - first.hits == 5  # the header and four prompts
    # the last token of each is run again for its logits
    assert second.tokens_computed - first.tokens_computed == 5


def test_a_prompt_that_goes_on_from_a_known_one_computes_only_the_rest(double, tokenizer):
    sampler, fresh = (Sampler(double, tokenizer=tokenizer, prefix_cache=size) for size in ("1MB", 0))
    sampler.sample("a" * 50, max_new_tokens=2)
    before = sampler.cache_info.tokens_computed
    longer = "a" * 50 + "b" * 9
    assert sampler.sample(longer, n=3, max_new_tokens=9) == fresh.sample(longer, n=3, max_new_tokens=9)
    assert sampler.cache_info.tokens_computed - before == 9
    assert fresh.cache_info.bytes == fresh.cache_info.hits == 0


def test_the_cache_keeps_within_its_budget_and_drops_the_oldest(double, tokenizer):
    # 50 tokens x 3 layers x 2 x 2 heads x 16 wide x 8 bytes = 76,800 bytes a prompt
    sampler = Sampler(double, tokenizer=tokenizer, prefix_cache=160_000)
    for letter in "abc":
        sampler.sample(letter * 50, max_new_tokens=1)
    assert sampler.cache_info.bytes == 2 * 76_800
    hits = sampler.cache_info.hits
    sampler.sample("a" * 50, max_new_tokens=1)
    assert sampler.cache_info.hits == hits
    sampler.sample("c" * 50, max_new_tokens=1)
    assert sampler.cache_info.hits == hits + 1


def test_a_header_is_run_once_for_all_prompts(double, tokenizer, monkeypatch):
    sizes, forward = [], type(double).forward

    def counted(module, input_ids=None, **kwargs):
        sizes.append(input_ids.numel())
        return forward(module, input_ids=input_ids, **kwargs)

    sampler = Sampler(double, tokenizer=tokenizer, prefix_cache=0)
    monkeypatch.setattr(type(double), "forward", counted)
    sampler._renew()
    sizes.clear()
    list(sampler.stream(REQUESTS, SamplingParams(max_new_tokens=1)))
    assert sizes == [len("shared start of all\n" * 4), 2 + 5 + 8 + 11]


def test_each_family_of_prompts_reads_its_own_header(double, tokenizer, monkeypatch):
    families = ["first shared start of some\n" * 3, "another start for the others\n" * 4]
    requests = [Request(f"p{i}", families[i % 2] + "abcdef"[i] * (i + 2), tuple(range(3))) for i in range(6)]
    requests.append(Request("alone", "z" * 90, (0, 1)))
    alone = {
        k: c
        for r in requests
        for k, c in keyed(Sampler(double, tokenizer=tokenizer).stream([r], PARAMS)).items()
    }
    sizes, forward = [], type(double).forward

    def counted(module, input_ids=None, **kwargs):
        sizes.append(input_ids.numel())
        return forward(module, input_ids=input_ids, **kwargs)

    monkeypatch.setattr(type(double), "forward", counted)
    for rows in (4, 20):
        sampler = Sampler(double, tokenizer=tokenizer, max_rows=rows, prefix_cache=0)
        sizes.clear()
        assert keyed(sampler.stream(requests, PARAMS)) == alone
        assert [sizes.count(len(header)) for header in families] == [1, 1]
        # what is not shared was run once as well: own tokens of six prompts and the lone one
        assert sampler.cache_info.tokens_computed == sum(map(len, families)) + sum(range(2, 8)) + 90


@settings(max_examples=15, deadline=None)
@given(at=st.integers(1, 6), rows=st.sampled_from([5, 24]))
def test_no_memory_left_for_the_cache_loses_no_prompt(double, tokenizer, expected, at, rows):
    calls, copied = 0, prefix_cache._copied

    def failing(*args):
        nonlocal calls
        calls += 1
        if calls == at:
            raise torch.OutOfMemoryError("out of memory")
        return copied(*args)

    sampler = Sampler(double, tokenizer=tokenizer, max_rows=rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefix_cache, "_copied", failing)
        assert keyed(sampler.stream(REQUESTS, PARAMS)) == expected
    assert calls >= at


def test_keys_stored_under_other_weights_are_not_used_again(tokenizer):
    model = random_model("llama", seed=3)
    sampler = Sampler(model, tokenizer=tokenizer)
    sampler.sample("once upon a time", n=4, max_new_tokens=5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    got = sampler.sample("once upon a time", n=4, max_new_tokens=5)
    assert got == Sampler(model, tokenizer=tokenizer).sample("once upon a time", n=4, max_new_tokens=5)


@pytest.mark.parametrize("shared", [True, False])
def test_a_model_in_training_mode_samples_without_dropout_and_stays_in_it(tokenizer, shared):
    model = random_model("gpt2", seed=3).double()
    sampler = Sampler(model, tokenizer=tokenizer)
    if not shared:
        sampler.checkpoint = replace(sampler.checkpoint, kv_shapes=())
    plain = sampler.sample("once upon", n=4, max_new_tokens=8)
    model.train()
    frozen = model.transformer.h[0].eval()
    assert sampler.sample("once upon", n=4, max_new_tokens=8) == plain
    assert model.training
    assert [m for m in model.modules() if not m.training] == list(frozen.modules())
    # found out about as it is used, whatever mode it is in
    assert Sampler(model, tokenizer=tokenizer).checkpoint.shared
    assert model.training


def test_two_threads_may_share_a_model(double, tokenizer, expected):
    before = double.config._attn_implementation
    with ThreadPoolExecutor(2) as threads:
        samplers = [Sampler(double, tokenizer=tokenizer, max_rows=rows) for rows in (4, 9)]
        for got in threads.map(lambda s: list(s.stream(REQUESTS, PARAMS)), samplers):
            assert keyed(got) == expected
    assert double.config._attn_implementation == before


def test_a_call_that_nobody_waits_for_any_more_does_not_keep_another_thread_waiting(double, tokenizer):
    sampler = Sampler(double, tokenizer=tokenizer)
    endless = SamplingParams(max_new_tokens=3000, allowed_tokens=tuple(range(65, 90)))
    stopped = threading.Event()

    def until_told(ids, scores):
        if stopped.is_set():
            raise KeyError("told to stop")
        return scores

    with ThreadPoolExecutor(1) as threads:
        abandoned = threads.submit(lambda: list(sampler.stream(REQUESTS, endless, processors=[until_told])))
        half_read = sampler.stream(REQUESTS, PARAMS)
        next(half_read)
        assert len(sampler.sample("another", n=3, params=PARAMS)) == 3
        assert not abandoned.done()
        assert len(list(half_read)) == 23
        stopped.set()
        with pytest.raises(KeyError, match="told to stop"):
            abandoned.result(60)


@pytest.mark.parametrize("leave", [lambda stream: stream.close(), lambda stream: None], ids=["close", "drop"])
def test_a_stream_that_is_left_frees_its_keys_and_values(double, tokenizer, monkeypatch, leave):
    stores = []

    class Watched(store_making.KVStore):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            stores.append(weakref.ref(self))

    monkeypatch.setattr(store_making, "KVStore", Watched)
    stream = Sampler(double, tokenizer=tokenizer).stream(REQUESTS, PARAMS)
    next(stream)
    assert stores[0]() is not None
    leave(stream)
    del stream
    gc.collect()
    assert [store() for store in stores] == [None]


def test_a_processor_may_call_the_model(double, tokenizer):
    def guided(ids, scores):
        return scores + double(ids).logits[:, -1]

    sampler = Sampler(double, tokenizer=tokenizer)
    got = sampler.stream(REQUESTS[:1], SamplingParams(max_new_tokens=4), processors=[guided])
    assert len(list(got)) == 6


@pytest.mark.parametrize("shared", [True, False])
def test_logits_that_are_not_numbers_are_an_error_that_names_the_dtype(tokenizer, shared):
    model = random_model("llama", seed=3)
    sampler = Sampler(model, tokenizer=tokenizer)
    if not shared:
        sampler.checkpoint = replace(sampler.checkpoint, kv_shapes=())
    model.lm_head.weight.data.fill_(float("nan"))
    for params in (PARAMS, SamplingParams(temperature=0), SamplingParams(top_p=1.0)):
        with pytest.raises(ModelError, match="float32 gives logits that are not numbers"):
            list(sampler.stream(REQUESTS, params))


@settings(max_examples=8, deadline=None)
@given(
    shapes=st.lists(st.tuples(st.sampled_from([0, 40, 64, 90]), st.integers(1, 120)), min_size=2, max_size=7),
    rows=st.integers(1, 5),
)
@example(shapes=[(0, 20), (0, 20), (64, 100), (64, 10)], rows=4)
def test_headers_anywhere_in_the_pool_leave_room_for_every_prompt(double, tokenizer, shapes, rows):
    requests = [
        Request(f"p{i}", str(header) * (header // 2) + "abcdefg"[i] * own, tuple(range(4)))
        for i, (header, own) in enumerate(shapes)
    ]
    # rows end at different times, so that prompts of several families are in the pool together
    params = SamplingParams(max_new_tokens=16, stop=tuple("0123456789abcdef"))
    steps, advance = 0, decode_loop.DecodeLoop.advance

    def counted(loop):
        nonlocal steps
        steps += 1
        assert steps < 1000, "the loop makes no progress"
        advance(loop)

    sampler = Sampler(double, tokenizer=tokenizer, max_rows=rows, prefix_cache=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode_loop.DecodeLoop, "advance", counted)
        got = keyed(sampler.stream(requests, params))
    assert got == {k: c for r in requests for k, c in keyed(sampler.stream([r], params)).items()}
