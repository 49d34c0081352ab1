"""What holds of the sources: each rule takes a tree and what is declared, and says what is against it.

A part is a package, or a module that stands in `codesample` itself, named without the leading
"codesample."; the package's own `__init__` is the part "codesample".
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from statistics import median

from source_tree import PACKAGE, Import, Module, SourceTree

__all__ = [
    "against_picture",
    "crowded_calls",
    "cycles",
    "forbidden_arrows",
    "forbidden_libraries",
    "intruders",
    "libraries_at_load",
    "long_functions",
    "long_modules",
    "middle_length",
    "parts_of",
    "repeated_stems",
    "undeclared",
    "unreadable_imports",
]

Functions = ast.FunctionDef | ast.AsyncFunctionDef


def parts_of(sources: SourceTree) -> set[str]:
    """Return every part of a tree."""
    return {_part(sources, name) for name in (*sources.modules, *sources.packages)}


def undeclared(sources: SourceTree, table: Collection[str]) -> list[str]:
    """Parts that a table does not know, and entries of the table that are no parts."""
    return [
        *(f"{part}: not in the table" for part in sorted(parts_of(sources) - set(table))),
        *(f"{part}: in the table, not in the tree" for part in sorted(set(table) - parts_of(sources))),
    ]


def forbidden_arrows(sources: SourceTree, table: Mapping[str, Collection[str]]) -> list[str]:
    """Imports from one part to another that the table does not grant.

    Args:
        sources: The tree.
        table: By part, the parts it may import; "name.*" grants a part and all within it.
    """
    return [
        f"{module.path}:{each.line}: {part} imports {each.target}"
        for module in sources.modules.values()
        for part in [_part(sources, module.name)]
        for each in _ours(sources, module)
        if (other := _part(sources, each.target)) != part and not _granted(other, table.get(part, ()))
    ]


def cycles(sources: SourceTree) -> list[str]:
    """Circles among the topmost parts, and among the packages within one; every kind of import counts."""
    tops = sorted({part.split(".")[0] for part in parts_of(sources)} - {PACKAGE})
    return [
        each for prefix in ("", *(f"{top}." for top in tops)) for each in _cycles(_edges(sources, prefix))
    ]


def against_picture(table: Mapping[str, Collection[str]], picture: list[set[str]]) -> list[str]:
    """Grants that point to a higher layer of a picture, and names in it that are no parts.

    Args:
        table: By part, the parts it may import.
        picture: Topmost parts by layer, from above; those that it leaves out may stand anywhere.
    """
    depth = {part: number for number, layer in enumerate(picture) for part in layer}
    tops = [(part.split(".")[0], other.split(".")[0]) for part, granted in table.items() for other in granted]
    upward = {(part, other) for part, other in tops if depth.get(part, 0) > depth.get(other, len(picture))}
    return [
        *(f"{part}: on the picture, not in the table" for part in sorted(depth.keys() - table.keys())),
        *(f"{part} -> {other}: points up on the picture" for part, other in sorted(upward)),
    ]


def intruders(sources: SourceTree, doors: Mapping[str, Collection[str]]) -> list[str]:
    """Imports of a guarded package by a module that is neither within it nor named.

    Args:
        sources: The tree.
        doors: By package, the modules outside it that may import it; all by their whole names.
    """
    return [
        f"{module.path}:{each.line}: imports {each.target}; only {', '.join(sorted(named)) or 'itself'} may"
        for guarded, named in doors.items()
        for module in sources.modules.values()
        if not _within(module.name, guarded) and module.name not in named
        for each in _ours(sources, module)
        if _within(each.target, guarded)
    ]


def forbidden_libraries(sources: SourceTree, table: Mapping[str, Collection[str]]) -> list[str]:
    """Imports of a library, wherever they stand, by a part that must do without it, or by one within that."""
    return [
        f"{module.path}:{each.line}: imports {each.target}"
        for part, libraries in table.items()
        for module in sources.of(f"{PACKAGE}.{part}")
        for each in sources.imports(module)
        if each.target.split(".")[0] in libraries
    ]


def libraries_at_load(sources: SourceTree, parts: Collection[str], libraries: Collection[str]) -> list[str]:
    """Modules whose mere import leads to a library, through whatever modules of ours."""
    return [
        f"{module.path}: loads {library} by way of {' -> '.join(chain)}"
        for part in parts
        for module in sources.of(f"{PACKAGE}.{part}")
        for library, chain in sources.loads(module.name).items()
        if library in libraries
    ]


def unreadable_imports(sources: SourceTree, declared: Mapping[str, str]) -> list[str]:
    """Imports by a computed name, which no rule can follow, in modules (by path) that are not declared."""
    found = {
        module.path: lines
        for module in sources.modules.values()
        if (lines := sources.computed_imports(module))
    }
    return [
        *(
            f"{path}:{line}: imports by a computed name"
            for path in sorted(found)
            if path not in declared
            for line in found[path]
        ),
        *(
            f"{path}: declared, but imports nothing by a computed name"
            for path in sorted(declared)
            if path not in found
        ),
    ]


def repeated_stems(sources: SourceTree, declared: Mapping[str, str], *, free: Collection[str]) -> list[str]:
    """File names that stand in more than one folder.

    Args:
        sources: The tree.
        declared: By stem, why it may repeat.
        free: Stems and packages (by whole name) that this is not asked of.
    """
    places: dict[str, list[str]] = defaultdict(list)
    for module in sources.modules.values():
        if module.stem not in free and module.package not in free:
            places[module.stem].append(module.path)
    repeated = {stem: paths for stem, paths in places.items() if len(paths) > 1}
    return [
        *(
            f"{stem}: {', '.join(sorted(repeated[stem]))}"
            for stem in sorted(repeated.keys() - declared.keys())
        ),
        *(f"{stem}: declared, but not repeated" for stem in sorted(declared.keys() - repeated.keys())),
    ]


def long_modules(sources: SourceTree, limit: int) -> list[str]:
    """Modules of more lines than the limit."""
    return [
        f"{module.path}: {module.lines} lines" for module in sources.modules.values() if module.lines > limit
    ]


def middle_length(sources: SourceTree) -> float:
    """Return the median length of the modules, in lines; files that make a folder a package do not count."""
    return median(module.lines for module in sources.modules.values() if module.stem != "__init__")


def long_functions(sources: SourceTree, limit: int) -> list[str]:
    """Functions of more lines than the limit, without their decorators; Triton kernels excepted."""
    return [
        f"{module.path}:{node.lineno}: {node.name} has {length} lines"
        for module in sources.modules.values()
        for node in ast.walk(module.syntax)
        if isinstance(node, Functions) and not _is_kernel(node)
        if (length := (node.end_lineno or 0) - node.lineno + 1) > limit
    ]


def crowded_calls(sources: SourceTree, limit: int) -> list[str]:
    """Public functions and methods that take more arguments than the limit.

    Triton kernels are excepted, and commands: the parser calls those, by the names of options.
    """
    return [
        f"{module.path}:{node.lineno}: {name} takes {count} arguments"
        for module in sources.modules.values()
        if module.package != f"{PACKAGE}.cli"
        for name, node, bound in _public(module)
        if (count := _arguments(node) - bound) > limit
    ]


def _part(sources: SourceTree, name: str) -> str:
    module = sources.modules.get(name)
    package = module.package if module else name
    return (name if package == PACKAGE else package).removeprefix(f"{PACKAGE}.")


def _ours(sources: SourceTree, module: Module) -> list[Import]:
    return [each for each in sources.imports(module) if _within(each.target, PACKAGE)]


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _granted(part: str, grants: Collection[str]) -> bool:
    return any(
        _within(part, grant.removesuffix(".*")) if grant.endswith(".*") else part == grant for grant in grants
    )


def _edges(sources: SourceTree, prefix: str) -> dict[str, set[str]]:
    """By part directly below the prefix: those that it imports, with all that is within each."""
    edges: dict[str, set[str]] = defaultdict(set)
    for module in sources.modules.values():
        for each in _ours(sources, module):
            ends = [_part(sources, name) for name in (module.name, each.target)]
            if all(end.startswith(prefix) and end != PACKAGE for end in ends):
                start, end = (prefix + end.removeprefix(prefix).split(".")[0] for end in ends)
                if start != end:
                    edges[start].add(end)
    return edges


def _cycles(edges: Mapping[str, set[str]]) -> list[str]:
    """One line per circle that a walk along the edges closes; parts in no circle are left at once."""
    found: list[str] = []
    done: set[str] = set()

    def walk(part: str, path: tuple[str, ...]) -> None:
        if part in path:
            found.append(" -> ".join([*path[path.index(part) :], part]))
        elif part not in done:
            for other in sorted(edges.get(part, ())):
                walk(other, (*path, part))
            done.add(part)

    for part in sorted(edges):
        walk(part, ())
    return found


def _is_kernel(node: Functions) -> bool:
    return any(ast.unparse(each).startswith("triton.jit") for each in node.decorator_list)


def _public(module: Module) -> Iterator[tuple[str, Functions, int]]:
    """Yield public functions and methods with how many arguments Python fills in."""
    for node in module.syntax.body:
        if isinstance(node, Functions) and not node.name.startswith("_") and not _is_kernel(node):
            yield node.name, node, 0
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, Functions) and (
                    not method.name.startswith("_") or method.name == "__init__"
                ):
                    static = any(ast.unparse(each) == "staticmethod" for each in method.decorator_list)
                    yield f"{node.name}.{method.name}", method, 0 if static else 1


def _arguments(node: Functions) -> int:
    spec = node.args
    stars = (spec.vararg is not None) + (spec.kwarg is not None)
    return len(spec.posonlyargs) + len(spec.args) + len(spec.kwonlyargs) + stars
