"""Many callers share one batch: each gets what it gets alone, and whoever leaves frees its rows at once."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import codesample
from codesample.errors import (
    CodesampleError,
    DeadlineError,
    ParameterError,
    ServiceBusyError,
    ServiceClosedError,
    StreamCancelledError,
)
from codesample.records import Message, Request, SamplingParams
from codesample.sampling import Sampler
from codesample.serving.async_sampler import AsyncSampler

# tokens that never end a candidate: each runs to its limit
LONG = SamplingParams(max_new_tokens=1500, allowed_tokens=tuple(range(65, 90)))
KINDS = [
    SamplingParams(max_new_tokens=9),
    SamplingParams(max_new_tokens=14, seed=7, stop=("e", "\0")),
    SamplingParams(max_new_tokens=5, temperature=0),
    SamplingParams(max_new_tokens=11, temperature=1.0, top_p=1.0, confidence=True),
    SamplingParams(max_new_tokens=8, repetition_penalty=1.3),
]


def of_rows(plain, rows):
    return Sampler(plain.checkpoint.model, tokenizer=plain.checkpoint.tokenizer, max_rows=rows)


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


def test_every_caller_gets_what_it_would_get_alone(plain, served, run):
    prompts = ["def f(x):\n" + "ab"[i % 2] * i for i in range(12)]
    alone = [plain.sample(p, n=1 + i % 4, params=KINDS[i % 5]) for i, p in enumerate(prompts)]

    async def client(i):
        await asyncio.sleep(0.003 * i)
        return await served.sample(prompts[i], n=1 + i % 4, params=KINDS[i % 5])

    async def main():
        return await asyncio.gather(*map(client, range(12)))

    assert run(main) == alone
    assert served.load == (0, 0, 0)


def test_the_built_in_model_serves_in_single_precision(run):
    alone = [Sampler("tiny").sample(f"def add_{i}(a, b):\n", n=3, max_new_tokens=24) for i in range(4)]

    async def main():
        async with AsyncSampler("tiny") as sampler:
            calls = (sampler.sample(f"def add_{i}(a, b):\n", n=3, max_new_tokens=24) for i in range(4))
            return await asyncio.gather(*calls)

    found = run(main)
    assert [[c.completion for c in each] for each in found] == [
        [c.completion for c in each] for each in alone
    ]


def test_a_sampler_may_be_made_in_the_thread_that_uses_it(run):
    made_in = []

    def make():
        made_in.append(threading.current_thread())
        return Sampler("tiny", dtype="float64")

    async def main():
        async with AsyncSampler(make) as sampler:
            return (await sampler.ready()).checkpoint.model.dtype

    assert run(main) is torch.float64
    assert made_in[0] is not threading.main_thread()

    async def nothing():
        await AsyncSampler(lambda: "tiny").ready()

    with pytest.raises(ParameterError, match="made a str: expected a Sampler"):
        run(nothing)


def test_candidates_come_as_they_finish_and_a_newcomer_joins_the_batch(served, steps, run):
    async def main():
        long = served.stream("a" * 9, n=4, params=LONG)
        await until(lambda: len(steps) > 3)
        short = await served.sample("b" * 5, n=2, params=LONG, max_new_tokens=5)
        assert len(short) == 2
        assert served.load.rows == 4
        long.cancel()

    run(main)
    assert 6 in steps


def test_requests_and_messages_are_taken_as_by_a_sampler(plain, served, run):
    requests = [Request(f"p{i}", "x" * (i + 1), (0, 3)) for i in range(3)]
    alone = {(c.task_id, c.index): c for c in plain.stream(requests, KINDS[0])}

    async def main():
        many = [c async for c in served.stream(requests, params=KINDS[0])]
        one = [c async for c in served.stream(requests[1], params=KINDS[0])]
        none = [c async for c in served.stream([Request("none", "x", ())])]
        with pytest.raises(ParameterError, match="chat template"):
            await served.sample([Message("user", "hello")])
        return many, one, none

    many, one, none = run(main)
    assert {(c.task_id, c.index): c for c in many} == alone
    assert sorted(c.index for c in one) == [0, 3]
    assert none == []


async def left(stream):
    async for _ in stream:
        break


async def read(stream, error=None):
    async for _ in stream:
        if error is not None:
            raise error


async def broken_off(stream):
    with pytest.raises(KeyError):
        await read(stream, KeyError("x"))


async def cancelled(stream):
    stream.cancel()
    stream.cancel()
    with pytest.raises(StreamCancelledError):
        await anext(stream)


async def closed(stream):
    await stream.aclose()
    await stream.aclose()


async def managed(stream):
    async with stream:
        await anext(stream)


async def task_cancelled(stream):
    task = asyncio.create_task(read(stream))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def timed_out(stream):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read(stream), 0.05)


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("leave", [left, broken_off, cancelled, closed, managed, task_cancelled, timed_out])
def test_whoever_leaves_frees_its_rows_within_one_step(served, steps, run, leave, text):
    # candidates end by chance, some soon, so that there is one to be taken
    params = replace(LONG, temperature=3.0, top_p=1.0, stop=("c",))

    async def main():
        stays = served.stream("stays " * 3, n=3, params=LONG)
        await until(lambda: 3 in steps)
        call = served.stream_text if text else served.stream
        stream = call("quick", n=60, params=params)
        await until(lambda: stream._call.finished)
        assert served.load.rows > 20
        await leave(stream)
        before = len(steps)
        await until(lambda: served.load.calls == 1 and len(steps) > before + 3)
        # the step that ran when it left, and none after it
        assert sum(rows > 3 for rows in steps[before:]) <= 1
        assert steps[-1] == 3
        stays.cancel()

    run(main)


def test_a_stream_that_nobody_holds_is_cancelled(served, steps, run):
    async def main():
        served.stream("a" * 9, n=4, params=LONG)
        gc.collect()
        await until(lambda: served.load.calls == 0)

    run(main)
    assert len(steps) < 100


def test_a_passed_deadline_says_so_and_carries_what_has_finished(served, steps, run):
    params = replace(LONG, temperature=3.0, top_p=1.0, stop=("c",))
    requests = [Request("quick", "q" * 7, (0, 1, 2)), Request("slow", "s" * 9, (0, 1))]
    never = SamplingParams(max_new_tokens=1500, allowed_tokens=(65,))

    async def until_it_passes(deadline):
        taken = []
        stream = served.stream(
            [*requests, Request("more", "m", tuple(range(999)))], params=params, deadline=deadline
        )

        async def read_all():
            async for each in stream:
                taken.append(each)

        with pytest.raises(DeadlineError, match=rf"{deadline} s passed with \d+ of 1004 candid") as caught:
            await read_all()
        return taken, caught.value

    async def main():
        stays = served.stream("l" * 9, n=2, params=never)
        for deadline in (0.7, 3.5, 15.5):
            taken, error = await until_it_passes(deadline)
            before = len(steps)
            if taken:
                # a busy machine may need longer for the first one
                break
        assert isinstance(error, TimeoutError)
        assert isinstance(error, codesample.CodesampleError)
        assert taken
        assert set(taken) <= set(error.candidates)
        await until(lambda: served.load.calls == 1 and len(steps) > before + 3)
        assert sum(rows > 2 for rows in steps[before:]) <= 1
        stays.cancel()

    run(main)


def test_a_deadline_passes_where_nobody_reads_too(served, steps, run):
    async def main():
        stream = served.stream("a" * 9, n=2, params=LONG, max_new_tokens=900, deadline=0.1)
        await until(lambda: served.load.calls == 1)
        await until(lambda: served.load.calls == 0)
        with pytest.raises(DeadlineError):
            await anext(stream)

    run(main)


def test_what_was_drawn_in_time_is_not_taken_back_by_a_deadline(served, run):
    async def main():
        stream = served.stream("a" * 9, n=2, params=LONG, max_new_tokens=2, deadline=30)
        await until(lambda: served.load.calls == 0)
        return [each async for each in stream]

    assert len(run(main)) == 2


def test_a_slow_reader_holds_up_itself_alone(plain, run, steps):
    async def main():
        async with AsyncSampler(of_rows(plain, 4), buffer=3) as sampler:
            slow = sampler.stream("slow", n=40, params=LONG, max_new_tokens=4)
            await until(lambda: sampler.load.rows == 0 and len(slow._call.finished) >= 3)
            # no more than the buffer, and the rows that lived when it was full
            assert len(slow._call.finished) <= 3 + 4
            quick = await sampler.sample("quick", n=9, params=LONG, max_new_tokens=4)
            assert len(quick) == 9
            return [c.index async for c in slow]

    assert sorted(run(main)) == list(range(40))


def test_more_calls_than_may_wait_are_refused_by_name(plain, run):
    async def main():
        async with AsyncSampler(of_rows(plain, 2), max_waiting=2) as sampler:
            first = sampler.stream_text("a", n=2, params=LONG)
            await anext(first)
            waiting = [sampler.stream("b", params=LONG, max_new_tokens=2) for _ in range(2)]
            with pytest.raises(
                ServiceBusyError, match="2 calls wait for their first token, and max_waiting = 2"
            ):
                sampler.stream("c")
            assert sampler.load == (3, 2, 2)
            first.cancel()
            assert [len([c async for c in stream]) for stream in waiting] == [1, 1]
            assert len(await sampler.sample("c", max_new_tokens=2)) == 1

    run(main)


def test_an_error_of_one_call_reaches_its_caller_alone(plain, served, run):
    def failing(ids, scores):
        raise ZeroDivisionError("of a processor's own")

    alone = plain.sample("good", n=3, params=KINDS[0])

    async def main():
        good = asyncio.create_task(served.sample("good", n=3, params=KINDS[0]))
        with pytest.raises(ZeroDivisionError):
            await served.sample("a", processors=[failing])
        with pytest.raises(ParameterError, match="expected an id in"):
            await served.sample("a", banned_tokens=(10**7,))
        with pytest.raises(ParameterError, match="indices must be different"):
            [c async for c in served.stream(Request("a", "a", (1, 1)))]
        with pytest.raises(ParameterError, match="unknown sampling parameter 'max_tokens'"):
            served.stream("a", max_tokens=3)
        for bad in ({"n": 0}, {"deadline": 0}, {"deadline": float("nan")}):
            with pytest.raises(ParameterError):
                served.stream("a", **bad)
        return await good

    assert run(main) == alone


def test_no_deadline_is_too_far_off(served, run):
    async def main():
        for deadline in (1e7, 1e10, 1e300, float("inf")):
            await served.sample("a", max_new_tokens=1, deadline=deadline)
            events = codesample.stream_best_of_n(
                served, "a", n=1, params=SamplingParams(max_new_tokens=1), deadline=deadline
            )
            assert [event async for event in events]
        return await served.sample("a", max_new_tokens=1)

    assert len(run(main)) == 1


def test_a_processor_that_ends_the_process_ends_its_own_call(served, run):
    def leaving(ids, scores):
        raise SystemExit(3)

    async def asked():
        # a task that raises this ends the loop that runs it
        with pytest.raises(SystemExit):
            await served.sample("a", processors=[leaving])
        return await served.sample("a", max_new_tokens=1)

    assert len(run(asked)) == 1


def test_a_model_that_fails_ends_every_call_and_is_told_of_afterwards(plain, run, monkeypatch):
    model = plain.checkpoint.model

    def broken(*_, **__):
        raise RuntimeError("shapes differ")

    async def main():
        sampler = AsyncSampler(plain)
        first, second = (sampler.stream(letter, n=2, params=LONG) for letter in "ab")
        await until(lambda: sampler.load.rows == 4)
        monkeypatch.setattr(type(model), "forward", broken)
        for stream in (first, second):
            with pytest.raises(ServiceClosedError, match="RuntimeError: shapes differ") as caught:
                await anext(stream)
            assert isinstance(caught.value.__cause__, RuntimeError)
        with pytest.raises(ServiceClosedError, match="shapes differ; make a new one"):
            await sampler.sample("c")
        await sampler.aclose()

    run(main)


def test_closing_ends_open_streams_with_an_error_and_may_be_done_twice(plain, run):
    async def main():
        async with AsyncSampler(plain) as sampler:
            stream = sampler.stream("a", n=2, params=LONG)
            await until(lambda: sampler.load.rows == 2)
            await sampler.aclose()
            with pytest.raises(ServiceClosedError, match="this AsyncSampler is closed; make a new one"):
                await anext(stream)
            with pytest.raises(ServiceClosedError):
                sampler.stream("a")
            assert not sampler._thread._thread.is_alive()
        sampler.close()
        await AsyncSampler(plain).aclose()

    run(main)


def test_a_model_that_cannot_be_loaded_is_told_of_where_it_is_used(run):
    async def main():
        with pytest.raises(CodesampleError, match="no/such"):
            await AsyncSampler("./no/such/folder").__aenter__()
        with pytest.raises(CodesampleError, match="no/such"):
            await AsyncSampler(Path("./no/such/folder")).sample("a")

    run(main)
    with pytest.raises(ParameterError, match="model = 3: expected a text, a path, a Sampler or a function"):
        AsyncSampler(3)
    with pytest.raises(ParameterError, match="buffer = 0: expected at least 1"):
        AsyncSampler("tiny", buffer=0)


def test_it_serves_several_event_loops_one_after_another_and_at_once(plain, run):
    sampler = AsyncSampler(plain)
    alone = [plain.sample("ab"[i % 2] * 3, n=2, params=KINDS[0]) for i in range(6)]

    def in_a_loop_of_its_own(i):
        return run(lambda: sampler.sample("ab"[i % 2] * 3, n=2, params=KINDS[0]))

    assert [in_a_loop_of_its_own(i) for i in range(2)] == alone[:2]
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(in_a_loop_of_its_own, range(6))) == alone
    stream = run(begun(sampler))
    assert len(run(rest(stream))) == 3
    sampler.close()


def begun(sampler):
    async def main():
        stream = sampler.stream("c", n=4, params=KINDS[0])
        await anext(stream)
        return stream

    return main


def rest(stream):
    async def main():
        return [each async for each in stream]

    return main


def test_a_sampler_that_nobody_holds_ends_its_thread(plain, run):
    async def main():
        sampler = AsyncSampler(plain)
        await sampler.sample("a", max_new_tokens=2)
        return sampler._thread._thread

    thread = run(main)
    gc.collect()
    thread.join(60)
    assert not thread.is_alive()


def test_others_may_use_the_sampler_meanwhile(plain, served, run):
    alone = plain.sample("beside", n=4, params=KINDS[0])

    async def main():
        stream = served.stream("a", n=3, params=LONG)
        await until(lambda: served.load.rows == 3)
        beside = await asyncio.to_thread(plain.sample, "beside", 4, params=KINDS[0])
        assert served.load.rows == 3
        stream.cancel()
        return beside

    assert run(main) == alone


def test_a_call_of_many_candidates_does_not_starve_one_of_one(plain, run):
    async def main():
        async with AsyncSampler(of_rows(plain, 8), buffer=1000) as sampler:
            many = sampler.stream("many", n=512, params=LONG, max_new_tokens=8)
            await until(lambda: sampler.load.rows == 8)
            before = len(many._call.finished)
            await asyncio.gather(*(sampler.sample(x, params=LONG, max_new_tokens=8) for x in "ab"))
            # those that ran then, and those beside which the two had their turn
            assert len(many._call.finished) - before <= 3 * 8
            many.cancel()

    run(main)


def test_the_event_loop_goes_on_while_the_model_decodes(served, run):
    async def main():
        call = asyncio.create_task(served.sample("a" * 9, n=8, params=LONG, max_new_tokens=80))
        beats = 0
        while not call.done():
            await asyncio.sleep(0.001)
            beats += 1
        return beats

    assert run(main) > 10


def test_threads_are_told_apart_from_a_model_in_use(plain):
    """Calls of threads, each half read, take turns by steps."""
    streams = [plain.stream([Request("p", x * 5, (0, 1))], replace(LONG, max_new_tokens=60)) for x in "abc"]
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(list, streams, timeout=120))
    assert [len(each) for each in found] == [2, 2, 2]
    assert threading.active_count() < 40
    assert torch.is_grad_enabled()


def test_it_says_in_a_line_what_it_holds(plain, served, run):
    named = AsyncSampler("tiny")
    assert repr(named) == "AsyncSampler('tiny': not loaded)"
    named.close()
    assert repr(named) == "AsyncSampler('tiny': closed)"

    async def main():
        await served.ready()
        idle = repr(served)
        stream = served.stream("def f(x):\n", n=2, params=LONG)
        await anext(aiter(served.stream("def g(x):\n", max_new_tokens=1)))
        busy = repr(served)
        await stream.aclose()
        return idle, busy

    idle, busy = run(main)
    name = plain.checkpoint.name
    assert idle == f"AsyncSampler({name!r}: 0 calls, 0 waiting, 0 rows)"
    assert busy.startswith(f"AsyncSampler({name!r}: ")
    assert "0 calls" not in busy

    def failing():
        raise ParameterError("no model")

    broken = AsyncSampler(failing)
    with pytest.raises(ParameterError, match="no model"):
        run(broken.ready)
    assert repr(broken).endswith("failing': failed)")
