from __future__ import annotations

import pytest

from codesample.errors import DataError
from codesample.tasks.function_form import leading_code

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
