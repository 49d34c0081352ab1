"""Long prompts of real code: files of Python's own library before a problem, cut to a number of tokens."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path

from codesample.errors import ParameterError

__all__ = ["LIBRARY", "code_before"]

LIBRARY = (
    "heapq.py",
    "bisect.py",
    "textwrap.py",
    "statistics.py",
    "fractions.py",
    "difflib.py",
    "shlex.py",
    "string.py",
    "functools.py",
    "random.py",
    "inspect.py",
    "argparse.py",
    "datetime.py",
    "tarfile.py",
)
"""Modules in the order in which they are read."""


def code_before(problem: str, tokens: int, encode: Callable[[str], Sequence[int]]) -> list[int]:
    """Return a problem's prompt with so much library code before it that both have `tokens` tokens.

    Args:
        problem: What ends the prompt; shortened from its start where it alone is longer.
        tokens: At least 1.
        encode: Text to tokens; of the code the first are left out, so that a file may begin anywhere.

    Raises:
        ParameterError: the library is too short for as many.
    """
    ends = list(encode(problem))[-tokens:]
    folder = Path(sysconfig.get_paths()["stdlib"])
    code: list[int] = []
    for name in LIBRARY:
        if len(code) + len(ends) >= tokens:
            break
        if (file := folder / name).is_file():
            code += encode(f"# {name}\n{file.read_text(encoding='utf-8')}\n\n")
    if len(code) + len(ends) < tokens:
        raise ParameterError(
            f"{tokens} tokens of context: the library's code has {len(code) + len(ends)} with the problem; "
            "ask for fewer"
        )
    return code[len(code) + len(ends) - tokens :] + ends
