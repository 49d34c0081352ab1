from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import ParameterError, UnreadableTextError
from codesample.records import Candidate, Message, Prompt, PublicView, SamplingParams
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker
from codesample.rerankers.llm_judge import judge_listwise, judge_pairwise, judge_pointwise

VIEW = PublicView("t", "t/0", "p", "Do it.", "f", ())
ALL = (judge_pointwise, judge_listwise, judge_pairwise)


class Judge:
    """Answers by a function of the programs that it is shown, in their order."""

    def __init__(self, answer: Callable[[list[str]], str]) -> None:
        self.answer = answer
        self.asked: list[Prompt] = []
        self.calls: list[int] = []
        self.params: list[SamplingParams] = []
        self.shown: list[list[str]] = []

    def generate_all(
        self, asked: Sequence[tuple[str, Prompt]], *, n: int, params: SamplingParams
    ) -> list[list[Candidate]]:
        self.calls.append(len(asked))
        return [self._answered(prompt, n, params, key) for key, prompt in asked]

    def _answered(self, prompt: Prompt, n: int, params: SamplingParams, key: str) -> list[Candidate]:
        text = prompt if isinstance(prompt, str) else prompt[0].content
        shown = re.findall(r"^Program(?: [A-Z])?:\n(?:```python\n)?(.*)$", text, re.MULTILINE)
        self.asked.append(prompt)
        self.params.append(params)
        self.shown.append(shown)
        return [Candidate(key, at, self.answer(shown), token_ids=(0,)) for at in range(n)]

    def logprobs(self, given: Sequence[tuple[Prompt, str]]) -> list[tuple[float, ...]]:
        raise AssertionError("nothing is to be read")


def _candidates(programs: Sequence[str]) -> list[Candidate]:
    return [Candidate("t/0", at, program, program=program) for at, program in enumerate(programs)]


def _score(
    reranker: Reranker, programs: Sequence[str], judge: Judge, *, chat: bool = True, seed: int = 0
) -> tuple[list[float | None], Context]:
    asked = (Message("user", "Do it."),) if chat else "Do it."
    ctx = Context(VIEW, model=lambda name: judge, asked=asked, seed=seed)
    return reranker.score(VIEW, _candidates(programs), ctx), ctx


def _by_number(chat: bool) -> Callable[[list[str]], str]:
    """Judge by the numbers that the programs are: the higher, the better."""

    def answer(shown: list[str]) -> str:
        values = [float(each) for each in shown]
        if len(values) == 1:
            return f"Score: {values[0]}" if chat else f" {values[0]}"
        letters = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", values, strict=False))
        order = sorted(letters, key=lambda letter: -letters[letter])
        best = "tie" if values[0] == values[1] else order[0]
        ranking = " > ".join(order)
        return f"Ranking: {ranking}\nBetter: {best}" if chat else f" {ranking if len(values) > 2 else best}"

    return answer


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
def test_the_order_is_the_judges_and_equal_programs_are_shown_once(each: Reranker, chat: bool) -> None:
    judge = Judge(_by_number(chat))
    scores, ctx = _score(each, ["3", "9", "3", "5"], judge, chat=chat)
    assert scores[0] == scores[2]
    assert scores[0] < scores[3] < scores[1]  # type: ignore[operator]
    assert not ctx.notes
    assert all(len(shown) == len(set(shown)) for shown in judge.shown)
    assert all(isinstance(asked, str) != chat for asked in judge.asked)
    assert {params.stop for params in judge.params} == {() if chat else ("\n",)}


def test_grades_are_the_mean_of_the_samples_that_give_one() -> None:
    answers = iter(["Score: 4", "no idea", "Score: 7"])
    scores, ctx = _score(
        judge_pointwise.with_parameters(samples=3), ["x"], Judge(lambda shown: next(answers))
    )
    assert scores == [5.5]
    assert ctx.notes == {"judge_pointwise(samples=3): an answer gave no grade from 0 to 10": 1}
    greedy, drawn = Judge(_by_number(True)), Judge(_by_number(True))
    _score(judge_pointwise.with_parameters(tokens=7), ["1"], greedy)
    _score(judge_pointwise.with_parameters(samples=2), ["1"], drawn)
    assert [(each.temperature, each.max_new_tokens) for each in (*greedy.params, *drawn.params)] == [
        (0.0, 7),
        (0.7, 512),
    ]


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
def test_answers_that_cannot_be_read_abstain_and_are_counted(each: Reranker) -> None:
    judge = Judge(lambda shown: "I would rather not say.")
    scores, ctx = _score(each, ["1", "2", "1"], judge)
    assert scores == [None] * 3
    assert ctx.notes.total() == len(judge.asked)


def test_a_ranking_by_hand() -> None:
    # who is left out shares the last places
    judge = Judge(lambda shown: f"Ranking: {'ABCD'[shown.index('b')]} > {'ABCD'[shown.index('d')]}")
    scores, _ = _score(judge_listwise, ["a", "b", "c", "d"], judge)
    assert scores == [1 / 6, 1.0, 1 / 6, 2 / 3]
    tied = Judge(lambda shown: f"Ranking: {'ABC'[shown.index('a')]} = {'ABC'[shown.index('b')]}")
    assert _score(judge_listwise, ["a", "b", "c"], tied)[0] == [0.75, 0.75, 0.0]


def test_shuffles_even_out_a_judge_that_likes_a_place() -> None:
    judge = Judge(lambda shown: "Ranking: A > B > C")
    many = judge_listwise.with_parameters(shuffles=300)
    scores, _ = _score(many, ["a", "b", "c"], judge)
    assert scores == pytest.approx([0.5] * 3, abs=0.1)
    assert len({tuple(shown) for shown in judge.shown}) == 6
    assert {tuple(shown) for shown in judge.shown[:3]} != {("a", "b", "c")}


def test_long_lists_are_cut_into_parts_of_one_size() -> None:
    judge = Judge(_by_number(True))
    programs = [str(number) for number in range(23)]
    scores, _ = _score(judge_listwise.with_parameters(shuffles=2), programs, judge)
    assert [len(shown) for shown in judge.shown] == [8, 8, 7] * 2
    for shuffle in (judge.shown[:3], judge.shown[3:]):
        assert sorted(program for shown in shuffle for program in shown) == sorted(programs)
    assert None not in scores


def test_a_judge_that_follows_the_order_gives_every_pair_a_tie() -> None:
    first = Judge(lambda shown: "Better: A")
    assert _score(judge_pairwise, ["a", "b", "c"], first)[0] == [0.5] * 3
    # drawn orders, once each: the points are only shared out
    once = judge_pairwise.with_parameters(swaps=1)
    scores, _ = _score(once, ["a", "b", "c"], Judge(lambda shown: "Better: A"))
    assert sum(score or 0.0 for score in scores) == 1.5


def test_wins_and_ties_by_hand() -> None:
    def answer(shown: list[str]) -> str:
        # a beats b in both orders, a and c tie, of b and c the first is preferred, or nothing said
        if "a" in shown:
            return "Better: tie" if "c" in shown else f"Better: {'AB'[shown.index('a')]}"
        return "Better: A" if shown == ["b", "c"] else "Hm."

    scores, ctx = _score(judge_pairwise, ["a", "b", "c"], Judge(answer))
    assert scores == [(1 + 1 + 0.5 + 0.5) / 4, (0 + 0 + 1) / 3, (0.5 + 0.5 + 0) / 3]
    assert ctx.notes.total() == 1


@settings(max_examples=40)
@given(st.integers(2, 15), st.integers(1, 40), st.integers(0, 3))
def test_everyone_meets_equally_many_others_within_the_limit(count: int, most: int, seed: int) -> None:
    judge = Judge(_by_number(True))
    programs = [str(number) for number in range(count)]
    _score(judge_pairwise.with_parameters(most_pairs=most), programs, judge, seed=seed)
    assert judge.shown[::2] == [shown[::-1] for shown in judge.shown[1::2]]
    pairs = [frozenset(shown) for shown in judge.shown[::2]]
    assert len(set(pairs)) == len(pairs) <= max(most, count // 2)
    meetings = Counter(program for pair in pairs for program in pair)
    if len(pairs) < count * (count - 1) // 2:
        assert max(meetings.values()) - min(meetings[program] for program in programs) <= 1
        assert len(pairs) + count // 2 > most
    else:
        assert set(pairs) == {frozenset(pair) for pair in combinations(programs, 2)}


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
@settings(max_examples=25)
@given(
    programs=st.lists(st.sampled_from([str(number) for number in range(8)]), min_size=1, max_size=9),
    data=st.data(),
)
def test_where_a_candidate_stands_is_no_matter(
    each: Reranker, programs: list[str], data: st.DataObject
) -> None:
    # by the place, so that what is shown first counts
    def answer(shown: list[str]) -> str:
        return f"Score: {len(shown[0])}\nRanking: A > B\nBetter: A"

    some = each if each is judge_pointwise else each.with_parameters(tokens=9)
    scores, _ = _score(some, programs, Judge(answer))
    order = data.draw(st.permutations(range(len(programs))))
    assert _score(some, [programs[at] for at in order], Judge(answer))[0] == [scores[at] for at in order]


@pytest.mark.parametrize("each", [judge_listwise, judge_pairwise], ids=lambda each: each.name)
def test_a_lone_program_is_compared_with_nothing(each: Reranker) -> None:
    judge = Judge(_by_number(True))
    assert _score(each, ["a", "a"], judge)[0] == [0.5, 0.5]
    assert judge.asked == []


def test_the_model_that_is_named_judges_and_parameters_are_limited() -> None:
    named: list[str | None] = []

    def model(name: str | None) -> Judge:
        named.append(name)
        return Judge(_by_number(True))

    for each in ALL:
        ctx = Context(VIEW, model=model)
        each.with_parameters(model="/m", form="chat").score(VIEW, _candidates(["1", "2"]), ctx)
    assert set(named) == {"/m"}
    for name, value in {"swaps": 3, "most_pairs": 0}.items():
        with pytest.raises(ParameterError, match=f"{name}={value}: expected"):
            judge_pairwise.with_parameters(**{name: value})
    with pytest.raises(
        ParameterError, match="group=27: expected a whole number of at least 2 and at most 26"
    ):
        judge_listwise.with_parameters(group=27)


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
def test_a_question_that_the_model_cannot_be_given_costs_only_its_programs(each: Reranker) -> None:
    def answer(shown: list[str]) -> str:
        if "1000000" in shown:
            raise UnreadableTextError("too long")
        return _by_number(chat=True)(shown)

    alone = each.name != "judge_listwise"
    scores, ctx = _score(each, ["3", "1000000", "9"], Judge(answer))
    assert (scores[1], scores[0] is None) == (None, not alone)
    assert any("longer than the model takes" in note for note in ctx.notes)


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
def test_all_questions_of_a_problem_are_asked_together(each: Reranker) -> None:
    judge = Judge(_by_number(True))
    wider = each.with_parameters(group=3, shuffles=2) if each is judge_listwise else each
    _score(wider, [str(number) for number in range(6)], judge)
    assert judge.calls == [len(judge.asked)]
    assert judge.calls[0] >= 4


def test_one_unreadable_question_leaves_the_others_together() -> None:
    def answer(shown: list[str]) -> str:
        if shown == ["5"]:
            raise UnreadableTextError("too long")
        return "Score: 1"

    judge = Judge(answer)
    scores, _ = _score(judge_pointwise, [str(number) for number in range(8)], judge)
    assert scores == [1.0] * 5 + [None] + [1.0] * 2
    # each time the half without it at once
    assert judge.calls == [8, 4, 4, 2, 1, 1, 2]
