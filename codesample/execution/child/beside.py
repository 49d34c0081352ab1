"""Runs tests beside the program, as Python does: in its namespace, one after another, in this process.

After the request come two messages. The first holds, for each step, what is to be sent when the step ends
well; without it the worker believes nothing. The second holds the tests. Neither is ever in a variable of
a frame that lives while the program runs: what is needed later goes from one C function to the next. For
the program, the source of the tests and each check there is one message back, in this order:

    a pass       as it came
    ["failed", "wrong", "AssertionError: 3"]
    ["caught", "..."]     where the program did what leaves the verdict without worth, at any time
"""

from __future__ import annotations

import _socket
import builtins
import importlib
import random
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, compress, repeat, starmap
from struct import iter_unpack
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple

from codesample.execution.child.watch import (
    Entry,
    apart,
    codes_within,
    entries,
    overridden,
    rebound,
    shadowed,
    unchanged,
    watch,
)
from codesample.execution.wire import channel, codec

__all__ = ["perform", "spare_frames"]

# what this module looks up must not be what a program made of it: for that it has functions of its own, which
# `apart` copies, where `server` and `exceptions` have the like
globals()["__builtins__"] = dict(vars(builtins))

_PROGRAM, _TESTS, _MAIN = "<program>", "<tests>", "__main__"
_SHOW_SOURCE = ("inspect", "linecache", "traceback")
_RULES_OF_UNITTEST = ("load_tests", "setUpModule", "tearDownModule")
_RECURSION_LIMIT = sys.getrecursionlimit()
_CHOOSING = ("argv", "defaultTest", "testLoader", "testNamePatterns")
"""What tests say that run a choice of their own."""
_CALLS_OF_C = 3
"""What the recursion limit counts beside Python's own frames, from here to the tests."""
_MAX_FRAMES = 4
_MAX_TEXT = 200
_MAX_DETAIL = 1_000

_LOOKED = "the program looked at what is not its own"
_CHANGED = "the program changed what its tests rely on"
_SKIPPED = "the program kept tests from running"
_NO_WORTH = ", so its verdict would prove nothing"


class _Replies(NamedTuple):
    """Functions that send what is no pass: why a step failed, and why the verdict has no worth."""

    failed: Callable[[str, str], None]
    looked: Callable[[], None]
    changed: Callable[[], None]
    skipped: Callable[[], None]


class _Tests(NamedTuple):
    """What the worker sends of the tests.

    Attributes:
        source, checks: As in `CodeTests`.
        imports: Modules of the standard library that they import anywhere.
        built_in: Names that they take for built-in ones.
        helpers: Functions that they define for good, and methods, as "Class.method".
        cases: Classes that they derive from `unittest.TestCase` alone, for good; each with what it may have.
        changes: Names under which they may change what is in modules and classes; None for any in the text.
    """

    source: str
    checks: list[str]
    imports: list[str]
    built_in: list[str]
    helpers: list[str]
    cases: list[list[str]]
    changes: list[str] | None


def perform(sock: _socket.socket, source: str, name: str, seed: int, pass_bytes: int) -> None:
    """Run a program as module `name`, then tests in its namespace; send a message for each of them.

    Args:
        sock: Where passes and tests are read from and replies go to.
        source: The program.
        name: Under which it runs; the tests run as "__main__".
        seed: Of `random`.
        pass_bytes: Length of each pass, with the header of its message.
    """
    passes = f"{pass_bytes}s"
    deque(
        starmap(
            sock.sendall,
            compress(iter_unpack(passes, _read(sock)), map(*apart(_steps)(sock, source, name, seed))),
        ),
        0,
    )


def _read(sock: _socket.socket) -> bytes:
    return channel.receive(sock) or b""


def _steps(
    sock: _socket.socket, source: str, name: str, seed: int
) -> tuple[Callable[[Iterator[Any], bool], bool], Iterator[Iterator[Any]], Iterator[bool]]:
    """Read the tests and make everything ready; return a function that runs a step, and its arguments."""
    tests = _Tests(*codec.decode(_read(sock), trusted=True))
    parts = (tests.source, *tests.checks)
    text = _text_of(tests)
    codes = [_compiled(part, _TESTS) for part in parts]
    kept = [inner for code in codes if isinstance(code, CodeType) for inner in codes_within(code)]
    ids = frozenset(map(id, kept))
    _hide_the_sandbox()
    modules = _imported([*tests.imports, "unittest"] if "unittest" in text else tests.imports)
    if "unittest" in text:
        # it is for Ctrl-C, and gives running results to all who ask: they could stop a run, or mend it
        vars(sys.modules["unittest.runner"])["registerResult"] = lambda result: None
    if any(word in source or word in text for word in _SHOW_SOURCE):
        _show(_PROGRAM, source)
    # their text says what they expect
    if any(word in text for word in _SHOW_SOURCE):
        _show(_TESTS, tests.source)
    relied_on = entries([builtins, *modules])
    module = ModuleType(name)
    module.__file__ = _PROGRAM
    sys.modules[name] = sys.modules[_MAIN] = module
    names = vars(module)
    # else it would get those of this module
    names["__builtins__"] = vars(builtins)
    say = _replies(sock)
    run = _runner(
        names,
        say,
        _loaded_well(names, relied_on, by_unittest="unittest" in text),
        _ended_well(names, relied_on, tests, ids, name),
        _ended_by_unittest(ids, text),
    )
    steps = [_step(code, names) for code in (_compiled(source, _PROGRAM), *codes)]
    random.seed(seed)
    spare_frames(_CALLS_OF_C)
    watch(kept, _TESTS, names, say.looked)
    return run, iter(steps), chain((True,), repeat(False))


def _replies(sock: _socket.socket) -> _Replies:
    send, frame, encode = sock.sendall, channel.frame, codec.encode
    # made now: a program may change what encoding needs
    caught = [frame(encode(["caught", text + _NO_WORTH])) for text in (_LOOKED, _CHANGED, _SKIPPED)]
    return _Replies(
        lambda status, detail: send(frame(encode(["failed", status, detail]))),
        *(partial(send, message) for message in caught),
    )


def _compiled(text: str, filename: str) -> CodeType | BaseException:
    """Return code that inherits nothing from this module, or why there is none."""
    try:
        return compile(text, filename, "exec", dont_inherit=True)
    except BaseException as error:
        return error.with_traceback(None)


def _step(code: CodeType | BaseException, names: dict[str, Any]) -> Iterator[Any]:
    """Return an iterator that runs `code` for its only item, and by then holds it no longer."""
    if isinstance(code, BaseException):
        return _raising(code)
    return map(exec, iter(deque((code,)).popleft, None), (names,))


def _raising(error: BaseException) -> Iterator[Any]:
    raise error
    yield


def _runner(
    names: dict[str, Any],
    say: _Replies,
    loaded_well: Callable[[], bool],
    ended_well: Callable[[], bool],
    ended_by_unittest: Callable[[BaseException], bool | None],
) -> Callable[[Iterator[Any], bool], bool]:
    """Return a function that runs a step and says whether it ended well; if not, it has sent why."""

    def run(step: Iterator[Any], loading: bool) -> bool:
        every_test_ran: bool | None = True
        try:
            next(step)
        except BaseException as error:
            every_test_ran = None if loading else ended_by_unittest(error)
            if every_test_ran is None:
                say.failed(*_trouble(error, loading))
                return False
        if loading:
            names["__name__"] = _MAIN
        if not every_test_ran:
            say.skipped()
        elif not (loaded_well() if loading else ended_well()):
            say.changed()
        else:
            return True
        return False

    return run


def _imported(names: Sequence[str]) -> list[ModuleType]:
    """Import what can be imported of `names`; return these modules and all that belong to them."""
    if not names:
        return []
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            # the tests will see
            continue
    roots = {name.partition(".")[0] for name in names} - {"sys", "builtins"}
    return [module for name, module in sys.modules.items() if name.partition(".")[0] in roots]


def _show(filename: str, text: str) -> None:
    """Let the library find the lines of what it cannot read from a file."""
    import linecache

    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)


def _hide_the_sandbox() -> None:
    """Make modules of ours, and what reads memory, be imported anew or not at all, which is seen."""
    for name in [name for name in sys.modules if name.startswith(("codesample", "ctypes"))]:
        del sys.modules[name]


def spare_frames(more: int) -> None:
    """Set the recursion limit so that a program has what it has by itself, beyond all frames and `more`."""
    frame = sys._getframe(1)
    count = 1
    while frame.f_back is not None:
        frame, count = frame.f_back, count + 1
    sys.setrecursionlimit(_RECURSION_LIMIT + count + more)


def _loaded_well(
    names: dict[str, Any], relied_on: Sequence[Entry], *, by_unittest: bool
) -> Callable[[], bool]:
    """Return a function that says whether loading the program left everything to the tests."""
    rules = [Entry(names.get, rule, None) for rule in _RULES_OF_UNITTEST if by_unittest]
    return unchanged([Entry(names.get, "__builtins__", vars(builtins)), *rules, *relied_on])


def _ended_well(
    names: dict[str, Any], relied_on: Sequence[Entry], tests: _Tests, kept: frozenset[int], module: str
) -> Callable[[], bool]:
    """Return a function that says whether a step found what it relied on: as it was, or changed by itself."""
    free = _text_of(tests) if tests.changes is None else frozenset(tests.changes)
    still = unchanged(
        [
            Entry(names.get, "__builtins__", vars(builtins)),
            Entry(names.get, "__name__", _MAIN),
            *(entry for entry in relied_on if entry.name not in free),
        ]
    )
    built_in, helpers = tuple(tests.built_in), tuple(tests.helpers)
    cases = {case: frozenset(given) for case, *given in tests.cases}
    base = getattr(sys.modules.get("unittest"), "TestCase", object)

    def ended_well() -> bool:
        rules = shadowed(built_in, names, module) or overridden(cases, names, base)
        return still() and not rules and not rebound(helpers, names, kept)

    return ended_well


def _text_of(tests: _Tests) -> str:
    return "\n".join((tests.source, *tests.checks))


def _ended_by_unittest(tests: frozenset[int], text: str) -> Callable[[BaseException], bool | None]:
    """Return a function that tells the good end of `unittest.main()`, called by the tests, from others.

    It returns None for any other end, else whether tests ran, all that there are, and none was skipped by
    what happened in it or failed as expected, unless that is in the text of the tests.
    """
    main = sys.modules.get("unittest.main")
    if main is None:
        return lambda error: None
    frames_of, skipped_by_itself = _frames, _skipped_by_itself
    start, run = main.TestProgram.__init__.__code__, main.TestProgram.runTests.__code__
    may_raise, may_skip, may_fail = "kipTest" in text, "skip" in text, "expectedFailure" in text
    may_choose = any(word in text for word in _CHOOSING)

    def ended(error: BaseException) -> bool | None:
        if type(error) is not SystemExit or error.code:
            return None
        frames = [frame for frame, _ in frames_of(error)][1:]
        if len(frames) < 3 or frames[-2].f_code is not start or frames[-1].f_code is not run:
            return None
        of_tests = all(id(frame.f_code) in tests for frame in frames[:-2])
        program = frames[-1].f_locals["self"]
        if not of_tests or program.module is not sys.modules[_MAIN]:
            return None
        result = program.result
        fair = may_raise or (may_skip and all(map(skipped_by_itself, result.skipped))) or not result.skipped
        chosen = program.testNames is not None or program.testLoader.testNamePatterns
        fair = fair and (may_choose or not chosen) and (may_fail or not result.expectedFailures)
        return fair and result.testsRun > 0

    return ended


def _skipped_by_itself(skip: tuple[Any, str]) -> bool:
    """Whether a test was skipped by a decorator, not by what happened in it."""
    test = skip[0]
    method = getattr(test, getattr(test, "_testMethodName", ""), None)
    return bool(getattr(method, "__unittest_skip__", False) or getattr(test, "__unittest_skip__", False))


def _trouble(error: BaseException, loading: bool) -> tuple[str, str]:
    """Return a status and a text for what ended a step.

    What the program raised is an error, and so is a name that it lacks; else the tests did not like what
    they got.
    """
    try:
        return _status(error, loading), _detail(error)
    except BaseException:
        # what it holds may be made to hurt
        return "error", type(error).__name__


def _status(error: BaseException, loading: bool) -> str:
    if isinstance(error, MemoryError):
        return "memory"
    ours = [name for frame, _ in _frames(error) if (name := frame.f_code.co_filename) in (_PROGRAM, _TESTS)]
    if loading or not ours or ours[-1] == _PROGRAM:
        return "error"
    if type(error) is SystemExit and _result_of_unittest(error) is not None:
        return "wrong"
    # not there, or not to be had here
    lacking = isinstance(error, (NameError, ImportError, OSError)) and not isinstance(
        error, UnboundLocalError
    )
    return "error" if lacking or not isinstance(error, Exception) else "wrong"


def _detail(error: BaseException) -> str:
    result = _result_of_unittest(error)
    if result is not None:
        texts = [text for _, text in [*result.failures, *result.errors]]
        return (
            "\n".join(texts[0].strip().splitlines()[-_MAX_FRAMES:])[:_MAX_DETAIL]
            if texts
            else "no test passed"
        )
    places = [
        f"{filename}, line {line}, in {frame.f_code.co_name}"
        for frame, line in _frames(error)
        if (filename := frame.f_code.co_filename) in (_PROGRAM, _TESTS)
    ]
    return "\n".join([*places[-_MAX_FRAMES:], f"{type(error).__name__}: {_text(error)}"])[:_MAX_DETAIL]


def _result_of_unittest(error: BaseException) -> Any:
    """Return the result of the test run that ended so; None where none did."""
    last = [frame for frame, _ in _frames(error)][-1:]
    if type(error) is not SystemExit or not last or last[0].f_code.co_name != "runTests":
        return None
    return getattr(last[0].f_locals.get("self"), "result", None)


def _frames(error: BaseException) -> list[tuple[FrameType, int]]:
    """Return each frame that an exception went through, outermost first, with its line."""
    found = []
    step = error.__traceback__
    while step is not None:
        found.append((step.tb_frame, step.tb_lineno))
        step = step.tb_next
    return found


def _text(value: object) -> str:
    try:
        return str(value)[:_MAX_TEXT]
    except BaseException:
        return f"<{type(value).__name__}>"
