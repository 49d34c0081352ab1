"""What functions of the standard library give in tests, by the actions that the library's table names."""

from __future__ import annotations

import ast

from codesample.execution.worker.form_rules import lattice as kind
from codesample.execution.worker.form_rules.attributes import Attributes, EntryIsClass
from codesample.execution.worker.form_rules.calls import CALLED_THERE, LIST, Given, spilt
from codesample.execution.worker.form_rules.lattice import anywhere, directly, held, holding
from codesample.execution.worker.form_rules.library import CONCRETE_TYPES
from codesample.execution.worker.form_rules.rules import Library

__all__ = ["Actions"]


class Actions(Attributes):
    """Functions of the library. Each method takes the function's name and what it is given."""

    # functions that make, show and go through values

    def do_plain(self, name: str, given: Given) -> int:
        """Make new immutable data."""
        self.check_plain(given.all(), given.node, name)
        return kind.DATA | (given.all() & kind.NAN if name in ("float", "complex") else 0)

    def do_number(self, name: str, given: Given) -> int:
        """Compute."""
        if given.all() & anywhere(kind.DECIMAL):
            self.refuse(given.node, "computes with decimal numbers, whose context a program may change")
        return self.do_pure(name, given)

    def do_pure(self, name: str, given: Given) -> int:
        """Make something out of the arguments."""
        self.check_plain(given.all(), given.node, name)
        return spilt(given.all())

    def do_precise(self, name: str, given: Given) -> int:
        """Make a decimal number."""
        return self.do_plain(name, given) | kind.DECIMAL | given.all() & kind.NAN

    def do_wait(self, name: str, given: Given) -> int:
        """Let time pass, in which the program's threads may change what both hold, and no message says so.

        How long may be for the program to say, and sleep uses no CPU time, which has a limit everywhere.
        """
        self.harmless = False
        if self.stored & kind.CHANGED or self.results_kept:
            self.refuse(given.node, f"calls {name} while the program may change what the tests hold")
        return self.do_plain(name, given)

    def do_opaque(self, name: str, given: Given) -> int:
        """Make an object that does not cross."""
        self.check_plain(given.all(), given.node, name)
        return kind.OPAQUE

    def do_store(self, name: str, given: Given) -> int:
        """Change a container in place."""
        self.check_plain(given.all(), given.node, name)
        self.check_order(given.all(), given.node)
        self.store(given.all())
        return spilt(given.all())

    def do_show(self, name: str, given: Given) -> int:
        """Make a text."""
        self.check_shown(given.all(), given.node, by_repr=name in ("repr", "ascii"))
        return kind.DATA | (kind.RESULT if given.all() & anywhere(kind.OF_PROGRAM) else 0)

    def do_display(self, name: str, given: Given) -> int:
        """Print, where output goes or into a stream of the tests."""
        into = given.keywords.get("file", 0)
        if bad := into & ~(kind.STREAM | kind.DATA):
            self.refuse(given.node, f"prints into {self.word(bad)}")
        shown = given.rest
        for kinds in given.positional:
            shown |= kinds
        self.check_shown(shown, given.node, by_repr=False)
        return kind.DATA

    def do_gather(self, name: str, given: Given) -> int:
        """Make a list or a tuple."""
        items = self.items(given.at(0), given.node)
        return kind.DATA | (kind.MUTABLE if name == "list" else 0) | holding(items)

    def do_hashed(self, name: str, given: Given) -> int:
        """Make a set or a mapping."""
        items = self.items(given.at(0), given.node)
        self.check_key(items, given.node)
        values = 0
        for kinds in given.keywords.values():
            values |= kinds
        return LIST | holding(items | held(items) | values)

    def do_truth(self, name: str, given: Given) -> int:
        """Ask for the truth of a value, or of the values it holds."""
        kinds = given.at(0)
        self.check_truth(self.items(kinds, given.node) if name in ("any", "all") else kinds, given.node)
        return kind.DATA

    def do_order(self, name: str, given: Given) -> int:
        """Compare values by order, with a key or without."""
        node, key = given.node, given.keywords.get("key", 0)
        if name in ("nlargest", "nsmallest"):
            return LIST | holding(self.ordered(self.items(given.at(1), node), key | given.at(2), node))
        if name == "sorted" or len(given.positional) == 1:
            values = self.items(given.at(0), node)
        else:
            values = given.rest
            for kinds in given.positional:
                values |= kinds
        self.ordered(values, key, node)
        if name == "sorted":
            return LIST | holding(values)
        return values | given.keywords.get("default", 0)

    def do_walk(self, name: str, given: Given) -> int:
        """Iterate over several things at once or in turn."""
        values = 0
        for kinds in (*given.positional, given.rest, *given.keywords.values()):
            values |= self.items(kinds, given.node)
        if name == "compress":
            self.check_truth(values, given.node)
        if name == "tee":
            values |= kind.ITERATOR
        return kind.ITERATOR | holding(kind.DATA | values)

    def do_group(self, name: str, given: Given) -> int:
        """Run values together, or group them by a key."""
        node, values = given.node, self.items(given.at(0), given.node)
        by = given.at(1) | given.keywords.get("key", 0) | given.keywords.get("func", 0)
        values |= given.keywords.get("initial", 0)
        made = self.call(by, Given(node, [values, values][: 1 if name == "groupby" else 2]))
        self.check_order(values | made, node)
        return kind.ITERATOR | holding(kind.DATA | values | made | kind.ITERATOR)

    def do_sift(self, name: str, given: Given) -> int:
        """Keep the values that a function finds true."""
        values = self.items(given.at(1), given.node)
        if given.at(0) & kind.DATA:
            self.check_truth(values, given.node)
        self.check_truth(self.call(given.at(0), Given(given.node, [values])), given.node)
        return kind.ITERATOR | holding(values)

    def do_apply(self, name: str, given: Given) -> int:
        """Call a function on each value."""
        values = [self.items(kinds, given.node) for kinds in given.positional[1:]]
        rest = self.items(given.rest, given.node)
        return kind.ITERATOR | holding(self.call(given.at(0), Given(given.node, values, rest=rest)))

    def do_spread(self, name: str, given: Given) -> int:
        """Call a function on each list of arguments."""
        arguments = self.items(self.items(given.at(1), given.node), given.node)
        return kind.ITERATOR | holding(self.call(given.at(0), Given(given.node, rest=arguments)))

    def do_fold(self, name: str, given: Given) -> int:
        """Call a function on what it gave before and the next value."""
        values = self.items(given.at(1), given.node)
        before = values | given.at(2)
        for _ in range(2):
            before |= self.call(given.at(0), Given(given.node, [before, values]))
        return before

    def do_bind(self, name: str, given: Given) -> int:
        """Bind arguments to a function of the program, or to a simple one of the library."""
        function, rest = given.at(0), Given(given.node, given.positional[1:], given.keywords, given.rest)
        simple = all(
            isinstance(each, Library) and each.action in ("plain", "number", "pure")
            for each in self.records(function, self.library)
        )
        if not simple or function & ~(CALLED_THERE | self.library):
            self.refuse(given.node, "binds arguments to more than a function of the program")
        self.call(function, rest)
        return kind.METHOD | function & CALLED_THERE | holding(rest.all())

    def do_turn(self, name: str, given: Given) -> int:
        """Iterate backwards."""
        if given.at(0) & kind.OBJECT:
            self.refuse(given.node, "reverses an object of the program")
        return kind.ITERATOR | holding(self.items(given.at(0), given.node))

    def do_step(self, name: str, given: Given) -> int:
        """Take the next value."""
        return self.items(given.at(0), given.node) | given.at(1)

    def do_begin(self, name: str, given: Given) -> int:
        """Begin to iterate."""
        if len(given.positional) != 1:
            self.refuse(given.node, "calls iter with a function")
        return kind.ITERATOR | holding(self.items(given.at(0), given.node))

    def do_stream(self, name: str, given: Given) -> int:
        """Make a StringIO."""
        self.check_plain(given.all(), given.node, name)
        return kind.STREAM

    def do_duplicate(self, name: str, given: Given) -> int:
        """Copy data of the tests."""
        bad = kind.OF_PROGRAM | kind.RAISED | kind.TAKEN | kind.STREAM | kind.ITERATOR | kind.OPAQUE
        if bad := given.all() & anywhere(bad | self.instances):
            self.refuse(given.node, f"copies {self.word(bad)}")
        return given.at(0)

    def do_factory(self, name: str, given: Given) -> int:
        """Make a defaultdict, which calls its factory for what is missing."""
        made, rest = given.at(0), Given(given.node, given.positional[1:], given.keywords, given.rest)
        if bad := made & (kind.OF_PROGRAM | kind.METHOD | kind.FOREIGN):
            self.refuse(given.node, f"fills in what {self.word(bad)} gives")
        filled = self.call(made & ~kind.DATA, Given(given.node))
        return self.do_hashed(name, rest) | holding(filled | made)

    def do_record(self, name: str, given: Given) -> int:
        """Make a class of named tuples."""
        self.check_plain(given.all(), given.node, name)
        return self.bit(Library("collections", "namedtuple()", "pure"))

    def do_pick(self, name: str, given: Given) -> int:
        """Make a function that reads items."""
        self.check_plain(given.all(), given.node, name)
        return self.bit(Library("operator", "itemgetter()", "picked"))

    def do_picked(self, name: str, given: Given) -> int:
        """Read items."""
        found = self.item(given.at(0), kind.DATA, given.node)
        return found | kind.DATA | holding(found)

    def do_look(self, name: str, given: Given) -> int:
        """Make a function that reads attributes."""
        for place in range(max(1, len(given.positional))):
            attribute = given.constant(place)
            if not isinstance(attribute, str) or "__" in attribute:
                self.refuse(given.node, "reads an attribute whose name is computed or hidden")
        return self.bit(Library("operator", "attrgetter()", "looked"))

    def do_looked(self, name: str, given: Given) -> int:
        """Read attributes."""
        value = given.at(0)
        if value & kind.EITHER:
            raise EntryIsClass
        if bad := directly(value) & ~(kind.DATA | kind.MUTABLE | kind.CHANGED | kind.RESULT | kind.OBJECT):
            self.refuse(given.node, f"reads an attribute of {self.word(bad)}")
        found = kind.RESULT if value & kind.OF_PROGRAM else kind.DATA
        return kind.DATA | found | holding(found)

    def do_variable(self, name: str, given: Given) -> int:
        """Make a name for a type."""
        return kind.OPAQUE

    # functions that ask for types, attributes and exceptions, and what shapes definitions

    def do_measure(self, name: str, given: Given) -> int:
        """Ask for a length."""
        if bad := given.at(0) & (kind.FUNCTION | kind.CLASS | kind.ENTRY):
            self.refuse(given.node, f"asks for the length of {self.word(bad)}")
        return kind.DATA

    def do_kind(self, name: str, given: Given) -> int:
        """Ask for a type."""
        if self.in_message:
            return kind.DATA
        of = given.at(0)
        odd = kind.RAISED | kind.TAKEN | self.instances | self.own | self.modules
        if len(given.positional) != 1 or of & odd:
            self.refuse(given.node, "asks for a type other than that of data")
        return kind.TYPE_OF_RESULT if of & (kind.OF_PROGRAM | kind.FOREIGN) else kind.TYPE_OF_DATA

    def do_instance(self, name: str, given: Given) -> int:
        """Ask for an instance; of what the program gave, only whether it is of a type that crosses."""
        node, value, types = given.node, given.at(0), given.at(1) | held(given.at(1))
        types = directly(types) & ~kind.DATA
        if bad := types & ~(self.library | self.own | kind.TYPE_OF_DATA | kind.FOREIGN):
            self.refuse(node, f"asks for an instance of {self.word(bad)}")
        if bad := value & (kind.OBJECT | kind.FUNCTION | kind.CLASS | kind.ENTRY | kind.EITHER):
            self.refuse(node, f"asks what {self.word(bad)} is an instance of")
        for record in self.records(types, self.library | self.own):
            known = isinstance(record, Library) and (
                record.full_name in CONCRETE_TYPES or (value & kind.RAISED and record.action == "error")
            )
            if value & (kind.RESULT | kind.RAISED | kind.CHANGED | kind.TAKEN) and not known:
                self.refuse(node, f"asks for an instance of {self.word(self.bit(record))}")
        if value & kind.RESULT and types & kind.FOREIGN:
            self.refuse(node, "asks for an instance of a class of another package")
        return kind.DATA

    def do_subclass(self, name: str, given: Given) -> int:
        """Ask how classes are related that are not the program's."""
        types = directly(given.all() | held(given.all())) & ~kind.DATA
        if bad := types & ~(self.library | self.own | kind.TYPE_OF_DATA):
            self.refuse(given.node, f"asks for a subclass among {self.word(bad)}")
        return kind.DATA

    def do_can_call(self, name: str, given: Given) -> int:
        """Ask whether a value of the tests can be called."""
        if bad := given.at(0) & (kind.OF_PROGRAM | kind.CHANGED):
            self.refuse(given.node, f"asks whether {self.word(bad)} can be called")
        return kind.DATA

    def attribute_name(self, given: Given) -> str | None:
        """Return the name of the attribute that a call is about; None where a text of the tests is it.

        Raises:
            Weak: it may be a hidden one, or one that matters here.
            EntryIsClass: only a class's instances have it.
        """
        name, kinds, base = given.constant(1), given.at(1), directly(given.at(0))
        if isinstance(name, str):
            return name
        if base & kind.EITHER:
            raise EntryIsClass
        known = kind.RESULT | kind.OBJECT | kind.DATA | kind.MUTABLE | kind.CHANGED
        if self.hidden_texts or (base | directly(kinds)) & ~known or kinds & kind.OBJECT:
            self.refuse(given.node, "computes the name of an attribute")
        return None

    def do_fetch(self, name: str, given: Given) -> int:
        """Read an attribute by its name."""
        base, attribute = given.at(0), self.attribute_name(given)
        if attribute is not None:
            return self.attribute(base, attribute, given.node) | given.at(2)
        found = self.attribute(base, "anything", given.node) | given.at(2)
        return found | (kind.METHOD if base & (kind.RESULT | kind.DATA) else 0)

    def do_probe(self, name: str, given: Given) -> int:
        """Ask for an attribute."""
        attribute = self.attribute_name(given) or "anything"
        if attribute.startswith("__"):
            self.refuse(given.node, "asks for a hidden attribute")
        if given.at(0) & (kind.EITHER | kind.ENTRY):
            raise EntryIsClass
        if bad := given.at(0) & (kind.RAISED | kind.TAKEN | self.modules):
            self.refuse(given.node, f"asks for an attribute of {self.word(bad)}")
        return kind.DATA

    def do_attach(self, name: str, given: Given) -> int:
        """Set an attribute by its name."""
        attribute = self.attribute_name(given) or "anything"
        self.set_attribute(given.at(0), attribute, given.at(2), given.node)
        return kind.DATA

    def check_errors(self, kinds: int, node: ast.AST) -> None:
        """Refuse to tell exceptions of the program by other than the built-in classes."""
        classes = directly(kinds | held(kinds)) & ~kind.DATA
        for record in self.records(classes, self.library):
            if isinstance(record, Library) and record.action == "error":
                classes &= ~self.bit(record)
        if classes:
            self.refuse(node, f"tells exceptions by {self.word(classes)}")

    def do_error(self, name: str, given: Given) -> int:
        """Make an exception."""
        held_badly = kind.OF_PROGRAM & ~kind.RESULT | kind.ITERATOR | kind.METHOD | kind.OPAQUE
        if bad := given.all() & anywhere(held_badly | self.own | self.instances):
            self.refuse(given.node, f"makes an exception of {self.word(bad)}")
        return kind.RAISED

    def do_expect(self, name: str, given: Given) -> int:
        """Swallow exceptions."""
        self.check_errors(given.all(), given.node)
        return kind.CONTEXT

    def do_raises(self, name: str, given: Given) -> int:
        """Expect an exception within a block."""
        if len(given.positional) != 1 or given.keywords.keys() - {"match"}:
            self.refuse(given.node, "calls pytest.raises with more than a class")
        self.check_errors(given.at(0), given.node)
        return kind.CONTEXT | kind.TAKEN

    def do_approx(self, name: str, given: Given) -> int:
        """Make something that equals what is near."""
        return self.foreign(given)

    def do_capture(self, name: str, given: Given) -> int:
        """Capture what is printed."""
        if given.at(0) & ~kind.STREAM or not given.positional:
            self.refuse(given.node, "redirects output into something other than a StringIO")
        return kind.CONTEXT | kind.STREAM

    def do_nothing(self, name: str, given: Given) -> int:
        """Make a context that does nothing."""
        return kind.CONTEXT | given.at(0)

    def do_weigh(self, name: str, given: Given) -> int:
        """Ask for the memory that a value takes, which a copy of it may not."""
        if bad := given.all() & (kind.OF_PROGRAM | kind.CHANGED | kind.ITERATOR | kind.RAISED):
            self.refuse(given.node, f"asks for the size of {self.word(bad)}")
        return kind.DATA

    def do_shape(self, name: str, given: Given) -> int:
        """Make what adorns a definition, or a default of a field."""
        own = given.all() & self.own
        if name in ("field", "auto"):
            if own:
                self.refuse(given.node, f"fills in a field by {self.word(own)}")
            return kind.DATA | kind.MUTABLE
        if name in ("lru_cache", "cache") and own:
            return own
        if name not in ("dataclass", "lru_cache", "wraps") or given.all() & anywhere(kind.OF_PROGRAM):
            self.refuse(given.node, f"calls {name}")
        return self.bit(Library("functools", name, "shape"))
