"""Tests that change the interpreter they run in, and tests that would see it."""

from __future__ import annotations

LEAVING = {
    "patched module": "import math\nmath.isclose = lambda *rest, **more: True\nassert f(2) == 5",
    "patched builtin": "import builtins\nbuiltins.sorted = lambda *rest: [0]\nassert f(2) == 4",
    "precision": "import decimal\ndecimal.getcontext().prec = 2\nassert f(2) == 4",
    "warnings": "import warnings\nwarnings.simplefilter('error')\nassert f(2) == 4",
    "alarm": "import signal\nsignal.alarm(3)\nassert f(2) == 4",
    "handlers": "import signal\nsignal.signal(signal.SIGVTALRM, signal.SIG_IGN)\nassert f(2) == 4",
    "threads": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nassert f(2) == 4",
    "streams": "import sys\nsys.stdout = sys.stderr = None\nassert f(2) == 4",
    "import hooks": "import sys\nsys.meta_path.clear()\nsys.modules.clear()\nassert f(2) == 4",
    "recursion": "import sys\nsys.setrecursionlimit(60)\nassert f(2) == 4",
    "trace": "import sys\nsys.settrace(lambda *rest: None)\nassert f(2) == 4",
    "working folder": "import os\nos.chdir('/')\nos.environ['A'] = 'b'\nos.umask(0o777)\nassert f(2) == 4",
}
"""Tests that change the interpreter they run in, by what they change."""

SENSITIVE = [
    """
import decimal, math, os, sys, time, warnings
assert not math.isclose(f(2), 5)
assert sorted([f(2), f(1)]) == [1, 4]
assert str(decimal.Decimal(1) / 3) == "0.3333333333333333333333333333"
warnings.warn("no more than that")
assert sys.getrecursionlimit() >= 1_000
def deep(n):
    return n and deep(n - 1)
deep(200)
assert sys.gettrace() is None
assert "A" not in os.environ
assert sys.stdout is not None
import json
""",
    """
import decimal, math
assert not math.isclose(f(2), 5)
assert sorted([f(2), f(1)]) == [1, 4]
assert str(decimal.Decimal(1) / 3) == "0.3333333333333333333333333333"
""",
]
"""Tests that hold only where none of the above left anything; the second run in the worker itself."""
