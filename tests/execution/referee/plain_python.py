"""A bare interpreter that forks once for each entry, and lets it run there as Python runs a script.

    python -X utf8 -P plain_python.py ENTRIES RESULTS

ENTRIES: a JSON list of [program, tests]. RESULTS: a JSON list of [passed, why not], in the same order.
An entry passed where its tests came to their end and the process then ended normally: threads joined,
exit functions run. It imports next to nothing, for each entry should find a fresh interpreter; `random`,
which is seeded in each, is loaded once for all.
"""

import json
import os
import random
import resource
import select
import signal
import sys
from posix import write

_CPU_SECONDS, _WALL_SECONDS, _ADDRESS_SPACE = 3, 30, 4 << 30
_MOST_OF_REASON = 300
_END = b"came to its end"
_PLACE = '  File "<tests>", line'


def _become_entry(program, tests, sentinel):
    """Run program and tests in one namespace, as the same module; raises what they raise."""
    random.seed(0)
    module = type(sys)("program")
    sys.modules["program"] = module
    exec(compile(program, "<program>", "exec", dont_inherit=True), module.__dict__)
    module.__name__ = "__main__"
    sys.modules["__main__"] = module
    try:
        exec(compile(tests, "<tests>", "exec", dont_inherit=True), module.__dict__)
    except SystemExit as end:
        if end.code or not _of_unittest(end.__traceback__):
            raise
    write(sentinel, _END)


def _of_unittest(trace):
    """Whether the innermost frame is that of `unittest.main`, which exits with success too."""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_globals.get("__name__") == "unittest.main"


def _outcome(pid, sentinel, errors):
    """Wait for the process of an entry; return whether it passed, and else why not."""
    watch = os.pidfd_open(pid)
    ended = select.select([watch], [], [], _WALL_SECONDS)[0]
    if not ended:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(watch)
    os.set_blocking(sentinel, False)
    try:
        came_to_end = os.read(sentinel, len(_END)) == _END
    except BlockingIOError:
        came_to_end = False
    lines = os.pread(errors, 1 << 20, 0).decode("utf-8", "replace").strip().splitlines()
    places = [line.split(",")[1] for line in lines if line.startswith(_PLACE)]
    reason = f"exit status {status}{''.join(places[:1])}: {''.join(lines[-1:])}"[:_MOST_OF_REASON]
    passed = came_to_end and status == 0
    return [passed, "" if passed else reason]


with open(sys.argv[1], encoding="utf-8") as _file:
    _entries = json.load(_file)
_results = []
_mine = None
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
for _program, _tests in _entries:
    _reading, _writing = os.pipe()
    _errors = os.memfd_create("errors")
    _pid = os.fork()
    if _pid == 0:
        os.close(_reading)
        os.dup2(_errors, 2)
        os.close(_errors)
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
        sys.argv[:] = [""]
        _mine = _program, _tests, _writing
        break
    os.close(_writing)
    _results.append(_outcome(_pid, _reading, _errors))
    os.close(_reading)
    os.close(_errors)

# the process of an entry ends by the end of this file, as any script does
if _mine is None:
    with open(sys.argv[2], "w", encoding="utf-8") as _file:
        json.dump(_results, _file)
else:
    _become_entry(*_mine)
