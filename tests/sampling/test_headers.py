from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from codesample.sampling.headers import with_headers
from codesample.sampling.prompts import Prompt


def starting(*tokens):
    return [Prompt(str(i), tuple(ids), (0,), 5) for i, ids in enumerate(tokens)]


def headers(prompts):
    return {w.task_id: w.header for w in with_headers(prompts)}


def test_the_header_is_what_all_prompts_start_with():
    start = list(range(1000, 1100))
    prompts = starting(*([*start, *tail] for tail in [(1, 2), (1, 3), (1, 2, 3)]))
    assert headers(prompts) == {"0": 101, "1": 101, "2": 101}
    assert [w.task_id for w in with_headers(prompts)] == ["0", "1", "2"]


def test_every_prompt_keeps_a_token_of_its_own():
    start = list(range(100))
    assert headers(starting(start, [*start, 7])) == {"0": 99, "1": 99}


def test_one_prompt_or_a_short_common_start_has_no_header():
    assert headers(starting(range(500))) == {"0": 0}
    assert headers(starting(*([*range(20), 90 + i] for i in range(3)))) == {"0": 0, "1": 0, "2": 0}


def test_a_prompt_like_no_other_does_not_cost_the_others_their_header():
    start = list(range(100))
    prompts = starting([*start, 7], [5] * 80, [*start, 8])
    assert headers(prompts) == {"0": 100, "1": 0, "2": 100}
    assert [w.task_id for w in with_headers(prompts)] == ["0", "2", "1"]


def test_two_families_of_prompts_have_a_header_each():
    a, b = list(range(100)), list(range(500, 800))
    prompts = starting([*a, 1], [*b, 1], [*a, 2], [*b, 2])
    assert headers(prompts) == {"0": 100, "2": 100, "1": 300, "3": 300}


def test_a_long_header_of_many_is_not_given_up_for_one_more_prompt():
    long = list(range(1000))
    prompts = starting(*([*long, i] for i in range(5)), [*long[:70], 1])
    assert headers(prompts) == {**{str(i): 1000 for i in range(5)}, "5": 0}


@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=90), min_size=1, max_size=12))
def test_headers_are_shared_whole_and_the_prompts_stay_the_same(tails):
    prompts = starting(*([0] * 60 + tail for tail in tails))
    grouped = with_headers(prompts)
    assert {(w.task_id, w.ids) for w in grouped} == {(w.task_id, w.ids) for w in prompts}
    for w in grouped:
        assert 0 <= w.header < len(w.ids)
        if w.header:
            assert w.header >= 64
            assert sum(v.header_ids == w.header_ids for v in grouped) > 1
    # equal headers stand side by side
    assert len([1 for a, b in pairwise(grouped) if a.header_ids != b.header_ids and b.header]) <= len(
        {w.header_ids for w in grouped if w.header}
    )
