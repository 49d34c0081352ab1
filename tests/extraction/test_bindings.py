from __future__ import annotations

import ast

import pytest

from codesample.extraction.bindings import bound_names, changed_names, needed_names


def words(text: str) -> set[str]:
    return set(text.split())


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b, c as d", "a d"),
        ("from a import b, c as d", "b d"),
        ("x, (y, *z) = 1, 2", "x y z"),
        ("x: int = 1", "x"),
        ("x += 1", "x"),
        ("def f(a, *b, **c): local = 1", "f"),
        ("async def f(): pass", "f"),
        ("class C(B):\n  x = 1", "C"),
        ("for i, j in k: n = 1", "i j n"),
        ("with a as b, c as (d, e): pass", "b d e"),
        ("try: a = 1\nexcept E as e: b = 2\nfinally: c = 3", "a b c e"),
        ("if a:\n  import b\nelse:\n  def c(): pass", "b c"),
        ("match a:\n  case [b, *c]: pass\n  case {'k': d, **e}: pass\n  case F() as g: pass", "b c d e g"),
        ("print(y := 3)", "y"),
        ("[i for i in range(3)]", ""),
        ("f = lambda a: a", "f"),
        ("a.b = 1; a[0] = 2", ""),
    ],
)
def test_bound_names(source: str, names: str) -> None:
    assert bound_names(ast.parse(source).body) == words(names)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("x = y", "y"),
        ("x += y", "x y"),
        ("def f(a, b=c, *d: e) -> g: return a + h", "c e g h"),
        ("def f(n): return n + m", "m"),
        ("def f():\n  n = 1\n  def g(): return n + k\n  return g", "k"),
        ("def f():\n  global n\n  n = 1", "n"),
        ("def f():\n  import n\n  return n.a", ""),
        ("def f():\n  for n in a: pass\n  with b as c: return c, n", "a b"),
        ("@d\ndef f(): return f()", "d f"),
        ("class C(B, metaclass=M):\n  n = 1\n  m = n\n  def f(self): return n + k", "B M n k"),
        ("[i + j for i in k if l]", "j k l"),
        ("{i: j for i, j in k}", "k"),
        ("f = lambda a, b=c: a + d", "c d"),
        ("a.b.c = d", "a d"),
        ("match a:\n  case C(b=1): pass", "a C"),
        ("try: pass\nexcept E as e: print(e)", "E print e"),
    ],
)
def test_needed_names(source: str, names: str) -> None:
    assert needed_names(ast.parse(source).body) == words(names)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("a.append(1)", "a"),
        ("a.b[0].c = 1", "a"),
        ("a[0] += 1", "a"),
        ("del a[0], b.c", "a b"),
        ("for i in c: a.append(i); print(i)", "a"),
        ("while b: a[0] = 1", "a"),
        ("x = a", ""),
        ("f(a)", ""),
        ("def f(): a.append(1)", ""),
        ("f().append(1)", ""),
    ],
)
def test_changed_names(source: str, names: str) -> None:
    assert changed_names(ast.parse(source).body) == words(names)
