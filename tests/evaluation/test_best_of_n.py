from concurrent.futures import Future
from dataclasses import replace

import pytest

from codesample import (
    BestOfN,
    EarlyStop,
    Message,
    Reproducibility,
    SamplingParams,
    best_of_n,
    passed,
    reranker,
)
from codesample.errors import IsolationError, ModelError, ParameterError, RerankerError, UnknownNameError
from codesample.evaluation.asked_prompt import AskedPrompt
from codesample.records import CallExample, Candidate, Extraction, Reading, Status, Verdict

PROMPT = 'def double(x):\n    """Return twice x.\n\n    >>> double(3)\n    6\n    """\n'
WRONG, RIGHT, BROKEN = "    return x + 1\n", "    return 2 * x\n", "    return (\n"


class Canned:
    """An engine whose candidate i is the i-th of a list; notes which were asked for."""

    name = "canned"
    reproducibility = Reproducibility.EXACT

    def __init__(self, *completions, abilities=("logprobs",)):
        self.completions, self.abilities, self.asked = completions, frozenset(abilities), []

    def stream(self, requests, params, *, progress=None):
        for request in requests:
            for index in reversed(request.indices):
                self.asked.append(index)
                text = self.completions[index % len(self.completions)]
                ids = tuple(range(len(text)))
                yield Candidate(request.task_id, index, text, ids, tuple(-0.1 * (index + 1) for _ in ids))

    def describe(self):
        return {"name": self.name}


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


def test_abstaining_and_ties_fall_to_the_lowest_index():
    @reranker
    def silent(view, candidates, ctx):
        return [None, None, 1.0, 1.0]

    assert best_of_n(Canned(WRONG), PROMPT, n=4, reranker=silent).best.index == 2


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


def test_the_result_says_which_examples_the_winner_gets_right():
    two = [("double(1)", "2"), ("double(3)", "6")]
    asked = {"prompt": PROMPT, "entry_point": "double", "examples": two}
    # x + 1 is right for 1 alone; the scores need no program
    half = best_of_n(Canned(WRONG, RIGHT), n=2, **asked)
    assert (half.best.index, half.examples_held, half.examples_passed) == (0, (True, False), False)
    whole = best_of_n(Canned(WRONG, RIGHT), n=2, reranker="public_examples", **asked)
    assert (whole.best.index, whole.examples_held, whole.examples_passed) == (1, (True, True), True)
    assert whole.notes == ()
    none = best_of_n(Canned(WRONG), PROMPT, n=2)
    assert (none.examples_held, none.examples_passed, none.notes) == (None, None, ())


def test_where_none_gets_the_examples_right_the_result_says_so():
    got = best_of_n(Canned(WRONG, BROKEN), PROMPT, n=4, reranker="public_examples", entry_point="double")
    assert got.examples_passed is False
    assert got.notes == ("no candidate gets all of the 1 examples right: 0 at most",)
    assert (got.best.index, got.tied, got.decided_by) == (0, (1, 2, 3), None)


def test_examples_that_cannot_be_run_cost_no_choice(monkeypatch):
    def refuse(run):
        raise IsolationError("nothing is isolated here")

    monkeypatch.setattr("codesample.evaluation.best_of_n.open_judge", refuse)
    got = best_of_n(Canned(WRONG, RIGHT), PROMPT, n=2, entry_point="double")
    assert (got.best.index, got.examples_passed) == (0, None)
    assert got.notes == ("the examples could not be run: nothing is isolated here",)


def test_a_chain_shows_the_scores_of_its_parts_and_which_of_them_decided():
    engine = Canned(WRONG, RIGHT, RIGHT, BROKEN)
    got = best_of_n(engine, PROMPT, n=4, reranker="public_examples > mean_logprob", entry_point="double")
    assert got.best.index == 1
    assert got.scores == {
        "public_examples": (0.0, 1.0, 1.0, 0.0),
        "mean_logprob": pytest.approx((-0.1, -0.2, -0.3, -0.4)),
    }
    assert (got.decided_by, got.tied, got.examples_passed) == ("mean_logprob", (), True)
    assert got.why == (
        "public_examples 1 is the highest of 4, shared by 2; "
        "of these mean_logprob -0.2 is the highest of 2, next -0.3"
    )


def test_equal_programs_tie_and_the_lowest_index_wins():
    got = best_of_n(Canned(WRONG, RIGHT), PROMPT, n=6, reranker="public_examples", entry_point="double")
    assert (got.best.index, got.tied, got.decided_by) == (1, (3, 5), "public_examples")
    assert got.why == (
        "public_examples 1 is the highest of 6, shared by 3; 1 is the lowest index of 3 that tie (3, 5)"
    )


def test_an_early_stop_is_part_of_the_reason():
    engine = Canned(WRONG, RIGHT)
    got = best_of_n(engine, PROMPT, n=20, entry_point="double", until=EarlyStop(passed, every=4))
    assert got.why == (
        "2 of the first 4 candidates, of 20, were good enough to stop at; "
        "mean_logprob -0.2 is the highest of 2, next -0.4"
    )
    never = best_of_n(Canned(WRONG), PROMPT, n=4, entry_point="double", until=passed)
    assert never.notes == ("no candidate was good enough to stop at: all 4 were drawn",)


def test_where_all_abstain_the_first_is_chosen_and_the_result_says_so():
    @reranker
    def silent(view, candidates, ctx):
        return [None] * len(candidates)

    got = best_of_n(Canned(WRONG), PROMPT, n=3, reranker=silent)
    assert (got.best.index, got.tied, got.decided_by) == (0, (1, 2), None)
    assert got.why == "silent abstains on all 3; 0 is the lowest index of 3 that tie (1, 2)"
    assert got.scores == {"silent": (None, None, None)}


def test_without_chance_one_candidate_is_drawn_and_the_result_says_so():
    engine = Canned(RIGHT)
    got = best_of_n(engine, PROMPT, n=32, params=SamplingParams(temperature=0))
    assert engine.asked == [0]
    assert (len(got.candidates), got.not_drawn) == (1, 31)
    assert got.notes == ("temperature 0 draws equal candidates: 1 was drawn instead of 32",)
    assert got.why == "it is the only one to choose"
    # one that was asked for is no less than that
    assert best_of_n(engine, PROMPT, n=1, params=SamplingParams(temperature=0)).notes == ()


def test_what_a_reranker_notes_is_passed_on():
    @reranker
    def doubtful(view, candidates, ctx):
        for _ in candidates:
            ctx.note("no grade")
        return [0.0] * len(candidates)

    assert best_of_n(Canned(WRONG), PROMPT, n=2, reranker=doubtful).notes == ("doubtful: no grade (2 times)",)


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
    with pytest.raises(ModelError, match="the model is NoneType, which lacks name"):
        best_of_n(None, PROMPT, n=1)


ASKED = [
    {"role": "system", "content": "Be brief. double(1) == 3"},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": f"Complete this.\n```python\n{PROMPT}```\n"},
]
ANSWERS = ("def double(x):\n    return x + 1\n", "def double(x):\n    return 2 * x\n")


def test_messages_are_handed_to_the_engine_and_examples_read_from_the_last_turn():
    engine = Canned(*ANSWERS, abilities=("logprobs", "chat"))
    seen = []
    stream = engine.stream
    engine.stream = lambda requests, *rest, **more: (seen.extend(requests), stream(requests, *rest, **more))[
        1
    ]
    got = best_of_n(engine, ASKED, n=2, reranker="public_examples", entry_point="double")
    assert seen[0].prompt == tuple(Message(**each) for each in ASKED)
    assert got.best.index == 1
    assert got.scores == {"public_examples": (0.0, 1.0)}


def test_an_engine_that_takes_no_messages_is_not_asked():
    engine = Canned(RIGHT)
    with pytest.raises(ParameterError, match="engine 'canned' takes no messages; give a text"):
        best_of_n(engine, ASKED, n=2)
    assert engine.asked == []


@pytest.mark.parametrize(
    ("prompt", "complaint"),
    [
        (None, "prompt is None"),
        (["text"], r"prompt\[0\] is a text"),
        ([{"role": "system", "content": "x"}], "messages of system only; expected one of the user's"),
    ],
)
def test_a_prompt_that_is_none_is_refused_before_anything_is_drawn(prompt, complaint):
    engine = Canned(RIGHT, abilities=("logprobs", "chat"))
    with pytest.raises(ParameterError, match=complaint):
        best_of_n(engine, prompt, n=2)
    assert engine.asked == []


def test_rerankers_see_the_tokens_of_the_program_alone(monkeypatch):
    # a token a letter; what surrounds the program is unlikely in one answer, the program in the other
    body = "def double(x): return 2 * x"
    texts = (f"zz{body}zz", f"zz{body}zz")
    likely = {0: (-9.0, -1.0), 1: (-1.0, -2.0)}

    class Lettered(Canned):
        def stream(self, requests, params, *, progress=None):
            for each in super().stream(requests, params, progress=progress):
                around, inside = likely[each.index]
                logprobs = tuple(around if letter == "z" else inside for letter in each.completion)
                ends = tuple(range(1, len(each.completion) + 1))
                yield replace(each, logprobs=logprobs, token_ends=ends)

    def found(answer, wanted):
        assert (wanted.shape, wanted.name, wanted.prefill) == ("function", "double", "")
        assert wanted.prompt == PROMPT
        return Extraction(answer.strip("z"), "fence", ((2, len(answer) - 2),))

    monkeypatch.setattr("codesample.evaluation.asked_prompt.extract", found)
    shown = []

    @reranker(needs={"logprobs"})
    def looking(view, candidates, ctx):
        shown.append(view.prompt)
        return [min(each.logprobs) for each in candidates]

    engine = Lettered(*texts, abilities=("logprobs", "chat"))
    got = best_of_n(engine, ASKED, n=2, reranker=looking, entry_point="double")
    assert got.scores == {"looking": (-1.0, -2.0)}
    assert shown == [ASKED[-1]["content"]]
    # what was drawn is kept whole
    assert [each.program for each in got.candidates] == [body, body]
    assert all(len(each.logprobs) == len(each.completion) for each in got.candidates)
    assert all((each.rule, each.spans) == ("fence", ((2, len(texts[0]) - 2),)) for each in got.candidates)


def test_the_beginning_of_an_answer_is_told_to_extraction(monkeypatch):
    told = []

    def found(answer, wanted):
        told.append(wanted.prefill)
        return Extraction(wanted.prefill + answer, "whole", ((0, len(answer)),))

    monkeypatch.setattr("codesample.evaluation.asked_prompt.extract", found)
    begun = [*ASKED, {"role": "assistant", "content": "def double"}]
    got = best_of_n(Canned("(x): return 2 * x", abilities=("logprobs", "chat")), begun, n=1)
    assert told == ["def double"]
    assert got.best.program == "def double(x): return 2 * x"


def test_a_program_of_the_callers_own_goes_before_extraction():
    got = best_of_n(
        Canned("2 * x", abilities=("logprobs", "chat")),
        [Message("user", "twice x")],
        n=1,
        program=lambda answer: f"def double(x): return {answer}",
    )
    assert got.best.program == "def double(x): return 2 * x"
    assert got.best.spans is None


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (PROMPT, PROMPT),
        (f"Go on:\n\n```python\n{PROMPT}```", PROMPT),
        (f"~~~~ py\n{PROMPT}\n~~~~\n", f"{PROMPT}\n"),
        ("```\nother(1)\n```\n```\ndef double(x):\n```", "def double(x):\n"),
        ("Write double(x), please.", ""),
        ("```python\ndef triple(x):\n    pass\n```", ""),
        ("```python\ndef double(x:\n```", ""),
    ],
)
def test_code_that_the_user_shows_is_what_an_answer_may_repeat(said, code):
    assert AskedPrompt.of([Message("user", said)], "double").code == code
    assert AskedPrompt.of([Message("user", said)], None).code == ""
