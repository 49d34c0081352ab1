"""Calls that come and go in one batch: each gets what it gets alone, and what it leaves is free at once."""

from dataclasses import replace

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from codesample.errors import ModelError, ParameterError
from codesample.records import Request, SamplingParams
from codesample.sampling import Sampler, decode_loop
from codesample.sampling.running_loop import RunningLoop
from codesample.sampling.sharded import ranks
from codesample.testing.models import random_model

KINDS = [
    SamplingParams(max_new_tokens=9),
    SamplingParams(max_new_tokens=14, seed=7, stop=("e", "\0")),
    SamplingParams(max_new_tokens=5, temperature=0),
    SamplingParams(max_new_tokens=11, temperature=1.0, top_p=1.0, confidence=True),
    SamplingParams(max_new_tokens=8, repetition_penalty=1.3),
    SamplingParams(max_new_tokens=8, top_k=5, logit_bias=((65, 3.0),)),
]
HEADER = "shared start of some of them\n" * 3


class Client:
    """A caller that keeps what it is told."""

    def __init__(self, requests, params, processors=()):
        self.requests, self.params, self.processors = requests, params, processors
        self.paused = self.ended = False
        self.candidates, self.texts, self.error = [], {}, None

    def finish(self, candidate):
        self.candidates.append(candidate)

    def grow(self, row):
        self.texts[row.task_id, row.index] = row.text

    def fail(self, error):
        assert self.error is None
        self.error = error

    def end(self):
        assert not self.ended
        self.ended = True

    @property
    def found(self):
        found = {(c.task_id, c.index): c for c in self.candidates}
        assert len(found) == len(self.candidates)
        return found

    def join(self, loop):
        loop.add(self, self.requests, self.params, self.processors)
        return self


def requests_of(number, n, *, header=False):
    text = (HEADER if header else "") + "abcdefgh"[number % 8] * (5 * number + 3)
    return [Request(f"p{number}", text, tuple(range(n)))]


def run(loop):
    for _ in range(5000):
        if not loop.can_advance:
            return
        loop.advance(lambda: True)
    raise AssertionError("the loop makes no progress")


@pytest.fixture(scope="module")
def double():
    return random_model("llama", seed=1).double()


@pytest.fixture(scope="module")
def alone(double, tokenizer):
    """What a call gets when nothing else runs."""
    sampler, known = Sampler(double, tokenizer=tokenizer), {}

    def candidates(client):
        key = (tuple(client.requests), client.params)
        if key not in known:
            known[key] = {(c.task_id, c.index): c for c in sampler.stream(client.requests, client.params)}
        return known[key]

    return candidates


@settings(max_examples=6, deadline=None)
@given(
    calls=st.lists(
        st.tuples(
            st.integers(0, 7),
            st.integers(1, 6),
            st.integers(0, len(KINDS) - 1),
            st.integers(0, 25),
            st.booleans(),
        ),
        min_size=2,
        max_size=6,
    ),
    dropped=st.dictionaries(st.integers(0, 5), st.integers(0, 30), max_size=2),
    rows=st.sampled_from([2, 5, 64]),
    pace=st.sampled_from([decode_loop.CPU_PACE, decode_loop.Pace(2, 0.5)]),
)
@example([(0, 1, 0, 0, False), (0, 4, 0, 0, False)], {0: 8}, 2, decode_loop.Pace(2, 0.5))
@example(
    [
        (0, 2, 0, 1, False),
        (0, 2, 4, 20, False),
        (0, 2, 0, 0, False),
        (0, 2, 1, 0, False),
        (0, 3, 0, 0, False),
    ],
    {0: 13},
    5,
    decode_loop.Pace(2, 0.5),
)
@example([(1, 6, 0, 0, True), (2, 6, 3, 4, True), (3, 2, 4, 5, False)], {0: 3}, 5, decode_loop.Pace(2, 0.5))
def test_whoever_comes_and_goes_beside_it_a_call_gets_what_it_gets_alone(
    double, tokenizer, alone, calls, dropped, rows, pace
):
    clients = [
        (begin, Client(requests_of(number, n, header=header), KINDS[kind]))
        for number, n, kind, begin, header in calls
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode_loop, "CPU_PACE", pace)
        loop = RunningLoop(Sampler(double, tokenizer=tokenizer, max_rows=rows))
        for step in range(31):
            for begin, client in clients:
                if begin == step:
                    client.join(loop)
            for at in [at for at, when in dropped.items() if when == step and at < len(clients)]:
                loop.drop(clients[at][1])
            loop.advance(lambda: True)
        run(loop)
    assert loop.live == 0
    for at, (begin, client) in enumerate(clients):
        expected = alone(client)
        assert client.error is None
        if at in dropped and dropped[at] >= begin:
            assert client.found.items() <= expected.items()
        else:
            assert client.found == expected
            assert client.ended


def test_a_dropped_call_frees_its_rows_before_the_next_step(double, tokenizer, monkeypatch):
    sizes, forward = [], type(double).forward

    def counted(module, input_ids=None, **kwargs):
        sizes.append(len(input_ids))
        return forward(module, input_ids=input_ids, **kwargs)

    loop = RunningLoop(Sampler(double, tokenizer=tokenizer))
    params = SamplingParams(max_new_tokens=40, allowed_tokens=tuple(range(65, 90)))
    gone, stays = Client(requests_of(0, 20), params).join(loop), Client(requests_of(1, 3), params).join(loop)
    loop.advance(lambda: True)
    assert loop.live == 23
    monkeypatch.setattr(type(double), "forward", counted)
    loop.drop(gone)
    assert loop.live == 3
    assert gone.ended
    loop.advance(lambda: True)
    assert sizes == [3]
    run(loop)
    assert len(stays.candidates) == 3
    assert not gone.candidates


def test_a_call_of_many_candidates_does_not_starve_one_of_few(double, tokenizer):
    loop = RunningLoop(Sampler(double, tokenizer=tokenizer, max_rows=8))
    params = SamplingParams(max_new_tokens=6, allowed_tokens=tuple(range(65, 90)))
    many = Client(requests_of(0, 64), params).join(loop)
    for _ in range(3):
        loop.advance(lambda: True)
    few = [Client(requests_of(i, 2), params).join(loop) for i in (1, 2)]
    while not all(client.ended for client in few):
        loop.advance(lambda: True)
    # those that ran when the others came, and the next that had their turn with them
    assert len(many.candidates) <= 16
    run(loop)
    assert len(many.candidates) == 64


def test_free_rows_go_to_the_call_that_has_fewest(double, tokenizer):
    loop = RunningLoop(Sampler(double, tokenizer=tokenizer, max_rows=12))
    params = SamplingParams(max_new_tokens=6, allowed_tokens=tuple(range(65, 90)))
    clients = [Client(requests_of(i, 24), params).join(loop) for i in range(3)]
    loop.advance(lambda: True)
    counts = []
    while loop.can_advance:
        loop.advance()
        counts.append([len(client.candidates) for client in clients])
    assert all(max(each) - min(each) <= 4 for each in counts)


def test_a_paused_call_begins_no_more_candidates_and_holds_no_room(double, tokenizer):
    sampler = Sampler(double, tokenizer=tokenizer, max_rows=4)
    loop = RunningLoop(sampler)
    params = SamplingParams(max_new_tokens=6, allowed_tokens=tuple(range(65, 90)))
    slow = Client(requests_of(5, 12), params).join(loop)
    loop.advance(lambda: True)
    slow.paused = True
    run(loop)
    assert len(slow.candidates) == 4
    assert loop.live == 0
    # longer than all before, so that the store has to grow or to be made anew
    other = Client(requests_of(7, 6), replace(params, max_new_tokens=30)).join(loop)
    run(loop)
    assert len(other.candidates) == 6
    slow.paused = False
    run(loop)
    assert [c.index for c in sorted(slow.candidates, key=lambda c: c.index)] == list(range(12))


def test_where_memory_lacks_a_call_waits_until_others_have_left(double, tokenizer, alone, monkeypatch):
    # one token's keys and values take 1,536 bytes: 3 layers x 2 x 2 heads x 16 wide x 8 bytes
    monkeypatch.setattr(ranks, "free_memory", lambda device: 1536 * 60)
    loop = RunningLoop(Sampler(double, tokenizer=tokenizer, memory_fraction=1.0))
    monkeypatch.setattr(Sampler, "_budget", property(lambda self: 1536 * 60 - held(loop)))
    first = Client(requests_of(1, 4), replace(KINDS[0], max_new_tokens=10)).join(loop)
    loop.advance(lambda: True)
    second = Client(requests_of(2, 2), replace(KINDS[0], max_new_tokens=40)).join(loop)
    never = Client(requests_of(3, 1), replace(KINDS[0], max_new_tokens=400)).join(loop)
    run(loop)
    assert first.found == alone(first)
    assert second.found == alone(second)
    assert isinstance(never.error, ModelError)
    assert "one candidate of the longest prompt" in str(never.error)


def held(loop):
    if loop._loop is None:
        return 0
    store = loop._loop._store
    return 1536 * (store.pool.capacity + store.rows * store.row_tokens)


def test_what_is_wrong_with_one_call_reaches_its_caller_alone(double, tokenizer, alone):
    calls = 0

    def failing(ids, scores):
        nonlocal calls
        calls += 1
        if calls > 4:
            raise ZeroDivisionError("of a processor's own")
        return scores

    def spoiling(ids, scores):
        return scores.fill_(float("nan")) if ids.shape[1] > 22 else scores

    loop = RunningLoop(Sampler(double, tokenizer=tokenizer))
    good = Client(requests_of(1, 5), KINDS[0]).join(loop)
    bad = [
        Client(requests_of(2, 3), KINDS[0], [failing]),
        Client(requests_of(3, 3), replace(KINDS[0], banned_tokens=(10**6,))),
        Client([Request("empty", "", (0, 0))], KINDS[0]),
        Client([Request("long", "x" * 5000, (0,))], KINDS[0]),
    ]
    for client in bad:
        client.join(loop)
    nothing = Client([Request("none", "a", ())], KINDS[0]).join(loop)
    run(loop)
    assert good.found == alone(good)
    assert [type(client.error) for client in bad[:3]] == [ZeroDivisionError, ParameterError, ParameterError]
    assert isinstance(bad[3].error, ParameterError)
    assert all(client.ended for client in (good, nothing, *bad))
    assert nothing.error is None


def test_logits_that_are_no_numbers_fail_the_call_that_they_are_of(double, tokenizer, alone):
    def spoiling(ids, scores):
        return torch.full_like(scores, float("nan"))

    loop = RunningLoop(Sampler(double, tokenizer=tokenizer))
    good = Client(requests_of(1, 5), KINDS[0]).join(loop)
    loop.advance(lambda: True)
    # greedy: the log-probability of a token is that of the model, which is sound
    double_use = Client(requests_of(2, 2), KINDS[0], [spoiling]).join(loop)
    run(loop)
    assert good.found == alone(good)
    assert double_use.ended


def test_a_model_that_is_changed_meanwhile_draws_anew_what_has_not_finished(tokenizer):
    model = random_model("llama", seed=5).double()
    loop = RunningLoop(Sampler(model, tokenizer=tokenizer))
    params = SamplingParams(max_new_tokens=12, allowed_tokens=tuple(range(65, 90)))
    client = Client(requests_of(1, 3), params).join(loop)
    for _ in range(4):
        loop.advance(lambda: True)
    with torch.no_grad():
        model.lm_head.weight.mul_(-1)
    other = Client(requests_of(2, 3), params).join(loop)
    run(loop)
    fresh = Sampler(model, tokenizer=tokenizer)
    for each in (client, other):
        assert each.found == {(c.task_id, c.index): c for c in fresh.stream(each.requests, params)}


def test_a_model_that_fails_is_told_of_to_whoever_advances(double, tokenizer, monkeypatch):
    loop = RunningLoop(Sampler(double, tokenizer=tokenizer))
    Client(requests_of(1, 5), KINDS[0]).join(loop)

    def broken(*_, **__):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(type(double), "forward", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        loop.advance()


def test_memory_for_not_even_one_candidate_ends_the_calls_there_are_and_no_later_ones(
    double, tokenizer, alone, monkeypatch
):
    loop = RunningLoop(Sampler(double, tokenizer=tokenizer))
    clients = [Client(requests_of(i, 2), KINDS[0]).join(loop) for i in range(2)]

    def failing(*_, **__):
        raise torch.OutOfMemoryError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(type(double), "forward", failing)
        run(loop)
    assert all("out of memory with a single candidate" in str(client.error) for client in clients)
    later = Client(requests_of(3, 2), KINDS[0]).join(loop)
    run(loop)
    assert later.found == alone(later)


@pytest.mark.parametrize("at", [2, 5, 9, 14])
def test_running_out_of_memory_changes_nothing_for_anybody(double, tokenizer, alone, monkeypatch, at):
    calls, forward = 0, type(double).forward

    def failing(module, input_ids=None, **kwargs):
        nonlocal calls
        calls += 1
        if calls == at:
            raise torch.OutOfMemoryError("out of memory")
        return forward(module, input_ids=input_ids, **kwargs)

    clients = [Client(requests_of(i, 4), KINDS[i]) for i in range(4)]
    expected = [alone(client) for client in clients]
    loop = RunningLoop(Sampler(double, tokenizer=tokenizer))
    monkeypatch.setattr(type(double), "forward", failing)
    for client in clients:
        client.join(loop)
        loop.advance(lambda: True)
    run(loop)
    assert calls > at
    assert [client.found for client in clients] == expected


def test_models_of_the_ordinary_path_take_turns_by_steps(tokenizer):
    model = random_model("bloom", seed=2).double()
    sampler = Sampler(model, tokenizer=tokenizer)
    assert not sampler.checkpoint.shared
    loop = RunningLoop(sampler)
    params = SamplingParams(max_new_tokens=12, allowed_tokens=tuple(range(65, 90)))
    clients = [Client(requests_of(i, 3), params).join(loop) for i in range(3)]
    expected = [
        {(c.task_id, c.index): c for c in sampler.stream(client.requests, client.params)}
        for client in clients
    ]
    for _ in range(5):
        loop.advance(lambda: True)
    lengths = [{len(text) for text in client.texts.values()} for client in clients]
    assert lengths == [{5}] * 3
    loop.drop(clients[1])
    run(loop)
    assert clients[0].found == expected[0]
    assert clients[2].found == expected[2]
    assert not clients[1].candidates
