"""What calls in tests give, and which of them keep tests from running apart from their program."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field

from codesample.execution.worker.form_rules import lattice as kind
from codesample.execution.worker.form_rules.lattice import anywhere, held, holding
from codesample.execution.worker.form_rules.rules import Library, OwnClass, OwnFunction, Rules

__all__ = ["CALLED_THERE", "LIST", "Calls", "Given", "spilt"]

CALLED_THERE = kind.FUNCTION | kind.CLASS | kind.ENTRY | kind.RESULT | kind.OBJECT | kind.EITHER
_NOT_SPILT = kind.ITERATOR | kind.METHOD | kind.TYPE_OF_DATA
_UNCALLABLE = (
    kind.ITERATOR | kind.STREAM | kind.RAISED | kind.TAKEN | kind.CONTEXT | kind.TYPE_OF_RESULT | kind.OPAQUE
)
LIST = kind.DATA | kind.MUTABLE
_MOST_CALLS = 400_000


@dataclass(slots=True)
class Given:
    """The arguments of one call.

    Attributes:
        node: The call, for messages and for arguments that must be constants.
        positional, keywords: Kinds of the arguments.
        rest: Kinds of all that `*` and `**` bring.
    """

    node: ast.AST
    positional: list[int] = field(default_factory=list)
    keywords: dict[str, int] = field(default_factory=dict)
    rest: int = 0

    def at(self, place: int) -> int:
        """Return the kinds of a positional argument; none where it is not there."""
        return self.rest | (self.positional[place] if place < len(self.positional) else 0)

    def all(self) -> int:
        """Return the kinds of all arguments together."""
        together = self.rest
        for kinds in (*self.positional, *self.keywords.values()):
            together |= kinds
        return together

    def constant(self, place: int) -> object:
        """Return a positional argument that is written as a constant; None where it is not."""
        arguments = self.node.args if isinstance(self.node, ast.Call) else []
        plain = not any(isinstance(each, ast.Starred) for each in arguments[: place + 1])
        found = arguments[place] if plain and place < len(arguments) else None
        return found.value if isinstance(found, ast.Constant) else None


def spilt(kinds: int) -> int:
    """Return what a function of the library may make of arguments of `kinds`: them, their parts, lists."""
    parts = (kinds | held(kinds)) & ~_NOT_SPILT
    return LIST | parts | holding(parts)


class Calls(Rules):
    """Calls by what is called."""

    def __init__(self) -> None:
        """Know nothing."""
        super().__init__()
        self._calls = 0

    def call(self, callee: int, given: Given) -> int:
        """Return what a call gives.

        Raises:
            Weak: it cannot be made apart from the program.
        """
        node, found = given.node, 0
        if bad := callee & (_UNCALLABLE | self.modules):
            self.refuse(node, f"calls {self.word(bad)}")
        if callee & CALLED_THERE:
            self.hand_over(given.all(), node)
            found |= kind.OBJECT if callee & kind.CLASS else 0
            found |= kind.EITHER if callee & kind.ENTRY else 0
            found |= kind.RESULT if callee & CALLED_THERE & ~(kind.CLASS | kind.ENTRY) else 0
        if callee & kind.METHOD:
            if given.all() & anywhere(self.own):
                self.refuse(node, "hands a function of the tests to a bound method")
            self.store(given.all())
            found |= spilt(given.all() | held(callee))
            found |= kind.RESULT if given.all() & kind.OF_PROGRAM else 0
        if callee & kind.FOREIGN:
            found |= self.foreign(given)
        if callee & (kind.DATA | kind.TYPE_OF_DATA):
            found |= kind.DATA
        for record in self.records(callee, self.library | self.own | self.instances):
            if isinstance(record, Library):
                found |= self.library_call(record, given)
            elif isinstance(record, OwnFunction):
                found |= self.own_call(record, given)
            elif callee & record.instance:
                found |= self.own_method(record, "__call__", given)
            else:
                found |= self.own_instance(record, given)
        return found

    def foreign(self, given: Given) -> int:
        """Return what a function of another package gives; it is taken to keep nothing and change nothing."""
        bad = kind.OF_PROGRAM & ~(kind.RESULT | kind.EITHER) | kind.RAISED | kind.STREAM | kind.CONTEXT
        bad = anywhere(bad | self.own | self.instances | self.modules) & given.all()
        if bad:
            self.refuse(given.node, f"hands {self.word(bad)} to another package")
        return kind.FOREIGN

    def ordered(self, values: int, key: int, node: ast.AST) -> int:
        """Compare values by order, by what `key` makes of them where there is one; return them."""
        if not key or key & kind.DATA:
            self.check_order(values, node)
        self.check_order(self.call(key, Given(node, [values])), node)
        return values

    # what the tests define

    def own_call(self, function: OwnFunction, given: Given, *before: int) -> int:
        """Bind the arguments of a call of the tests' own function; return what is known that it gives."""
        self._calls += 1
        if self._calls > _MOST_CALLS:
            # each call through a table of functions is a call of all that it may hold
            self.refuse(given.node, "calls too many functions of the tests to be read")
        names, scope = function.node.args, function.scope
        ordered = [*names.posonlyargs, *names.args]
        positional = [*before, *given.positional]
        for argument, kinds in zip(ordered, positional, strict=False):
            self.learn(scope, argument.arg, kinds)
        more = 0
        for kinds in positional[len(ordered) :]:
            more |= kinds
        named = {each.arg for each in (*ordered, *names.kwonlyargs)}
        further = given.rest
        for name, kinds in given.keywords.items():
            if name in named:
                self.learn(scope, name, kinds)
            else:
                further |= kinds
        if given.rest:
            for name in named:
                self.learn(scope, name, given.rest)
        if names.vararg:
            self.learn(scope, names.vararg.arg, kind.DATA | holding(more | given.rest))
        if names.kwarg:
            self.learn(scope, names.kwarg.arg, LIST | holding(further))
        if function.generates:
            return kind.ITERATOR | holding(function.yielded)
        return function.returned

    def own_instance(self, owner: OwnClass, given: Given) -> int:
        """Return what calling a class of the tests gives."""
        if any("__init__" in each.scope.kinds for each in owner.lineage()):
            self.own_method(owner, "__init__", given)
        if "__init__" not in owner.scope.kinds:
            # what a decorator or a class of the library makes of the arguments
            for name in {name for each in owner.lineage() for name in each.scope.kinds}:
                self.learn_attribute(owner, name, given.all())
            self.learn_attribute(owner, "args", holding(given.all()) | kind.DATA)
        return owner.instance

    def own_method(self, owner: OwnClass, name: str, given: Given) -> int:
        """Call what an instance of the tests' own class has under a name."""
        found, known = 0, self.own_attribute(owner, name, given.node)
        in_class = self.class_attribute(owner, name)
        if bad := in_class & CALLED_THERE & ~kind.CLASS:
            # a function would be bound to the instance, its stand-in would not
            self.refuse(given.node, f"calls {self.word(bad)} as a method of the tests")
        for record in self.records(in_class, self.own):
            if isinstance(record, OwnFunction) and record.manner != "staticmethod":
                first = self.bit(owner) if record.manner == "classmethod" else owner.instance
                found |= self.own_call(record, given, first)
                # also as what an instance was given
                known &= ~self.bit(record) | self.instance_attribute(owner, name)
        return found | self.call(known, given)

    def class_attribute(self, owner: OwnClass, name: str) -> int:
        """Return what the body of the tests' own class, or of one it inherits from, binds to a name."""
        found = 0
        for each in owner.lineage():
            found |= each.scope.kinds.get(name, 0)
        return self.loaded(found)

    def instance_attribute(self, owner: OwnClass, name: str) -> int:
        """Return what instances of the tests' own class were given as an attribute."""
        found = 0
        for each in owner.lineage():
            found |= each.attributes.get(name, 0)
        return self.loaded(found)

    def own_attribute(self, owner: OwnClass, name: str, node: ast.AST) -> int:
        """Return what an attribute of an instance of the tests' own class may be.

        Raises:
            Weak: it would be inherited from a class of the library.
        """
        found = self.class_attribute(owner, name) | self.instance_attribute(owner, name)
        inherited = "inherits" in owner.traits and not found
        if inherited and not ("enumeration" in owner.traits and name in ("name", "value")):
            self.refuse(node, f"uses {name!r}, which a class of the tests inherits")
        if "enumeration" in owner.traits:
            for kinds in owner.scope.kinds.values():
                found |= kinds & ~self.own
        return self.loaded(found)

    # the library

    def library_call(self, used: Library, given: Given) -> int:
        """Return what a call of something in the standard library gives."""
        action: Callable[[str, Given], int] | None = getattr(self, f"do_{used.action}", None)
        if action is None:
            self.refuse(given.node, f"calls {used.full_name.removeprefix('builtins.')}")
        return action(used.name, given)
