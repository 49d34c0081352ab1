"""Where the function ends that a text completes: found at any split of the text, and never too early."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from codesample.extraction.function_end import FunctionEnd, ends_in_function

PROMPT = 'def f(x):\n    """Double x."""\n'
BEHIND = [
    "\ndef check_it(candidate):\n    pass\n",
    "\nif __name__ == '__main__':\n    main()\n",
    "print(1)\n",
    "\n\n# Test\nassert 1\n",
    "\n@cached_forever\ndef other_one():\n    pass\n",
    "\nclass Unrelated:\n    pass\n",
    "\n```\nThis function",
    "\nimport os\n",
    "\x0cprint(1)\n",
    "    \x0cprint(1)\n",
    '\n"""\nExplanation',
    "\n<file_sep>",
]


def end_of(prompt: str, text: str, *, rng: random.Random | None = None) -> int | None:
    """Feed a text in pieces; check that what was said to be safe is kept."""
    function, length, safe = FunctionEnd(prompt), 0, 0
    while length < len(text):
        before, length = length, min(len(text), length + (rng.randint(1, 9) if rng else 1))
        end = function.find(text[:length], before)
        if end is not None:
            assert end >= safe
            return end
        assert function.safe(text[:length]) >= safe
        safe = function.safe(text[:length])
    return None


GOOD = {
    "a comment at the start of a line": "    y = x\n# twice\n    return y + y\n",
    "commented code between": "    y = x\n#    y = 3\n\n# and\n    return y\n",
    "a string with lines at the start": "    y = '''\ndef g():\n# no\n'''\n    return y * x\n",
    "a bracket with lines at the start": "    y = [\n1,\n# one\n2,\n]\n    return y\n",
    "a line joined to the next": "    y = x + \\\n1\n    return y\n",
    "a function within": "    def g():\n        return x\n\n    return g()\n",
    "a helper below": "    return twice(x)\n\n\ndef twice(x):\n    return 2 * x\n",
    "helpers of helpers": "    return a(x)\n\ndef a(x):\n    return B.y\n\nclass B:\n    y = 1\n",
    "a decorated helper": "    return g(x)\n\n@cached(\n  None\n)\n# fast\ndef g(x):\n    return 2 * x\n",
    "an asynchronous helper": "    return run(twice(x))\n\nasync def twice(x):\n    return 2 * x\n",
    "tabs": "\tif x:\n\t\treturn 2\n\treturn 3\n",
    "other line ends": "    y = x\r\n\r\n    return y\r\n",
    "a hash in a string": "    y = '#'\n    return \"# '\" + y\n",
}


@pytest.mark.parametrize("what", GOOD)
def test_a_good_program_is_kept_and_what_follows_is_cut(what: str) -> None:
    body = GOOD[what]
    assert end_of(PROMPT, body) is None
    for behind in BEHIND:
        assert end_of(PROMPT, body + behind) == len(body), behind
        assert end_of(PROMPT, body + behind, rng=random.Random(behind)) == len(body)


def test_no_published_solution_is_cut_and_what_follows_is(published: Callable[[str], Path]) -> None:
    rng = random.Random(0)
    with gzip.open(published("HumanEval.jsonl.gz"), "rt", encoding="utf-8") as lines:
        entries = [json.loads(line) for line in lines]
    assert len(entries) == 164
    for entry in entries:
        body = entry["canonical_solution"].rstrip() + "\n"
        assert ends_in_function(entry["prompt"])
        assert end_of(entry["prompt"], body, rng=rng) is None, entry["task_id"]
        for behind in rng.sample(BEHIND, 2):
            assert end_of(entry["prompt"], body + behind, rng=rng) == len(body), (entry["task_id"], behind)


def test_published_stop_strings_cut_what_this_keeps() -> None:
    published = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
    assert sum(any(stop in body for stop in published) for body in GOOD.values()) >= 7


@pytest.mark.parametrize(
    ("prompt", "body", "behind"),
    [
        ("class A:\n    def f(self):\n", "        return self.g()\n", "    def h(self):\n"),
        ("class A:\n    def f(self):\n", "        return 1\n\n", "    y = 2\n"),
        (
            "class A:\n    def f(self):\n",
            "        return self.g()\n\n    def g(self):\n        return 1\n",
            "\n    x = 1\n",
        ),
        ("class A:\n    def f(self):\n", "        return g(1)\n\ndef g(x):\n    return x\n", "\nprint(1)"),
        ("def f():\n    def g():\n", "        return 1\n    return g\n", "f()\n"),
        ("def f(x):", " return x\n", "f(1)"),
        ("def f(x):\n    ", "return x\n", "f(1)"),
        ("def f(x,\n", "y):\n    return x\n", "f(1, 2)"),
        ("def f():\n    return '''a\n", "b\n'''\n", "x = 1"),
        ("# Write f.\n", "import os\n\n# it\ndef f():\n    return 1\n", "\nf()"),
        ("", "@cache\ndef f():\n    return 1\n", "f()"),
        (PROMPT, "def f(x):\n    return 2 * x\n", "\ndef f(x):\n"),
        (PROMPT, "import math\n\ndef f(x):\n    return 2 * x\n", "print(f(1))"),
        ("def g():\n    return 1\n\n\n", "def f(x):\n    return g()\n", "\n\nx"),
        (PROMPT, "    return f(x - 1)\n", "\ndef f(x):\n"),
        (PROMPT, "    check = 1\n    return check\n", "\ndef check(f):\n"),
        (PROMPT, "    # see main\n    return 1\n", "\ndef main():\n"),
    ],
)
def test_which_function_it_is_and_what_belongs_to_it(prompt: str, body: str, behind: str) -> None:
    kept = body.rstrip() + "\n"
    assert end_of(prompt, body + behind) == len(kept)
    assert end_of(prompt, body) is None


@pytest.mark.parametrize("text", ["a\nb\n", "    x = 1\n", "It works.\n\n1. Yes\n"])
def test_a_text_without_a_function_has_no_end(text: str) -> None:
    assert end_of("Say something.\n", text) is None
    assert not ends_in_function("Say something.\n")


def test_a_line_is_decided_as_soon_as_it_can_only_be_one_thing() -> None:
    body = "    return g(x)\n"
    for undecided in (
        "d",
        "def",
        "def ",
        "def h",
        "a",
        "async def h",
        "@c",
        "# n",
        "class ",
        "  ",
        "\n\n",
        "c",
    ):
        assert end_of(PROMPT, body + undecided) is None
        function = FunctionEnd(PROMPT)
        assert function.find(body + undecided, 0) is None
        assert function.safe(body + undecided) == len(body)
    for decided in ("p", "if", "dx", "def h(", "class H:", "x", "`"):
        assert end_of(PROMPT, body + decided) == len(body)
    assert end_of(PROMPT, body + "def g(") is None


def test_a_text_that_changes_is_read_again() -> None:
    function = FunctionEnd(PROMPT)
    assert function.find("    y = '''\nx\n", 0) is None
    assert function.find("    y = 1\nx", 4) == len("    y = 1\n")
