from __future__ import annotations

import pytest

from codesample.tasks.mbpp.asserts import function_asked_for, modules_relied_on


@pytest.mark.parametrize(
    ("code", "tests", "expected"),
    [
        ("def f(x): ...", ["assert f(1) == 2"], "f"),
        ("def helper(): ...\ndef f(x): ...", ["assert set(f(1)) == {2}", "assert not f(2)"], "f"),
        ("class Pair: ...\ndef f(x): ...", ["assert f([Pair(1, 2)]) == 1"], "f"),
        ("def sum(a, b): ...", ["assert sum(1, 2) == 3"], "sum"),
        ("def f(): ...\ndef g(): ...", ["assert f() == g()"], None),
        ("def f(): ...\ndef g(): ...", ["assert f()", "assert g()"], None),
        ("x = 1", ["assert f() == 1"], None),
        ("import re\nclass A:\n    def f(self): ...", ["assert A().f()"], None),
    ],
)
def test_the_function_asked_for_is_defined_and_called_in_every_assert(
    code: str, tests: list[str], expected: str | None
) -> None:
    assert function_asked_for(code, tests) == expected


@pytest.mark.parametrize(
    ("code", "test", "expected"),
    [
        ("import sys\ndef f(): ...", "assert f() == sys.maxsize", ("sys",)),
        ("def f():\n    import math, sys\n", "assert f() == sys.maxsize - math.pi", ("math", "sys")),
        ("import math as sys", "assert f() == sys.maxsize", ()),
        ("import not_a_standard_module", "assert not_a_standard_module.f()", ()),
        ("import sys", "assert f() == 1", ()),
        ("", "assert f() == sys.maxsize", ()),
    ],
)
def test_a_module_counts_if_asserts_use_what_only_the_solution_imports(
    code: str, test: str, expected: tuple[str, ...]
) -> None:
    assert modules_relied_on(code, [test]) == expected


def test_what_is_not_python_is_a_syntax_error() -> None:
    with pytest.raises(SyntaxError):
        function_asked_for("def f(:", ["assert f()"])
    with pytest.raises(SyntaxError):
        modules_relied_on("", ["assert f("])
