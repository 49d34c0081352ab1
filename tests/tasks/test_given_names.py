from __future__ import annotations

import builtins
import contextlib
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.tasks.given_names import GivenNames, as_script, with_method_as_function

FEW = GivenNames("from typing import List\nimport math, os.path\nfrom heapq import *\nimport numpy as np\n")
ALL = GivenNames(
    "from math import *\nfrom operator import *\nfrom io import *\nfrom datetime import *\n"
    "from builtins import *\nimport datetime\n",
    first="import sys; sys.setrecursionlimit(5000)",
)


def printed(program: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})
    return out.getvalue()


@pytest.mark.parametrize(
    "program",
    [
        "print(1)",
        "from typing import List\ndef f(x: List[int]): pass",
        "def f(math): return math",
        "math = 3\nprint(math)",
        "def f():\n    global math\n    math = 1\nf()\nprint(math)",
        "x.List = 3",
        "from __future__ import annotations\ndef f(x: List[int]): pass",
        "def f(:",
        "\0",
        "",
    ],
)
def test_a_program_that_relies_on_nothing_is_run_as_it_is(program: str) -> None:
    assert FEW.before(program) == program


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("def f(x: List[int]): pass", "from typing import List"),
        ("class S:\n    def f(self, x: List[int]): return math.pi", "from typing import List; import math"),
        ("print([heappop(h) for h in []])", "from heapq import heappop"),
        ("print(np)", "import numpy as np"),
        ("print(os)", "import os.path"),
        ("def f():\n    math = 1\n    return math\nprint(math)", "import math"),
        ("try:\n    heapify([])\nexcept NameError: pass", "from heapq import heapify"),
    ],
)
def test_a_program_gets_the_imports_that_it_relies_on_in_one_line(program: str, line: str) -> None:
    added, rest = FEW.before(program).split("\n", 1)
    assert sorted(added.split("; ")) == sorted(line.split("; "))
    assert rest == program


@pytest.mark.parametrize(
    "program",
    [
        "from __future__ import annotations\nprint(math.pi)",
        "from __future__ import annotations\r\nprint(math.pi)\r\n",
        '"""Döc."""; from __future__ import annotations; print(math.pi)',
        "from __future__ import (\n    annotations,\n)\nfrom __future__ import division\nprint(math.pi)\n",
    ],
)
def test_imports_from_the_future_stay_the_first(program: str) -> None:
    finished = FEW.before(program)
    assert finished.count("\n") == program.count("\n")
    assert printed(finished) == "3.141592653589793\n"


def test_of_two_that_bind_a_name_the_later_counts_and_builtins_stay() -> None:
    assert ALL.before("datetime").startswith("import datetime; ")
    assert ALL.before("timedelta").startswith("from datetime import timedelta; ")
    # operator and math hide these, and the builtins come back
    for name in ("pow", "abs", "open"):
        assert f"import {name}" not in ALL.before(name)
        assert hasattr(builtins, name)


def test_what_every_program_gets_comes_whatever_it_relies_on() -> None:
    assert ALL.before("print(1)") == "import sys; sys.setrecursionlimit(5000)\nprint(1)"


@pytest.mark.parametrize(
    ("program", "output"),
    [
        ("print(1)\nif True:\n    return\nprint(2)", "1\n"),
        ("from os.path import *\nfor i in range(3):\n    if i: return\n    print(join('a', 'b'))", "a/b\n"),
        ("x = '''a\n  b'''\nprint(x)\nreturn", "a\n  b\n"),
        ("'''Doc\n  more'''\nprint(f'''{1}\n {2}''')\nreturn", "1\n 2\n"),
        ("def f():\n    return 3\nprint(f())\nreturn", "3\n"),
        ("try:\n    return\nfinally:\n    print('end')", "end\n"),
    ],
)  # fmt: skip
def test_a_script_may_return_at_its_top_level(program: str, output: str) -> None:
    with pytest.raises(SyntaxError):
        compile(program, "<program>", "exec")
    assert printed(as_script(program)) == output


@pytest.mark.parametrize(
    "program",
    [
        "def f():\n    return 1\nprint(f())",
        "class A:\n    def f(self): return 1",
        "f = lambda: (yield)",
        "async def f(): return 2",
        "return )",
        "",
        "print(" * 3000,
    ],
)
def test_other_scripts_are_left_as_they_are(program: str) -> None:
    assert as_script(program) == program


@pytest.mark.parametrize(
    "program",
    [
        "class Solution:\n    def f(self, x):\n        return x + 1\n",
        "def f(x):\n    return 0\nclass Solution:\n    def f(self, x):\n        return x + 1",
        "class Base:\n    def f(self, x):\n        return x + 1\nclass Solution(Base): pass",
    ],
    ids=["alone", "beside a function", "inherited"],
)
def test_a_method_serves_as_the_function_of_its_name(program: str) -> None:
    names: dict[str, Any] = {}
    exec(with_method_as_function(program, "f"), names)
    assert names["f"](2) == 3


@pytest.mark.parametrize(
    "program",
    [
        "def f(x): return x",
        "class Solution:\n    def help(self): pass\ndef f(x): return x",
        "class Other:\n    def f(self): pass",
        "x = 'class Solution:'",
        "def f(",
    ],
)
def test_a_function_serves_as_itself(program: str) -> None:
    assert with_method_as_function(program, "f") == program


@given(st.text(alphabet="abcmath=()+:\n '\"#List,.return 0", max_size=60))
@settings(max_examples=300)
def test_whatever_the_text_nothing_is_lost_or_raised(text: str) -> None:
    for finished in (FEW.before(text), with_method_as_function(text, "f")):
        assert finished.replace("\n", "").endswith(text.replace("\n", "")) or "Solution" in text
    as_script(text)
