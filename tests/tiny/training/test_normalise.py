"""Normal forms see through names, wording details and layout, and through nothing else."""

from __future__ import annotations

import pytest

from codesample.errors import DataError
from codesample.tiny.training.normalise import normal_forms

BASE = (
    "def f(xs, k):\n"
    '    """Keep those of xs above k.\n\n    >>> f([1], 0)\n    [1]\n    """\n'
    "    return [x for x in xs if x > k]\n"
)


def test_names_layout_and_annotations_do_not_matter():
    other = (
        "def chosen(numbers: list[int], limit: int) -> list[int]:\n"
        '    """Keep those of numbers, above limit!"""\n'
        "    # a comment\n"
        "    return [n for n in numbers\n            if n > limit]\n"
    )
    assert normal_forms(other) == normal_forms(BASE)


@pytest.mark.parametrize(
    ("old", "new"),
    [("x > k", "x >= k"), ("[x for", "[k for"), ("return [x", "return [-x")],
)
def test_other_code_has_another_tree(old, new):
    assert normal_forms(BASE.replace(old, new))[1] != normal_forms(BASE)[1]


def test_other_words_have_another_text():
    assert normal_forms(BASE.replace("above", "below"))[0] != normal_forms(BASE)[0]


def test_builtins_keep_their_names():
    summed = BASE.replace("[x for x in xs if x > k]", "sum(xs)")
    assert normal_forms(summed)[1] != normal_forms(summed.replace("sum(", "len("))[1]


def test_text_that_is_not_python_is_refused():
    with pytest.raises(SyntaxError):
        normal_forms("def f(:\n")


def test_a_last_statement_that_is_no_function_is_refused():
    with pytest.raises(DataError, match="Assign"):
        normal_forms(BASE + "x = 1\n")
