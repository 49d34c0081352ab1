"""Reads the statements of tests, over and over until nothing more is learnt of what their names stand for."""

from __future__ import annotations

import ast
from collections.abc import Callable

from codesample.execution.worker.form_rules import lattice as kind
from codesample.execution.worker.form_rules.calls import Given
from codesample.execution.worker.form_rules.lattice import directly, held
from codesample.execution.worker.form_rules.library import exported_names, library_names
from codesample.execution.worker.form_rules.rules import Library, OwnClass, OwnFunction
from codesample.execution.worker.form_rules.scopes import Names, Outside, parameters
from codesample.execution.worker.form_rules.targets import IMPLIED, Targets, row

__all__ = ["Statements"]

_ENUMERATIONS = frozenset({"Enum", "Flag", "IntEnum", "IntFlag", "StrEnum"})
_MANNERS = {"property": "property", "cached_property": "property"} | {
    name: name for name in ("staticmethod", "classmethod")
}
_ADORNMENTS = frozenset(
    {"dataclass", "total_ordering", "unique", "final", "cache", "lru_cache", "wraps", "overload"}
)


class Statements(Targets):
    """Statements, in the scope that is being read."""

    def __init__(self, names: Names, outside: Outside) -> None:
        """Read nothing yet."""
        super().__init__(names, outside)
        self._classes: dict[ast.AST, OwnClass] = {}
        self._tries = 0

    def run(self, statements: list[ast.stmt]) -> None:
        """Read statements; raises as `read`."""
        for node in statements:
            reader: Callable[[ast.stmt], None] | None = getattr(self, f"run_{type(node).__name__}", None)
            if reader is None:
                self.refuse(node, f"uses {type(node).__name__}, which is not known here")
            reader(node)

    # simple statements

    def run_Pass(self, node: ast.Pass) -> None:
        """Read a statement that changes no name."""

    run_Break = run_Continue = run_Global = run_Nonlocal = run_Pass

    def run_Expr(self, node: ast.Expr) -> None:
        """Read an expression whose value is dropped."""
        kinds = self.read(node.value)
        if kinds & kind.FOREIGN and isinstance(node.value, ast.Call):
            called = node.value.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if not name.startswith("assert"):
                self.refuse(node, f"calls {name!r} of another package for what it does")

    def run_Assert(self, node: ast.Assert) -> None:
        """Read an assertion."""
        self.check_truth(self.read(node.test), node)
        if node.msg is not None:
            self._read_message(node.msg)

    def _read_message(self, node: ast.expr) -> None:
        """Read what is only computed where the tests fail, unless they swallow that."""
        self.in_message = not self._tries
        self.read(node)
        self.in_message = False

    def run_Raise(self, node: ast.Raise) -> None:
        """Read an exception raised by the tests."""
        match node.exc:
            case ast.Call(func=ast.Name(id="AssertionError"), args=[message], keywords=[]):
                self._read_message(message)
                kinds = self.read(node.exc.func)
            case None:
                return
            case _:
                kinds = self.read(node.exc)
        if node.cause is not None:
            kinds |= self.read(node.cause) & ~kind.DATA
        if bad := directly(kinds) & ~(kind.RAISED | self.library | self.own | self.instances):
            self.refuse(node, f"raises {self.word(bad)}")

    def run_Return(self, node: ast.Return) -> None:
        """Read what a function returns."""
        self.returns(self.read(node.value) if node.value is not None else kind.DATA)

    def run_Assign(self, node: ast.Assign) -> None:
        """Read an assignment."""
        match node.targets:
            case [ast.Name(id=name)] if (self.scope.target(name), name) in self.names.once:
                self.displays[self.scope.target(name), name] = node.value
                kinds, _ = self.table(node.value)
            case _:
                kinds = self.read(node.value)
        several = any(row(target) for target in node.targets)
        parts = [self.read(each) for each in row(node.value)] if several else []
        for target in node.targets:
            self.assign_parts(target, kinds, parts)

    def run_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Read an assignment with a type."""
        self._annotation(node.annotation)
        if node.value is not None:
            self.assign(node.target, self.read(node.value))
        elif isinstance(node.target, ast.Name):
            self.assign(node.target, 0)

    def run_AugAssign(self, node: ast.AugAssign) -> None:
        """Read an assignment with an operator."""
        value = self.read(node.value)
        match node.target:
            case ast.Name():
                before = self.read(ast.copy_location(ast.Name(node.target.id, ast.Load()), node))
            case ast.Attribute(value=base, attr=name):
                before = self.attribute(self.read(base), name, node)
            case ast.Subscript():
                before = self.read_Subscript(node.target)
        if before & kind.MUTABLE:
            self.store(held(value) | value)
        self.assign(node.target, self.computed(before, value, node))

    def run_Delete(self, node: ast.Delete) -> None:
        """Read a deletion."""
        for target in node.targets:
            match target:
                case ast.Name():
                    if self.scope.binding(target.id) and self.read_Name(target) & kind.OBJECT:
                        self.refuse(node, "deletes an object of the program")
                case ast.Subscript(value=base, slice=index):
                    kinds = self.read(base)
                    self.check_item(directly(kinds), self.read(index), node)
                    if bad := kinds & (kind.OBJECT | kind.EITHER | self.library):
                        self.refuse(node, f"deletes an item of {self.word(bad)}")
                case ast.Attribute(value=base, attr=name):
                    kinds = directly(self.read(base))
                    if kinds & ~self.instances or name.startswith("__"):
                        self.refuse(node, f"deletes {name!r} of {self.word(kinds)}")
                case _:
                    self.refuse(node, "deletes something")

    # imports

    def run_Import(self, node: ast.Import) -> None:
        """Read the import of modules."""
        for alias in node.names:
            found = self.module(alias.name, node)
            if alias.asname is None and "." in alias.name:
                found = self.module(alias.name.partition(".")[0], node)
            self.bind(alias.asname or alias.name.partition(".")[0], found, node)

    def run_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Read the import of what modules hold."""
        module = node.module or ""
        if node.level:
            self.refuse(node, "imports from its own package")
        whole = self.module(module, node)
        for alias in node.names:
            if alias.name == "*":
                self._import_all(module, whole, node)
            else:
                found = self.attribute(whole, alias.name, node)
                self.bind(alias.asname or alias.name, found, node)

    def _import_all(self, module: str, whole: int, node: ast.ImportFrom) -> None:
        known = library_names(module)
        if known is None or module == "pytest":
            self.refuse(node, f"imports all of {module}")
        for name in exported_names(module):
            self.starred[name] = self.starred.get(name, 0)
            if name in known:
                self.starred[name] |= self.attribute(whole, name, node)

    # blocks

    def run_If(self, node: ast.If | ast.While) -> None:
        """Read a condition and what depends on it."""
        self.check_truth(self.read(node.test), node)
        self.run(node.body)
        self.run(node.orelse)

    run_While = run_If

    def run_For(self, node: ast.For) -> None:
        """Read a loop."""
        kinds, columns = self.table(node.iter)
        self.assign_parts(node.target, self.items(kinds, node), columns)
        self.run(node.body)
        self.run(node.orelse)

    def run_With(self, node: ast.With) -> None:
        """Read a context."""
        for item in node.items:
            kinds = self.read(item.context_expr)
            if not kinds & kind.CONTEXT and kinds:
                self.refuse(node, f"enters {self.word(directly(kinds))} as a context")
            if item.optional_vars is not None:
                self.assign(item.optional_vars, kinds & ~kind.CONTEXT or kind.DATA)
        self.guards += 1
        self._tries += 1
        self.run(node.body)
        self._tries -= 1
        self.guards -= 1

    def run_Try(self, node: ast.Try) -> None:
        """Read the handling of exceptions."""
        guarded = bool(node.finalbody) or any(
            each.type is None or (isinstance(each.type, ast.Name) and each.type.id == "BaseException")
            for each in node.handlers
        )
        self.guards += guarded
        self._tries += bool(node.handlers)
        self.run(node.body)
        self._tries -= bool(node.handlers)
        for handler in node.handlers:
            caught = self.read(handler.type) if handler.type is not None else 0
            own = [
                each for each in self.records(caught | held(caught), self.own) if isinstance(each, OwnClass)
            ]
            for each in own:
                caught &= ~kind.anywhere(self.bit(each))
            self.check_errors(caught, handler)
            if handler.name is not None:
                kinds = kind.RAISED if directly(caught | held(caught)) or not own else 0
                for each in own:
                    kinds |= each.instance
                self.bind(handler.name, kinds, handler)
            self.run(handler.body)
        self.run(node.orelse)
        self.guards -= guarded
        self.run(node.finalbody)

    # definitions

    def _annotation(self, node: ast.expr | None) -> None:
        """Read a type; names of the program in it are only named."""
        if node is not None and any(not isinstance(each, _IN_TYPES) for each in ast.walk(node)):
            self.read(node)

    def run_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Read the definition of a function."""
        if getattr(node, "type_params", None):
            self.refuse(node, "defines a function with type parameters")
        given = node.args
        for argument in parameters(given):
            self._annotation(argument.annotation)
        self._annotation(node.returns)
        function = self.own_function(node)
        if given.vararg:
            self.learn(function.scope, given.vararg.arg, kind.DATA)
        if given.kwarg:
            self.learn(function.scope, given.kwarg.arg, kind.DATA | kind.MUTABLE)
        made = self.bit(function)
        for decorator in reversed(node.decorator_list):
            made = self._adorned(made, decorator)
        self.bind(node.name, made, node)
        around = self.scope, self.function, self.guards, self._tries
        self.scope, self.function, self.guards, self._tries = function.scope, function, 0, 0
        # it may come to its end without a return
        self.returns(kind.DATA)
        self.run(node.body)
        self.scope, self.function, self.guards, self._tries = around

    def _adorned(self, made: int, decorator: ast.expr) -> int:
        """Return what a decorator makes of a function or class of the tests."""
        kinds = self.read(decorator)
        for each in self.records(kinds, self.library):
            if isinstance(each, Library) and each.name in _MANNERS:
                for function in self.records(made, self.own):
                    if isinstance(function, OwnFunction):
                        function.manner = _MANNERS[each.name]
                kinds &= ~self.bit(each)
            elif isinstance(each, Library) and each.action == "shape" and each.name in _ADORNMENTS:
                kinds &= ~self.bit(each)
        if not kinds:
            return made
        if bad := directly(kinds) & ~self.own:
            self.refuse(decorator, f"adorns a definition by {self.word(bad)}")
        return self.call(kinds, Given(decorator, [made]))

    def run_ClassDef(self, node: ast.ClassDef) -> None:
        """Read the definition of a class."""
        if node.keywords or getattr(node, "type_params", None):
            self.refuse(node, "defines a class in an unusual way")
        owner = self._classes.setdefault(node, OwnClass(self.names.scopes[node]))
        self._inherit(owner, node)
        made = self.bit(owner)
        for decorator in reversed(node.decorator_list):
            made = self._adorned(made, decorator)
        self.bind(node.name, made, node)
        around = self.scope, self.function
        self.scope, self.function = owner.scope, None
        self.run(node.body)
        self.scope, self.function = around
        for name in sorted(IMPLIED):
            if name in owner.scope.kinds:
                rest = kind.DATA | kind.MUTABLE | owner.instance
                self.own_method(owner, name, Given(node, rest=self.loaded(rest)))

    def _inherit(self, owner: OwnClass, node: ast.ClassDef) -> None:
        """Read what a class of the tests inherits from, as far as that is known by now."""
        before = len(owner.bases), len(owner.traits)
        for base in node.bases:
            kinds = self.read(base)
            for each in self.records(kinds, self.library | self.own):
                if isinstance(each, OwnClass):
                    owner.bases[each] = None
                    owner.traits |= each.traits
                elif isinstance(each, Library) and each.name in _ENUMERATIONS:
                    owner.traits |= {"enumeration", "inherits"}
                elif isinstance(each, Library) and (
                    each.action in ("error", "idea") or each.name == "NamedTuple"
                ):
                    owner.traits.add("inherits")
                elif not isinstance(each, Library) or each.full_name != "builtins.object":
                    self.refuse(base, f"inherits from {self.word(self.bit(each))}")
            if bad := directly(kinds) & ~(self.library | self.own):
                self.refuse(base, f"inherits from {self.word(bad)}")
        self.changed |= before != (len(owner.bases), len(owner.traits))


_IN_TYPES = (
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Constant,
    ast.Tuple,
    ast.List,
    ast.expr_context,
)
