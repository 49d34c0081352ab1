"""Writes the body of a function that computes a composition, in one of many equivalent styles."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codesample.tiny.training.composition import Composition, Filter, Map
from codesample.tiny.training.stages import Fold, Operation
from codesample.tiny.training.values import ELEMENTS

__all__ = ["Texts", "fill", "split_slots", "write_body"]

_SLOT = re.compile(r"<(\w+)>")
_ITEM_TYPES = {"dict", "tally", "groups"}
_RESULT_NAMES = {
    "sum": "total",
    "count": "count",
    "product": "product",
    "max": "best",
    "min": "best",
    "tally": "counts",
}
_INDENT = "    "
_FRESH = ("result", "out", "kept", "found", "res", "temp", "rest", "more")


def fill(template: str, slots: Mapping[str, str]) -> str:
    """Replace each `<name>` that `slots` holds; leave the others."""
    return _SLOT.sub(lambda match: slots.get(match[1], match[0]), template)


def split_slots(slots: Mapping[str, str], mark: str) -> dict[str, str]:
    """Return the slots of one part of a choice, whose names end in `mark`, under their own names."""
    return {name[:-1]: text for name, text in slots.items() if name.endswith(mark)}


Texts = Mapping[str, str]
"""Slot name to source text."""


@dataclass(frozen=True, slots=True)
class _Pass:
    """One pass over a collection: elements for which all `tests` hold give the value of the branch they meet.

    A branch is (test, value); a lone branch has no test, and the second of two stands for "otherwise".
    """

    tests: list[str]
    branches: list[tuple[str, str]]
    fold: tuple[Fold, Texts] | None
    dst: str
    slots: Texts


def _element(kind: str, slots: Texts) -> str:
    """Return the expression for an element as it stands."""
    if kind in _ITEM_TYPES:
        return slots["b"]
    return f"({slots['a']}, {slots['b']})" if kind == "pairs" else slots["x"]


def _branches(mapped: tuple[Map, Texts], slots: Texts, part: str) -> list[tuple[str, str]]:
    stage, texts = mapped
    if stage.test is None:
        return [("", fill(fill(stage.map.code, texts).replace("<x>", f"<{part}>"), slots))]
    test, yes = fill(stage.test.code, split_slots(texts, "t")), fill(stage.map.code, split_slots(texts, "m"))
    no = fill(stage.other.code, split_slots(texts, "o")) if stage.other else "<x>"
    return [(fill(test, slots), fill(yes, slots)), ("", fill(no, slots))]


class _Body:
    """Collects the lines of one body; `value` is the expression that holds the result so far."""

    def __init__(self, arguments: Sequence[str], taken: set[str], rng: random.Random) -> None:
        self.rng = rng
        self.value, self.second = arguments[0], arguments[-1]
        self.taken = taken | set(arguments)
        self.lines: list[str] = []
        self.loops = rng.random() < 0.35

    def fresh(self, *wanted: str) -> str:
        """Return an unused name, the wanted one where it is free."""
        free = [n for n in wanted if n not in self.taken] or [n for n in _FRESH if n not in self.taken]
        name = free[0]
        self.taken.add(name)
        return name

    def name_value(self) -> None:
        """Assign the value to a name unless it is one already."""
        if not self.value.isidentifier():
            name = self.fresh()
            self.lines.append(f"{name} = {self.value}")
            self.value = name

    def elements(self, kind: str) -> dict[str, str]:
        """Choose loop variables for a collection of type `kind`; `<tgt>` and `<it>` make the loop header."""

        def pick(pool: Sequence[str]) -> str:
            return self.rng.choice([n for n in pool if n not in self.taken][:2])

        slots = {
            "i": pick(("i", "idx", "pos")),
            "y": pick(("y", "item", "z")),
            "v": self.value,
            "w": self.second,
        }
        if kind in _ITEM_TYPES or kind == "pairs":
            slots |= {"a": pick(("name", "key", "label")), "b": pick(("n", "value", "amount", "num"))}
            items = self.value if kind == "pairs" else f"{self.value}.items()"
            return slots | {"tgt": f"{slots['a']}, {slots['b']}", "it": items}
        slots["x"] = pick(ELEMENTS.get(kind, ELEMENTS["ints"]))
        return slots | {"tgt": slots["x"], "it": self.value}

    def set_expression(self, expression: str, last: bool) -> None:
        """Make `expression` the value: named, kept for the next stage to enclose, or returned."""
        if last:
            self.lines.append(f"return {expression}")
        elif expression[-1] in ")]" and expression[0] != "(" and self.rng.random() < 0.4:
            self.value = expression
        else:
            name = self.fresh()
            self.lines.append(f"{name} = {expression}")
            self.value = name

    def set_block(self, block: str, name: str, last: bool) -> None:
        """Append statements that leave the value in `name`."""
        self.lines.extend(block.split("\n"))
        self.value = name
        if last:
            self.lines.append(f"return {name}")

    def operation(self, stage: Operation, texts: Texts, kind: str, last: bool) -> None:
        """Write a stage that reads the whole collection."""
        finals = stage.finals if last else ()
        statements = stage.blocks + finals
        use_expression = stage.exprs and (not statements or self.rng.random() < (0.3 if self.loops else 0.85))
        template = self.rng.choice(stage.exprs if use_expression else statements or stage.finals)
        if template.count("<v>") > 1 or not use_expression:
            self.name_value()
        slots = {**self.elements(kind), **texts}
        if use_expression:
            self.set_expression(fill(template, slots), last)
        elif "<r>" not in template:
            self.lines.extend(fill(template, slots).split("\n"))
        else:
            name = self.fresh()
            block = fill(template, slots | {"r": name})
            if template in stage.finals:
                self.lines.extend(block.split("\n"))
            else:
                self.set_block(block, name, last)

    def run(
        self,
        filters: Sequence[tuple[Filter, Texts]],
        mapped: tuple[Map, Texts] | None,
        fold: tuple[Fold, Texts] | None,
        kind: str,
        last: bool,
    ) -> None:
        """Write filters, at most one map and at most one fold as a single pass."""
        self.name_value()
        slots = self.elements(kind)
        part = "x" if "x" in slots else "b"
        single = _Pass(
            tests=[
                fill(f.test.code.replace("<x>", f"<{f.part}>"), {**slots, **texts}) for f, texts in filters
            ],
            branches=_branches(mapped, slots, part) if mapped else [("", _element(kind, slots))],
            fold=fold,
            dst=mapped[0].dst if mapped else kind,
            slots=slots,
        )
        loop = self.loops
        if fold and not fold[0].fused:
            loop = True
        elif fold and fold[1].get("d", "None") != "None":
            # the loop form starts from None, which then is what it returns for no elements
            loop = False
        if loop:
            self._loop(single, last)
        else:
            self._comprehension(single, last)

    def _comprehension(self, single: _Pass, last: bool) -> None:
        slots = single.slots
        clause = f"for {slots['tgt']} in {slots['it']}" + (
            f" if {' and '.join(single.tests)}" if single.tests else ""
        )
        (test, value), *others = single.branches
        if others:
            value = f"{value} if {test} else {others[0][1]}"
        if single.fold:
            fold, texts = single.fold
            bare = not single.tests and value == slots.get("x") and fold.whole
            template = self.rng.choice(fold.whole if bare else fold.fused)
            expression = fill(template, {**texts, "e": value, "for": clause, "v": self.value})
        elif single.dst == "text":
            expression = f"''.join({value} {clause})"
        elif single.dst in _ITEM_TYPES:
            expression = f"{{{slots['a']}: {value} {clause}}}"
        else:
            expression = f"[{value} {clause}]"
        self.set_expression(expression, last)

    def _loop(self, single: _Pass, last: bool) -> None:
        slots, tests = single.slots, single.tests
        name = self.fresh(*([_RESULT_NAMES[single.fold[0].key]] if single.fold else []))
        if single.fold:
            init, step = single.fold[0].init, single.fold[0].step
        elif single.dst == "text":
            init, step = "''", "<r> += <e>"
        elif single.dst in _ITEM_TYPES:
            init, step = "{}", f"<r>[{slots['a']}] = <e>"
        else:
            init, step = "[]", "<r>.append(<e>)"
        lines = [f"{name} = {init}", f"for {slots['tgt']} in {slots['it']}:"]
        pad = _INDENT
        for test in [" and ".join(tests)] if len(tests) > 1 and self.rng.random() < 0.5 else tests:
            lines.append(f"{pad}if {test}:")
            pad += _INDENT
        for i, (test, value) in enumerate(single.branches):
            inner = pad
            if len(single.branches) > 1:
                lines.append(f"{pad}else:" if i else f"{pad}if {test}:")
                inner += _INDENT
            lines += [inner + line for line in fill(step, {"r": name, "e": value}).split("\n")]
        self.set_block("\n".join(lines), name, last)


def write_body(composition: Composition, texts: Sequence[Mapping[str, str]], arguments: Sequence[str],
               rng: random.Random) -> list[str]:  # fmt: skip
    """Write the statements of a function over `arguments`, without indentation.

    Args:
        composition: What to compute.
        texts: For each stage, slot name to the source text of its constant: a literal or a parameter's name.
        arguments: Names of the source arguments; two for a pair of lists.
        rng: Settles every choice of style.

    Returns:
        Source lines; the last executed one returns.
    """
    taken = {text for slots in texts for text in slots.values() if text.isidentifier()}
    body = _Body(arguments, taken, rng)
    stages = list(zip(composition.stages, texts, strict=True))
    at = 0
    while at < len(stages):
        kind = composition.types[at]
        stage, slots = stages[at]
        if isinstance(stage, Operation):
            at += 1
            body.operation(stage, slots, kind, at == len(stages))
            continue
        filters: list[tuple[Filter, Texts]] = []
        mapped: tuple[Map, Texts] | None = None
        fold: tuple[Fold, Texts] | None = None
        while at < len(stages) and isinstance(stage := stages[at][0], Filter):
            filters.append((stage, stages[at][1]))
            at += 1
        if at < len(stages) and isinstance(stage := stages[at][0], Map):
            mapped, at = (stage, stages[at][1]), at + 1
        alone = not filters and mapped is None
        if at < len(stages) and isinstance(stage := stages[at][0], Fold) and (alone or rng.random() < 0.8):
            fold, at = (stage, stages[at][1]), at + 1
        body.run(filters, mapped, fold, kind, at == len(stages))
    return body.lines
