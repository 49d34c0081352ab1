"""Which of a problem's hidden checks its prompt shows: the same call with the same result, however spelt."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from codesample.execution.program_runner import canonical
from codesample.records import (
    CallExample,
    CodeTests,
    InputTests,
    Message,
    Problem,
    Prompt,
    ScriptExample,
    ScriptTests,
)
from codesample.tasks.examples import prompt_examples

__all__ = ["PublicChecks", "count_equal", "public_checks", "repeat_notices"]

# a test that calls what is asked for by this name, as HumanEval's form has it
_CANDIDATE = "candidate"
_ASSERT = re.compile(r"\bassert\b")
# an assertion in a prompt that is longer is none
_MOST_LINES = 40
_UNREADABLE = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)


@dataclass(frozen=True, slots=True)
class PublicChecks:
    """What of a problem's hidden tests its prompt shows.

    Attributes:
        checks: Of each check of the tests, whether the prompt shows it.
        asserts: Of each assertion in the text before them, which a verdict holds no results of, the same.
    """

    checks: tuple[bool, ...] = ()
    asserts: tuple[bool, ...] = ()

    @property
    def any(self) -> bool:
        """Whether the prompt shows some of it."""
        return any(self.checks) or any(self.asserts)

    @property
    def every(self) -> bool:
        """Whether it shows all of it, so that nothing is hidden."""
        return self.any and all(self.checks) and all(self.asserts)

    @property
    def in_one_piece(self) -> bool:
        """Whether what it shows cannot be told from the rest by a verdict."""
        return any(self.asserts) and not self.every


class _Compared(NamedTuple):
    """One call with the values that it is compared with, as texts that are equal where they are."""

    arguments: str
    values: frozenset[str]


class _Shown(NamedTuple):
    """What a prompt shows: calls with their values, whole assertions, and what scripts read and print."""

    calls: dict[str, set[str]]
    asserted: set[str]
    arguments: list[tuple[Any, ...]]
    cases: set[tuple[str, str]]


def public_checks(problem: Problem, *, asked: Prompt | None = None) -> PublicChecks:
    """Compare a problem's hidden tests with its examples and with the assertions in its prompt.

    An assertion is public where the prompt shows the same call with the same value, or the very assertion;
    whether it compares by `==` or within a tolerance. An example with another value than the test's shows
    nothing. An input is public where the prompt shows a call with equal arguments, a script's case where it
    shows both texts, blanks at the ends of lines aside.

    Args:
        asked: What a model was given for it, where that is more than the prompt and the messages.
    """
    tests = problem.tests
    if isinstance(tests, ScriptTests):
        cases = {_case(each) for each in problem.examples if isinstance(each, ScriptExample)}
        return PublicChecks(tuple(_case(each) in cases for each in tests.cases))
    names = {name for name in (problem.entry_point, getattr(tests, "entry_point", None)) if name}
    # examples of other problems show nothing of this one
    own = problem.prompt.removeprefix(problem.header)
    shown = _shown(problem, names, [own, problem.description, *_texts(problem.messages, asked)])
    if isinstance(tests, InputTests):
        return PublicChecks(tuple(_holds(shown.arguments, each) for each in tests.inputs))
    if not isinstance(tests, CodeTests):
        return PublicChecks((False,) * tests.check_count)
    names.add(_CANDIDATE)
    found = [_asserts_public(text, names, shown) for text in tests.checks]
    return PublicChecks(
        tuple(bool(each) and all(each) for each in found), tuple(_asserts_public(tests.source, names, shown))
    )


def repeat_notices(problems: Iterable[Problem], written: Mapping[str, Sequence[str]]) -> list[str]:
    """Say how many generated asserts state what a hidden check states that no prompt shows; nothing for none.

    Args:
        problems: Of a run.
        written: By task id, the statements that a model wrote.
    """
    counts = {each.task_id: count_equal(each, written.get(each.task_id, ())) for each in problems}
    repeated = {task_id: count for task_id, count in counts.items() if count}
    if not repeated:
        return []
    most = max(repeated, key=lambda task_id: repeated[task_id])
    total = sum(len(written.get(task_id, ())) for task_id in counts)
    return [
        f"{sum(repeated.values())} of {total} generated asserts equal hidden checks that no prompt shows, in "
        f"{len(repeated)} of {len(counts)} problems, most in {most} ({repeated[most]}): easy to guess, "
        "or known by heart"
    ]


def count_equal(problem: Problem, statements: Iterable[str]) -> int:
    """Count the statements, such as generated asserts, that state what a hidden check states.

    What the prompt shows does not count: whoever read it may repeat it.
    """
    told = tuple(statements)
    if not told:
        return 0
    public = public_checks(replace(problem, tests=CodeTests(checks=told)))
    return _count_stated(
        problem, [text for text, shown in zip(told, public.checks, strict=True) if not shown]
    )


def _count_stated(problem: Problem, statements: Iterable[str]) -> int:
    tests = problem.tests
    names = {_CANDIDATE, *filter(None, (problem.entry_point, getattr(tests, "entry_point", None)))}
    if isinstance(tests, CodeTests):
        hidden = [node for text in (tests.source, *tests.checks) for node in _asserts(text)]
        whole = {_whole(node.test, names) for node in hidden}
        pairs = [pair for node in hidden if (pair := _compared(node.test, names))]
        return sum(_states(text, names, pairs, whole) for text in statements)
    if isinstance(tests, InputTests):
        calls = [_arguments(call) for text in statements for call in _only_call(text, names)]
        return sum(call is not None and _holds(tests.inputs, call) for call in calls)
    return 0


def _states(text: str, names: Collection[str], pairs: Sequence[_Compared], whole: Collection[str]) -> bool:
    nodes = _asserts(text)
    if len(nodes) != 1:
        return False
    stated = _compared(nodes[0].test, names)
    return _whole(nodes[0].test, names) in whole or any(
        stated is not None and pair.arguments == stated.arguments and bool(stated.values & pair.values)
        for pair in pairs
    )


def _only_call(text: str, names: Collection[str]) -> Iterator[ast.Call]:
    nodes = _asserts(text)
    if len(nodes) == 1 and len(calls := _calls(nodes[0].test, names)) == 1:
        yield calls[0]


def _texts(messages: Sequence[Message], asked: Prompt | None) -> list[str]:
    more = [asked] if isinstance(asked, str) else [each.content for each in asked or ()]
    return [*(each.content for each in messages), *more]


def _shown(problem: Problem, names: Collection[str], texts: Iterable[str]) -> _Shown:
    """Gather what is shown in examples, and in calls and assertions in the texts."""
    shown = _Shown({}, set(), [], set())
    examples = dict.fromkeys(each for each in problem.examples if isinstance(each, CallExample))
    for text in dict.fromkeys(texts):
        for name in names:
            examples.update(dict.fromkeys(prompt_examples(text, name)))
        for stated in _asserts_within(text):
            shown.asserted.add(_whole(stated.test, names))
            for called in _calls(stated.test, names):
                _add(shown, called, _equal_to(stated.test, called))
    for example in examples:
        call, value = _expression(example.call), _expression(example.expected)
        if isinstance(call, ast.Call):
            _add(shown, call, value)
    return shown


def _add(shown: _Shown, call: ast.Call, value: ast.expr | None) -> None:
    if value is None:
        return
    shown.calls.setdefault(_key(call), set()).add(_text(value))
    if (arguments := _arguments(call)) is not None:
        shown.arguments.append(arguments)


def _equal_to(test: ast.expr, call: ast.Call) -> ast.expr | None:
    """Return what an assertion says a call equals; None where it says something else."""
    match test:
        case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
            return right if left is call else left if right is call else None
        case ast.UnaryOp(op=ast.Not(), operand=operand) if operand is call:
            return ast.Constant(value=False)
    return ast.Constant(value=True) if test is call else None


def _asserts_public(text: str, names: Collection[str], shown: _Shown) -> list[bool]:
    return [_is_public(node.test, names, shown) for node in _asserts(text)]


def _is_public(test: ast.expr, names: Collection[str], shown: _Shown) -> bool:
    if _whole(test, names) in shown.asserted:
        return True
    compared = _compared(test, names)
    return compared is not None and bool(shown.calls.get(compared.arguments, set()) & compared.values)


def _compared(test: ast.expr, names: Collection[str]) -> _Compared | None:
    """Return the one call in an assertion with every literal beside it; None for other assertions."""
    calls = _calls(test, names)
    if len(calls) != 1:
        return None
    stated = _equal_to(test, calls[0])
    values = [stated] if stated is not None else list(_literals(test, calls[0]))
    return _Compared(_key(calls[0]), frozenset(map(_text, values)))


def _literals(node: ast.AST, besides: ast.Call) -> Iterator[ast.expr]:
    for child in ast.iter_child_nodes(node):
        if child is besides:
            continue
        if isinstance(child, ast.expr) and _value(child) is not None:
            yield child
        else:
            yield from _literals(child, besides)


def _calls(test: ast.expr, names: Collection[str]) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(test)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
    ]


def _key(call: ast.Call) -> str:
    """Return one text for equal arguments of whatever is called."""
    named = sorted(f"{each.arg}={_text(each.value)}" for each in call.keywords)
    return ", ".join([*map(_text, call.args), *named])


def _text(node: ast.expr) -> str:
    """Return one text for equal values of literals, and for equal expressions otherwise."""
    found = _value(node)
    return ast.dump(node) if found is None else found


def _value(node: ast.expr) -> str | None:
    try:
        value = ast.literal_eval(node)
        # that True equals 1 is Python's; a test that asserts the one does not state the other
        return f"{value}" if isinstance(value, bool) else canonical(value)
    except _UNREADABLE:
        return None


def _arguments(call: ast.Call) -> tuple[Any, ...] | None:
    """Return the values that a call of literals hands over by position."""
    if call.keywords:
        return None
    try:
        return tuple(ast.literal_eval(each) for each in call.args)
    except _UNREADABLE:
        return None


def _holds(shown: Iterable[tuple[Any, ...]], arguments: tuple[Any, ...]) -> bool:
    return any(each == arguments for each in shown)


def _whole(test: ast.expr, names: Collection[str]) -> str:
    """Return one text for assertions that differ in layout, and in how they name the function, alone."""
    spelt = ast.dump(test)
    for name in names:
        spelt = spelt.replace(f"Name(id={name!r},", f"Name(id={_CANDIDATE!r},")
    return spelt


def _case(example: ScriptExample) -> tuple[str, str]:
    return _lines(example.input), _lines(example.output)


def _lines(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip("\n")


def _asserts(text: str) -> list[ast.Assert]:
    tree = _parsed(text)
    return [] if tree is None else [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]


def _asserts_within(text: str) -> Iterator[ast.Assert]:
    """Yield assertions that stand anywhere in a text, such as in a docstring or a Markdown block."""
    for match in _ASSERT.finditer(text):
        end = match.start()
        for _ in range(_MOST_LINES):
            end = text.find("\n", end + 1)
            tree = _parsed(text[match.start() : end if end >= 0 else len(text)])
            if tree is not None:
                yield from (node for node in tree.body[:1] if isinstance(node, ast.Assert))
                break
            if end < 0:
                break


def _expression(text: str) -> ast.expr | None:
    match _parsed(f"({text.strip()}\n)"):
        case ast.Module(body=[ast.Expr(value=value)]):
            return value
    return None


def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            # data sets hold escapes such as "\d" outside of raw strings
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except _UNREADABLE:
        return None
