from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import ModelError
from codesample.sampling.store_size import plan_store, with_headers
from codesample.sampling.work import PromptWork


def prompts(*sizes, n=4, limit=10):
    return [PromptWork(f"p{i}", tuple(range(size)), tuple(range(n)), limit) for i, size in enumerate(sizes)]


def test_all_rows_go_at_once_where_memory_allows():
    plan = plan_store(prompts(30, 20, 10), token_bytes=8, budget=10**9, max_rows=100)
    assert (plan.shared_tokens, plan.rows, plan.row_tokens) == (60, 12, 10)
    assert plan.bytes == (60 + 120) * 8


def test_fewer_rows_where_it_does_not():
    work = prompts(100, 100, 100, n=32, limit=50)
    plan = plan_store(work, token_bytes=1, budget=1000, max_rows=96)
    assert plan.bytes <= 1000
    assert 1 <= plan.rows < 20
    assert plan.shared_tokens >= 100


def test_what_cannot_hold_one_row_is_refused_with_sizes():
    with pytest.raises(ModelError, match=r"300 \+ 10 tokens.*lower max_new_tokens"):
        plan_store(prompts(300), token_bytes=1000, budget=1000, max_rows=4)


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=8),
    st.integers(1, 40),
    st.integers(1, 64),
    st.integers(400, 9000),
)
def test_every_plan_fits_and_holds_the_longest_prompt(sizes, n, max_rows, budget):
    work = prompts(*sizes, n=n)
    try:
        plan = plan_store(work, token_bytes=1, budget=budget, max_rows=max_rows)
    except ModelError:
        assert max(sizes) + 10 > budget
        return
    assert plan.bytes <= budget
    assert plan.shared_tokens >= max(sizes)
    assert 1 <= plan.rows <= max_rows


def starting(*prompts):
    return [PromptWork(str(i), tuple(ids), (0,), 5) for i, ids in enumerate(prompts)]


def headers(work):
    return {w.task_id: w.header for w in with_headers(work)}


def test_the_header_is_what_all_prompts_start_with():
    start = list(range(1000, 1100))
    work = starting(*([*start, *tail] for tail in [(1, 2), (1, 3), (1, 2, 3)]))
    assert headers(work) == {"0": 101, "1": 101, "2": 101}
    assert [w.task_id for w in with_headers(work)] == ["0", "1", "2"]


def test_every_prompt_keeps_a_token_of_its_own():
    start = list(range(100))
    assert headers(starting(start, [*start, 7])) == {"0": 99, "1": 99}


def test_one_prompt_or_a_short_common_start_has_no_header():
    assert headers(prompts(500)) == {"p0": 0}
    assert headers(starting(*([*range(20), 90 + i] for i in range(3)))) == {"0": 0, "1": 0, "2": 0}


def test_a_prompt_like_no_other_does_not_cost_the_others_their_header():
    start = list(range(100))
    work = starting([*start, 7], [5] * 80, [*start, 8])
    assert headers(work) == {"0": 100, "1": 0, "2": 100}
    assert [w.task_id for w in with_headers(work)] == ["0", "2", "1"]


def test_two_families_of_prompts_have_a_header_each():
    a, b = list(range(100)), list(range(500, 800))
    work = starting([*a, 1], [*b, 1], [*a, 2], [*b, 2])
    assert headers(work) == {"0": 100, "2": 100, "1": 300, "3": 300}


def test_a_long_header_of_many_is_not_given_up_for_one_more_prompt():
    long = list(range(1000))
    work = starting(*([*long, i] for i in range(5)), [*long[:70], 1])
    assert headers(work) == {**{str(i): 1000 for i in range(5)}, "5": 0}


@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=90), min_size=1, max_size=12))
def test_headers_are_shared_whole_and_the_prompts_stay_the_same(tails):
    work = starting(*([0] * 60 + tail for tail in tails))
    planned = with_headers(work)
    assert {(w.task_id, w.ids) for w in planned} == {(w.task_id, w.ids) for w in work}
    for w in planned:
        assert 0 <= w.header < len(w.ids)
        if w.header:
            assert w.header >= 64
            assert sum(v.header_ids == w.header_ids for v in planned) > 1
    # equal headers stand side by side
    assert len([1 for a, b in pairwise(planned) if a.header_ids != b.header_ids and b.header]) <= len(
        {w.header_ids for w in planned if w.header}
    )
