"""A task of two kinds of problems: functions, tested by calls, and scripts, tested by what they print."""

from __future__ import annotations

from collections.abc import Sequence

from codesample import CallExample, CodeTests, Problem, ScriptExample, ScriptTests, Task

__all__ = ["warmup"]


def _function(
    name: str, parameter: str, wanted: str, example: CallExample, *, checks: tuple[str, ...], reference: str
) -> Problem:
    """Ask for a function: the prompt ends with its docstring, the completion is its body."""
    prompt = (
        f"# Task: write the function.\ndef {name}({parameter}):\n"
        f'    """{wanted}\n\n    >>> {example.call}\n    {example.expected}\n    """\n'
    )
    return Problem(
        task_id=f"warmup/{name}",
        prompt=prompt,
        description=prompt,
        entry_point=name,
        examples=(example,),
        # hidden; every check gets a result of its own
        tests=CodeTests(checks=checks, entry_point=name),
        reference=reference,
        metadata={"kind": "function"},
    )


def _script(
    name: str, wanted: str, example: ScriptExample, *, cases: tuple[ScriptExample, ...], reference: str
) -> Problem:
    """Ask for a script: the prompt is a comment, the completion all of its code."""
    prompt = (
        f"# Task: write a script. {wanted}\n# It reads: {example.input!r}\n# It prints: {example.output!r}\n"
    )
    return Problem(
        task_id=f"warmup/{name}",
        prompt=prompt,
        description=prompt,
        examples=(example,),
        tests=ScriptTests(cases=cases),
        reference=reference,
        metadata={"kind": "script"},
    )


def _problems() -> Sequence[Problem]:
    return (
        _function(
            "total",
            "numbers",
            "Return the sum of the numbers.",
            CallExample("total([1, 2])", "3"),
            checks=("assert total([4, 5, 6]) == 15", "assert total([0, 1, 1]) == 2", "assert total([]) == 0"),
            reference="    return sum(numbers)\n",
        ),
        _function(
            "longest",
            "words",
            "Return the longest word, the first of several.",
            CallExample("longest(['a', 'bcd'])", "'bcd'"),
            checks=(
                "assert longest(['abc', 'de', 'f']) == 'abc'",
                "assert longest(['a', 'bc', 'de']) == 'bc'",
            ),
            reference="    return max(words, key=len)\n",
        ),
        _script(
            "add",
            "It prints the sum of two whole numbers.",
            ScriptExample("1 2\n", "3\n"),
            cases=(ScriptExample("20 22\n", "42\n"), ScriptExample("-1 1\n", "0\n")),
            reference="print(sum(map(int, input().split())))\n",
        ),
        _script(
            "words",
            "It prints the number of words on all lines.",
            ScriptExample("one two\nthree\n", "3\n"),
            cases=(
                ScriptExample("a b c d\n", "4\n"),
                ScriptExample("a\nb c\n", "3\n"),
                ScriptExample("\n", "0\n"),
            ),
            reference="import sys\nprint(len(sys.stdin.read().split()))\n",
        ),
    )


warmup = Task(
    name="warmup",
    # another one whenever prompts, stops or tests change
    version="1",
    source="codesample-example",
    # a model that goes on with a next problem is stopped there
    stop=("\n# Task:",),
    max_new_tokens=200,
    # read when the problems are asked for; a program is the prompt with the completion behind it
    load=_problems,
)
