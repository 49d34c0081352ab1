"""Find out where a page names a test that is not there, or promises something and names no test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

__all__ = ["missing_tests", "promises"]

_TABLE = re.compile(r"^\| promise \| test(?: in `(.+)/`)? \|\n\|[-|]+\|\n((?:\|.*\n?)+)", re.MULTILINE)


def promises(page: str) -> list[tuple[str, str, list[str]]]:
    """Return each row of the tables of promises: what is promised, the folder of its tests, their names."""
    return [
        (promise.strip(), folder, re.findall(r"`([^`]+)`", tests))
        for folder, rows in _TABLE.findall(page)
        for promise, tests in re.findall(r"^\|(.*)\|(.*)\|$", rows, re.MULTILINE)
    ]


def missing_tests(page: str, root: Path) -> list[str]:
    """Promises without a test, and names of tests that lead nowhere.

    A test is named by `FILE::NAME`, all of a file by `FILE`; `::NAME` is one more of the file before. A file
    is in the folder that the table names, or in the repository. A bare name is that of a test anywhere.
    """
    missing = []
    for promise, folder, names in promises(page):
        file: Path | None = None
        if not names:
            missing.append(f"no test: {promise}")
        for name in names:
            place, _, test = name.partition("::")
            if re.fullmatch(r"test_\w+", place):
                places, test = sorted((root / "tests").rglob("test_*.py")), place
            elif place:
                file = next((path for path in (root / folder / place, root / place) if path.is_file()), None)
                places = [file] if file else []
            else:
                places = [file] if file else []
            if not places or (test and not any(test in _defined(path) for path in places)):
                missing.append(name)
    return missing


def _defined(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
