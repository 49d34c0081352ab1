"""What a document names in back-quotes, and which of that does not exist."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from functools import cache

from source_tree import PACKAGE, TOPS, Module, SourceTree

__all__ = ["layers", "missing_bare_names", "missing_names", "repeated_terms", "section"]

_ENDINGS = "bpf|json|jsonl|md|png|py|safetensors|toml|txt|yaml"
_PATH = re.compile(rf"(?:{'|'.join((*TOPS, 'tests', 'docs'))})/[\w./-]*")
_FILE = re.compile(rf"[\w.-]+(?:/[\w.-]+)*\.(?:{_ENDINGS})|[\w.-]+/")
_DOTTED = re.compile(rf"\b{PACKAGE}(?:\.\w+)+")
_WORD = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")


def missing_names(page: str, sources: SourceTree) -> list[str]:
    """Paths, files and dotted names in back-quotes that lead nowhere.

    A path starts with a folder of the repository. A bare file or folder is one of the repository or one
    that the package reads or writes, so that its name stands in a string; capitals stand for any name.
    A dotted name starts with the package's; what it names is defined, imported or handed on there.
    """
    missing = set()
    for quoted in _quoted(page):
        if _PATH.fullmatch(quoted):
            if not (sources.root / quoted).exists():
                missing.add(quoted)
        elif _FILE.fullmatch(quoted):
            if not (sources.root / quoted).exists() and not _is_handled(quoted, sources):
                missing.add(quoted)
        else:
            missing |= {name for name in _DOTTED.findall(quoted) if not _exists(name, sources)}
    return sorted(missing)


def missing_bare_names(page: str, sources: SourceTree) -> list[str]:
    """Bare names in back-quotes that stand for nothing in the package.

    Asked of every word in the section "Words", and of words like `Plan` on the rest of the page. A bare
    name is that of a package, of a module, or of something that a module defines; `Plan.task` also asks
    for the member.
    """
    words = {quoted for quoted in _quoted(section(page, "Words")) if _WORD.fullmatch(quoted)}
    classes = {
        quoted for quoted in _quoted(page) if re.match(r"[A-Z]+[a-z]", quoted) and _WORD.fullmatch(quoted)
    }
    places = (*sources.packages, *sources.modules)
    return sorted(
        word
        for word in words | classes
        if not _DOTTED.fullmatch(word) and not hasattr(builtins, word)
        if not any(_exists(f"{place}.{word}", sources) for place in places)
    )


def repeated_terms(page: str) -> list[str]:
    """Terms that the section "Words" defines more than once; a term is in bold."""
    terms = [term.lower() for term in re.findall(r"\*\*([^*]+)\*\*", section(page, "Words"))]
    return sorted({term for term in terms if terms.count(term) > 1})


def layers(page: str) -> list[set[str]]:
    """Return the picture of the section "Which way arrows point": its first block of code, layer by layer."""
    picture = re.search(
        r"^```\w*\n(.*?)^```", section(page, "Which way arrows point"), re.DOTALL | re.MULTILINE
    )
    if picture is None:
        return []
    return [set(re.findall(r"\w+", layer)) for layer in picture[1].split("->")]


def section(page: str, heading: str) -> str:
    """Return the text below a heading of the second level, up to the next; empty without it."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def _quoted(page: str) -> Iterator[str]:
    """Yield what stands in back-quotes within lines; blocks of code are left out."""
    prose = re.sub(r"^```.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)
    return (found[1] for found in re.finditer(r"`([^`\n]+)`", prose))


def _is_handled(name: str, sources: SourceTree) -> bool:
    if any(module.path.endswith(f"/{name}") for module in sources.modules.values()):
        return True
    words = [word for word in name.strip("/").split("/") if not re.match(r"[A-Z]+\b", word)]
    return all(word in _strings(sources) for word in words)


@cache
def _strings(sources: SourceTree) -> set[str]:
    """Return the words of every string in the sources."""
    texts = (
        node.value
        for module in sources.modules.values()
        for node in ast.walk(module.syntax)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return {word for text in texts if "\n" not in text for word in text.strip("/").split("/")}


def _exists(name: str, sources: SourceTree) -> bool:
    home = sources.longest(name)
    if home not in sources:
        return False
    words = name.removeprefix(home).strip(".").split(".")
    return words == [""] or _has(home, words, sources)


def _has(home: str, words: list[str], sources: SourceTree) -> bool:
    """Say whether a module holds a name, and the thing of that name the next one."""
    module = sources.modules.get(home)
    if module is None:
        return False
    first, *rest = words
    defined = _defined(module).get(first)
    if isinstance(defined, ast.ImportFrom):
        source = next(alias.name for alias in defined.names if (alias.asname or alias.name) == first)
        return _exists(".".join([defined.module or "", source, *rest]), sources)
    if isinstance(defined, ast.ClassDef) and rest:
        return len(rest) == 1 and rest[0] in _members(defined)
    return defined is not None and not rest


@cache
def _defined(module: Module) -> dict[str, ast.stmt]:
    """Return what a module binds at its top, blocks for typing included."""
    found: dict[str, ast.stmt] = {}
    waiting = list(module.syntax.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If):
            waiting += [*node.body, *node.orelse]
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: node for alias in node.names}
        else:
            found |= dict.fromkeys(_bound_by(node), node)
    return found


def _bound_by(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return {node.name}
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return {inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name)}


def _members(node: ast.ClassDef) -> set[str]:
    """Return what a class defines in its body, and what its methods set on the instance."""
    bound = {name for each in node.body for name in _bound_by(each)}
    own = {
        inner.attr
        for inner in ast.walk(node)
        if isinstance(inner, ast.Attribute)
        and isinstance(inner.ctx, ast.Store)
        and isinstance(inner.value, ast.Name)
        and inner.value.id == "self"
    }
    return bound | own
