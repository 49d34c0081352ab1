"""Extraction never fails, warns or takes long, whatever an answer is."""

from __future__ import annotations

import random
import re
import sys
import threading
import time
import warnings

import pytest

from codesample.extraction import Wanted, describe_rules, extract

PROMPT = 'def add(a, b):\n    """Add."""\n'
WANTED = [
    Wanted("function", "add", PROMPT),
    Wanted("function"),
    Wanted("class", "Adder", "class Adder:\n"),
    Wanted("script"),
    Wanted("expression"),
    Wanted("expression", "add"),
]

# pieces that hostile texts are put together from
WORDS = '''
``` ~~~ ```python ```py ```bash ````markdown > - 1. <think> </think> <answer> </answer> [ANSWER] [/ANSWER]
<|im_end|> <|endof </s> <|channel|>analysis<|message|> <|channel|>final<|message|> analysisWe assistantfinal
def class import from return yield lambda match case async await global del with try: except: else: pass
( ) [ ] { } ' " """ \\ # @ : ; , = == := -> ** ... add add(1,2) a b 1 0x 1e f"{x}" r"\\d" b"\\xff"
>>> In[1]: Output: Answer: \\boxed{ `return`
'''
PIECES = [
    *WORDS.split(),
    *"\n\n\n\t\r\f\v\0\ud800\ufeff\u2028\u00a0é",
    "'''",
    "\r\n",
    "    ",
    "def add(a, b):\n    return a + b\n",
    "    return a + b\n",
    "if __name__ == '__main__':\n    print(add(1, 2))\n",
    "class Adder:\n    def add(self, a, b):\n        return a + b\n",
]

LONG = {
    "a program": "def add(a, b):\n    x = [i for i in range(a)]\n    return {'a': (a, b)}\n\n" * 2500,
    "a program and junk": "def add(a, b):\n    return [a, (b)]\n\n" * 4000 + "and so (on\n",
    "prose": "This is a sentence about (something that isn't closed.\n" * 3600,
    "short lines": "a=1\n" * 50_000,
    "short junk": "a b\n" * 50_000,
    "open brackets on lines": "(x\n" * 60_000,
    "open brackets": "(" * 200_000,
    "signs": "x = " + "-" * 200_000 + "1",
    "a sum": "x = " + "1+" * 100_000 + "1",
    "quotes on lines": "'''\n" * 50_000,
    "fences": "```\n" * 50_000,
    "blocks": "```py\nx\n```\n" * 16_000,
    "strings without end in blocks": "```py\n'''\n```\n```py\n\"\"\"\n```\n" * 8000,
    "indented definitions": "  def f(x):\n" * 16_000,
    "definitions without body": "def add(x):\n" * 16_000,
    "a long try": "def add(x):\n try:\n" + "  x = 1\n" * 25_000,
    "a long if": "if x:\n pass\n" + "elif x:\n pass\n" * 12_000,
    "tags": "<think>" * 30_000,
    "answers in tags": "<answer>x</answer>" * 11_000,
    "tokens": "<|a|> " * 40_000,
    "beginnings of tokens": "<|" * 100_000,
    "backticks": "`" * 200_000,
    "code in lines": "a `x` b\n" * 25_000,
    "backslashes": "'\\\n" * 60_000,
    "decorators": "@a\n" * 60_000,
    "changes": "import a\ndef add(b): return a\n" + "a.x = 1\n" * 20_000,
    "a chain": "def add(x): return a0\n" + "".join(f"a{i} = a{i + 1}\n" for i in range(13_000)),
    "a chain backwards": "def add(x): return a0\n"
    + "".join(f"a{i}.x = a{i + 1}\n" for i in range(9000, -1, -1)),
    "nothing but ends of lines": "\r" * 200_000,
    "zeros": "\0" * 200_000,
    "boxes": "\\boxed{" * 28_000,
    "labels": "Answer: " * 25_000,
    "a session": ">>> f(1)\n2\n" * 18_000,
}  # fmt: skip


def check(answer: str, wanted: Wanted) -> None:
    found = extract(answer, wanted)
    assert set(found.rule.split("+")) <= set(describe_rules())
    edges = [edge for span in found.spans for edge in span]
    assert edges == sorted(edges)
    assert all(begin < end for begin, end in found.spans)
    assert not edges or (edges[0] >= 0 and edges[-1] <= len(answer))
    program = re.sub(r"\s", "", found.program)
    for begin, end in found.spans:
        assert re.sub(r"\s", "", answer[begin:end]) in program


@pytest.mark.parametrize("seed", range(8))
def test_any_text_gives_a_program_made_of_it(seed: int) -> None:
    draw = random.Random(seed)
    prompts = ["", PROMPT, "def add(a,\n", "words only", "\ud800", "class Adder:\n    def add(self, a, b):\n"]
    prefills = ["", "", "```python\n", "```python\ndef add(a, b):\n", "Here:\n", "<think>\n"]
    for _ in range(300):
        count = draw.randrange(30)
        answer = "".join(draw.choice(PIECES) + draw.choice(["", " ", "\n", "\n"]) for _ in range(count))
        shape = draw.choice(["function", "class", "script", "expression"])
        name = draw.choice([None, "add", "Adder"])
        check(answer, Wanted(shape, name, draw.choice(prompts), draw.choice(prefills)))  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", LONG.values(), ids=LONG.keys())
def test_a_long_answer_takes_a_moment(answer: str) -> None:
    before = time.process_time()
    check(answer[:60_000], WANTED[0])
    # a moment is a fifth of a second on an idle machine; what is quadratic takes minutes
    assert time.process_time() - before < 4


@pytest.mark.slow
@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: f"{wanted.shape} {wanted.name}")
@pytest.mark.parametrize("answer", LONG.values(), ids=LONG.keys())
def test_a_very_long_answer_takes_a_moment_whatever_was_asked_for(answer: str, wanted: Wanted) -> None:
    before = time.process_time()
    check(answer[:200_000], wanted)
    assert time.process_time() - before < 8


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: f"{wanted.shape} {wanted.name}")
def test_what_is_deeply_nested_neither_fails_nor_ends_the_process(wanted: Wanted) -> None:
    texts = [
        "x = " + "(" * 190 + ")" * 190,
        "x = " + "not " * 50_000 + "1",
        "x = " + "lambda: " * 900 + "1",
        "a" + ".b" * 50_000,
        "a" + "()" * 50_000,
        "x = " + "1 if a else " * 20_000 + "1",
        "".join(" " * i + "def add():\n" for i in range(99)) + " " * 99 + "pass",
        "".join(" " * i + "if a:\n" for i in range(150)) + " " * 150 + "pass",
    ]
    failed: list[BaseException] = []

    def run() -> None:
        try:
            for text in texts:
                check(f"{text}\ndef add(a, b):\n    return a + b\n", wanted)
        except BaseException as error:
            failed.append(error)

    before = threading.stack_size(2**20)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert not failed


def test_a_caller_with_hardly_any_stack_left_gets_an_extraction() -> None:
    def deep(left: int) -> str:
        return (
            extract("```python\ndef add(a, b):\n    return a\n```", WANTED[0]).rule
            if not left
            else deep(left - 1)
        )

    frame, depth = sys._getframe(), 0
    while frame := frame.f_back:  # type: ignore[assignment]
        depth += 1
    found = {deep(sys.getrecursionlimit() - depth - spare) for spare in (30, 40, 60, 100)}
    assert found <= {"fence", "fence+unparsed", "whole+unparsed"}


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: f"{wanted.shape} {wanted.name}")
def test_nothing_is_said_about_a_program(wanted: Wanted, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check('def add(a, b):\n    return "\\d" is 1 and (1)(2)\n\nassert (a, "b")\n"\\z"\n', wanted)
    assert capfd.readouterr() == ("", "")


def test_warnings_are_as_they_were() -> None:
    before = list(warnings.filters)
    extract("x", WANTED[0])
    assert warnings.filters == before


def test_a_prefill_is_no_part_of_the_spans() -> None:
    answer = "    return a + b\n"
    found = extract(answer, Wanted("function", "add", prefill="```python\ndef add(a, b):\n"))
    assert found.program == "def add(a, b):\n" + answer
    assert found.spans == ((0, len(answer)),)


def test_spans_leave_out_what_the_program_leaves_out() -> None:
    answer = "Sure:\n```python\ndef add(a, b):\n    return a + b\nprint(add(1, 2))\n```\n"
    ((begin, end),) = extract(answer, WANTED[0]).spans
    assert answer[begin:end] == "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize("prefill", ["```python\n", ""])
def test_fences_in_strings_end_no_block_that_was_left_open(prefill: str) -> None:
    shown = 'def add(a, b):\n    """Add.\n\n    ```\n    >>> add(1, 2)\n    ```\n    """\n'
    answer = f"{shown}    return a + b\n"
    written = answer if prefill else f"Sure:\n```python\n{answer}"
    found = extract(written, Wanted("function", "add", shown, prefill=prefill))
    assert found.program == answer
    assert "".join(written[begin:end] for begin, end in found.spans) == answer
