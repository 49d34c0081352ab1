"""What a zygote's interpreter imports in place of `site`, before it runs the file it was started with.

A zygote lives inside this import, and a child that runs a script returns from it: the interpreter goes on
as `python FILE` does, from reading the source to its own end, with no frame of ours below the program.
"""

from __future__ import annotations

import os
import sys

__all__: list[str] = []

_UP = (os.pardir,) * 3


def _package(name: str, path: str) -> None:
    """Step over a package's `__init__`, as `wire/launch.py` says why."""
    module = type(sys)(name)
    module.__path__ = [path]
    sys.modules[name] = module


def _host() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.remove(here)
    _package("codesample", os.path.abspath(os.path.join(here, *_UP)))
    _package("codesample.execution", os.path.abspath(os.path.join(here, *_UP[1:])))
    from codesample.execution.child.zygote import main

    main(sys.argv[1:])


if __name__ == "site":
    _host()
