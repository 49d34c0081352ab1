"""Notes when a program looks for its judge or changes what its tests rely on, where both share a process.

An audit hook cannot be taken back, and the events it sees are raised by the interpreter itself. What it
watches is not forbidden: who is seen is reported, and then no verdict is given.
"""

from __future__ import annotations

import _frozen_importlib
import _imp
import builtins
import sys
from _thread import get_ident
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import call, is_
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NamedTuple

__all__ = [
    "Entry",
    "apart",
    "codes_within",
    "entries",
    "overridden",
    "rebound",
    "shadowed",
    "unchanged",
    "watch",
]

# what this module looks up must not be what a program made of it
globals()["__builtins__"] = dict(vars(builtins))

_LOOKING = frozenset(
    {
        "sys._getframe",
        "sys._getframemodulename",
        "sys._current_frames",
        "sys._current_exceptions",
        "gc.get_objects",
        "gc.get_referrers",
        "gc.get_referents",
        "sys.addaudithook",
        "marshal.load",
        "marshal.loads",
        "ctypes.addressof",
        "ctypes.call_function",
        "ctypes.cdata",
        "ctypes.cdata/buffer",
        "ctypes.dlopen",
        "ctypes.dlsym",
        "ctypes.string_at",
        "ctypes.wstring_at",
    }
)
_TRACING = frozenset({"sys.settrace", "sys.setprofile", "sys.monitoring.register_callback"})
_MAKING_CODE = frozenset({"compile", "code.__new__"})
"""Events of new code, whose second argument is its file name."""
_LOADING = vars(_frozen_importlib)["_call_with_frames_removed"].__code__
_EXECUTES_EXTENSION = _imp.exec_dynamic
_MAKERS = ("compile", "replace", "__replace__", "CodeType")
_FRAME_ATTRIBUTES = frozenset({"tb_frame", "gi_frame", "cr_frame", "ag_frame"})
_CODE_ATTRIBUTES = frozenset({"__code__", "f_code"})
_MEMORY_MODULES = frozenset(
    {"ctypes", "_ctypes", "_testcapi", "_testinternalcapi", "_xxsubinterpreters", "_interpreters"}
)
_WATCHED = _LOOKING | _TRACING | _MAKING_CODE | {"import", "object.__getattr__", "object.__setattr__"}

_HAND_OUT_FRAMES = frozenset(
    {
        ("inspect.py", "currentframe"),
        ("inspect.py", "stack"),
        ("inspect.py", "trace"),
        ("inspect.py", "getinnerframes"),
        ("traceback.py", "walk_stack"),
        ("traceback.py", "walk_tb"),
        ("traceback.py", "extended_frame_gen"),
        ("base_tasks.py", "_task_get_stack"),
        ("__init__.py", "currentframe"),
        ("__init__.py", "<lambda>"),
    }
)
"""Functions of the library that find a frame and give it to their caller, by file and name."""

_HOOKS = (
    *("__call__", "__getattr__", "__getattribute__", "__init_subclass__", "__new__", "__setattr__"),
    *("__unittest_skip__", "__unittest_expecting_failure__"),
)
"""What would change a class that has none of its own."""

_CONSTANTS = (int, float, complex, str, bytes, tuple, frozenset)
_WORDING = frozenset({"maxDiff", "longMessage"})
"""Settings of classes that change no outcome."""
_SET_ANEW = frozenset({"time"})
"""Modules whose constants the system changes."""


def apart(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function once more, whose module is a copy that nothing else refers to.

    The same goes for all of this package's functions that it calls. A program can find modules of ours by
    the classes that there are, and change them.
    """
    shared = function.__globals__
    names = dict(shared)
    for name, value in shared.items():
        if type(value) is FunctionType and value.__globals__ is shared:
            names[name] = FunctionType(value.__code__, names, name, value.__defaults__, value.__closure__)
            names[name].__kwdefaults__ = value.__kwdefaults__
        elif type(value) is FunctionType and value.__module__ == __name__:
            names[name] = apart(value)
    copy: Callable[..., Any] = names[function.__name__]
    return copy


def codes_within(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and all that it holds."""
    yield code
    for constant in code.co_consts:
        if type(constant) is CodeType:
            yield from codes_within(constant)


def watch(
    tests: Iterable[CodeType], tests_filename: str, names: dict[str, Any], report: Callable[[], Any]
) -> None:
    """Call `report` whenever the program, of this process and from now on, looks where it should not.

    That is: at frames and objects that are not its own, at memory, at the code of the tests; and tracing,
    another audit hook, code under a file name that is not its own, and changes to others' functions. The
    library may do all this on its behalf, and tests may do it.

    Args:
        tests: All code of the tests; kept alive, for it is known by its identity.
        tests_filename: The file name of that code, which no other may have.
        names: The namespace that program and tests share.
        report: Called at each such event, before it takes place.
    """
    kept = tuple(tests)
    ids = frozenset(map(id, kept))
    watched, frame_at, thread = _WATCHED, sys._getframe, get_ident
    busy: set[int] = set()

    def is_program(frame: FrameType | None) -> bool:
        """Whether a frame runs code of the program: of no file, and not of the tests, or a thread of it."""
        if frame is None:
            return True
        return not _is_library(frame.f_code.co_filename) and id(frame.f_code) not in ids

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        # finding out who caused an event causes more of them
        if event not in watched or thread() in busy:
            return
        busy.add(thread())
        try:
            if event in _TRACING:
                seen = _traces(frame_at(1), ids)
            elif event in _MAKING_CODE and _loads_extension(frame_at(1)):
                seen = False
            else:
                nearest = _nearest(frame_at(1), _names_for(event, arguments))
                seen = is_program(nearest) and _is_odd(event, arguments, ids, tests_filename, names)
            if seen:
                report()
        finally:
            busy.discard(thread())

    sys.addaudithook(hook)


def _is_library(filename: str) -> bool:
    """Whether code came from a file: programs can write none, and are seen where they borrow its name."""
    return filename.startswith(("/", "<frozen "))


def _nearest(frame: FrameType | None, names: tuple[str, ...]) -> FrameType | None:
    """Return the frame that an event is due to: of the program, or of the library on its own behalf.

    The library does not act for itself where it names none of `names`, and so was handed what it calls or
    asks for, nor where it only hands out frames.
    """
    named = False
    while frame is not None and _is_library(frame.f_code.co_filename):
        code = frame.f_code
        named = named or not set(names).isdisjoint(code.co_names)
        if named and not _hands_out(frame):
            break
        frame = frame.f_back
    return frame


def _hands_out(frame: FrameType) -> bool:
    """Whether a frame of the library gives others' frames to its caller, or what is in their variables."""
    code = frame.f_code
    if (code.co_filename.rpartition("/")[2], code.co_name) in _HAND_OUT_FRAMES:
        return True
    return "capture_locals" in code.co_varnames and bool(frame.f_locals.get("capture_locals"))


def _loads_extension(frame: FrameType) -> bool:
    """Whether no Python is nearer than the importing of an extension module: what it makes is its own."""
    if frame.f_code is not _LOADING:
        return False
    names = frame.f_locals
    return names.get("f") is _EXECUTES_EXTENSION and list(map(type, names.get("args", ()))) == [ModuleType]


def _names_for(event: str, arguments: tuple[Any, ...]) -> tuple[str, ...]:
    """Return what code names that raises an event by itself, and not through what it was handed."""
    if event == "import":
        # who imports `_ctypes` is ctypes, for another
        return (str(arguments[0]).lstrip("_"),)
    if event.startswith("object."):
        return (arguments[1],)
    if event.startswith("ctypes."):
        return ("ctypes",)
    return _MAKERS if event in _MAKING_CODE else (event.rpartition(".")[2],)


def _traces(frame: FrameType | None, ids: frozenset[int]) -> bool:
    """Whether it is not the tests that trace: a new thread is traced on behalf of nobody on its stack."""
    while frame is not None:
        if id(frame.f_code) in ids:
            return False
        if not _is_library(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return True


def _is_odd(
    event: str, arguments: tuple[Any, ...], ids: frozenset[int], tests_filename: str, names: dict[str, Any]
) -> bool:
    """Whether a watched event is more than programs do to what is theirs."""
    if event in _LOOKING:
        return True
    if event == "import":
        return arguments[0] in _MEMORY_MODULES
    if event in _MAKING_CODE:
        filename = arguments[1]
        return type(filename) is str and (_is_library(filename) or filename == tests_filename)
    subject, attribute = arguments[0], arguments[1]
    if event == "object.__setattr__":
        if type(subject) is not FunctionType:
            return False
        return subject.__globals__ is not names or id(subject.__code__) in ids
    if attribute in _CODE_ATTRIBUTES:
        return id(getattr(subject, attribute)) in ids
    return attribute in _FRAME_ATTRIBUTES


class Entry(NamedTuple):
    """How a namespace is asked for a name, the name, and what it held; None for nothing."""

    get: Callable[[str], Any]
    name: str
    value: Any


def entries(modules: Iterable[ModuleType]) -> list[Entry]:
    """Return the functions, classes, constants and objects of modules, and what those classes hold."""
    found = []
    for module in modules:
        found.append(Entry(sys.modules.get, module.__name__, module))
        space = vars(module)
        get = space.get
        constant = module.__name__ not in _SET_ANEW
        for name, value in tuple(space.items()):
            if callable(value) or (constant and type(value) in _CONSTANTS and not name.startswith("_")):
                found.append(Entry(get, name, value))
                if isinstance(value, type) and value.__module__ == module.__name__ != "builtins":
                    found += _within(value)
            elif _root(type(value).__module__) == _root(module.__name__) and hasattr(value, "__dict__"):
                found += [Entry(get, name, value), *_in_place_of_class(value)]
    return found


def _within(kind: type) -> Iterator[Entry]:
    space = vars(kind)
    get = space.get
    yield from (Entry(get, hook, None) for hook in _HOOKS if hook not in space)
    for name, value in tuple(space.items()):
        if callable(value) or isinstance(value, (classmethod, staticmethod, property)) or _rules(name, value):
            yield Entry(get, name, value)


def _rules(name: str, value: Any) -> bool:
    """Whether a class holds this to settle what it does."""
    if name.startswith("__") or name in _WORDING:
        return False
    return value is None or type(value) is bool or type(value) in _CONSTANTS


def _in_place_of_class(instance: Any) -> Iterator[Entry]:
    """Yield what an object of a module has, or has not, in place of what its class has."""
    get = vars(instance).get
    for name, value in tuple(vars(type(instance)).items()):
        if not name.startswith("__") and (callable(value) or _rules(name, value)):
            yield Entry(get, name, get(name))


def _root(module: Any) -> str:
    return str(module).partition(".")[0]


def unchanged(noted: Iterable[Entry]) -> Callable[[], bool]:
    """Return a function that says whether everything is still there, the very same objects."""
    # all of C, and nothing in it that could be changed
    getters, names, values = zip(*noted, strict=True)
    every, mapped, the_same, called = all, map, is_, call
    return lambda: every(mapped(the_same, mapped(called, getters, names), values))


def shadowed(wanted: Iterable[str], names: Mapping[str, Any], module: str) -> bool:
    """Whether the program defines one of the names that tests take for built-in ones."""
    for name in wanted:
        value = names.get(name)
        if type(value) is FunctionType:
            if value.__globals__ is names:
                return True
        elif value is not None:
            kind = value if isinstance(value, type) else type(value)
            if kind.__module__ == module:
                return True
    return False


def rebound(helpers: Iterable[str], names: Mapping[str, Any], tests: frozenset[int]) -> bool:
    """Whether a function that tests define for good, or a method as "Class.method", is no longer theirs."""
    for helper in helpers:
        owner, _, name = helper.rpartition(".")
        kind = names.get(owner)
        space = vars(kind) if owner and isinstance(kind, type) else {} if owner else names
        value = space.get(name)
        if type(value) is not FunctionType or id(value.__code__) not in tests or value.__dict__:
            return True
    return False


def overridden(cases: Mapping[str, frozenset[str]], names: Mapping[str, Any], base: type) -> bool:
    """Whether a class of the tests, derived from `base`, has of what that rules more than they gave it."""
    rules = {name for name, value in vars(base).items() if callable(value)} - {"__hash__"} | set(_HOOKS)
    for case, given in cases.items():
        kind = names.get(case)
        if not isinstance(kind, type) or kind.__bases__ != (base,):
            return True
        if not rules.isdisjoint(vars(kind).keys() - given):
            return True
    return False
