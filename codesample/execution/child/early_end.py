"""The end of a script where nothing would be heard of it: most of an interpreter's end is freeing memory.

Behind a fork each page that is freed is copied first, which takes longer than most scripts run. So one
that ended normally, and left nothing behind that writes or runs code as it goes, ends here. In all other
cases, or in doubt, the interpreter goes on to its own end.

What a program can take away again says little of how it ended: `__file__` in its module, `sys.last_type`. The
frame that it ran in tells at which instruction it stopped.
"""

from __future__ import annotations

import _frozen_importlib_external
import _io
import _thread
import _weakref
import atexit
import gc
import sys
from collections.abc import Callable
from operator import call
from types import BuiltinFunctionType, FrameType, ModuleType
from typing import Any

from codesample.execution.isolation import linux

__all__ = ["end_early"]

_MOST_OBJECTS = 10_000
_SILENT = (_io.BytesIO, _io.StringIO)
_RETURN = compile("", "", "exec").co_code[-2]
"""The instruction that ends the code of a module, wherever it ends."""

# asked of `type` itself, for a metaclass may answer with code of the program
_bases_of = type.__dict__["__mro__"].__get__
_names_of = type.__dict__["__dict__"].__get__
_callback_of = _weakref.ReferenceType.__dict__["__callback__"].__get__


def end_early(main: ModuleType, *, held: list[ModuleType]) -> None:
    """Register what may end the process once the program, its threads and its `atexit` functions are through.

    Args:
        main: The module that the interpreter is about to run the program in.
        held: Modules to keep until then.
    """
    stdout, stderr, audit = sys.stdout, sys.stderr, sys.audit
    began: list[FrameType] = []

    def end() -> None:
        objects = gc.get_objects()
        # whether the program froze its own, and wants none of them collected
        if not any(each is held for each in objects):
            return
        # called by the program, it says nothing of the end
        called = sys._getframe().f_back is not None
        if called or _thread._count() or gc.callbacks or _is_audited(audit) or not _unheard(objects):
            # what the zygote froze may hold objects of the program
            gc.unfreeze()
        elif _ended_normally(main, began) and _flushed(stdout, stderr):
            linux.end_process(0)

    # calls of C: a program that traces to its end would hear of any other
    atexit.register(any, map(call, (sys.gettrace, sys.getprofile, end)))
    _note_beginning(main, began)


def _note_beginning(main: ModuleType, began: list[FrameType]) -> None:
    """Append the frame of the program, once there is one, to `began`."""
    names, importing = main.__dict__, vars(_frozen_importlib_external)
    loader = importing["SourceFileLoader"]

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_globals is names:
            sys.setprofile(None)
            began.append(frame)

    def load(*arguments: Any) -> Any:
        importing["SourceFileLoader"] = loader
        made = loader(*arguments)
        sys.setprofile(note)
        return made

    # the last that an interpreter calls before the program; to be told of all from here takes longer
    importing["SourceFileLoader"] = load


def _ended_normally(main: ModuleType, began: list[FrameType]) -> bool:
    """Tell a program that returned from one that an exception ended, SystemExit included.

    Where a trace function raises as it is told of that return, the interpreter keeps `__file__` in the module
    after SystemExit, and remembers any other exception.
    """
    if not began or sys.modules.get("__main__") is not main:
        return False
    if "__file__" in main.__dict__ or hasattr(sys, "last_type"):
        return False
    frame = began[0]
    return frame.f_code.co_code[frame.f_lasti] == _RETURN


def _is_audited(audit: Callable[[Any], None]) -> bool:
    """Whether there are audit hooks, which are told of an interpreter's end; none of them hears of this."""
    try:
        # what is no event is refused where there is anybody to tell
        audit(None)
    except TypeError:
        return True
    return False


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
