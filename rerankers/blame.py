"""What is said of a scorer that failed: what it raised, and on which line of its own file."""

from __future__ import annotations

import functools
import inspect
import traceback
from types import CodeType
from typing import Any

from codesample.errors import CodesampleError, RerankerError

__all__ = ["HardExit", "code_of", "home_of", "is_told", "place_in", "said"]

_LONGEST = 500


class HardExit(BaseException):
    """Raised in place of an end of the process that nothing would hear of; its text says what was called."""


def is_told(error: BaseException) -> bool:
    """Whether an error names a reranker and a problem already."""
    return isinstance(error, RerankerError) and error.told


def said(error: BaseException) -> str:
    """Say what was raised, in one sentence; never fails."""
    try:
        text = str(error)
    except BaseException:
        text = "without a text that can be read"
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + " ..."
    if isinstance(error, CodesampleError):
        return text
    if isinstance(error, HardExit):
        return text
    if isinstance(error, SystemExit):
        return f"called sys.exit({text})"
    return f"raised {type(error).__name__}: {text}" if text else f"raised {type(error).__name__}"


def place_in(scorer: Any, error: BaseException) -> str:
    """Return " (FILE:LINE)": the last line of the scorer's own file that the error came through.

    Where it came through none, such as for what was returned, the line of its definition; "" where nothing
    is known of it.
    """
    code = code_of(scorer)
    if code is None:
        return ""
    frames = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in frames if frame.f_code.co_filename == code.co_filename]
    return f" ({code.co_filename}:{(lines or [code.co_firstlineno])[-1]})"


def code_of(scorer: Any) -> CodeType | None:
    """Return the code that was written, out of what wraps it; None where there is none."""
    return getattr(_function(scorer), "__code__", None)


def home_of(scorer: Any) -> str:
    """Return where a scorer was written: its module, or its file where that was named by its path."""
    module = str(getattr(_function(scorer), "__module__", ""))
    # such a module has a name of ours, which two files can share
    if module.startswith("_codesample_") and (code := code_of(scorer)) is not None:
        return str(code.co_filename)
    return module


def _function(scorer: Any) -> Any:
    """Return the function that was written, out of what wraps it."""
    scorer = inspect.unwrap(scorer)
    while isinstance(scorer, functools.partial):
        scorer = inspect.unwrap(scorer.func)
    # of an object that can be called, the method that makes it so
    return scorer if hasattr(scorer, "__code__") else vars(type(scorer)).get("__call__")
