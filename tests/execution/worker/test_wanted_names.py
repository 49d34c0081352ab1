"""Which names tests expect of the program."""

from __future__ import annotations

import sys

import pytest

from codesample.execution.worker.wanted_names import wanted_names


@pytest.mark.parametrize(
    ("source", "entry_point", "program", "modules"),
    [
        ("assert f(1) == 2", None, ("f",), ()),
        ("assert f(1) == 2", "f", ("f",), ()),
        ("def check(candidate):\n    assert candidate(1)\ncheck(f)", "f", ("f",), ()),
        ("import math\nassert f(math.pi)", None, ("f",), ()),
        ("assert f(math.pi) < math.e", None, ("f",), ("math",)),
        ("assert copy([1]) == [1]", None, ("copy",), ()),
        ("assert bisect.left([1])", "bisect", ("bisect",), ()),
        ("assert sum(10, 15) == 6", None, ("sum",), ()),
        ("assert set(f(1)) == set([1])", None, ("f",), ()),
        ("assert abs(f(1)) == 1", "f", ("f",), ()),
        ("def helper(x):\n    return g(x)\nassert helper(1) == f(2)", None, ("f", "g"), ()),
        ("root = Node(1)\nroot.left = Node(2)\nassert depth(root) == 2", None, ("Node", "depth"), ()),
        ("def setup():\n    global data\n    data = 1\nsetup()\nassert f(data)", None, ("f",), ()),
        ("for i in range(3):\n    assert f(i) == [j for j in range(i)]", None, ("f",), ()),
        (
            "def top(xs, k):\n    xs.sort()\n    return xs[:k]\nassert sum(top([1], 1)) == 1",
            None,
            ("sum",),
            (),
        ),
        ("assert [x for x in f(1) if (y := x)] and y", None, ("f",), ()),
        ("match f(1):\n    case [x, *y]: assert x\n    case {'k': 1, **z}: assert z\n", None, ("f",), ()),
        ("", "f", ("f",), ()),
        ("", None, (), ()),
    ],
)
def test_names(
    source: str, entry_point: str | None, program: tuple[str, ...], modules: tuple[str, ...]
) -> None:
    wanted = wanted_names(source, entry_point)
    assert (set(wanted.program), wanted.modules) == (set(program), modules)
    assert wanted.program[:1] == ((entry_point,) if entry_point else wanted.program[:1])


@pytest.mark.parametrize("source", ["assert f(", "x = \0", f"assert f(1{'+ 1' * 20_000})"])
def test_text_that_is_no_python_or_cannot_be_read_is_refused(source: str) -> None:
    with pytest.raises(SyntaxError):
        wanted_names(source, None)


def test_names_of_many_functions_take_steps_that_grow_with_their_number() -> None:
    def steps(count: int) -> int:
        source = "\n".join(f"def g{n}(): return f({n})" for n in range(count))
        calls = 0

        def note(*_: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(note)
        try:
            wanted = wanted_names(source, None)
        finally:
            sys.setprofile(None)
        assert wanted.program == ("f",)
        return calls

    assert steps(1_600) < 4.5 * steps(400)


@pytest.mark.parametrize(
    ("source", "own"),
    [
        ("exp = 4\nassert f(2) == exp", {"exp"}),
        ("for inp, exp in zip([1], [2]):\n    assert f(inp) == exp", {"inp", "exp"}),
        ("RATE = 0.5\nassert f(2) == 1", set()),
        ("assert f(2) == 1\nRATE = 0.5\nassert f(2) == 2", set()),
        ("assert LOG == [1]\nLOG = []\nf(3)\nassert LOG == [3]", set()),
        ("def check():\n    assert f(2) == exp\nexp = 4\ncheck()", {"exp", "check"}),
        ("x = x + 1\nassert f(x)", {"x"}),
        ("import math\nassert f(2) == math.e", {"math"}),
    ],
)
def test_own_names_are_those_that_results_may_be_compared_with(source: str, own: set[str]) -> None:
    assert wanted_names(source, "f").own == own
