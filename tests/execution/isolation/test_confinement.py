"""What a confined program may read is told from the paths, before any kernel enforces it."""

from __future__ import annotations

from pathlib import Path

from codesample.execution.isolation.confinement import Confinement
from codesample.execution.isolation.level import Level


def plant(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def readable(*packages: Path) -> set[str]:
    found = Confinement(level=Level.CONFINED, folder="/", packages=tuple(map(str, packages))).readable
    return {path for path in found if path.startswith(tuple(map(str, packages)))}


def test_installed_packages_are_no_part_of_a_library(tmp_path: Path) -> None:
    names = ["os.py", "json/decoder.py", "python3.11/os.py", "python3.11/site-packages/pip/x.py"]
    plant(tmp_path, *names, "python3/dist-packages/apt.py", "pyplain/a.py")
    (tmp_path / "link").symlink_to("/")
    assert readable(tmp_path) == {
        str(tmp_path / name) for name in ("os.py", "json", "python3.11/os.py", "pyplain")
    }


def test_a_folder_without_installed_packages_is_readable_as_a_whole(tmp_path: Path) -> None:
    plant(tmp_path, "os.py", "python3.11/os.py")
    assert readable(tmp_path) == {str(tmp_path)}


def test_granted_packages_do_not_show_our_own_hidden_tests(tmp_path: Path) -> None:
    plant(tmp_path, "numpy/core.py", "codesample/tasks/mini/problems.jsonl")
    assert readable(tmp_path) == {str(tmp_path / "numpy")}
