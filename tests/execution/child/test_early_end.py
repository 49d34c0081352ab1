"""A script is ended early only where nobody could tell: all else goes to the interpreter's own end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3]
SET_UP = """
import os, sys
sys.path.insert(0, {source!r})
from codesample.execution.child import early_end
from codesample.execution.isolation import linux
def noticed(status):
    os.write(1, b"early")
    os._exit(status)
linux.end_process = noticed
# as in a zygote
import collections, copy, gc, re
gc.collect()
gc.freeze()
early_end.end_early(sys.modules["__main__"], held=[])
"""


HIDING_HOOK = """
import sys
def hook(*about, before=sys.excepthook):
    del sys.last_type
    sys.excepthook = before
sys.excepthook = hook
1 / 0
"""


def ended_early(tmp_path: Path, program: str) -> bool:
    """Whether a program is given the early end by an interpreter that asked for it as it started."""
    file = tmp_path / "program.py"
    file.write_text(program)
    (tmp_path / "sitecustomize.py").write_text(SET_UP.format(source=str(SOURCE)))
    done = subprocess.run(
        [sys.executable, file], env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, timeout=60
    )
    return done.stdout.endswith("early")


@pytest.mark.parametrize(
    "program",
    [
        "",
        "print('x' * 100_000)",
        "import math, re, collections\nprint(collections.Counter('abc'))",
        "class A:\n    def __init__(self):\n        self.me = self\nkept = [A() for _ in range(100)]",
        "import io\nlines = io.BytesIO(b'1')\ntext = io.StringIO('1')",
        "def g():\n    yield 1\nlist(g())",
        "import weakref\nclass A: pass\na = A()\nr = weakref.ref(a)",
        "import atexit\natexit.register(print, 'x')",
        "import _thread as t\nd = []\nt.start_new_thread(d.append, (1,))\nwhile not d or t._count(): pass",
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    pass",
        "del __file__, __cached__",
        "globals().clear()",
        "if True:\n    for i in range(3):\n        try:\n            i\n        finally:\n            pass",
        "with open('/dev/null'):\n    pass",
        "import sys\nsys.excepthook = print",
        "import os\nos.closerange(3, 1000)",
        "import sys\nsys.settrace(print)\nsys.settrace(None)",
    ],
)
def test_a_script_that_leaves_nothing_behind_ends_early(tmp_path: Path, program: str) -> None:
    assert ended_early(tmp_path, program)


@pytest.mark.parametrize(
    "program",
    [
        "1 / 0",
        "import sys\nsys.exit()",
        "raise SystemExit(3)",
        "class A:\n    def __del__(self): pass",
        "class A(int):\n    __slots__ = ()\n    __del__ = print\na = A(3)",
        "class A: pass\na = A()\nA.__del__ = print",
        "def g():\n    yield 1\nit = g()\nnext(it)",
        "async def f(): pass\nc = f()",
        "out = open(1, 'w', closefd=False)",
        "import io, sys\nout = io.TextIOWrapper(sys.stdout.buffer)",
        "import sys\nsys.stdout = open('/dev/null', 'w')",
        "import sys\nsys.stdout = None",
        "import sys\nsys.stdout.close()",
        "import sys\nsys.stderr = sys.stdout",
        "import os\nprint(1)\nos.close(1)",
        "import weakref\nclass A: pass\na = A()\nr = weakref.ref(a, print)",
        "import weakref\nclass A: pass\na = A()\nr = weakref.proxy(a)",
        "import gc\ngc.callbacks.append(print)",
        "import gc\ngc.freeze()",
        "import sys\nsys.addaudithook(print)",
        "import atexit\natexit._run_exitfuncs()",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
        "import sys\ndel sys.modules['__main__']",
        "import sys\nsys.last_type = None",
        "del __file__, __cached__\nraise SystemExit(3)",
        "globals().clear()\nraise SystemExit(3)",
        "def f():\n    globals().clear()\n    raise SystemExit(3)\nf()",
        "x = (",
        "import atexit, sys\n@atexit.register\ndef f():\n    del sys.last_type\n1 / 0",
        "import sys\nclass E(Exception):\n    def __str__(self):\n        del sys.last_type\nraise E",
        HIDING_HOOK,
        "import sys\nsys.settrace(lambda *a: None)",
        "import sys\nsys.setprofile(lambda *a: None)",
        "import sys\nsys.setprofile(lambda frame, event, _: exit(3) if frame.f_back is None else 0)",
        "import sys\ngetattr(sys, 'addaudit' + 'hook')(print)",
        "class M(type):\n    __getattribute__ = print\nclass A(metaclass=M):\n    def __del__(self): pass",
        "kept = [[] for _ in range(20_000)]",
    ],
)
def test_a_script_of_which_more_might_be_heard_goes_on_to_its_end(tmp_path: Path, program: str) -> None:
    assert not ended_early(tmp_path, program)
