"""Small trees with one thing wrong in each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from source_tree import SourceTree

Plant = Callable[[dict[str, str]], SourceTree]

SOUND = {
    "codesample/__init__.py": """
        from typing import TYPE_CHECKING

        if TYPE_CHECKING:
            from codesample.high.door import enter

        _HOME = {"enter": "codesample.high.door", "low_thing": "codesample.low.thing"}
        """,
    "codesample/low/__init__.py": "",
    "codesample/low/thing.py": """
        class Thing:
            size = 1

            def grow(self):
                self.grown = True
        """,
    "codesample/high/__init__.py": "from codesample.high.door import enter\n",
    "codesample/high/door.py": "from codesample.low.thing import Thing\n\ndef enter(): ...\n",
    "rerankers/pick.py": "from codesample.low.thing import Thing\n",
}


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Make a sound tree in which some files hold something else."""

    def make(files: dict[str, str]) -> SourceTree:
        for name, text in (SOUND | files).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text).lstrip("\n"))
        return SourceTree(tmp_path)

    return make
