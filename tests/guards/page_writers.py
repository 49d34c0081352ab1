"""The scripts that write pages of docs/, loaded from their files."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

__all__ = ["page_writer"]

_DOCS = Path(__file__).resolve().parents[2] / "docs"


def page_writer(name: str) -> ModuleType:
    """Return a script of docs/ as a module, such as "write_map"."""
    spec = importlib.util.spec_from_file_location(name, _DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
