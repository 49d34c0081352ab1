"""Reads the examples that a prompt shows: `>>> call` with its output, or a call, an arrow and a value."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

from codesample.records import CallExample, Example

__all__ = ["flaw_of", "prompt_examples"]

# separators between call and value that HumanEval's prompts use, longest first
_SEPARATOR = re.compile(
    r"\s*(?:#\s*)?(?:={1,2}>|->|➞|==|=(?!=)|\breturns\b|\bshould\s+return\b)[ \t]*", re.UNICODE
)
# what may follow a value on its line: a remark, the end of the sentence or of the docstring, or a further
# step of a calculation
_AFTER_VALUE = re.compile(r"\s*(?:$|[.;,]\s*$|#|\(|=\s|[.;,]?\s*(?:\"\"\"|'''))")
_PROMPT = ">>>"
# characters; what is longer is no example that a person would read
_MAX_LENGTH = 2000
# built-in functions that take no more time and memory than their arguments did
_FUNCTIONS = frozenset(
    {"abs", "float", "frozenset", "len", "list", "max", "min", "round", "set", "sorted", "sum", "tuple"}
)


def prompt_examples(prompt: str, entry_point: str) -> tuple[CallExample, ...]:
    """Return the calls with their values that `prompt` shows for `entry_point`, in order, without repeats.

    A pair counts only if its call is one of `entry_point` on literals, alone or within sums, differences,
    quotients and a few built-in functions, and its value is made of literals in the same way. So a prompt
    that nobody vouches for can ask for nothing but calls of the program: examples are run and compared
    outside the sandbox. Escapes are read as the prompt's source spells them. Examples that are themselves
    wrong are kept: they are what the prompt shows.
    """
    found: dict[CallExample, None] = {}
    covered = 0
    with warnings.catch_warnings():
        # prose parsed as Python may hold odd escapes or calls of a string
        warnings.simplefilter("ignore", SyntaxWarning)
        for match in re.finditer(rf"(?<![\w.]){re.escape(entry_point)}\s*\(", prompt):
            if match.start() < covered:
                continue
            for example, end in _examples_at(prompt, match.start(), entry_point):
                found[example] = None
                covered = end
    return tuple(found)


def flaw_of(example: Example) -> str:
    """Return why an example that somebody wrote cannot be run; "" where it can, as any input of a script."""
    if not isinstance(example, CallExample):
        return ""
    for name, text in (("call", example.call), ("expected", example.expected)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                ast.parse(f"({text})", mode="eval")
        except (SyntaxError, ValueError, RecursionError) as error:
            return f"{name} {text!r} is not a Python expression: {error}"
    return ""


def _examples_at(prompt: str, start: int, entry_point: str) -> Iterator[tuple[CallExample, int]]:
    """Yield the example whose call of `entry_point` begins at `start`, if there is one, and where it ends."""
    line_start = prompt.rfind("\n", 0, start) + 1
    before = prompt[line_start:start]
    if before.lstrip().startswith(_PROMPT):
        yield from _doctest(prompt, line_start, entry_point)
        return
    text = _call_at(prompt, start)
    separator = _SEPARATOR.match(prompt, start + len(text)) if text else None
    if text is None or separator is None:
        return
    line_end = _line_end(prompt, separator.end())
    call = _call(_parse(text), entry_point)
    value = call and _value_in(prompt[separator.end() : line_end])
    if call and value:
        yield CallExample(call=call, expected=value), line_end


def _doctest(prompt: str, line_start: int, entry_point: str) -> Iterator[tuple[CallExample, int]]:
    """Yield the `>>>` example on the line at `line_start`; `>>> call == value` needs no output line."""
    end = _line_end(prompt, line_start)
    source = [prompt[line_start:end].strip().removeprefix(_PROMPT).strip()]
    output: list[str] = []
    while end < len(prompt):
        next_end = _line_end(prompt, end + 1)
        line = prompt[end + 1 : next_end].strip()
        if line.startswith("...") and not output:
            source.append(line.removeprefix("..."))
        elif not line or line.startswith((_PROMPT, '"""', "'''")):
            break
        else:
            output.append(line)
        end = next_end
    shown = _parse("\n".join(source))
    if isinstance(shown, ast.Compare) and len(shown.ops) == 1 and isinstance(shown.ops[0], ast.Eq):
        call, value = _call(shown.left, entry_point), _plain(shown.comparators[0])
    else:
        # a call that prints nothing returned None
        printed = "\n".join(output) if output or not isinstance(shown, ast.Call) else "None"
        call, value = _call(shown, entry_point), _plain(_parse(printed))
    if call and value:
        yield CallExample(call=call, expected=value), end


def _call_at(text: str, start: int) -> str | None:
    """Return the shortest piece of `text` from `start` that is a whole call, or None."""
    end = start
    limit = min(len(text), start + _MAX_LENGTH)
    while (end := text.find(")", end, limit)) >= 0:
        end += 1
        found = _parse(text[start:end])
        if found is not None:
            return text[start:end] if isinstance(found, ast.Call) else None
    return None


def _value_in(line: str) -> str | None:
    """Return the expression that `line` begins with, or None; what follows it must look like a remark."""
    for end in range(len(line) if len(line) <= _MAX_LENGTH else 0, 0, -1):
        value = line[:end].strip()
        if _AFTER_VALUE.match(line, end) and not value.endswith(".") and (plain := _plain(_parse(value))):
            return plain
    return None


def _call(shown: ast.expr | None, entry_point: str) -> str | None:
    """Return `shown` as source if it is plain and calls `entry_point`, else None."""
    called = shown and any(isinstance(node, ast.Name) and node.id == entry_point for node in ast.walk(shown))
    return _plain(shown, entry_point) if called else None


def _plain(shown: ast.expr | None, *functions: str) -> str | None:
    """Return `shown` as source if it does no more than an example may, else None.

    Written anew from what was looked at, so that nothing else can be run.
    """
    try:
        return ast.unparse(shown) if shown and _is_plain(shown, functions) else None
    except (ValueError, RecursionError):
        return None


def _is_plain(node: ast.expr | None, functions: tuple[str, ...]) -> bool:
    """Whether a node is a literal, or is made of plain ones; `functions` may be called with any of them."""
    match node:
        case ast.Constant():
            return True
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return all(_is_plain(part, functions) for part in parts)
        case ast.Dict(keys=keys, values=values):
            return all(_is_plain(part, functions) for part in (*keys, *values))
        case ast.UnaryOp(operand=operand):
            return _is_plain(operand, functions)
        # products and powers of small numbers can be huge
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Div(), right=right):
            return _is_plain(left, functions) and _is_plain(right, functions)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords):
            more = [keyword.value for keyword in keywords]
            if name in functions:
                return all(_is_plain(part, functions) for part in (*arguments, *more))
            # round(1, -10**9) would be huge too, and a bare constant is never negative
            bare = all(isinstance(part, ast.Constant) for part in (*arguments[1:], *more))
            return name in _FUNCTIONS and bare and all(_is_plain(part, functions) for part in arguments[:1])
    return False


def _parse(source: str) -> ast.expr | None:
    try:
        return ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
