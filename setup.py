"""What pyproject.toml has no words for: a source archive keeps links; a checkout without them is refused."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from setuptools import setup
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
LINKS = ("src/codesample", "codesample/kernels", "codesample/rerankers", "codesample/tasks")


class SourceArchive(sdist):
    """A source archive with the checkout's links; setuptools alone would copy what is behind them."""

    def make_release_tree(self, base_dir: str, files: Iterable[str]) -> None:
        """Lay out the archive: files from where they are, then the links."""
        links = [link for link in LINKS if (ROOT / link).is_symlink()]
        super().make_release_tree(
            base_dir, [name for name in files if not any(Path(name).is_relative_to(link) for link in links)]
        )
        for link in links:
            place = Path(base_dir, link)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(os.readlink(ROOT / link))


# where symbolic links are off, git and some unpackers leave text files, of which setuptools makes nothing
if missing := [link for link in LINKS if not (ROOT / link).is_dir()]:
    sys.exit(
        f"{missing[0]} is no folder: this copy of codesample was made without symbolic links; "
        "clone it with `git -c core.symlinks=true clone`, or install a wheel"
    )
setup(cmdclass={"sdist": SourceArchive})
