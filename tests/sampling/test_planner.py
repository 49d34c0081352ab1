import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import ModelError
from codesample.sampling.planner import plan_store, shared_header
from codesample.sampling.work import PromptWork


def prompts(*sizes, n=4, limit=10):
    return [PromptWork(f"p{i}", tuple(range(size)), tuple(range(n)), limit) for i, size in enumerate(sizes)]


def test_all_rows_go_at_once_where_memory_allows():
    plan = plan_store(prompts(30, 20, 10), (), token_bytes=8, budget=10**9, max_rows=100)
    assert (plan.shared_tokens, plan.rows, plan.row_tokens) == (60, 12, 10)
    assert plan.bytes == (60 + 120) * 8


def test_fewer_rows_where_it_does_not():
    work = prompts(100, 100, 100, n=32, limit=50)
    plan = plan_store(work, (), token_bytes=1, budget=1000, max_rows=96)
    assert plan.bytes <= 1000
    assert 1 <= plan.rows < 20
    assert plan.shared_tokens >= 100


def test_what_cannot_hold_one_row_is_refused_with_sizes():
    with pytest.raises(ModelError, match=r"300 \+ 10 tokens.*lower max_new_tokens"):
        plan_store(prompts(300), (), token_bytes=1000, budget=1000, max_rows=4)


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=8),
    st.integers(1, 40),
    st.integers(1, 64),
    st.integers(400, 9000),
)
def test_every_plan_fits_and_holds_the_longest_prompt(sizes, n, max_rows, budget):
    work = prompts(*sizes, n=n)
    try:
        plan = plan_store(work, (), token_bytes=1, budget=budget, max_rows=max_rows)
    except ModelError:
        assert max(sizes) + 10 > budget
        return
    assert plan.bytes <= budget
    assert plan.shared_tokens >= max(sizes)
    assert 1 <= plan.rows <= max_rows


def test_the_header_is_what_all_prompts_start_with():
    start = tuple(range(1000, 1100))
    work = [PromptWork(str(i), start + tail, (0,), 5) for i, tail in enumerate([(1, 2), (1, 3), (1, 2, 3)])]
    assert shared_header(work) == (*start, 1)


def test_every_prompt_keeps_a_token_of_its_own():
    start = tuple(range(100))
    work = [PromptWork("a", start, (0,), 5), PromptWork("b", (*start, 7), (0,), 5)]
    assert shared_header(work) == start[:-1]


def test_one_prompt_or_a_short_common_start_has_no_header():
    assert shared_header(prompts(500)) == ()
    assert shared_header([PromptWork(str(i), (*range(20), 90 + i), (0,), 5) for i in range(3)]) == ()
