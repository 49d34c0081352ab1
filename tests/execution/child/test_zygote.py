"""What a zygote holds is paid for at each fork: page tables copied, mappings made and torn down."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from codesample.execution.wire import launch

PACKAGE = Path(launch.__file__).parents[1]
SHOW = "import importlib, sys; importlib.import_module(sys.argv[3]); print(*sys.modules)"


def test_a_zygote_imports_nothing_large_of_its_own() -> None:
    boot = launch._BOOT.replace("importlib.import_module(sys.argv[3]).main(sys.argv[4:])", SHOW)
    assert SHOW in boot
    flags = ["-s", "-S", "-P", "-c"]
    words = [*flags, boot, str(PACKAGE.parent), str(PACKAGE), "codesample.execution.child.zygote"]
    out = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True).stdout
    loaded = set(out.split())
    assert "codesample.execution.child.server" in loaded
    large = {"asyncio", "dataclasses", "difflib", "inspect", "logging", "pathlib", "shutil", "subprocess"}
    assert not loaded & (large | {"platform", "tempfile", "threading", "urllib", "torch", "numpy"})
