"""Best-of-n as a stream of events, and over a service's engine in a thread."""

import asyncio

import pytest

import codesample
from codesample import BestOfN, CandidateDrawn, CandidateJudged, SamplingParams
from codesample.errors import DeadlineError, ParameterError, RerankerError, StreamCancelledError
from codesample.testing.engines import check_engine

PARAMS = SamplingParams(max_new_tokens=12)
PROMPT = "def f(x):\n"


def seen(choice):
    return choice.best.completion, choice.scores, [c.completion for c in choice.candidates], choice.why


async def listed(events):
    return [event async for event in events]


def test_everything_drawn_and_judged_comes_before_the_choice(plain, served, run):
    def enough(view, candidates, ctx):
        return [c.index >= 6 and c.index % 2 == 0 for c in candidates]

    until = codesample.EarlyStop(enough, every=4)
    alone = codesample.best_of_n(plain, PROMPT, n=20, params=PARAMS, until=until)
    *events, choice = run(
        lambda: listed(codesample.stream_best_of_n(served, PROMPT, n=20, params=PARAMS, until=until))
    )
    assert isinstance(choice, BestOfN)
    assert seen(choice) == seen(alone)
    drawn = [event.candidate.index for event in events if isinstance(event, CandidateDrawn)]
    judged = [(e.candidate.index, e.good) for e in events if isinstance(e, CandidateJudged)]
    assert sorted(drawn) == list(range(8))
    assert judged == [(i, i == 6) for i in range(8)]


def test_it_works_over_a_services_engine_in_a_thread(plain, served, run):
    alone = codesample.best_of_n(plain, PROMPT, n=6, params=PARAMS)

    async def main():
        calls = (
            asyncio.to_thread(codesample.best_of_n, served.engine(), PROMPT, n=6, params=PARAMS)
            for _ in range(4)
        )
        return await asyncio.gather(*calls)

    assert [seen(choice) for choice in run(main)] == [seen(alone)] * 4


def test_leaving_frees_the_rows(served, run):
    params = SamplingParams(
        max_new_tokens=1500, allowed_tokens=tuple(range(65, 90)), stop=("c",), top_p=1.0, temperature=3.0
    )

    async def main():
        async for event in codesample.stream_best_of_n(served, PROMPT, n=64, params=params, stop=None):
            assert isinstance(event, CandidateDrawn)
            break
        while served.load.calls:
            await asyncio.sleep(0.001)
        assert served.load.rows == 0

    run(main)


def test_a_deadline_ends_it_with_what_was_drawn(served, run):
    params = SamplingParams(max_new_tokens=1500, allowed_tokens=tuple(range(65, 90)))

    async def main():
        with pytest.raises(DeadlineError, match=r"deadline of 0.2 s passed"):
            await listed(
                codesample.stream_best_of_n(served, PROMPT, n=8, params=params, stop=(), deadline=0.2)
            )
        while served.load.calls:
            await asyncio.sleep(0.001)

    run(main)


def test_what_best_of_n_refuses_is_refused(served, run):
    for bad, error in [
        ({"n": 0}, ParameterError),
        ({"until": codesample.passed}, RerankerError),
        ({"deadline": -1}, ParameterError),
    ]:
        with pytest.raises(error):
            run(lambda bad=bad: listed(codesample.stream_best_of_n(served, PROMPT, **bad)))
    with pytest.raises(ParameterError, match="expected an AsyncSampler"):
        run(lambda: listed(codesample.stream_best_of_n("tiny", PROMPT)))


def test_the_engine_keeps_the_contract_of_engines(served):
    requests = [codesample.Request(f"p{i}", "ab" * (i + 1), (0, 1, 2)) for i in range(3)]
    checked = check_engine(served.engine(), requests, PARAMS)
    assert len(checked.tried) > 5


def test_a_closed_engine_ends_its_streams(served):
    engine = served.engine()
    params = SamplingParams(max_new_tokens=1500, allowed_tokens=tuple(range(65, 90)))
    stream = engine.stream([codesample.Request("p", "x", (0, 1))], params)
    engine.close()
    with pytest.raises(StreamCancelledError):
        next(stream)
