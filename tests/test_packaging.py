"""The wheel: what it holds, and that its import names leave those of other distributions alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("kernels", "rerankers", "tasks")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    sources = place / "sources"
    sources.mkdir()
    for name in ("codesample", *PARTS):
        shutil.copytree(
            ROOT / name, sources / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(place), str(sources)], check=True, timeout=600)
    (built,) = place.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def members(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel, a stand-in `kernels` distribution and the libraries of this one."""
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
    subprocess.run([*install, "--no-index", str(wheel)], check=True, timeout=600)
    (site,) = home.glob("lib/python*/site-packages")
    # a path named in a .pth file does not have its own .pth files read: no editable install comes along
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (site / "kernels").mkdir()
    (site / "kernels" / "__init__.py").write_text("OWNER = 'stand-in'\n")
    (site / "kernels-9.9.dist-info").mkdir()
    (site / "kernels-9.9.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: kernels\nVersion: 9.9\n"
    )
    return python


def ask(python: Path, code: str, *flags: str) -> dict[str, object]:
    done = subprocess.run(
        [python, *flags, "-c", f"import json\n{code}\nprint(json.dumps(answer))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_holds_nothing_outside_its_own_package(members: set[str]) -> None:
    tops = {name.split("/")[0] for name in members}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"codesample"}


def test_holds_no_tests(members: set[str]) -> None:
    assert not [name for name in members if "tests" in Path(name).parts]


@pytest.mark.parametrize("part", ["codesample", *PARTS])
def test_holds_every_tracked_source_and_data_file(part: str, members: set[str]) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--", part], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0 or not listed.stdout:
        pytest.skip("not a git checkout")
    links = {f"codesample/{name}" for name in PARTS}
    prefix = "" if part == "codesample" else "codesample/"
    missing = {prefix + name for name in listed.stdout.split()} - members - links
    assert not missing


def test_both_kernels_import_from_the_root_of_the_repository(installed: Path) -> None:
    code = """
import kernels, codesample.kernels.bifurcated_decode as ours
answer = {"bare": kernels.OWNER, "ours": ours.__name__}
"""
    assert ask(installed, code) == {"bare": "stand-in", "ours": "codesample.kernels.bifurcated_decode"}


@pytest.mark.parametrize("part", PARTS)
def test_no_bare_name_of_ours_is_importable_once_installed(part: str, installed: Path) -> None:
    code = f"""
import importlib.util, pathlib, codesample
spec = importlib.util.find_spec({part!r})
answer = {{
    "bare": None if spec is None else "/codesample/" in str(spec.origin),
    "installed": "site-packages" in pathlib.Path(codesample.__file__).parts,
}}
"""
    answer = ask(installed, code, "-P")
    assert answer["installed"] is True
    assert answer["bare"] is (False if part == "kernels" else None)


def test_the_installed_command_runs(installed: Path) -> None:
    command = installed.parent / "codesample"
    done = subprocess.run([command, "--version"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("codesample ")
