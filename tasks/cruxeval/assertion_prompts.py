"""How CRUXEval is asked: a function and an assertion with a gap, answered by the whole assertion in tags."""

from __future__ import annotations

__all__ = ["BASE_HEADERS", "CHAT_INSTRUCTIONS", "answered", "question"]

_TAGS = "Write the whole assertion, with the gap filled, between [ANSWER] and [/ANSWER]."
_OUTPUT = (
    "Below is a Python function f and an assertion about what it returns, with ?? in place of the value. "
    "Work out the value that f really returns, whether or not f does what it seems meant to do, and write it "
    "as a literal: no function calls, nothing left to compute. "
)
_INPUT = (
    "Below is a Python function f and an assertion about what it returns, with ?? in place of the arguments. "
    "Find arguments with which the assertion holds. There may be several; one set is enough. "
)
_AT_ONCE = " Write nothing else."
_STEPS = "First follow the function step by step. Then finish with the assertion. "

CHAT_INSTRUCTIONS = {
    ("output", False): f"{_OUTPUT}{_TAGS}{_AT_ONCE}\n\n",
    ("output", True): f"{_OUTPUT}{_STEPS}{_TAGS}\n\n",
    ("input", False): f"{_INPUT}{_TAGS}{_AT_ONCE}\n\n",
    ("input", True): f"{_INPUT}{_STEPS}{_TAGS}\n\n",
}
"""By what is predicted, and whether in steps."""


def question(code: str, assertion: str) -> str:
    """Return a function with an assertion that has a gap, in the tags of the data set's own prompts."""
    return f"[PYTHON]\n{code}\n{assertion}\n[/PYTHON]\n"


def answered(assertion: str, thought: str = "") -> str:
    """Return an assertion without a gap in its tags, behind the thought that led to it, if any."""
    steps = f"{thought}\n[/THOUGHT]\n" if thought else ""
    return f"{steps}[ANSWER]\n{assertion}\n[/ANSWER]\n\n"


_FIRST = "def f(words):\n    return [w[0] for w in words if w]"
_SECOND = """\
def f(n, step):
    total = 0
    while n > 0:
        total += n
        n -= step
    return total"""
_FIRST_STEPS = (
    "words holds three texts. The comprehension leaves out the empty one, and takes the first character of "
    'the others: "p" and "f".'
)
_SECOND_STEPS = (
    "n is 5 and step is 3. total becomes 5, n becomes 2; total becomes 7, n becomes -1, and the loop ends."
)
_FIRST_BACKWARDS = (
    "f keeps the first character of each text that is not empty. Texts that begin with p and f will do."
)
_SECOND_BACKWARDS = (
    "f adds n, n - step and so on, while they are above 0. The total is to be 9. With n = 5 and step = 3 "
    "it is 5 + 2 = 7, too little. With n = 6 and step = 3 it is 6 + 3 = 9."
)

_SHOWN = {
    "output": (
        (_FIRST, 'f(["pear", "", "fig"])', '["p", "f"]', _FIRST_STEPS),
        (_SECOND, "f(5, 3)", "7", _SECOND_STEPS),
    ),
    "input": (
        (_FIRST, 'f(["pear", "fig"])', '["p", "f"]', _FIRST_BACKWARDS),
        (_SECOND, "f(6, 3)", "9", _SECOND_BACKWARDS),
    ),
}


def _header(kind: str, in_steps: bool) -> str:
    parts = [CHAT_INSTRUCTIONS[kind, in_steps]]
    for code, call, result, thought in _SHOWN[kind]:
        gap = f"assert {call} == ??" if kind == "output" else f"assert f(??) == {result}"
        opened = "[THOUGHT]\n" if in_steps else ""
        parts += [
            question(code, gap),
            opened,
            answered(f"assert {call} == {result}", thought if in_steps else ""),
        ]
    return "".join(parts)


BASE_HEADERS = {key: _header(*key) for key in CHAT_INSTRUCTIONS}
"""What base models are shown before a problem: the instruction and two worked examples."""
