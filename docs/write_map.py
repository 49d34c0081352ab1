"""Writes the table of modules in docs/architecture.md from the modules' own first lines.

    python docs/write_map.py

Each folder's line is the first sentence of its `__init__.py`, or of `_FOLDERS` where it has none.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAP = ROOT / "docs" / "architecture.md"
HEADING = "## The modules\n"
TOPS = ("codesample", "kernels", "rerankers", "tasks")
_FOLDERS = {
    "rerankers": "One module per method, and the contract.",
    "tasks": "One folder per data set, and the contract.",
}


def first_line(module: Path) -> str:
    """Return the first line of a module's docstring, without its full stop."""
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].rstrip(".")


def modules_section() -> str:
    """Return the section: a table per folder, in the order of the tree."""
    links = {ROOT / "codesample" / name for name in TOPS[1:]}
    files = [
        file
        for top in TOPS
        for file in sorted((ROOT / top).rglob("*.py"))
        if not links.intersection(file.parents)
    ]
    parts = [HEADING]
    for folder in sorted({file.parent for file in files}, key=lambda path: path.parts):
        name = folder.relative_to(ROOT).as_posix()
        init = folder / "__init__.py"
        parts.append(f"\n**`{name}/`** {_FOLDERS.get(name) or first_line(init) + '.'}\n")
        modules = [file for file in files if file.parent == folder and file.name != "__init__.py"]
        if modules:
            parts.append("\n| module | what it owns |\n|---|---|\n")
            parts += [f"| `{file.relative_to(ROOT).as_posix()}` | {first_line(file)} |\n" for file in modules]
    return "".join(parts)


def with_modules(page: str) -> str:
    """Return the page with the section written anew; it is the last one."""
    return page[: page.index(HEADING)] + modules_section()


if __name__ == "__main__":
    MAP.write_text(with_modules(MAP.read_text(encoding="utf-8")), encoding="utf-8")
