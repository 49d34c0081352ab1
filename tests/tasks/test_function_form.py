from __future__ import annotations

import warnings
from dataclasses import replace

import pytest

from codesample.errors import DataError
from codesample.records import CodeTests, InputTests, Problem
from codesample.tasks.function_form import leading_code, plain_imports, stub_of

ASKED = 'def f(x):\n    """Say h(x)."""\n'


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("inside", ["", "\x0c", "\x85", "\u2028", "\x1c"])
def test_leading_code_reaches_up_to_the_function_whatever_characters_it_holds(inside: str, end: str) -> None:
    helper = f"import math{end}{end}def h(x):{end}    # a{inside}b{end}    return {{'{inside}': x}}{end}{end}"
    assert leading_code(helper + ASKED, "f", where="here") == helper


def test_decorators_belong_to_the_function() -> None:
    prompt = "import functools\n@functools.cache\n" + ASKED
    assert leading_code(prompt, "f", where="here") == "import functools\n"


def test_a_prompt_that_begins_with_the_function_leads_with_nothing() -> None:
    assert leading_code("# a remark\n" + ASKED, "f", where="here") == ""


@pytest.mark.parametrize(
    "asked",
    [
        'def f(x):\n  """Say h(x)."""\n',
        'def f(x):\n\t"""Say h(x)."""\n',
        "def f(x):\n  # say h(x)\n",
        "def f(x):\n",
        "def f(x):  # say h(x)\n    ",
        "def f(\n    x,\n):",
        "class Box:\n    pass\n\ndef f(x):\n  for y in x:\n    if y:\n",
    ],
)
def test_a_prompt_may_be_indented_in_any_way(asked: str) -> None:
    assert leading_code("import math\n" + asked, "f", where="here").startswith("import math\n")


def test_what_is_no_python_is_refused() -> None:
    with pytest.raises(DataError, match="not Python up to a function's body"):
        leading_code("def f(x:\n", "f", where="here")


def asking(tests: CodeTests | InputTests, prompt: str) -> Problem:
    return Problem(task_id="t", prompt=prompt, tests=tests, entry_point="f")


def test_the_stub_of_a_problem_is_its_tests_own_or_what_its_prompt_leads_with() -> None:
    helper = "from math import *\n\ndef h(x):\n    return isclose(x, 1)\n\n"
    code = CodeTests(source="assert f(1)", stub="import math\n")
    assert stub_of(asking(code, helper + ASKED)) == "import math\n"
    untrusted = replace(code, mode="in_process")
    assert stub_of(asking(untrusted, helper + ASKED)) == "from math import *\n"
    inputs = InputTests(inputs=((1,),), reference="def f(x): return x", entry_point="f")
    assert stub_of(asking(inputs, helper + ASKED)) == helper
    assert stub_of(asking(inputs, "Write f.")) == ""
    assert stub_of(replace(asking(inputs, helper + ASKED), entry_point=None)) == ""


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("from math import *", "from math import *\n"),
        ("import math as m, re", "import math as m, re\n"),
        ("import math, os", ""),
        ("from os import system", ""),
        ("from . import math", ""),
        ("import os.path", ""),
        ("import antigravity", ""),
        ("print(__import__('os').system('true'))", ""),
        ("class math: isclose = print", ""),
    ],
)
def test_of_a_prompt_that_nobody_vouches_for_only_plain_imports_count(line: str, kept: str) -> None:
    assert plain_imports(f"{line}\n{ASKED}", "f") == kept


def test_prompts_without_python_import_nothing() -> None:
    assert plain_imports("Write f.", "f") == plain_imports("import math", None) == ""


def test_an_escape_in_a_docstring_warns_nobody() -> None:
    prompt = "import re\ndef f(x):\n    'matches \\d'\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert leading_code(prompt, "f", where="f:1") == "import re\n"
