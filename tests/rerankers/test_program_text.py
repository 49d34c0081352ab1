from __future__ import annotations

import ast
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.rerankers.program_text import bare, normal_form, parsed, written

SAME = [
    ("def f(a):\n    return a", "def f(b):\n\n    # why\n    return (b)"),
    ("def f(a):\n    'text'\n    return a", "def f(a): return a"),
    ("def f(a):\n    return 'x'", 'def f(a):\n    return "x"'),
    ("def f(xs):\n    return [x for x in xs]", "def f(a):\n    return [b for b in a]"),
    (
        "def f(x):\n    def g(y):\n        return x\n    return g",
        "def f(a):\n    def h(b):\n        return a\n    return h",
    ),
    (
        "def f():\n    n = 0\n    def g():\n        nonlocal n\n        n += 1",
        "def f():\n    m = 0\n    def g():\n        nonlocal m\n        m += 1",
    ),
    ("def f(*a, **k):\n    return a, k", "def f(*b, **c):\n    return b, c"),
    (
        "def f():\n    try: g()\n    except E as e: print(e)",
        "def f():\n    try: g()\n    except E as x: print(x)",
    ),
    (
        "def f(x):\n    match x:\n        case [a, *b]: return a",
        "def f(y):\n    match y:\n        case [c, *d]: return c",
    ),
    ("class A:\n    def m(self, q): return q", "class A:\n    def m(this, r): return r"),
    ("def f(a):\n    return lambda b: a", "def f(c):\n    return lambda d: c"),
    ("async def f(a): await a", "async def f(b): await b"),
    ("x = (\n", "  x = (\n\n"),
]

DIFFERENT = [
    ("def f(a, b):\n    return a", "def f(a, b):\n    return b"),
    ("def f(a):\n    return a", "def g(a):\n    return a"),
    ("def f(a):\n    return x", "def f(x):\n    return x"),
    ("def f():\n    return a", "def f():\n    return b"),
    ("def f():\n    global a\n    a = 1", "def f():\n    global b\n    b = 1"),
    ("def f():\n    import a\n    return a", "def f():\n    import b\n    return b"),
    ("def f(a):\n    return a.x", "def f(a):\n    return a.y"),
    (
        "def f():\n    class A:\n        x = 1\n    return A.x",
        "def f():\n    class A:\n        y = 1\n    return A.x",
    ),
    ("def f(a):\n    a = 1\n    return eval('a')", "def f(b):\n    b = 1\n    return eval('a')"),
    ("def g(a, b): return a\nf = g(a=1, b=2)", "def g(b, a): return b\nf = g(a=1, b=2)"),
    ("def f(a):\n    return 1", "def f(a):\n    return 1.0"),
    ("def f(a):\n    return 'text'", "def f(a):\n    return"),
    ("x = 1", "y = 1"),
    ("def f(list): return list", "def f(a, list=list): return a"),
    ("x = (", "x = ["),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_no_interpreter_and_no_caller_sees_makes_no_difference(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_another_may_see_makes_one(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


NAMES = st.sampled_from(["a", "b", "c", "x1", "_t"])
EXPRESSIONS = st.recursive(
    NAMES | st.sampled_from(["1", "g"]),
    lambda inner: (
        st.builds("({} + {})".format, inner, inner)
        | st.builds("[{} for {} in {}]".format, inner, NAMES, inner)
    ),
    max_leaves=5,
)
BODIES = st.lists(st.builds("{} = {}".format, NAMES, EXPRESSIONS), min_size=1, max_size=4)


@given(BODIES, st.permutations(["a", "b", "c", "x1", "_t"]))
def test_locals_may_change_places_but_not_become_one(body: list[str], names: list[str]) -> None:
    text = "def f(a, b, c, x1, _t):\n" + "".join(f"    {line}\n" for line in body) + "    return a, b, c\n"
    into = dict(zip(["a", "b", "c", "x1", "_t"], names, strict=True))
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = into.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = into[node.arg]
    assert normal_form(ast.unparse(tree)) == normal_form(text)
    merged = text.replace("x1", "a").replace("(a, b, c, a, _t)", "(a, b, c, x1, _t)")
    if ast.dump(ast.parse(merged)) != ast.dump(ast.parse(text)):
        assert normal_form(merged) != normal_form(text)


@given(st.text(max_size=60) | st.text("defr f(x):\n\t =+'\"\\0", max_size=60))
def test_any_text_has_a_normal_form_that_does_not_depend_on_blanks_around_it(text: str) -> None:
    assert isinstance(normal_form(text), str)
    if parsed(text) is None:
        assert bare(text) is None
        assert normal_form(text) == text.strip()


@pytest.mark.parametrize(
    "text", ["(" * 5000, "-" * 50_000 + "1", "a." * 20_000 + "a", "x = 1\0", "+".join(["a"] * 20_000)]
)
def test_what_is_too_deep_or_no_text_of_a_program_is_compared_as_it_is(text: str) -> None:
    assert normal_form(text) == text.strip()


def test_reading_a_program_warns_of_nothing_and_needs_a_body_nowhere() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bare("def f():\n    'text'\nx = '\\d' is 1") == "def f():\n    pass\nx = '\\\\d' is 1"
    assert written(ast.parse("if a:\n    'x'\nelse:\n    'y'")) is not None
    assert bare("if a:\n    'x'\nelse:\n    'y'") == "if a:\n    pass"
    assert bare("'only a text'") == ""
