"""What tests may do with values of each kind and stay apart from their program."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from codesample.execution.worker.form_rules import lattice as kind
from codesample.execution.worker.form_rules.lattice import anywhere, directly, held, holding
from codesample.execution.worker.form_rules.library import CONCRETE_TYPES
from codesample.execution.worker.form_rules.scopes import Scope

__all__ = ["Library", "OwnClass", "OwnFunction", "Rules", "Weak"]

_NAMES = kind.FUNCTION | kind.CLASS | kind.ENTRY
_CROSSING = kind.DATA | kind.MUTABLE | kind.CHANGED | kind.NAN | kind.DECIMAL | kind.OF_PROGRAM
_PECULIAR = kind.RAISED | kind.TAKEN | kind.STREAM | kind.CONTEXT
_ABSENT_FROM_SUMS = _PECULIAR | kind.OPAQUE | kind.ITERATOR | kind.METHOD | kind.TYPE_OF_RESULT


class Weak(Exception):
    """The tests cannot run apart from their program, for the reason that it holds."""


@dataclass(frozen=True, slots=True)
class Library:
    """Something of the standard library: a module where `action` is "module"."""

    module: str
    name: str
    action: str

    @property
    def full_name(self) -> str:
        """Dotted, with the module."""
        return f"{self.module}.{self.name}" if self.name else self.module


@dataclass(eq=False, slots=True)
class OwnFunction:
    """A function that the tests define, with what it is known to return and to yield."""

    node: ast.FunctionDef | ast.Lambda
    scope: Scope
    generates: bool = False
    returned: int = 0
    yielded: int = 0
    manner: str = ""


@dataclass(eq=False, slots=True)
class OwnClass:
    """A class that the tests define, with what its instances' attributes are known to be."""

    scope: Scope
    bases: dict[OwnClass, None] = field(default_factory=dict)
    traits: set[str] = field(default_factory=set)
    instance: int = 0
    attributes: dict[str, int] = field(default_factory=dict)

    def lineage(self) -> Iterator[OwnClass]:
        """Yield the class and those it inherits from, each once."""
        found, pending = {self}, [self]
        while pending:
            each = pending.pop()
            yield each
            pending += [base for base in each.bases if base not in found]
            found.update(each.bases)


class Rules:
    """What is known so far of one text of tests, and what is refused about it.

    Attributes:
        place: What names the part of the tests that is being read, in front of a line number.
        changed: Whether something was learnt since this was set to False.
        stored: What containers were seen to be given after they were made, as the odd bits of any of them;
            and CHANGED, where some were handed to the program.
        harmless: Whether nothing was met that might change the interpreter.
        in_message: Whether a message of an assertion is being read, which nobody compares.
        results_kept: Whether a name stands for what the program returned.
        hidden_texts: Whether a text was met that could be made into the name of a hidden attribute.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self.place = ""
        self.changed = False
        self.stored = 0
        self.harmless = True
        self.in_message = False
        self.results_kept = False
        self.hidden_texts = False
        self._nan_given = False
        self._records: dict[int, Library | OwnFunction | OwnClass] = {}
        self._bits: dict[object, int] = {}
        self._next = kind.FIRST_OF_A_TEXT
        # the even bits of those kinds that this text brings in
        self.library = self.crossing_library = self.modules = self.own = self.instances = 0

    def refuse(self, node: ast.AST, text: str) -> NoReturn:
        """End the reading: the tests are weak."""
        raise Weak(f"{self.place}line {getattr(node, 'lineno', 1)}: {text}")

    # kinds that a text brings in

    def bit(self, record: Library | OwnFunction | OwnClass) -> int:
        """Return the kind that stands for one thing alone."""
        key = record if isinstance(record, Library) else id(record)
        if key not in self._bits:
            bit = self._bits[key] = self._fresh()
            self._records[bit] = record
            if not isinstance(record, Library):
                self.own |= bit
            elif record.action == "module":
                self.modules |= bit
            else:
                self.library |= bit
                if record.module == "builtins":
                    self.crossing_library |= bit
            if isinstance(record, OwnClass):
                record.instance = self._fresh()
                self._records[record.instance] = record
                self.instances |= record.instance
        return self._bits[key]

    def _fresh(self) -> int:
        self._next += 1
        if self._next >= kind.MOST_KINDS:
            raise Weak("the tests define too much to be read")
        return 1 << 2 * self._next

    def records(self, kinds: int, among: int) -> Iterator[Library | OwnFunction | OwnClass]:
        """Yield what the direct kinds within `among` stand for."""
        rest = kinds & among
        while rest:
            bit = rest & -rest
            rest ^= bit
            yield self._records[bit]

    def word(self, kinds: int) -> str:
        """Name one of `kinds` for a reader."""
        lowest = kinds & -kinds
        record = self._records.get(lowest) or self._records.get(lowest >> 1)
        match record:
            case None:
                return kind.word(kinds)
            case Library():
                return record.full_name.removeprefix("builtins.")
            case OwnFunction():
                return "a function of the tests"
        return "an object of the tests" if anywhere(record.instance) & kinds else "a class of the tests"

    # what is learnt

    def learn(self, scope: Scope, name: str, kinds: int) -> None:
        """Add to what a name may stand for."""
        known = scope.kinds.get(name, 0)
        if known | kinds != known:
            scope.kinds[name] = known | kinds
            self.results_kept |= bool(kinds & anywhere(kind.RESULT | kind.EITHER))
            self.changed = True

    def learn_attribute(self, owner: OwnClass, name: str, kinds: int) -> None:
        """Add to what an attribute of a class's instances may be."""
        known = owner.attributes.get(name, 0)
        if known | kinds != known or name not in owner.attributes:
            owner.attributes[name] = known | kinds
            self.changed = True

    def store(self, kinds: int) -> None:
        """Note that a container may have been given values of `kinds`."""
        self._note(holding(kinds))

    def _note(self, stored: int) -> None:
        if self.stored | stored != self.stored:
            self.stored |= stored
            self.changed = True

    def loaded(self, kinds: int) -> int:
        """Return what a value of `kinds` may have become by the time that it is read."""
        if kinds & anywhere(kind.MUTABLE):
            kinds |= self.stored & ~kind.CHANGED
            if self.stored & kind.CHANGED:
                kinds |= holding(kind.CHANGED) | (kind.CHANGED if kinds & kind.MUTABLE else 0)
        return kinds

    def opened(self, kinds: int) -> int:
        """Return `kinds` with all that instances of the tests' own classes among them hold."""
        before = 0
        while kinds != before and kinds & anywhere(self.instances):
            before = kinds
            for record in self.records(directly(kinds) | held(kinds), self.instances):
                assert isinstance(record, OwnClass)
                for attribute in record.attributes.values():
                    kinds |= holding(attribute)
        return kinds

    # what is allowed

    def hand_over(self, kinds: int, node: ast.AST) -> None:
        """Refuse a value that cannot cross to the program, and note what it may do with the others."""
        if bad := kinds & ~anywhere(_CROSSING | self.crossing_library):
            self.refuse(node, f"hands the program {self.word(bad)}")
        if kinds & anywhere(kind.MUTABLE):
            self._note(kind.CHANGED)
        if kinds & anywhere(kind.NAN) and not self._nan_given:
            self._nan_given = self.changed = True

    def items(self, kinds: int, node: ast.AST) -> int:
        """Return what iterating a value yields."""
        strange = kind.TYPE_OF_RESULT | kind.TYPE_OF_DATA | _PECULIAR | kind.METHOD | _NAMES
        bad = kinds & (strange | self.modules | self.library | self.own | self.instances)
        if bad and not kinds & kind.DATA:
            # beside data, it is what else a container holds
            self.refuse(node, f"iterates {self.word(bad)}")
        # what holds nothing may be a text, whose items are texts
        found = held(kinds) or kinds & kind.DATA
        found |= kinds & (kind.FOREIGN | kind.NAN | kind.CHANGED)
        if kinds & (kind.RESULT | kind.OBJECT | kind.EITHER | kind.CHANGED):
            found |= kind.RESULT
        if kinds & kind.OPAQUE:
            found |= kind.DATA | kind.OPAQUE
        return self.loaded(found)

    def check_truth(self, kinds: int, node: ast.AST) -> None:
        """Refuse to ask whether an object of the program's own is true."""
        if self.in_message:
            return
        if bad := kinds & (_NAMES | kind.OBJECT | kind.EITHER):
            self.refuse(node, f"asks whether {self.word(bad)} is true")

    def check_key(self, kinds: int, node: ast.AST) -> None:
        """Refuse what is hashed by a method of the program's own."""
        if bad := self.opened(kinds) & anywhere(_NAMES | kind.OBJECT | kind.EITHER):
            self.refuse(node, f"uses {self.word(bad)} as a key")

    def check_plain(self, kinds: int, node: ast.AST, to: str) -> None:
        """Refuse what a function of the library may not be given."""
        strange = _NAMES | kind.OBJECT | _PECULIAR | kind.TYPE_OF_RESULT
        if bad := kinds & anywhere(strange | self.modules | self.own | self.instances):
            self.refuse(node, f"hands {self.word(bad)} to {to}")

    def check_order(self, kinds: int, node: ast.AST) -> None:
        """Refuse to compare values of `kinds` with one another."""
        strange = anywhere(_NAMES | kind.OBJECT | kind.EITHER | kind.ITERATOR | _PECULIAR)
        if bad := self.opened(kinds) & strange:
            self.refuse(node, f"compares {self.word(bad)}")

    def check_shown(self, kinds: int, node: ast.AST, *, by_repr: bool) -> None:
        """Refuse to make a text of what would read otherwise in one process."""
        if self.in_message:
            return
        kinds = self.opened(kinds)
        bad = anywhere(_NAMES | kind.ITERATOR | kind.TYPE_OF_RESULT | kind.TAKEN | kind.STREAM | self.modules)
        bad &= kinds
        # the class of an exception is not its own
        bad |= kinds & (anywhere(kind.RAISED) if by_repr else anywhere(kind.RAISED) & ~kind.RAISED)
        if bad:
            self.refuse(node, f"makes a text of {self.word(bad)}")

    def computed(self, left: int, right: int, node: ast.AST) -> int:
        """Return what an operator makes of two values."""
        both = left | right
        if both & kind.RESULT:
            # beside a result, it is what the attribute would be of data
            both &= ~kind.METHOD
        strange = _ABSENT_FROM_SUMS | self.own | self.instances | self.modules | self.library
        if bad := both & (_NAMES | kind.OBJECT | strange):
            self.refuse(node, f"computes with {self.word(bad)}")
        if both & kind.DECIMAL:
            self.refuse(node, "computes with decimal numbers, whose context a program may change")
        if left & kind.EITHER and right & kind.EITHER:
            self.refuse(node, f"computes with {self.word(kind.EITHER)} twice")
        return both

    # comparisons

    def compare(self, left: int, right: int, operator: ast.cmpop, node: ast.Compare) -> None:
        """Refuse a comparison whose outcome may differ between one process and two."""
        if self.in_message or not left or not right:
            return
        if (left | right) & anywhere(kind.TYPE_OF_RESULT):
            self._compare_types(left, right, operator, node)
            return
        both = self.opened(left | right)
        strange = anywhere(_NAMES | kind.OBJECT | kind.ITERATOR | _PECULIAR | self.modules)
        if bad := both & strange:
            self.refuse(node, f"compares {self.word(bad)}")
        for one, other in ((left, right), (right, left)):
            if one & anywhere(kind.EITHER) and (bad := other & anywhere(kind.OF_PROGRAM)):
                self.refuse(node, f"compares {self.word(kind.EITHER)} with {self.word(bad)}")
        foreign = anywhere(kind.OPAQUE | self.instances | self.own | self.library & ~self.crossing_library)
        program = anywhere(kind.OF_PROGRAM | kind.CHANGED)
        if (left | right) & program and (strange := both & foreign):
            self.refuse(node, f"compares a result with {self.word(strange)}")
        if isinstance(operator, ast.Is | ast.IsNot) and (left | right) & (program | anywhere(kind.FOREIGN)):
            types = self._concrete(left | right)
            if left & ~types and right & ~types:
                self.refuse(node, "compares identities (is)")

    def _compare_types(self, left: int, right: int, operator: ast.cmpop, node: ast.Compare) -> None:
        """Allow that a type is found to be one of known types; a type that is not may be a stand-in's."""
        concrete = self._concrete(left | right) | kind.DATA | kind.TYPE_OF_DATA
        one_is_known = not left & ~anywhere(concrete) or not right & ~anywhere(concrete)
        if not one_is_known or not isinstance(operator, ast.Is | ast.Eq | ast.In):
            self.refuse(node, "compares types of results")

    def _concrete(self, kinds: int) -> int:
        """Return those of `kinds` that stand for types of data that crosses."""
        found = 0
        for record in self.records(directly(kinds) | held(kinds), self.library):
            if isinstance(record, Library) and record.full_name in CONCRETE_TYPES:
                found |= self.bit(record)
        return found

    def check_nan(self, left: int, right: int, operator: ast.cmpop, node: ast.Compare) -> None:
        """Refuse to look for a number that differs from itself in a result, where identity would find it."""
        single = kind.DATA | kind.DECIMAL | (kind.NAN if not isinstance(operator, ast.In | ast.NotIn) else 0)
        if self.in_message or not left & ~single or not right & ~single:
            return
        program = anywhere(kind.OF_PROGRAM | kind.CHANGED)
        if (left | right) & program and (self._nan_given or (left | right) & anywhere(kind.NAN)):
            self.refuse(node, "compares a result with what may hold the number NaN")
