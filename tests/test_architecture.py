"""The map is true: what it names exists, what exists is on it, and arrows point one way."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TOPS = ("codesample", "kernels", "rerankers", "tasks")
BELOW = {
    "errors": set(),
    "records": {"errors"},
    "engines": {"errors", "records"},
    "hub": set(),
    "plugins": {"errors"},
    "decoding": {"errors"},
    "data_files": {"decoding", "errors", "hub"},
    "kernels": {"errors"},
    "execution": {"errors", "records"},
    "rerankers": {"errors", "plugins", "records"},
    "tasks": {"data_files", "decoding", "errors", "plugins", "records"},
    "sampling": {"engines", "errors", "hub", "kernels", "records"},
    "runs": {"data_files", "decoding", "errors", "records"},
    "evaluation": {
        "engines",
        "errors",
        "execution",
        "hub",
        "records",
        "rerankers",
        "runs",
        "sampling",
        "tasks",
    },
}
FOREIGN = {
    "execution": {"torch", "transformers", "numpy", "triton"},
    "tasks": {"torch", "transformers"},
    "rerankers": {"torch", "transformers"},
    "runs": {"torch", "transformers"},
    "kernels": {"transformers"},
}


def sources(part: str) -> list[Path]:
    """Return the modules of a part, wherever it stands."""
    for folder in (ROOT / part, ROOT / "codesample" / part):
        if folder.is_dir():
            return sorted(folder.rglob("*.py"))
    return [ROOT / "codesample" / f"{part}.py"]


def imported(file: Path) -> set[str]:
    """Return the dotted names that a module imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_every_path_on_the_map_exists() -> None:
    paths = set(re.findall(r"`((?:codesample|kernels|rerankers|tasks|tests|docs)/[\w./-]*)`", MAP))
    assert paths
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []


def test_every_folder_and_every_module_is_on_the_map() -> None:
    spec = importlib.util.spec_from_file_location("write_map", ROOT / "docs" / "write_map.py")
    assert spec is not None
    assert spec.loader is not None
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    assert writer.with_modules(MAP) == MAP, "make map"


@pytest.mark.parametrize("part", BELOW)
def test_arrows_point_one_way(part: str) -> None:
    for file in sources(part):
        ours = {name.split(".")[1] for name in imported(file) if name.startswith("codesample.")}
        assert ours - {part} <= BELOW[part], file


@pytest.mark.parametrize("part", FOREIGN)
def test_parts_stay_free_of_libraries_they_must_not_need(part: str) -> None:
    for file in sources(part):
        assert not {name.split(".")[0] for name in imported(file)} & FOREIGN[part], file


def test_nothing_below_imports_the_command_line() -> None:
    for top in TOPS:
        for file in (ROOT / top).rglob("*.py"):
            if ROOT / "codesample" / "cli" not in file.parents and file.name != "__main__.py":
                assert not {name for name in imported(file) if name.startswith("codesample.cli")}, file


@pytest.mark.parametrize("part", ["kernels", "rerankers", "tasks"])
def test_top_level_folders_are_linked_and_claim_no_bare_name(part: str) -> None:
    link = ROOT / "codesample" / part
    assert link.is_symlink()
    assert link.resolve() == ROOT / part
    assert not (ROOT / part / "__init__.py").exists()
