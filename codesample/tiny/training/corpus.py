"""Generates the training corpus of the built-in model: functions with a docstring, examples and a body.

Everything follows from the seed. The compositions that the `mini` task asks for are held out: no function
of the corpus computes one of them, alone or as part of a longer composition.
"""

from __future__ import annotations

import builtins
import json
import keyword
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from codesample.tiny.training.code import write_body
from codesample.tiny.training.composition import MIXES, Composition, draw_composition, slots_of
from codesample.tiny.training.normalise import normal_forms
from codesample.tiny.training.values import ANNOTATIONS, ARGUMENTS, example_input
from codesample.tiny.training.wording import describe, function_name

__all__ = ["Function", "HeldOut", "generate", "load_held_out"]

_PARAMETERS = {
    "int": ("k", "n", "limit", "threshold", "bound"),
    "div": ("k", "d", "divisor"),
    "few": ("k", "n", "size"),
    "len": ("n", "size", "length"),
    "digit": ("digit", "d"),
    "letter": ("letter", "c", "ch"),
    "mark": ("mark", "extra"),
    "sep": ("sep", "glue"),
    "low": ("low", "lo"),
    "high": ("high", "hi"),
}
_TEXT_KINDS = {"letter", "mark", "sep"}
_BARE_KINDS = {"hot", "cold"}
_BUILTINS = frozenset(dir(builtins))
_MAX_RESULT = 64
_MAX_BODY_LINES = 12


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the corpus.

    Attributes:
        prompt: Signature and docstring with examples; ends with the newline after the docstring.
        body: Indented statements; ends with a newline.
        name: Of the function.
        signature: Of the composition it computes.
    """

    prompt: str
    body: str
    name: str
    signature: str


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What the corpus must not hold: composition signatures, normal docstring texts, normal syntax trees."""

    signatures: frozenset[str]
    texts: frozenset[str]
    trees: frozenset[str]

    def covers(self, composition: Composition) -> bool:
        """Whether a held-out composition is all or a part of this one."""
        keys = [s.key for s in composition.stages]
        return any(
            " > ".join([composition.types[i], *keys[i:j]]) in self.signatures
            for i in range(len(keys))
            for j in range(i + 1, len(keys) + 1)
        )


def load_held_out(rows: Sequence[Mapping[str, Any]] | None = None) -> HeldOut:
    """Read what to hold out from the rows of `mini`; the packaged ones where none are given."""
    if rows is None:
        text = (files("codesample") / "tasks" / "mini" / "problems.jsonl").read_text(encoding="utf-8")
        rows = [json.loads(line) for line in text.splitlines()]
    forms = [normal_forms(row["prompt"] + row["canonical_solution"]) for row in rows]
    return HeldOut(
        frozenset(signature for row in rows for signature in row["compositions"]),
        frozenset(text for text, _ in forms),
        frozenset(tree for _, tree in forms),
    )


def _name_constants(
    composition: Composition, taken: set[str], rng: random.Random
) -> tuple[list[dict[str, str]], list[tuple[str, str]]]:
    """Settle which constants are parameters; return the texts of all, and (name, kind) of the parameters."""
    code: list[dict[str, str]] = []
    parameters: list[tuple[str, str]] = []
    for at, values in enumerate(composition.constants):
        slots: dict[str, str] = {}
        kinds = slots_of(composition.stages[at])
        for slot, value in values.items():
            kind = kinds[slot]
            free = [p for p in _PARAMETERS.get(kind, ()) if p not in taken]
            if free and len(parameters) < 2 and rng.random() < 0.4:
                slots[slot] = rng.choice(free)
                taken.add(slots[slot])
                parameters.append((slots[slot], kind))
            else:
                slots[slot] = str(value) if kind in _BARE_KINDS else repr(value)
        code.append(slots)
    return code, parameters


def _inputs(source: str, parameters: Sequence[tuple[str, str]], rng: random.Random) -> tuple[Any, ...]:
    if source == "twoints":
        first = example_input("ints", rng)
        second = [rng.choice(first) if rng.random() < 0.3 else x for x in example_input("ints", rng)]
        size = min(len(first), len(second), 4)
        first_values: tuple[Any, ...] = (first[:size], second[:size])
    else:
        first_values = (example_input(source, rng),)
    return first_values + tuple(example_input(kind, rng) for _, kind in parameters)


def _examples(source_code: str, name: str, draw: Any, rng: random.Random) -> list[str] | None:
    """Run the function on random inputs; None when it fails or says too little about itself."""
    namespace: dict[str, Any] = {}
    exec(compile(source_code, "<corpus>", "exec"), namespace)
    wanted = 3 if rng.random() < 0.15 else 2
    lines: list[str] = []
    results: list[str] = []
    for _ in range(5):
        arguments = draw()
        call = f">>> {name}({', '.join(map(repr, arguments))})"
        try:
            result = repr(namespace[name](*arguments))
        except (AttributeError, IndexError, TypeError, ValueError, ZeroDivisionError):
            return None
        if len(result) > _MAX_RESULT or len(call) > 100 or result in results:
            continue
        lines += [call, result]
        results.append(result)
        if len(results) == wanted:
            break
    trivial = {"[]", "''", "{}", "None", "0", "-1"}
    return lines if len(results) >= 2 and len(set(results) - trivial) >= 1 else None


def _assemble(composition: Composition, rng: random.Random) -> Function | None:
    arguments = rng.choice(ARGUMENTS[composition.source]).split()
    texts, parameters = _name_constants(composition, set(arguments), rng)
    body_lines = write_body(composition, texts, arguments, rng)
    if len(body_lines) > _MAX_BODY_LINES:
        return None
    name = function_name(composition, rng)
    typed = rng.random() < 0.8
    hints = (
        ["list[int]", "list[int]"] if composition.source == "twoints" else [ANNOTATIONS[composition.source]]
    )
    hints += ["str" if kind in _TEXT_KINDS else "int" for _, kind in parameters]
    names = [*arguments, *(p for p, _ in parameters)]
    if name in names or not name.isidentifier() or keyword.iskeyword(name) or name in _BUILTINS:
        return None
    listed = ", ".join(f"{n}: {h}" for n, h in zip(names, hints, strict=True)) if typed else ", ".join(names)
    result = f" -> {ANNOTATIONS.get(composition.types[-1], 'list')}" if typed else ""
    head = f"def {name}({listed}){result}:\n"
    body = "".join(f"    {line}\n" for line in body_lines)
    examples = _examples(head + body, name, lambda: _inputs(composition.source, parameters, rng), rng)
    if examples is None:
        return None
    text = describe(composition, texts, arguments, rng)
    shown = "".join(f"    {line}\n" for line in examples)
    return Function(f'{head}    """{text}\n\n{shown}    """\n', body, name, composition.signature)


def generate(
    count: int, *, seed: int, mix: str = "broad", held_out: HeldOut | None = None
) -> Iterator[Function]:
    """Yield `count` functions with distinct prompts; a shorter run begins a longer one of the same seed.

    Args:
        count: Functions to yield.
        seed: Settles all of them.
        mix: How often what is drawn: a name of `MIXES`.
        held_out: What to leave out; by default what the packaged `mini` asks for.
    """
    held = load_held_out() if held_out is None else held_out
    rng = random.Random(seed)
    seen: set[str] = set()
    while len(seen) < count:
        composition = draw_composition(rng, MIXES[mix])
        if held.covers(composition):
            continue
        function = _assemble(composition, rng)
        if function is None or function.prompt in seen:
            continue
        text, tree = normal_forms(function.prompt + function.body)
        if text in held.texts or tree in held.trees:
            continue
        seen.add(function.prompt)
        yield function
