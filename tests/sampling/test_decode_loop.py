import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import ModelError
from codesample.records import Request, SamplingParams
from codesample.sampling import Sampler, decode_loop, decode_step
from codesample.testing.models import random_model

PARAMS = SamplingParams(max_new_tokens=10)
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

    def __init__(self, monkeypatch, model, *, at=(), above=10**9):
        self.calls, forward = 0, type(model).forward

        def failing(module, input_ids=None, **kwargs):
            self.calls += 1
            if self.calls in at or input_ids.numel() > above:
                raise torch.OutOfMemoryError("out of memory")
            return forward(module, input_ids=input_ids, **kwargs)

        monkeypatch.setattr(type(model), "forward", failing)


@settings(max_examples=20, deadline=None)
@given(at=st.sets(st.integers(1, 40), max_size=3), rows=st.sampled_from([5, 9, 24]))
def test_running_out_of_memory_at_any_call_loses_and_changes_nothing(double, tokenizer, expected, at, rows):
    sampler = Sampler(double, tokenizer=tokenizer, max_rows=rows)
    with pytest.MonkeyPatch.context() as patch:
        Failing(patch, double, at=at)
        got = list(sampler.stream(REQUESTS, PARAMS))
    assert len(got) == len(expected)
    assert keyed(got) == expected


def test_the_batch_shrinks_until_it_fits_and_says_so(double, tokenizer, expected, monkeypatch, caplog):
    sampler = Sampler(double, tokenizer=tokenizer, max_rows=24)
    Failing(monkeypatch, double, above=70)
    assert keyed(sampler.stream(REQUESTS, PARAMS)) == expected
    assert "out of memory: going on with" in caplog.text


def test_memory_for_not_even_one_row_is_an_error_with_a_way_out(double, tokenizer, monkeypatch):
    sampler = Sampler(double, tokenizer=tokenizer)
    Failing(monkeypatch, double, above=0)
    with pytest.raises(ModelError, match=r"out of memory with a single candidate; lower"):
        list(sampler.stream(REQUESTS, PARAMS))


@settings(max_examples=30, deadline=None)
@given(
    lag=st.integers(0, 3),
    patience=st.sampled_from([0.0, 0.25, 0.9]),
    narrow=st.sampled_from([2, 1024]),
    rows=st.sampled_from([1, 5, 24]),
    fail=st.sets(st.integers(1, 30), max_size=1),
)
def test_how_far_the_device_runs_ahead_changes_nothing(
    double, tokenizer, expected, lag, patience, narrow, rows, fail
):
    sampler = Sampler(double, tokenizer=tokenizer, max_rows=rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode_loop, "CPU_PACE", decode_loop.Pace(lag, patience))
        patch.setattr(decode_step, "_NARROW", narrow)
        Failing(patch, double, at=fail)
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
    list(sampler.stream(REQUESTS, SamplingParams(max_new_tokens=1)))
    assert sizes == [len("shared start of all\n" * 4), 2 + 5 + 8 + 11]
