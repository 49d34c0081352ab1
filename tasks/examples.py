"""Reads the examples that a prompt shows: `>>> call` with its output, or a call, an arrow and a value."""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections.abc import Iterator

from codesample.records import Example

__all__ = ["prompt_examples"]

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
_VALUE_NAMES = frozenset({"set", "frozenset", "complex", "float", "bytes", "dict", "list", "tuple"})
_CALL_NAMES = frozenset(dir(builtins)) - {"eval", "exec", "open", "input", "__import__", "print", "compile"}


def prompt_examples(prompt: str, entry_point: str) -> tuple[Example, ...]:
    """Return the input/output pairs that `prompt` shows for `entry_point`, in order, without repeats.

    A pair counts only if its call and its value parse as Python expressions and use no name but
    `entry_point` and built-ins; escapes are read as the prompt's source spells them. Examples that
    are themselves wrong are kept: they are what the prompt shows.
    """
    found: dict[Example, None] = {}
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


def _examples_at(prompt: str, start: int, entry_point: str) -> Iterator[tuple[Example, int]]:
    """Yield the example whose call of `entry_point` begins at `start`, if there is one, and where it ends."""
    line_start = prompt.rfind("\n", 0, start) + 1
    before = prompt[line_start:start]
    if before.lstrip().startswith(_PROMPT):
        yield from _doctest(prompt, line_start, entry_point)
        return
    call = _call_at(prompt, start)
    if call is None or not _uses_only(call, _CALL_NAMES | {entry_point}):
        return
    separator = _SEPARATOR.match(prompt, start + len(call))
    if separator is None:
        return
    line_end = _line_end(prompt, separator.end())
    value = _value_in(prompt[separator.end() : line_end])
    if value is not None:
        yield Example(call=call, expected=value), line_end


def _doctest(prompt: str, line_start: int, entry_point: str) -> Iterator[tuple[Example, int]]:
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
    tree = _parse("\n".join(source))
    if tree is None or not _uses_only("\n".join(source), _CALL_NAMES | {entry_point}):
        return
    body = tree.body
    if isinstance(body, ast.Compare) and len(body.ops) == 1 and isinstance(body.ops[0], ast.Eq):
        yield Example(call=ast.unparse(body.left), expected=ast.unparse(body.comparators[0])), end
        return
    # a call that prints nothing returned None
    value = "\n".join(output) if output or not isinstance(body, ast.Call) else "None"
    if _uses_only(value, _VALUE_NAMES):
        yield Example(call=ast.unparse(body), expected=_bare(value)), end


def _call_at(text: str, start: int) -> str | None:
    """Return the shortest piece of `text` from `start` that is a whole call, or None."""
    end = start
    limit = min(len(text), start + _MAX_LENGTH)
    while (end := text.find(")", end, limit)) >= 0:
        end += 1
        tree = _parse(text[start:end])
        if tree is not None:
            return text[start:end] if isinstance(tree.body, ast.Call) else None
    return None


def _value_in(line: str) -> str | None:
    """Return the expression that `line` begins with, or None; what follows it must look like a remark."""
    for end in range(len(line) if len(line) <= _MAX_LENGTH else 0, 0, -1):
        value = line[:end].strip()
        if _AFTER_VALUE.match(line, end) and not value.endswith(".") and _uses_only(value, _VALUE_NAMES):
            return _bare(value)
    return None


def _bare(source: str) -> str:
    """Return an expression's source without a comment behind it."""
    tree = _parse(source)
    return (tree and ast.get_source_segment(source.strip(), tree.body)) or source


def _uses_only(source: str, names: frozenset[str]) -> bool:
    tree = _parse(source)
    return tree is not None and all(node.id in names for node in ast.walk(tree) if isinstance(node, ast.Name))


def _parse(source: str) -> ast.Expression | None:
    try:
        return ast.parse(source.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
