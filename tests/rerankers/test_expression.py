from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codesample.errors import ParameterError
from codesample.rerankers.expression import (
    Chain,
    Expression,
    Filter,
    Named,
    Value,
    Weighted,
    Within,
    is_name,
    parse,
)

A, B, C, D = (Named(name) for name in "abcd")

WORDS = st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True)
NAMES = WORDS | st.sampled_from(
    ["z", "rank", "7", "1e5", "-x", "a b", "my.py:f", "/a (b)/c.py:d", "None", "ä", '"']
)
VALUES: st.SearchStrategy[Value] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | NAMES
)
NAMED = st.builds(
    Named, NAMES, st.dictionaries(WORDS, VALUES, max_size=2).map(lambda given: tuple(given.items()))
)
WEIGHTS = st.floats(allow_nan=False, allow_infinity=False).filter(bool)


def _made(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    return (
        st.builds(Within, st.sampled_from(["z", "rank"]), inner)
        | st.builds(Chain, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Filter, inner, inner)
        | st.builds(Weighted, st.lists(st.tuples(WEIGHTS, inner), min_size=1, max_size=3).map(tuple))
    )


TREES: st.SearchStrategy[Expression] = st.recursive(NAMED, _made, max_leaves=8)


@given(TREES)
@example(Weighted(((1.0, A),)))
@example(Weighted(((-1.0, A), (1e300, Weighted(((0.1, B),))))))
@example(Filter(Filter(A, B), Filter(C, D)))
def test_what_is_printed_is_read_as_the_same(tree: Expression) -> None:
    assert parse(str(tree)) == tree
    assert str(parse(str(tree))) == str(tree)


@given(st.text(max_size=30) | st.text("ab0.5*+-,>|()='\" \\", max_size=20))
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    try:
        tree = parse(text)
    except ParameterError as error:
        first, shown, mark = str(error).rsplit("\n", 2)
        assert "expected" in first
        assert mark.strip() == "^"
        assert len(mark) <= len(shown) + 1
    else:
        assert parse(str(tree)) == tree


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", A),
        ("  a  ", A),
        ("((a))", A),
        ("a()", A),
        ("a > b, c", Chain((A, B, C))),
        ("(a > b) > c", Chain((A, B, C))),
        ("a | b > c", Filter(A, Chain((B, C)))),
        ("a > b | c", Filter(Chain((A, B)), C)),
        ("a | b | c", Filter(A, Filter(B, C))),
        ("(a | b) > c", Chain((Filter(A, B), C))),
        ("0.7*z(a) + 0.3*rank(b)", Weighted(((0.7, Within("z", A)), (0.3, Within("rank", B))))),
        ("-a", Weighted(((-1.0, A),))),
        ("a - 2*b -.5*c", Weighted(((1.0, A), (-2.0, B), (-0.5, C)))),
        ("2*(a + b) > c", Chain((Weighted(((2.0, Weighted(((1.0, A), (1.0, B)))),)), C))),
        ("z(a, b)", Within("z", Chain((A, B)))),
        ("z", Named("z")),
        ("z(p=1)", Named("z", (("p", 1),))),
        ("my-idea.v2", Named("my-idea.v2")),
        ("../x.py:f", Named("../x.py:f")),
        ("'/a b/x.py:f'(n=2)", Named("/a b/x.py:f", (("n", 2),))),
        (
            "a(i=-3, f=1e-3, t=True, n=None, w=/m/q2.5-7B, s='it\\'s', q=\"a\\tb\")",
            Named(
                "a",
                (
                    ("i", -3),
                    ("f", 0.001),
                    ("t", True),
                    ("n", None),
                    ("w", "/m/q2.5-7B"),
                    ("s", "it's"),
                    ("q", "a\tb"),
                ),
            ),
        ),
    ],
)
def test_a_text_is_read_as(text: str, tree: Expression) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "place", "complaint"),
    [
        ("", 0, "expected a reranker, such as mean_logprob or my_idea.py:score, got the end"),
        ("a b", 2, "expected one of > , | + or the end, got 'b'"),
        ("a > > b", 4, "expected a reranker, .*, got '>'"),
        ("a | ", 4, "expected a reranker, .*, got the end"),
        ("(a > b", 6, "expected a closing bracket, got the end"),
        ("a)", 1, "expected one of > , | . or the end, got '\\)'"),
        ("0.5 a", 4, "expected . behind a weight, such as 0.5.z.mean_logprob., got 'a'"),
        ("a*0.5", 1, "expected one of"),
        ("1e999*a", 0, "expected a finite weight, got '1e999'"),
        ("b - 0.0*z(a)", 4, "expected a weight other than 0, by which nothing counts, got '0.0'"),
        (
            "a(b)",
            2,
            "expected a parameter of a, such as window=16; z and rank alone take a reranker, got 'b'",
        ),
        ("a(b=)", 4, "expected a value: a number, True, False, None, a word or a quoted text, got '\\)'"),
        ("a(b=1, b=2)", 7, "expected b once, got 'b'"),
        ("a(b=1 c=2)", 6, "expected a comma or a closing bracket, got 'c'"),
        ("a(b=1e999)", 4, "expected a finite number"),
        ("a(b='x)", 4, "expected a closing quote behind this one"),
        ('a(b="\\x")', 4, "expected a quoted text as in JSON"),
        ("''", 0, "expected the name of a reranker between the quotes"),
        ("a\t>\n| b", 4, "expected a reranker"),
        ("(" * 41 + "a", 41, "expected at most 40 brackets in one another"),
    ],
)
def test_what_is_wrong_is_marked_and_what_was_expected_is_said(text: str, place: int, complaint: str) -> None:
    with pytest.raises(ParameterError, match=complaint) as caught:
        parse(text)
    assert str(caught.value).rpartition("\n")[2] == "  " + " " * place + "^"


def test_a_text_without_end_is_refused_unread() -> None:
    with pytest.raises(ParameterError, match="a reranker of 2001 characters; expected 2000 at most"):
        parse("a" * 2001)


@pytest.mark.parametrize(
    "text", ["a", "a,b", "7-zip", "0.5*z(a) + b", "a | b,c", "(a | b),c", "a(model=/x/y)", "ä"]
)
def test_plain_names_and_expressions_of_them_are_names(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize(
    "text", ["", "a b", "a > b", "a/b", "../x", "x.py:f", "a\n", "a, b", "a(", "a(b = 1)"]
)
def test_what_is_not_printed_so_is_no_name(text: str) -> None:
    assert not is_name(text)
