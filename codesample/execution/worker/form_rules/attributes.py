"""What attributes and methods of values in tests give, and which of them keep tests from being split."""

from __future__ import annotations

import ast
import re

from codesample.execution.worker.form_rules import lattice as kind
from codesample.execution.worker.form_rules.calls import Calls, Given, spilt
from codesample.execution.worker.form_rules.lattice import anywhere, directly, held, holding
from codesample.execution.worker.form_rules.library import (
    ASKED_ERRORS,
    BOUND_TO_DATA,
    FOREIGN_STATE,
    STORING_METHODS,
    STREAM_METHODS,
    library_action,
    library_names,
)
from codesample.execution.worker.form_rules.rules import Library, OwnClass, OwnFunction

__all__ = ["Attributes", "EntryIsClass", "looks_like_class"]

_NAMES = kind.FUNCTION | kind.CLASS | kind.ENTRY
_TOLD_OF_FUNCTIONS = frozenset({"__name__", "__qualname__", "__doc__", "__annotations__"})
_MAKES_OPAQUE = frozenset({"copy", "finditer", "fullmatch", "match", "search"})
_CLASS_NAME = re.compile(r"_*[A-Z][A-Za-z0-9]*")


class EntryIsClass(Exception):
    """The tests use the entry point as a class; what was read before that was read wrongly."""


def looks_like_class(name: str) -> bool:
    """Whether a name is a class's by the common convention: one capitalised word or several in one."""
    return _CLASS_NAME.fullmatch(name) is not None


def _is_dunder(name: str) -> bool:
    return name.startswith("__")


def _is_private(name: str) -> bool:
    """Whether a class's body gives it a name of its own, as `__count` in a class."""
    return name.startswith("__") and not name.endswith("__")


class Attributes(Calls):
    """Attributes and methods by what has them."""

    def attribute(self, base: int, name: str, node: ast.AST) -> int:
        """Return what reading an attribute gives.

        Raises:
            Weak: it would differ, or may change something.
            EntryIsClass: only a class's instances have it.
        """
        if _is_dunder(name):
            return self._dunder(base, name, node)
        found = 0
        if base & kind.OF_PROGRAM:
            found |= self._attribute_there(base, name)
        if base & kind.DATA:
            method = kind.METHOD | kind.DATA | base & ~directly(base)
            # no data of the library holds an object of the program or of the tests as an attribute
            kept = base & ~anywhere(_NAMES | kind.OBJECT | self.own | self.instances)
            found |= method if name in BOUND_TO_DATA else spilt(kept)
        if base & kind.FOREIGN:
            found |= self.foreign_name(name, node)
        if base & kind.OPAQUE:
            found |= kind.DATA | (kind.OPAQUE if name == "re" else 0)
        if base & kind.RAISED:
            if name not in ASKED_ERRORS and not self.in_message:
                self.refuse(node, f"reads {name!r} of an exception")
            found |= kind.RESULT
        if base & kind.TAKEN:
            if name != "value":
                self.refuse(node, f"reads {name!r} of a record of an exception")
            found |= kind.RAISED
        odd = (
            kind.STREAM | kind.ITERATOR | kind.METHOD | kind.CONTEXT | kind.TYPE_OF_DATA | kind.TYPE_OF_RESULT
        )
        if base & odd and not base & (kind.DATA | kind.TAKEN):
            self.refuse(node, f"reads {name!r} of {self.word(base & odd)}")
        for record in self.records(base, self.modules | self.library | self.own | self.instances):
            found |= self._of_record(record, base, name, node)
        return found

    def _dunder(self, base: int, name: str, node: ast.AST) -> int:
        local = self.own | self.instances
        if _is_private(name) and directly(base) & local and not directly(base) & ~local:
            return self._of_own(base, name, node)
        if self.in_message:
            return kind.DATA
        if name == "__stdout__" and directly(base) == self.bit(Library("sys", "", "module")):
            return kind.STREAM
        unfit = kind.OBJECT | kind.EITHER | kind.RAISED | kind.TYPE_OF_RESULT | self.instances | self.modules
        if name not in _TOLD_OF_FUNCTIONS or base & unfit:
            self.refuse(node, f"reads {name}")
        return kind.RESULT if base & kind.OF_PROGRAM else kind.DATA

    def _attribute_there(self, base: int, name: str) -> int:
        if base & kind.ENTRY or (base & kind.EITHER and name not in BOUND_TO_DATA):
            raise EntryIsClass
        # in capitals it is a constant, such as a member of an enumeration, or a class
        constant = base & kind.CLASS and not name.islower()
        found = kind.OBJECT if constant else kind.RESULT
        if base & (kind.CLASS | kind.FUNCTION) and looks_like_class(name) and not name.isupper():
            found |= kind.CLASS
        if base & (kind.RESULT | kind.EITHER) and name in BOUND_TO_DATA:
            found |= kind.METHOD
        return found

    def foreign_name(self, name: str, node: ast.AST) -> int:
        """Return what a name in another package stands for; refuse what sounds like state."""
        if FOREIGN_STATE.search(name):
            self.refuse(node, f"uses {name!r} of another package, which may be state that programs share")
        return kind.FOREIGN

    def _of_record(
        self, record: Library | OwnFunction | OwnClass, base: int, name: str, node: ast.AST
    ) -> int:
        if not isinstance(record, Library):
            bits = self.bit(record)
            if isinstance(record, OwnClass):
                bits |= record.instance
            return self._of_own(base & bits, name, node)
        if record.action == "module":
            return self.from_module(record.module, name, node)
        action = library_action(record.module, f"{record.name}.{name}")
        if action is None or record.action in ("error", "idea", "shape", "data"):
            self.refuse(node, f"uses {self.word(self.bit(record))}.{name}")
        return self.bit(Library(record.module, f"{record.name}.{name}", action))

    def from_module(self, module: str, name: str, node: ast.AST) -> int:
        """Return what a module of the standard library holds under a name."""
        action = library_action(module, name)
        if action == "output":
            return kind.STREAM
        if action == "data":
            return kind.DATA | (kind.NAN if name.startswith("nan") else 0)
        if action is not None:
            return self.bit(Library(module, name, action))
        if library_names(f"{module}.{name}") is None:
            self.refuse(node, f"uses {module}.{name}")
        return self.bit(Library(f"{module}.{name}", "", "module"))

    def _of_own(self, base: int, name: str, node: ast.AST) -> int:
        found = 0
        for record in self.records(base, self.own | self.instances):
            if not isinstance(record, OwnClass):
                self.refuse(node, f"reads {name!r} of a function of the tests")
            of_class = not base & record.instance
            known, in_class = self.own_attribute(record, name, node), self.class_attribute(record, name)
            if in_class & (kind.FUNCTION | kind.ENTRY) and not of_class:
                self.refuse(node, f"takes {name!r}, a function of the program, as a method of the tests")
            for function in self.records(in_class, self.own):
                if not isinstance(function, OwnFunction) or function.manner == "staticmethod":
                    continue
                if function.manner == "property" and not of_class:
                    known &= ~self.bit(function)
                    found |= self.own_call(function, Given(node), record.instance)
                else:
                    self.refuse(node, f"takes {name!r}, a method of the tests, as a value")
            found |= known
            if "enumeration" in record.traits and of_class:
                found |= record.instance
        return found

    def set_attribute(self, base: int, name: str, value: int, node: ast.AST) -> None:
        """Allow that an attribute is set on an object of the program or of the tests."""
        for record in self.records(base, self.modules):
            assert isinstance(record, Library)
            if record.module != "sys" or name != "stdout" or value & ~kind.STREAM:
                self.refuse(node, f"sets {record.module}.{name}")
            self.harmless = False
            base &= ~self.bit(record)
        if directly(base) & ~(kind.RESULT | kind.OBJECT | kind.EITHER | self.own | self.instances):
            self.refuse(node, f"sets {name!r} of {self.word(directly(base))}")
        if _is_dunder(name) and not _is_private(name):
            self.refuse(node, f"sets {name}")
        if base & kind.EITHER:
            raise EntryIsClass
        if base & (kind.RESULT | kind.OBJECT):
            self.hand_over(value, node)
        for record in self.records(base, self.own | self.instances):
            if isinstance(record, OwnFunction | Library):
                self.refuse(node, f"sets {name!r} of a function of the tests")
            callables = kind.OF_PROGRAM | kind.METHOD | self.own
            if base & self.bit(record) and (bad := value & callables):
                self.refuse(node, f"makes {self.word(bad)} a method of the tests")
            self.learn_attribute(record, name, value)

    # methods

    def method_call(self, base: int, name: str, given: Given) -> int:
        """Return what calling an attribute of a value gives; raises as `attribute` and `call`."""
        node, found = given.node, 0
        local = base & (self.own | self.instances)
        rest = directly(base) & ~local
        if _is_dunder(name) and (rest or not _is_private(name)):
            self.refuse(node, f"calls {name}")
        if rest & kind.OF_PROGRAM:
            there = self._attribute_there(rest & kind.OF_PROGRAM, name) & ~kind.METHOD
            found |= self.call(there, given)
        if rest & kind.DATA:
            found |= self._data_method(base, name, given)
        if rest & kind.FOREIGN:
            self.foreign_name(name, node)
            found |= self.foreign(given)
        if rest & kind.OPAQUE:
            self.check_plain(given.all(), node, name)
            self.store(given.all())
            found |= spilt(given.all()) | (kind.OPAQUE if name in _MAKES_OPAQUE else 0)
        if rest & kind.STREAM:
            if name not in STREAM_METHODS:
                self.refuse(node, f"calls {name!r} of a stream")
            self.check_plain(given.all(), node, name)
            found |= kind.RESULT
        if rest & kind.TAKEN and name != "match":
            self.refuse(node, f"calls {name!r} of a record of an exception")
        odd = (
            kind.RAISED | kind.ITERATOR | kind.METHOD | kind.CONTEXT | kind.TYPE_OF_DATA | kind.TYPE_OF_RESULT
        )
        if rest & odd and not rest & (kind.DATA | kind.TAKEN):
            self.refuse(node, f"calls {name!r} of {self.word(rest & odd)}")
        for record in self.records(rest, self.modules | self.library):
            found |= self.call(self._of_record(record, base, name, node), given)
        for record in self.records(local, local):
            if not isinstance(record, OwnClass):
                self.refuse(node, f"calls {name!r} of a function of the tests")
            if local & record.instance:
                found |= self.own_method(record, name, given)
            if local & self.bit(record):
                found |= self._class_method(record, name, given)
        return found

    def _class_method(self, owner: OwnClass, name: str, given: Given) -> int:
        known, found = self.own_attribute(owner, name, given.node), 0
        for function in self.records(known, self.own):
            if isinstance(function, OwnFunction) and function.manner == "classmethod":
                known &= ~self.bit(function)
                found |= self.own_call(function, given, self.bit(owner))
        return found | self.call(known, given)

    def _data_method(self, base: int, name: str, given: Given) -> int:
        node, arguments = given.node, given.all()
        if base & kind.DECIMAL:
            self.refuse(node, "computes with decimal numbers, whose context a program may change")
        contents = self.items(
            directly(base) & (kind.DATA | kind.NAN | kind.CHANGED) | base & ~directly(base), node
        )
        first = given.at(0)
        match name:
            case "sort":
                self.ordered(contents, given.keywords.get("key", 0), node)
                return kind.DATA
            case "index" | "count" | "remove":
                self.check_order(contents | arguments, node)
                return kind.DATA
            case "join" | "format" | "format_map":
                shown = self.items(arguments, node) if name == "join" else arguments
                self.check_shown(shown, node, by_repr=False)
                return kind.DATA | (kind.RESULT if arguments & anywhere(kind.OF_PROGRAM) else 0)
            case "items" | "values":
                return kind.DATA | holding(contents | (kind.DATA if name == "items" else 0))
            case "copy":
                return base
            case "get" | "pop" | "setdefault":
                self.check_key(first, node)
                self.store(arguments if name == "setdefault" else 0)
                return contents | given.at(1) | given.all() & ~first | kind.DATA
        if name in STORING_METHODS:
            if name == "add":
                self.check_key(first, node)
            many = name in ("extend", "extendleft", "update")
            added = held(arguments) | arguments
            if many:
                for kinds in (*given.positional, given.rest):
                    added |= self.items(kinds, node)
            if name == "update":
                self.check_key(added, node)
            self.store(added)
            return kind.DATA
        self.check_plain(arguments, node, name)
        return spilt(base & ~kind.OF_PROGRAM | arguments)

    # items

    def item(self, base: int, index: int, node: ast.AST) -> int:
        """Return what reading an item gives; raises as `attribute`."""
        direct, found = directly(base), 0
        if direct & self.library and not direct & ~self.library:
            # a type of the library with types of its items
            return base
        for record in self.records(base, self.own):
            if isinstance(record, OwnClass) and "enumeration" in record.traits:
                direct &= ~self.bit(record)
                found |= record.instance
        self.check_item(direct, index, node)
        if direct & (kind.RESULT | kind.OBJECT | kind.EITHER):
            found |= kind.RESULT
        own = kind.DATA | kind.NAN | kind.CHANGED | kind.FOREIGN | kind.OPAQUE
        return found | self.items(direct & own | base & ~directly(base), node)

    def check_item(self, base: int, index: int, node: ast.AST) -> None:
        """Refuse items of what has none that can be asked for."""
        fit = kind.DATA | kind.MUTABLE | kind.CHANGED | kind.NAN | kind.DECIMAL | kind.FOREIGN | kind.OPAQUE
        asked = kind.RESULT | kind.OBJECT | kind.EITHER
        bad = base & ~(fit | asked | self.library | (kind.METHOD if base & asked else 0))
        if bad and not base & kind.DATA:
            self.refuse(node, f"takes an item of {self.word(bad)}")
        if base & asked:
            self.hand_over(index, node)
        if base & ~asked:
            self.check_key(index, node)
