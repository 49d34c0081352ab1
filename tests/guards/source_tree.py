"""The sources as the guards see them: each file parsed once, each import with what it leads to."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

__all__ = ["PACKAGE", "TOPS", "Import", "Module", "SourceTree"]

PACKAGE = "codesample"
TOPS = (PACKAGE, "kernels", "rerankers", "tasks")
_IMPORTERS = ("import_module", "__import__")

When = Literal["load", "call", "typing"]
"""When an import is carried out: with its module, by a call of one of its functions, or never."""


@dataclass(frozen=True, slots=True)
class Import:
    """One import of one module.

    Attributes:
        target: The module, ours or a library's, by its whole name. A name that a package hands on late
            counts as the module it is at home in.
        line: Where.
        when: At load, in a call, or for type checkers alone.
    """

    target: str
    line: int
    when: When


@dataclass(frozen=True, slots=True)
class Module:
    """One source file.

    Attributes:
        name: As it is imported, such as "codesample.rerankers.compose"; a package's is that of its folder.
        path: From the root of the tree, such as "rerankers/compose.py".
        package: The package it belongs to; a package belongs to itself.
        text, syntax: The file, and what was parsed of it.
    """

    name: str
    path: str
    package: str
    text: str
    syntax: ast.Module

    @property
    def stem(self) -> str:
        """Name of the file, without its ending."""
        return Path(self.path).stem

    @property
    def lines(self) -> int:
        """Number of lines."""
        return len(self.text.splitlines())


class SourceTree:
    """All modules below a root that holds `codesample`, and `kernels`, `rerankers` and `tasks` beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.modules = {module.name: module for top in TOPS for module in _read(root, top)}
        self.packages = {
            above for module in self.modules.values() for above in _with_packages_above(module.package)
        }
        self._imports: dict[str, list[Import]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.modules or name in self.packages

    def of(self, package: str) -> list[Module]:
        """Return the modules of a package and of those within it; of a module, itself."""
        return [
            module
            for name, module in self.modules.items()
            if name == package or name.startswith(package + ".")
        ]

    def imports(self, module: Module) -> list[Import]:
        """Return what a module imports, in every way that can be read off its source."""
        if module.name not in self._imports:
            reader = _Reader(self, module)
            reader.visit(module.syntax)
            self._imports[module.name] = reader.found
        return self._imports[module.name]

    def computed_imports(self, module: Module) -> list[int]:
        """Return the lines where a module imports by a name that only a run knows."""
        return [call.lineno for call in _calls_of_importers(module.syntax) if _literal(call) is None]

    def loads(self, name: str) -> dict[str, tuple[str, ...]]:
        """Return the libraries that importing a module loads, each with the modules that lead to it."""
        found: dict[str, tuple[str, ...]] = {}
        seen: set[str] = set()
        waiting: list[tuple[str, tuple[str, ...]]] = [(name, ())]
        while waiting:
            current, chain = waiting.pop(0)
            for above in _with_packages_above(current):
                if above in seen:
                    continue
                seen.add(above)
                if above.split(".")[0] != PACKAGE:
                    found.setdefault(above.split(".")[0], chain)
                elif above in self.modules:
                    waiting += [
                        (each.target, (*chain, above))
                        for each in self.imports(self.modules[above])
                        if each.when == "load"
                    ]
        return found

    def resolve(self, base: str, name: str) -> str:
        """Return the module that `from base import name` leads to."""
        if f"{base}.{name}" in self:
            return f"{base}.{name}"
        home = self._handed_on.get(base, {}).get(name)
        return home if home is not None else self.longest(base)

    def longest(self, name: str) -> str:
        """Return the longest start of a dotted name that is a module of ours; of others, the whole name."""
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            if ".".join(parts[:length]) in self:
                return ".".join(parts[:length])
        return name

    @cached_property
    def _handed_on(self) -> dict[str, dict[str, str]]:
        """By package and name: the module a name comes from that a package imports when it is asked for."""
        table: dict[str, dict[str, str]] = {}
        for module in self.modules.values():
            if module.name != module.package:
                continue
            names: dict[str, str] = {}
            for node in ast.walk(module.syntax):
                if isinstance(node, ast.Dict):
                    for key, value in zip(node.keys, node.values, strict=True):
                        if _is_text(key) and _is_text(value) and value.value in self:
                            names[key.value] = value.value
                elif _is_for_typing(node):
                    for each in node.body:
                        if isinstance(each, ast.ImportFrom) and each.module:
                            names |= {alias.asname or alias.name: each.module for alias in each.names}
            table[module.name] = names
        return table


class _Reader(ast.NodeVisitor):
    """Collects a module's imports, knowing whether it stands in a function or in a block for typing."""

    def __init__(self, sources: SourceTree, module: Module) -> None:
        self.found: list[Import] = []
        self._sources, self._module = sources, module
        self._when: When = "load"
        self._bound: dict[str, str] = {}

    def visit_If(self, node: ast.If) -> None:
        if not _is_for_typing(node):
            self.generic_visit(node)
            return
        self._within("typing", node.body)
        for each in node.orelse:
            self.visit(each)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for each in (*node.decorator_list, node.args):
            self.visit(each)
        self._within("call", node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(self._sources.longest(alias.name), node)
            top = alias.name.partition(".")[0]
            self._bound[alias.asname or top] = alias.name if alias.asname else top

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = self._absolute("." * node.level + (node.module or ""))
        for alias in node.names:
            self._add(self._sources.resolve(base, alias.name), node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        words: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            words.insert(0, inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name) and self._bound.get(inner.id, "").split(".")[0] == PACKAGE:
            base = self._bound[inner.id]
            while words and f"{base}.{words[0]}" in self._sources:
                base += "." + words.pop(0)
            self._add(self._sources.resolve(base, words[0]) if words else base, node)
        else:
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if _is_importer(node) and (name := _literal(node)) is not None:
            self._add(self._sources.longest(self._absolute(name)), node)
        self.generic_visit(node)

    def _within(self, when: When, body: list[ast.stmt]) -> None:
        before, self._when = self._when, "typing" if self._when == "typing" else when
        for each in body:
            self.visit(each)
        self._when = before

    def _absolute(self, name: str) -> str:
        level = len(name) - len(name.lstrip("."))
        if not level:
            return name
        above = self._module.package.split(".")
        return ".".join([*above[: len(above) - level + 1], *filter(None, [name[level:]])])

    def _add(self, target: str, node: ast.stmt | ast.expr) -> None:
        new = Import(target, node.lineno, self._when)
        if new not in self.found:
            self.found.append(new)


def _read(root: Path, top: str) -> Iterator[Module]:
    # links are not followed: kernels, rerankers and tasks are read where they are
    for folder, inner, files in os.walk(root / top):
        inner.sort()
        for file in sorted(name for name in files if name.endswith(".py")):
            path = Path(folder, file)
            shown = path.relative_to(root)
            words = list(shown.with_suffix("").parts)
            package = ".".join([PACKAGE, *words[:-1]] if top != PACKAGE else words[:-1])
            text = path.read_text(encoding="utf-8")
            name = package if path.stem == "__init__" else f"{package}.{path.stem}"
            yield Module(name, shown.as_posix(), package, text, ast.parse(text))


def _with_packages_above(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def _is_for_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _is_text(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_importer(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _IMPORTERS


def _calls_of_importers(syntax: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(syntax) if isinstance(node, ast.Call) and _is_importer(node))


def _literal(call: ast.Call) -> str | None:
    """Return the name that an importing call is given, where it is written out."""
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
