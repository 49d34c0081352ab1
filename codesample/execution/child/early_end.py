"""The end of a script where nothing would be heard of it: most of an interpreter's end is freeing memory.

Behind a fork each page that is freed is copied first, which takes longer than most scripts run. So one
that ended normally, and left nothing behind that writes or runs code as it goes, ends here. In all other
cases, or in doubt, the interpreter goes on to its own end.
"""

from __future__ import annotations

import _io
import _thread
import _weakref
import atexit
import gc
import os
import sys
from types import BuiltinFunctionType, ModuleType
from typing import Any

from codesample.execution.isolation import linux

__all__ = ["end_early"]

_MOST_OBJECTS = 10_000
_SILENT = (_io.BytesIO, _io.StringIO)
_ALWAYS_THERE = {"__name__", "__builtins__", "__loader__", "__spec__"}
_TELLING = (
    b"__file__",
    b"__cached__",
    b"globals",
    b"locals",
    b"vars",
    b"__dict__",
    b"exec",
    b"eval",
    b"delattr",
)
"""A program that names none of these cannot take `__file__` from its own module."""

_HEARING = b"audithook"
"""A program that names this may be told of an interpreter's end."""

# asked of `type` itself, for a metaclass may answer with code of the program
_bases_of = type.__dict__["__mro__"].__get__
_names_of = type.__dict__["__dict__"].__get__
_callback_of = _weakref.ReferenceType.__dict__["__callback__"].__get__


def end_early(main: ModuleType, source: int, *, held: list[ModuleType]) -> None:
    """Register what may end the process once the program, its threads and its `atexit` functions are through.

    Args:
        main: The module that the program will run in.
        source: Descriptor of its source.
        held: Modules to keep until then.
    """
    hook, stdout, stderr = sys.excepthook, sys.stdout, sys.stderr

    def end() -> None:
        objects = gc.get_objects()
        # whether the program froze its own, and wants none of them collected
        if not any(each is held for each in objects):
            return
        # called by the program, it says nothing of the end
        called = sys._getframe().f_back is not None
        if called or _thread._count() or gc.callbacks or not _unheard(objects):
            # what the zygote froze may hold objects of the program
            gc.unfreeze()
        elif sys.excepthook is hook and _ended_normally(main, source) and _flushed(stdout, stderr):
            linux.end_process(0)

    atexit.register(end)


def _ended_normally(main: ModuleType, source: int) -> bool:
    """Tell a program that came to its end from one that an exception ended, SystemExit included.

    The interpreter takes `__file__` from the module after the one and keeps it after SystemExit, and
    remembers any other exception.
    """
    names = main.__dict__
    if "__file__" in names or "__cached__" in names or not names.keys() >= _ALWAYS_THERE:
        return False
    if sys.modules.get("__main__") is not main or hasattr(sys, "last_type"):
        return False
    try:
        text = os.pread(source, os.fstat(source).st_size, 0)
    except OSError:
        # the program closed whatever was open
        return False
    return not any(word in text for word in (*_TELLING, _HEARING))


def _flushed(stdout: Any, stderr: Any) -> bool:
    """Flush as an interpreter does at its end, if these are still its streams; whether that went well."""
    if sys.stdout is not stdout or sys.stderr is not stderr:
        return False
    try:
        stdout.flush()
        stderr.flush()
    except Exception:
        return False
    return True


def _unheard(objects: list[Any]) -> bool:
    """Whether none of the objects runs code or writes when it goes."""
    if len(objects) > _MOST_OBJECTS:
        return False
    known: dict[type[Any], bool] = dict.fromkeys(_SILENT, True)
    for each in objects:
        kind = type(each)
        if kind not in known:
            known[kind] = _goes_silently(kind)
        if not known[kind]:
            return False
        if issubclass(kind, type) and not _goes_silently(each):
            return False
        if issubclass(kind, _weakref.ReferenceType) and not _is_quiet(_callback_of(each)):
            return False
    return True


def _is_quiet(callback: Any) -> bool:
    """Whether the callback of a weak reference is none, or one that abstract classes keep their caches by."""
    if type(callback) is BuiltinFunctionType:
        return type(callback.__self__) is _weakref.ReferenceType
    return callback is None


def _goes_silently(kind: type[Any]) -> bool:
    if issubclass(kind, (_weakref.ProxyType, _weakref.CallableProxyType)):
        return False
    return not any("__del__" in _names_of(base) for base in _bases_of(kind))
