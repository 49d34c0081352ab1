"""Rerankers by the second look: how likely the instruction is once the program has been read."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Sequence
from typing import Annotated, Literal

from codesample.errors import UnreadableTextError
from codesample.records import Candidate, Message, Prompt, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker
from codesample.rerankers.parameters import Bounds, Opens
from codesample.rerankers.program_text import is_text_alone, parsed, text_of, without, written

__all__ = ["coder_reviewer", "reviewer"]

Form = Literal["auto", "base", "chat"]
"""How a program is put: as text, as a message, or as the run put its prompts."""

_Model = Annotated[str | None, Opens("model")]
_NEUTRAL = "f"


@reranker(needs={"prompt_logprobs"}, independent=True)
def reviewer(
    view: PublicView,
    candidates: Sequence[Candidate],
    ctx: Context,
    *,
    model: _Model = None,
    form: Form = "auto",
) -> list[float | None]:
    """Score by how likely the instruction is behind the program, in nats per token.

    The program is put first, without comments, docstrings and prints and with its function called f, so that
    it cannot quote or name what it was asked for (what a script prints stays); then the model reads the
    instruction. What is no Python abstains, since its comments could not be taken out; everything does where
    the instruction is empty.

    Formula: 1/|x| log p(x | y)
    Source: arXiv:2211.16490, reviewer
    Needs: prompt_logprobs
    Cost: each distinct program with the instruction is read once, n (|y| + |x|) tokens at most
    Leaning: towards programs that restate the instruction, also wrongly; away from short ways to the same
    """
    read = _readings(view, candidates, ctx, model, form)
    return [None if not each else math.fsum(each) / len(each) for each in read]


@reranker(needs={"logprobs", "prompt_logprobs"}, independent=True)
def coder_reviewer(
    view: PublicView,
    candidates: Sequence[Candidate],
    ctx: Context,
    *,
    alpha: Annotated[float, Bounds(least=0, most=1)] = 0.5,
    length: Literal["sum", "mean"] = "sum",
    model: _Model = None,
    form: Form = "auto",
) -> list[float | None]:
    """Score by the weighted sum of a program's log-probability and the instruction's behind it, in nats.

    Who abstains under either abstains. With length=mean both are per token.

    Formula: (1 - alpha) log p(y | x) + alpha log p(x | y); length=mean divides each by its tokens
    Source: arXiv:2211.16490, with its alpha of 0.5
    Needs: logprobs, prompt_logprobs
    Cost: as reviewer
    Leaning: as a sum towards short programs, less so than sum_logprob; as a mean as reviewer
    """
    read = _readings(view, candidates, ctx, model, form)
    return [
        (1 - alpha) * _size(each.logprobs, length) + alpha * _size(reading, length)
        if each.logprobs and reading
        else None
        for each, reading in zip(candidates, read, strict=True)
    ]


def _size(logprobs: Sequence[float], length: str) -> float:
    total = math.fsum(logprobs)
    return total / len(logprobs) if length == "mean" else total


def _readings(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context, model: str | None, form: Form
) -> list[tuple[float, ...]]:
    """Return, per candidate, the log-probabilities of the instruction behind it; () where it has none."""
    instruction = _instruction(view)
    shown = [_shown(text_of(each), view.entry_point) for each in candidates]
    chat = form == "chat" or (form == "auto" and not isinstance(ctx.asked, str))
    distinct = sorted({each for each in shown if each is not None}) if instruction else []
    pairs: list[tuple[Prompt, str]] = [
        (_as_message(each), instruction) if chat else (_as_text(each), f"{instruction}\n")
        for each in distinct
    ]
    read = dict(zip(distinct, _read(pairs, ctx, model), strict=True)) if pairs else {}
    return [read.get(each, ()) if each is not None else () for each in shown]


def _read(pairs: Sequence[tuple[Prompt, str]], ctx: Context, model: str | None) -> list[tuple[float, ...]]:
    """Read texts together, or one by one where one of them cannot be read: it gets ()."""
    try:
        return ctx.logprobs(pairs, model=model)
    except UnreadableTextError:
        if len(pairs) == 1:
            ctx.note("a program is longer than the model takes, or no tokenizer takes it")
            return [()]
        return [each for pair in pairs for each in _read([pair], ctx, model)]


def _as_text(program: str) -> str:
    return f"{program}\n\n# What the code above was written for, in the words of whoever asked for it:\n\n"


def _as_message(program: str) -> tuple[Message, ...]:
    asked = (
        "Somebody was given a programming task and wrote this Python:\n\n"
        f"```python\n{program}\n```\n\n"
        "Write the text of the task, as it was given, and nothing else."
    )
    return (Message("user", asked),)


def _instruction(view: PublicView) -> str:
    """Return what was asked for: the docstring of the function in the prompt, else the whole description."""
    for text in (view.description, view.prompt):
        # a prompt that ends in a docstring lacks its body
        tree = parsed(text) or parsed(text.rstrip() + "\n    pass\n")
        found = [
            ast.get_docstring(node) or ""
            for node in (ast.walk(tree) if tree else ())
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and node.name == view.entry_point
        ]
        if found and found[-1].strip():
            return found[-1].strip()
    return view.description.strip()


def _shown(program: str, entry_point: str | None) -> str | None:
    """Return a program as the model is shown it; None where it is no Python or nothing is left of it."""
    tree = parsed(program)
    if tree is None:
        return None
    # what a script prints is what it is for
    text = written(without(tree, is_text_alone if entry_point is None else _says_only))
    if not text or entry_point is None:
        return text or None
    # also in strings and attributes, where the name would tell as much
    return re.sub(rf"\b{re.escape(entry_point)}\b", _NEUTRAL, text)


def _says_only(statement: ast.stmt) -> bool:
    """Tell whether a statement is a text alone or prints something."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    prints = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print"
    return prints or is_text_alone(statement)
