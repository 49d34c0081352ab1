"""Finds the function or class that was asked for among the blocks of an answer."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from codesample.extraction.block_readings import Reading, defines, is_stub, lifted, method_of, reading_of
from codesample.extraction.blocks import Block
from codesample.extraction.continuation import continued, open_prompt
from codesample.extraction.programs import as_it_stands, prompt_statements, with_what_it_needs
from codesample.extraction.stretches import Budget, Statement, Stretch
from codesample.extraction.wanted import Wanted
from codesample.records import Extraction

__all__ = ["definition_in", "is_corrected"]

_CORRECTION = re.compile(
    r"(?i)\b(?:correct(?:ed|ion)|correct version|mistakes?|oops|wait|apolog\w+|sorry|bugs?|buggy|fixed"
    r"|fix(?:es|ing)?|revised|updated|final (?:version|code|solution|answer|implementation|program)"
    r"|should (?:actually )?be)\b"
)
_LEFT_OPEN = frozenset({"half fence", "prefill", "whole"})


def is_corrected(prose: str) -> bool:
    """Tell whether the words before a block say that it replaces the one before."""
    return bool(_CORRECTION.search(prose))


def definition_in(groups: Sequence[Sequence[Block]], wanted: Wanted, budget: Budget) -> Extraction:
    """Return the program that defines what was asked for, or else the best guess.

    Args:
        groups: The answer's blocks, those that are most likely code first; in each group in their order.
        wanted: A function or a class.
        budget: For what is read.
    """
    search = _Search(groups, wanted, budget)
    for readings in search.groups:
        found = search.defined(readings) or search.method(readings) or search.moved(readings)
        found = found or search.body(readings)
        if found:
            return found
    return search.stub() or search.guess()


class _Search:
    def __init__(self, groups: Sequence[Sequence[Block]], wanted: Wanted, budget: Budget) -> None:
        self.wanted = wanted
        self.budget = budget
        self.groups = [[reading_of(block, budget) for block in group] for group in groups]
        self.prompt = prompt_statements(wanted.prompt, wanted.name, budget) if wanted.prompt else []

    def defined(self, readings: Sequence[Reading]) -> Extraction | None:
        """Take the first block with a definition, or a later one that the answer says corrects it."""
        chosen: tuple[Reading, Stretch] | None = None
        for reading in readings:
            if chosen and not is_corrected(reading.block.prose):
                continue
            chosen = self._defining(reading) or chosen
        return self._program(*chosen) if chosen else None

    def method(self, readings: Sequence[Reading]) -> Extraction | None:
        """Take a class with a method of the function's name, and make that reachable by its name."""
        name = self.wanted.name
        if name is None or self.wanted.shape != "function":
            return None
        for reading in readings:
            for stretch in reading.stretches:
                for statement in stretch.statements:
                    node = method_of(statement, name)
                    if node is None:
                        continue
                    if re.search(rf"\bclass\s+{node.name}\b", self.wanted.prompt):
                        return self._program(reading, stretch, root=node.name)
                    line = f"{name} = {node.name}().{name}"
                    return self._program(reading, stretch, root=node.name, steps=("method",), last_line=line)
        return None

    def moved(self, readings: Sequence[Reading]) -> Extraction | None:
        """Take the first block with a definition that stands indented."""
        again = [found for reading in readings if (found := lifted(reading, self.budget))]
        return self.defined(again) if again else None

    def body(self, readings: Sequence[Reading]) -> Extraction | None:
        """Take the first block that is the body of the prompt's open definition."""
        prompt = (
            open_prompt(self.wanted.prompt, self.wanted.name, self.budget) if self.wanted.prompt else None
        )
        if prompt is None:
            return None
        for reading in readings:
            together = continued(prompt, reading, self.budget)
            if together is None:
                continue
            for stretch in together.stretches:
                if any(defines(statement, prompt.name) for statement in stretch.statements):
                    return self._program(together, stretch, root=prompt.name, steps=("continuation",))
        return None

    def stub(self) -> Extraction | None:
        """Take a definition that holds nothing, where there is no other."""
        for readings in self.groups:
            for reading in readings:
                for stretch in reading.stretches:
                    for statement in stretch.statements:
                        named = [getattr(node, "name", None) for node in statement.nodes]
                        if self.wanted.name and self.wanted.name in named:
                            return self._program(reading, stretch)
        return None

    def guess(self) -> Extraction:
        """Take the first block that is Python, else the first, as it stands."""
        readings = [reading for group in self.groups for reading in group]
        code = [reading for reading in readings if reading.stretches and not reading.cut]
        if code:
            return as_it_stands(code[0], "nameless")
        return as_it_stands(readings[0], "nameless" if readings[0].stretches else "unparsed")

    def _defining(self, reading: Reading) -> tuple[Reading, Stretch] | None:
        for stretch in reading.stretches:
            if any(defines(statement, self.wanted.name) for statement in stretch.statements):
                return reading, stretch
        return None

    def _program(
        self,
        reading: Reading,
        stretch: Stretch,
        *,
        root: str | None = None,
        steps: Sequence[str] = (),
        last_line: str = "",
    ) -> Extraction:
        name = root or self.wanted.name
        others = self._others(reading, stretch)
        return with_what_it_needs(
            reading,
            _without_repetition(reading, stretch, name) if name else stretch,
            {name} if name else _defined_names(stretch),
            self.prompt,
            others,
            steps=steps,
            last_line=last_line,
        )

    def _others(self, reading: Reading, stretch: Stretch) -> list[Stretch]:
        """Return the other stretches of the answer: those of the same block first."""
        found = [each for each in reading.stretches if each is not stretch]
        for other in (other for group in self.groups for other in group):
            if other.last_end != reading.last_end:
                found += other.stretches
        return found


def _defined_names(stretch: Stretch) -> set[str]:
    names = (getattr(node, "name", None) for statement in stretch.statements for node in statement.nodes)
    return {name for name in names if name}


def _without_repetition(reading: Reading, stretch: Stretch, name: str) -> Stretch:
    """Leave out definitions beside a whole one: stubs, and one more that an open end may have cut off."""
    whole = [index for index, each in enumerate(stretch.statements) if _is_whole(each, name)]
    if not whole:
        return stretch
    last = len(stretch.statements) - 1
    cut_off = stretch.cut or (
        reading.block.place in _LEFT_OPEN
        and _returns(stretch.statements[whole[0]])
        and not _returns(stretch.statements[last])
    )
    kept: list[Statement] = []
    for index, statement in enumerate(stretch.statements):
        named = any(getattr(node, "name", None) == name for node in statement.nodes)
        begun_again = cut_off and index == last and index > whole[0]
        if not named or (index in whole and not begun_again):
            kept.append(statement)
    return Stretch(kept, stretch.cut)


def _returns(statement: Statement) -> bool:
    return any(
        isinstance(part, ast.Return | ast.Yield) for node in statement.nodes for part in ast.walk(node)
    )


def _is_whole(statement: Statement, name: str) -> bool:
    return any(getattr(node, "name", None) == name and not is_stub(node) for node in statement.nodes)
