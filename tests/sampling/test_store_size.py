import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import ModelError
from codesample.sampling.prompts import Prompt
from codesample.sampling.store_size import Holding, StoreSize, grown_size, store_size_for


def prompts(*sizes, n=4, limit=10):
    return [Prompt(f"p{i}", tuple(range(length)), tuple(range(n)), limit) for i, length in enumerate(sizes)]


def test_all_rows_go_at_once_where_memory_allows():
    size = store_size_for(prompts(30, 20, 10), token_bytes=8, budget=10**9, max_rows=100)
    assert (size.shared_tokens, size.rows, size.row_tokens) == (60, 12, 10)
    assert size.bytes == (60 + 120) * 8


def test_fewer_rows_where_it_does_not():
    work = prompts(100, 100, 100, n=32, limit=50)
    size = store_size_for(work, token_bytes=1, budget=1000, max_rows=96)
    assert size.bytes <= 1000
    assert 1 <= size.rows < 20
    assert size.shared_tokens >= 100


def test_what_cannot_hold_one_row_is_refused_with_sizes():
    with pytest.raises(ModelError, match=r"300 \+ 10 tokens.*lower max_new_tokens"):
        store_size_for(prompts(300), token_bytes=1000, budget=1000, max_rows=4)


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=8),
    st.integers(1, 40),
    st.integers(1, 64),
    st.integers(400, 9000),
)
def test_every_size_fits_and_holds_the_longest_prompt(sizes, n, max_rows, budget):
    work = prompts(*sizes, n=n)
    try:
        size = store_size_for(work, token_bytes=1, budget=budget, max_rows=max_rows)
    except ModelError:
        assert max(sizes) + 10 > budget
        return
    assert size.bytes <= budget
    assert size.shared_tokens >= max(sizes)
    assert 1 <= size.rows <= max_rows


def test_prompts_that_take_less_and_rows_that_keep_less_are_counted_as_they_are():
    work = prompts(100, 30, n=8, limit=50)
    holding = Holding(shared_bytes=2, places=lambda tokens: -(-tokens // 64) * 64, most_own=20)
    size = store_size_for(work, token_bytes=8, budget=10**9, max_rows=100, holding=holding)
    # a run takes up whole units
    assert (size.shared_tokens, size.rows, size.row_tokens) == (128 + 64, 16, 20)
    assert size.bytes == 192 * 2 + 16 * 20 * 8
    has = StoreSize.of(64, 4, 20, token_bytes=8, holding=holding)
    assert has.bytes == 64 * 2 + 80 * 8
    grown = grown_size(has, work, token_bytes=8, budget=10**9, max_rows=100, holding=holding)
    assert grown is not None
    assert grown.shared_tokens >= 192
    assert grown.row_tokens == 20
    # where memory is short, one row of the longest
    least = 128 * 2 + 20 * 8
    assert store_size_for(work, token_bytes=8, budget=least, max_rows=9, holding=holding).bytes <= least
