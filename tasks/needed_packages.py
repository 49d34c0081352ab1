"""Which installed packages Python texts need, read off their imports, and whether they keep files."""

from __future__ import annotations

import ast
import re
import sys
import warnings

__all__ = ["needed_packages", "writes_files"]

_STANDARD_ONCE = frozenset(
    {
        *("aifc", "asynchat", "asyncore", "audioop", "cgi", "cgitb", "chunk", "crypt", "distutils"),
        *("imghdr", "imp", "lib2to3", "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "pipes"),
        *("smtpd", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"),
    }
)
"""Modules that left the standard library since Python 3.11: what is needed must not hang on the version."""

_LOADED_IN_PARTS = frozenset({"matplotlib", "mpl_toolkits", "scipy", "sklearn", "statsmodels"})
"""Packages whose parts take long to import: these are named too, and loaded once for all programs."""

_IMPLIED = (
    ("pandas", re.compile(r"\.(?:plot|hist|boxplot)\b"), "matplotlib.pyplot"),
    ("pandas", re.compile(r"\b(?:to_excel|read_excel|ExcelWriter)\b"), "openpyxl"),
    ("matplotlib", re.compile(""), "matplotlib.pyplot"),
    ("seaborn", re.compile(""), "matplotlib.pyplot"),
)
"""What a package imports late, and so needs without saying: the package, where it does, and what.

Matplotlib looks for the user's home as that is imported, which programs do not have.
"""

_FILES = re.compile(
    r"\bopen\s*\(|\b(?:tempfile|shutil|sqlite3|zipfile|tarfile|makedirs|mkdir|mkdtemp|mkstemp)\b"
    r"|\bwrite_(?:text|bytes)\b|\.touch\(|\bFileHandler\b|\bfilename\s*=|\bsavefig\b|\bto_(?:csv|excel|json)\b"
    r"|\b(?:connect|Workbook|imwrite|ConfigParser)\b|\.save\("
    # the library behind these crashes without
    r"|\b(?:ConvexHull|Delaunay|HalfspaceIntersection|Voronoi)\b"
)


def needed_packages(*texts: str) -> tuple[str, ...]:
    """Return the modules beside the standard library that texts import, sorted.

    Packages by their top name, some of their parts too, and what is known to be imported behind the scenes.

    Raises:
        SyntaxError, ValueError: a text is no Python.
    """
    found: set[str] = set()
    for text in texts:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        found.update(name for node in ast.walk(tree) for name in _imported(node))
    tops = {name.partition(".")[0] for name in found}
    found |= {more for top, hint, more in _IMPLIED if top in tops and any(map(hint.search, texts))}
    standard = sys.stdlib_module_names | _STANDARD_ONCE
    named = {name if name.partition(".")[0] in _LOADED_IN_PARTS else name.partition(".")[0] for name in found}
    return tuple(sorted(name for name in named if name.partition(".")[0] not in standard))


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return []


def writes_files(*texts: str) -> bool:
    """Whether texts look as if they kept files, at least for a while."""
    return any(map(_FILES.search, texts))
