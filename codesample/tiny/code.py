"""Writes the body of a function that computes a composition, in one of many equivalent styles."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

from codesample.tiny.compose import Composition, Filter, Map, Stage
from codesample.tiny.stages import Fold, Operation
from codesample.tiny.values import ELEMENTS

__all__ = ["fill", "write_body"]

_SLOT = re.compile(r"<(\w+)>")
_ITEM_TYPES = {"dict", "tally", "groups"}
_RESULT_NAMES = {"sum": "total", "count": "count", "product": "product", "max": "best", "min": "best", "tally": "counts"}
_FRESH = ("result", "out", "kept", "found", "res", "temp", "rest", "more")


def fill(template: str, slots: Mapping[str, str]) -> str:
    """Replace each `<name>` that `slots` holds; leave the others."""
    return _SLOT.sub(lambda match: slots.get(match[1], match[0]), template)


def _suffixed(slots: Mapping[str, str], mark: str) -> dict[str, str]:
    return {name[:-1]: text for name, text in slots.items() if name.endswith(mark)}


class _Body:
    """Collects the lines of one body; `value` is the expression that holds the result so far."""

    def __init__(self, arguments: Sequence[str], taken: set[str], rng: random.Random) -> None:
        self.rng = rng
        self.value, self.second = arguments[0], arguments[-1]
        self.taken = taken | set(arguments)
        self.lines: list[str] = []
        self.loops = rng.random() < 0.5

    def fresh(self, *wanted: str) -> str:
        """Return an unused name, the wanted one where it is free."""
        free = [n for n in wanted if n not in self.taken] or [n for n in _FRESH if n not in self.taken]
        name = self.rng.choice(free[:3])
        self.taken.add(name)
        return name

    def name_value(self) -> None:
        """Assign the value to a name unless it is one already."""
        if not self.value.isidentifier():
            name = self.fresh()
            self.lines.append(f"{name} = {self.value}")
            self.value = name

    def elements(self, kind: str) -> dict[str, str]:
        """Choose loop variables for a collection of type `kind`, with `<tgt>` and `<it>` for the loop header."""
        pick = lambda pool: self.rng.choice([n for n in pool if n not in self.taken])
        slots = {"i": pick(("i", "idx", "pos")), "y": pick(("y", "item", "z")), "v": self.value, "w": self.second}
        if kind in _ITEM_TYPES or kind == "pairs":
            slots |= {"a": pick(("name", "key", "label")), "b": pick(("n", "value", "amount", "num"))}
            return slots | {"tgt": f"{slots['a']}, {slots['b']}", "it": self.value + (".items()" if kind != "pairs" else "")}
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

    def operation(self, stage: Operation, constants: Mapping[str, str], kind: str, last: bool) -> None:
        """Write a stage that reads the whole collection."""
        finals = stage.finals if last else ()
        statements = stage.blocks + finals
        use_expression = stage.exprs and (not statements or self.rng.random() < (0.35 if self.loops else 0.8))
        template = self.rng.choice(stage.exprs if use_expression else statements or stage.finals)
        if template.count("<v>") > 1 or not use_expression:
            self.name_value()
        slots = self.elements(kind) | constants
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

    def run(self, filters: Sequence[tuple[Filter, Mapping[str, str]]], mapped: tuple[Map, Mapping[str, str]] | None,
            fold: tuple[Fold, Mapping[str, str]] | None, kind: str, last: bool) -> None:  # fmt: skip
        """Write filters, at most one map and at most one fold as a single pass."""
        if not self.value.isidentifier():
            self.name_value()
        slots = self.elements(kind)
        element = "x" if "x" in slots else "b"
        tests = [fill(f.test.code.replace("<x>", f"<{f.part}>"), slots | dict(c)) for f, c in filters]
        choose, value = "", {"x": "<x>", "b": "(<a>, <b>)"}[element]
        if mapped:
            choose, value = self._mapped(mapped, element)
        choose, value = fill(choose, slots), fill(value, slots)
        dst = mapped[0].dst if mapped else kind
        if mapped is None and kind in _ITEM_TYPES:
            value = slots["b"]
        loop = self.loops
        if fold and (not fold[0].fused or "d" in fold[1] and fold[1]["d"] != "None"):
            loop = not fold[0].fused
        if loop:
            self._loop(tests, choose, value, fold, dst, slots, last)
        else:
            self._comprehension(tests, choose, value, fold, dst, slots, last)

    def _mapped(self, mapped: tuple[Map, Mapping[str, str]], element: str) -> tuple[str, str]:
        stage, constants = mapped
        if stage.test is None:
            return "", fill(stage.map.code, constants).replace("<x>", f"<{element}>")
        yes = fill(stage.map.code, _suffixed(constants, "m"))
        no = fill(stage.other.code, _suffixed(constants, "o")) if stage.other else "<x>"
        return fill(stage.test.code, _suffixed(constants, "t")), f"{yes}|{no}"

    def _comprehension(self, tests: Sequence[str], choose: str, value: str, fold: tuple[Fold, Mapping[str, str]] | None,
                       dst: str, slots: Mapping[str, str], last: bool) -> None:  # fmt: skip
        clause = f"for {slots['tgt']} in {slots['it']}" + (f" if {' and '.join(tests)}" if tests else "")
        if choose:
            yes, no = value.split("|")
            value = f"{yes} if {choose} else {no}"
        if fold:
            bare = not tests and value == slots.get("x") and fold[0].whole
            template = self.rng.choice(fold[0].whole if bare else fold[0].fused)
            expression = fill(template, {**fold[1], "e": value, "for": clause, "v": self.value})
        elif dst == "text":
            expression = f"''.join({value} {clause})"
        elif dst in _ITEM_TYPES:
            expression = f"{{{slots['a']}: {value} {clause}}}"
        else:
            expression = f"[{value} {clause}]"
        self.set_expression(expression, last)

    def _loop(self, tests: Sequence[str], choose: str, value: str, fold: tuple[Fold, Mapping[str, str]] | None,
              dst: str, slots: Mapping[str, str], last: bool) -> None:  # fmt: skip
        name = self.fresh(*([_RESULT_NAMES[fold[0].key]] if fold else []))
        if fold:
            init, step = fold[0].init, fold[0].step
        elif dst == "text":
            init, step = "''", "<r> += <e>"
        elif dst in _ITEM_TYPES:
            init, step = "{}", f"<r>[{slots['a']}] = <e>"
        else:
            init, step = "[]", "<r>.append(<e>)"
        lines = [f"{name} = {init}", f"for {slots['tgt']} in {slots['it']}:"]
        pad = "    "
        for test in [" and ".join(tests)] if len(tests) > 1 and self.rng.random() < 0.5 else tests:
            lines.append(f"{pad}if {test}:")
            pad += "    "
        for head, text in self._branches(choose, value):
            inner = pad
            if head:
                lines.append(pad + head)
                inner += "    "
            lines += [inner + line for line in fill(step, {"r": name, "e": text}).split("\n")]
        self.set_block("\n".join(lines), name, last)

    @staticmethod
    def _branches(choose: str, value: str) -> list[tuple[str, str]]:
        if not choose:
            return [("", value)]
        yes, no = value.split("|")
        return [(f"if {choose}:", yes), ("else:", no)]


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
    stages: list[Stage] = list(composition.stages)
    at = 0
    while at < len(stages):
        start = at
        if isinstance(stages[at], Operation):
            at += 1
            body.operation(stages[start], texts[start], composition.types[start], at == len(stages))  # type: ignore[arg-type]
            continue
        while at < len(stages) and isinstance(stages[at], Filter):
            at += 1
        filters = [(stages[j], texts[j]) for j in range(start, at)]
        mapped = fold = None
        if at < len(stages) and isinstance(stages[at], Map):
            mapped, at = (stages[at], texts[at]), at + 1
        if at < len(stages) and isinstance(stages[at], Fold) and (at == start or rng.random() < 0.8):
            fold, at = (stages[at], texts[at]), at + 1
        body.run(filters, mapped, fold, composition.types[start], at == len(stages))  # type: ignore[arg-type]
    return body.lines
