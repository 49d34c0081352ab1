from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.degenerate import (
    degeneracy,
    not_degenerate,
    reads_arguments,
    unread_arguments,
)


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "...",
        "return",
        "return None",
        "'text'",
        "'text'\n    pass",
        "import math\n    return",
        "raise NotImplementedError",
        "raise NotImplementedError('later')",
        "pass  # return x + 1",
    ],
)
def test_a_function_that_does_nothing_is_degenerate(body: str) -> None:
    program = f"import os\n\ndef f(x):\n    {body}\n"
    assert degeneracy(program, "f") == "f does nothing"
    assert degeneracy(f"class Solution:\n  def f(self):\n    {body}\n", "f") == "f does nothing"
    assert degeneracy(f"def f(x):\n    return x\n{program}", "f") == "f does nothing"
    assert degeneracy(f"class f:\n  a = ...\n  def g(self):\n    {body}\n", "f") is None
    assert degeneracy(f"class f:\n  'text'\n  def g(self):\n    {body}\n", "f") == "f does nothing"


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def f(x:", "is no Python"),
        ("def g(x): return x", "does not define f"),
        ("def g(x):\n    def f(y): return y\n    return f", "does not define f"),
        ("f: int", "does not define f"),
        ("", "does not define f"),
        ("def f(x):\n" + "    x += 1\n" * 8, "repeats itself"),
        ("def f(x):\n" + "    x += 1\n    print(x)\n" * 6, "repeats itself"),
        ("def f(x):\n    return [" + "0, 1, " * 200 + "]", "compresses to "),
    ],
)
def test_what_is_broken_or_repeats_itself_is_degenerate(program: str, reason: str) -> None:
    assert (degeneracy(program, "f") or "").startswith(reason)


@pytest.mark.parametrize(
    "program",
    [
        "def f(x): return x",
        "def f(x):\n    return 0",
        "f = lambda x: x",
        "f, g = make()",
        "from math import sqrt as f",
        "from things import *",
        "try:\n    import f\nexcept ImportError:\n    pass",
        "if True:\n    def f(x): return x",
        "async def f(x): await x",
        "class f:\n    def g(self): return 1\n    def h(self): ...",
        "def f(x):\n    pass\ndef f(x):\n    return x",
        "def f(x):\n    return None if x else 1",
        "def f(x):\n    print(x)\n    print(x)\n    print(x)\n    return x",
        "def f(x):\n    a = g(x)\n"
        + "    x += 1\n" * 4
        + "    b = h(a)\n    c = a + b\n    d = 7\n    return d",
    ],
)
def test_what_does_something_is_not(program: str) -> None:
    assert degeneracy(program, "f") is None


def test_a_script_that_does_nothing_is_degenerate() -> None:
    assert degeneracy("# nothing\nimport sys\n", None) == "does nothing"
    assert degeneracy("", None) == "does nothing"
    assert degeneracy("print(input())", None) is None


def test_the_score_says_no_to_what_is_degenerate(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    assert not_degenerate.score(view, candidates, ctx) == [1.0, 1.0, 1.0, 1.0, 0.0]
    assert not_degenerate.independent


@given(st.text(max_size=80) | st.text("def f(x):\n\t =1.'\"\\", max_size=80))
def test_any_text_is_judged(text: str) -> None:
    for name in ("f", None):
        reason = degeneracy(text, name)
        assert reason is None or reason


@given(st.lists(st.sampled_from("abc"), max_size=24))
def test_repetition_is_found_as_by_brute_force(lines: list[str]) -> None:
    program = "\n".join(lines)
    found = any(
        lines[at : at + size] * times == lines[at : at + size * times]
        and times >= 4
        and any(
            2 * (size * times + extra) >= len(lines)
            for extra in range(size)
            if lines[at : at + size * times + extra]
            == (lines[at : at + size] * (times + 1))[: size * times + extra]
        )
        for size in range(1, 9)
        for at in range(len(lines))
        for times in range(1, len(lines) // size + 1)
    )
    assert (degeneracy(program, None) == "repeats itself") == (found and bool(lines))


@pytest.mark.parametrize(
    ("body", "unread"),
    [
        ("return x + k", ()),
        ("return x", ("k",)),
        ("return 1", ("x", "k")),
        ("k = 3\n    return x + k", ()),
        ("x = k = 1", ("x", "k")),
        ("x += k", ("x",)),
        ("return [k for _ in x]", ()),
        ("def inner():\n        return x, k\n    return inner()", ()),
        ("return lambda: (x, k)", ()),
        ("del x\n    return k", ()),
        ("return locals()", ()),
        ("'x k'\n    return None  # x, k", ("x", "k")),
    ],
)
def test_arguments_that_a_function_never_reads_are_named(body: str, unread: tuple[str, ...]) -> None:
    assert unread_arguments(f"def f(x, k):\n    {body}\n", "f") == unread


def test_all_kinds_of_arguments_count_but_those_that_are_none_of_the_callers() -> None:
    program = "class A:\n    def f(self, a, /, b, *rest, c=1, _d=2, **more):\n        return a\n"
    assert unread_arguments(program, "f") == ("b", "c", "rest", "more")
    assert unread_arguments("def f(x):\n    return x\n\ndef f(x):\n    return 1\n", "f") == ("x",)


def test_what_has_no_function_reads_nothing_and_a_class_has_no_arguments() -> None:
    assert unread_arguments("def f(x:\n", "f") == unread_arguments("y = 1\n", "f") == ("f",)
    assert unread_arguments("class f:\n    pass\n", "f") is None
    assert unread_arguments("f = max\n", "f") is None


def test_the_score_is_one_where_every_argument_is_read(view: PublicView, ctx: Context) -> None:
    programs = ["def f(x):\n    return x\n", "def f(x):\n    return 2\n", "def f(x)", "f = abs\n"]
    candidates = [Candidate("t", at, "", program=each) for at, each in enumerate(programs)]
    assert reads_arguments.score(view, candidates, ctx) == [1.0, 0.0, 0.0, None]
    script = replace(view, entry_point=None)
    assert reads_arguments.score(script, candidates, ctx) == [None] * 4
