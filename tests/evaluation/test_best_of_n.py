"""Best-of-n of one prompt: what is drawn, what engine and judge are asked for, and what is refused."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

import pytest
from canned_engine import BROKEN, PROMPT, RIGHT, WRONG, Canned

from codesample import (
    BestOfN,
    EarlyStop,
    best_of_n,
    passed,
    reranker,
)
from codesample.errors import IsolationError, ParameterError, RerankerError, UnknownNameError
from codesample.records import CallExample, Candidate, Reading, Status, Verdict


def test_the_best_by_mean_logprob_comes_with_everything_drawn():
    got = best_of_n(Canned(WRONG, RIGHT), PROMPT, n=4)
    assert isinstance(got, BestOfN)
    assert got.best.index == 0
    assert [c.index for c in got.candidates] == [0, 1, 2, 3]
    assert got.scores == {"mean_logprob": pytest.approx((-0.1, -0.2, -0.3, -0.4))}
    assert got.best.program == PROMPT + WRONG
    assert (got.not_drawn, got.tokens_saved) == (0, 0)
    assert got.tokens == 2 * (len(WRONG) + len(RIGHT))


def test_examples_read_from_the_prompt_find_the_right_one():
    engine = Canned(WRONG, BROKEN, WRONG, RIGHT)
    got = best_of_n(engine, PROMPT, n=4, reranker="public_examples,mean_logprob", entry_point="double")
    assert got.best.index == 3


def test_sampling_stops_with_the_round_in_which_one_passes():
    engine = Canned(WRONG, WRONG, BROKEN, RIGHT, RIGHT)
    got = best_of_n(engine, PROMPT, n=20, entry_point="double", until=EarlyStop(passed, every=3))
    assert sorted(engine.asked) == [0, 1, 2, 3, 4, 5]
    assert got.best.index == 3
    assert got.not_drawn == 14
    assert got.tokens_saved == round(14 * got.tokens / 6)


def test_a_result_that_equals_everything_stops_nothing():
    always = "    return type('Any', (), {'__eq__': lambda self, other: True})()\n"
    got = best_of_n(Canned(always), PROMPT, n=4, entry_point="double", until=EarlyStop(passed, every=2))
    assert got.not_drawn == 0


def test_where_none_passes_all_n_are_drawn_and_the_reranker_chooses():
    engine = Canned(WRONG, BROKEN)
    got = best_of_n(engine, PROMPT, n=5, entry_point="double", until=EarlyStop(passed, every=2))
    assert sorted(engine.asked) == [0, 1, 2, 3, 4]
    assert got.best.index == 0
    assert got.not_drawn == 0


def test_examples_may_be_given_and_programs_assembled_otherwise():
    got = best_of_n(
        Canned("return x - 1", "return x * 2"),
        "double x",
        n=2,
        examples=[CallExample("double(4)", "8")],
        entry_point="double",
        program=lambda completion: f"def double(x):\n    {completion}\n",
        reranker="public_examples",
    )
    assert got.best.index == 1
    assert got.scores == {"public_examples": (0.0, 1.0)}


def test_a_reranker_may_compare_what_programs_return():
    @reranker(needs={"run"})
    def agreement(view, candidates, ctx):
        rows = ctx.run(candidates, [(3,), (5,)])
        return [float(sum(row == other for other in rows)) for row in rows]

    got = best_of_n(Canned(WRONG, RIGHT, RIGHT), PROMPT, n=3, reranker=agreement, entry_point="double")
    assert got.scores == {"agreement": (1.0, 2.0, 2.0)}
    assert got.best.index == 1


def test_an_executor_of_the_caller_is_used_and_left_open():
    from codesample import Executor

    with Executor(workers=1) as executor:
        for _ in range(2):
            got = best_of_n(
                Canned(WRONG, RIGHT),
                PROMPT,
                n=2,
                reranker="public_examples",
                entry_point="double",
                judge=executor,
            )
            assert got.best.index == 1


def test_without_a_program_to_run_no_sandbox_is_needed(monkeypatch):
    def refuse(run):
        raise IsolationError("nothing is isolated here")

    def likely(view, candidates, ctx):
        return [c.index >= 2 for c in candidates]

    monkeypatch.setattr("codesample.evaluation.best_of_n.open_judge", refuse)
    got = best_of_n(Canned(WRONG, RIGHT), PROMPT, n=8, until=EarlyStop(likely, every=3))
    assert (got.best.index, got.not_drawn) == (2, 5)
    engine = Canned(WRONG)
    with pytest.raises(IsolationError):
        best_of_n(engine, PROMPT, n=8, until=passed, entry_point="double")
    with pytest.raises(IsolationError):
        best_of_n(engine, PROMPT, n=8, reranker="public_examples", entry_point="double")
    assert engine.asked == []


def test_a_program_that_the_harness_failed_on_is_named_and_ranks_last():
    class Failing:
        """A judge that fails on the first program of each call."""

        isolation, workers, in_flight = None, 1, 8

        def submit(self, program):
            status = Status.PASSED if program.index else Status.HARNESS_ERROR
            verdict = Verdict(program.task_id, program.index, status, detail="no room", checks=(True,))
            future = Future()
            future.set_result(verdict)
            return future

        def submit_calls(self, source, entry_point, inputs, *, cpu_seconds=None):
            raise AssertionError("not asked for")

        def close(self):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *ended):
            pass

    got = best_of_n(
        Canned(WRONG, RIGHT),
        PROMPT,
        n=2,
        reranker="public_examples",
        entry_point="double",
        judge=Failing(),
    )
    assert got.failures == ("prompt: no room",)
    assert (got.scores, got.best.index) == ({"public_examples": (None, 1.0)}, 1)
    assert got.notes == ("public_examples abstained on 1 of 2, which rank last under it",)


def test_a_reranker_that_looks_at_confidence_has_it_recorded():
    class Sure(Canned):
        def stream(self, requests, params, *, progress=None):
            assert params.confidence
            for each in super().stream(requests, params, progress=progress):
                sure = tuple(float(each.index) for _ in each.token_ids)
                yield replace(each, certainties=sure, confidences=sure)

    @reranker(needs={"confidence"})
    def surest(view, candidates, ctx):
        return [min(each.certainties) for each in candidates]

    got = best_of_n(Sure(WRONG, RIGHT, abilities=("confidence",)), PROMPT, n=2, reranker=surest)
    assert got.best.index == 1
    with pytest.raises(RerankerError, match="needs 'confidence'"):
        best_of_n(Canned(WRONG), PROMPT, n=2, reranker=surest)


def test_a_reranker_may_ask_the_engine_to_write():
    class Grading(Canned):
        """Answers questions with the number of digits in them."""

        def stream(self, requests, params, *, progress=None):
            if "Grade" not in requests[0].prompt:
                yield from super().stream(requests, params, progress=progress)
                return
            for request in requests:
                self.asked.append(request.prompt)
                yield Candidate(request.task_id, 0, str(request.prompt.count("2")))

    @reranker(needs={"generate"})
    def graded(view, candidates, ctx):
        return [float(ctx.generate(f"Grade {each.program}")[0].completion) for each in candidates]

    engine = Grading(WRONG, RIGHT, WRONG)
    got = best_of_n(engine, PROMPT, n=3, reranker=graded)
    assert got.best.index == 1
    assert got.scores == {"graded": (0.0, 1.0, 0.0)}
    # an equal question is asked once
    assert len([each for each in engine.asked if isinstance(each, str)]) == 2


def test_programs_are_compared_on_inputs_made_for_the_prompt():
    engine = Canned(WRONG, RIGHT, BROKEN, "    return x + x\n")
    got = best_of_n(engine, PROMPT, n=4, reranker="largest_cluster", entry_point="double")
    assert got.best.index == 1
    assert got.tied == (3,)
    assert got.examples_passed is True


def test_what_candidates_lack_is_read_where_the_engine_reads():
    class ReadingEngine(Canned):
        def read(self, given, *, progress=None):
            for each in given:
                length = len(each.token_ids)
                ends = tuple(range(1, length + 1))
                level = 1.0 if each.text == RIGHT else 0.5
                yield Reading(each.token_ids, ends, *[(level,) * length] * 3, prompt_tokens=3)

    @reranker(needs={"confidence"})
    def surest(view, candidates, ctx):
        return [min(each.certainties) for each in candidates]

    engine = ReadingEngine(WRONG, RIGHT, abilities=("logprobs", "prompt_logprobs"))
    got = best_of_n(engine, PROMPT, n=2, reranker=surest)
    assert got.best.index == 1
    assert got.scores == {"surest": (0.5, 1.0)}
    assert all(each.certainties is None for each in got.candidates)


def test_threads_share_an_engine_and_a_judge():
    from concurrent.futures import ThreadPoolExecutor

    from codesample import Executor

    asked = {"n": 4, "reranker": "public_examples", "entry_point": "double"}
    with Executor(workers=1) as judge, ThreadPoolExecutor(4) as threads:
        waiting = [
            threads.submit(best_of_n, Canned(*([WRONG] * at), RIGHT), PROMPT, judge=judge, **asked)
            for at in range(4)
        ]
        assert [each.result().best.index for each in waiting] == [0, 1, 2, 3]


def test_works_inside_of_a_running_event_loop():
    import asyncio

    async def ask():
        here = best_of_n(Canned(WRONG, RIGHT), PROMPT, n=2, reranker="public_examples", entry_point="double")
        there = await asyncio.to_thread(best_of_n, Canned(WRONG, RIGHT), PROMPT, n=2)
        return here.best.index, there.best.index

    assert asyncio.run(ask()) == (1, 0)


def test_a_round_holds_at_least_one_candidate():
    with pytest.raises(ParameterError, match="every = 0"):
        EarlyStop(passed, every=0)


def test_what_cannot_work_is_refused_before_sampling():
    engine = Canned(WRONG, abilities=())
    with pytest.raises(RerankerError, match="needs 'logprobs'"):
        best_of_n(engine, PROMPT)
    with pytest.raises(ParameterError, match="n = 0"):
        best_of_n(engine, PROMPT, n=0)
    with pytest.raises(ParameterError, match="expected '4 # four' is not a Python expression"):
        best_of_n(Canned(WRONG), PROMPT, examples=[CallExample("double(2)", "4 # four")])
    engine = Canned(WRONG)
    with pytest.raises(RerankerError, match="shows none"):
        best_of_n(engine, "no examples", n=2, until=passed)
    assert engine.asked == []


def test_a_reranker_that_fails_hands_over_what_was_drawn():
    @reranker
    def broken(view, candidates, ctx):
        raise KeyError("oh")

    with pytest.raises(RerankerError, match="oh") as caught:
        best_of_n(Canned(WRONG, RIGHT), PROMPT, n=3, reranker=broken)
    assert [c.index for c in caught.value.candidates] == [0, 1, 2]


def test_examples_may_be_pairs_of_texts():
    prompt = "def double(x):\n"
    pairs = [("double(3)", "6"), ["double(5)", "10"]]
    by_pairs, by_records = (
        best_of_n(Canned(WRONG, RIGHT), prompt, n=2, reranker="public_examples", examples=examples)
        for examples in (pairs, [CallExample(*pair) for pair in pairs])
    )
    assert by_pairs.scores == by_records.scores
    assert by_pairs.best.index == 1


@pytest.mark.parametrize("example", [("double(3)", 6), ("double(3)",), "double(3)", None, ("a", "b", "c")])
def test_what_is_no_example_is_refused_with_what_one_is(example):
    with pytest.raises(
        ParameterError, match=r"expected a call and its value as two texts, such as \('f\(1\)'"
    ):
        best_of_n(Canned(RIGHT), PROMPT, examples=[example])


def test_a_model_may_be_named(monkeypatch):
    from codesample.evaluation import plan

    opened = []
    monkeypatch.setattr(plan, "open_engine", lambda options: opened.append(options.model) or Canned(RIGHT))
    assert best_of_n("tiny", PROMPT, n=1).best.completion == RIGHT
    assert opened == ["tiny"]
    with pytest.raises(UnknownNameError, match="unknown engine 'engin'"):
        best_of_n("engin:x", PROMPT, n=1)
    with pytest.raises(ParameterError, match=r"engine = None: expected a text, a path, .* or an Engine"):
        best_of_n(None, PROMPT, n=1)
