"""A candidate within spans of its text: the tokens that add a character to them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from codesample.records import Candidate


def candidate(*lengths, **changes):
    """A candidate whose tokens add so many characters each; token i is numbered i."""
    ends = tuple(sum(lengths[: i + 1]) for i in range(len(lengths)))
    count = len(lengths)
    return Candidate(
        "t",
        0,
        "x" * sum(lengths),
        token_ids=tuple(range(count)),
        logprobs=tuple(-0.5 * i for i in range(count)),
        sampled_logprobs=tuple(-0.25 * i for i in range(count)),
        token_ends=ends,
        **changes,
    )


def kept(given, *spans):
    return given.within(spans).token_ids


def test_tokens_that_overlap_a_span_are_kept_whole():
    given = candidate(2, 3, 1, 4)
    assert kept(given, (0, 10)) == (0, 1, 2, 3)
    assert kept(given, (2, 5)) == (1,)
    assert kept(given, (4, 6)) == (1, 2)
    assert kept(given, (1, 2), (6, 7)) == (0, 3)
    assert kept(given, (5, 5)) == ()
    assert kept(given) == ()


def test_all_of_a_token_comes_along_and_the_text_stays():
    given = candidate(2, 3, 1, rule="fence", spans=((2, 5),), program="p")
    inside = given.within(given.spans)
    assert (inside.token_ids, inside.token_ends) == ((1,), (5,))
    assert (inside.logprobs, inside.sampled_logprobs) == ((-0.5,), (-0.25,))
    assert (inside.completion, inside.program, inside.spans) == (given.completion, "p", given.spans)


def test_parts_of_a_character_belong_with_it():
    given = candidate(1, 0, 0, 1, 1, 0, 0)
    assert kept(given, (1, 2)) == (1, 2, 3)
    assert kept(given, (0, 1)) == (0,)
    # what adds nothing at the end stays with the last that did
    assert kept(given, (2, 3)) == (4, 5, 6)
    assert kept(candidate(0, 0), (0, 5)) == ()


def test_without_ends_or_spans_all_tokens_stay():
    given = candidate(1, 2)
    assert given.within(None) is given
    bare = Candidate("t", 0, "abc", token_ids=(1, 2), logprobs=(-1.0, -2.0))
    assert bare.within(((0, 1),)) is bare
    assert Candidate("t", 0, "abc", token_ends=(1, 3)).within(((0, 1),)).token_ends == (1,)


@given(
    lengths=st.lists(st.integers(0, 4), max_size=12),
    marks=st.lists(st.integers(0, 30), max_size=6, unique=True).map(sorted),
)
def test_exactly_the_tokens_of_the_spans_are_kept(lengths, marks):
    given = candidate(*lengths)
    spans = [(a, b) for a, b in zip(marks[::2], marks[1::2], strict=False)]
    inside = given.within(spans)
    assert given.within([(0, len(given.completion))]) is given
    starts = [0, *given.token_ends[:-1]] if given.token_ends else []
    for token, (begin, end) in enumerate(zip(starts, given.token_ends, strict=True)):
        if begin < end:
            touches = any(a < end and begin < b for a, b in spans)
            assert (token in inside.token_ids) == touches
    # the characters of the spans are all covered
    covered = {c for i in inside.token_ids for c in range(starts[i], given.token_ends[i])}
    assert {c for a, b in spans for c in range(a, min(b, len(given.completion)))} <= covered
    assert all(a < b for a, b in pairwise(inside.token_ids))
