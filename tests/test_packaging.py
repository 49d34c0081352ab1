"""What is built: the wheel, the source archive and the editable install; names, types and links of each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from fresh_install import CHECKERS, ROOT, ask, environment_with, finished, site_of, sources_in, wheel_of

PARTS = ("kernels", "rerankers", "tasks")
LINKS = {"src/codesample": "../codesample", **{f"codesample/{part}": f"../{part}" for part in PARTS}}
SCRIPT = ROOT / "tests" / "typing_check" / "user_script.py"
# tests without anything slow, that read the tree, the installed names and data files beside modules
QUICK = (
    "tests/test_architecture.py::test_the_package_is_reached_through_links_and_claims_no_bare_name",
    "tests/test_architecture.py::test_every_folder_and_every_module_is_on_the_map",
    "tests/test_exports.py::test_importing_the_package_loads_nothing_heavy",
    "tests/test_readme.py::test_every_link_leads_somewhere",
    "tests/execution/wire",
    "tests/rerankers/test_registry_rerankers.py",
    "tests/foreign/test_human_eval_form.py",
    "tests/tasks/test_mini_data.py",
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    return wheel_of(sources_in(place / "sources"), place)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("archive")
    build = f"from setuptools import build_meta; build_meta.build_sdist({str(place)!r})"
    finished([sys.executable, "-c", build], cwd=sources_in(place / "sources"))
    (built,) = place.glob("*.tar.gz")
    return built


@pytest.fixture(scope="module")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as opened:
        # the filter by which installers unpack: refuses links that lead out of the archive
        opened.extractall(place, filter="data")
    (tree,) = place.iterdir()
    return tree


@pytest.fixture(scope="module")
def members(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and a stand-in `kernels` distribution."""
    python = environment_with([wheel], tmp_path_factory.mktemp("installed"))
    site = site_of(python)
    (site / "kernels").mkdir()
    (site / "kernels" / "__init__.py").write_text("OWNER = 'stand-in'\n")
    (site / "kernels-9.9.dist-info").mkdir()
    (site / "kernels-9.9.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: kernels\nVersion: 9.9\n"
    )
    return python


@pytest.fixture(scope="module")
def editable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with a checkout installed the way `make setup` does it."""
    place = tmp_path_factory.mktemp("editable")
    return environment_with(["--editable", sources_in(place / "sources")], place / "venv")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the type checker has learnt of the libraries, for all tests of this session."""
    return tmp_path_factory.getbasetemp() / "types"


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
        pytest.skip("compares with what git lists, and this is not a git checkout")
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
    done = finished([installed.parent / "codesample", "--version"], cwd=ROOT)
    assert done.stderr == ""
    assert done.stdout.startswith("codesample ")


def test_an_editable_install_puts_the_package_on_the_path_and_nothing_else_of_ours(editable: Path) -> None:
    names = sorted(path.name.removesuffix(".py") for path in ROOT.iterdir() if path.name.isidentifier())
    assert {"codesample", "docs", "tests", *PARTS} <= set(names)
    code = f"""
import importlib.util
answer = [name for name in {[*names, "setup"]!r} if importlib.util.find_spec(name)]
"""
    assert ask(editable, code, "-P", cwd=editable.parent) == ["codesample"]


def test_an_editable_install_runs_what_is_edited(editable: Path) -> None:
    sources = editable.parents[2] / "sources"
    (sources / "rerankers" / "added_later.py").write_text("HERE = 1\n")
    code = "import codesample.rerankers.added_later as added\nanswer = added.HERE"
    assert ask(editable, code, "-P", cwd=editable.parent) == 1


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("form", ["installed", "editable"])
def test_types_reach_a_users_script(
    form: str, checker: str, cache: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    script = Path(shutil.copy(SCRIPT, tmp_path))
    refused = {
        number for number, line in enumerate(script.read_text().splitlines(), 1) if line.endswith("# refused")
    }
    assert refused
    found = CHECKERS[checker](request.getfixturevalue(form), script, cache)
    assert found == {(script.name, number) for number in refused}


@pytest.mark.parametrize("checker", CHECKERS)
def test_types_that_do_not_arrive_are_noticed(checker: str, cache: Path, tmp_path: Path) -> None:
    python = environment_with([], tmp_path / "venv")
    script = Path(shutil.copy(SCRIPT, tmp_path))
    lines = enumerate(script.read_text().splitlines(), 1)
    imports = {number for number, line in lines if line.startswith("from codesample")}
    assert imports
    assert {(script.name, number) for number in imports} <= CHECKERS[checker](python, script, cache)


def test_a_source_archive_is_the_checkout(archive: Path, unpacked: Path) -> None:
    listed = finished(["git", "ls-files"], cwd=ROOT, expect=None)
    if listed.returncode != 0 or not listed.stdout:
        pytest.skip("compares with what git lists, and this is not a git checkout")
    assert [name for name in listed.stdout.splitlines() if not os.path.lexists(unpacked / name)] == []


def test_links_are_links_in_a_source_archive(archive: Path) -> None:
    with tarfile.open(archive) as opened:
        links = {
            member.name.partition("/")[2]: member.linkname for member in opened.getmembers() if member.issym()
        }
    assert links == LINKS


def test_the_wheel_of_a_source_archive_is_the_wheel_of_the_checkout(
    archive: Path, wheel: Path, tmp_path: Path
) -> None:
    def contents(built: Path) -> dict[str, int]:
        with zipfile.ZipFile(built) as opened:
            return {each.filename: each.CRC for each in opened.infolist()}

    assert contents(wheel_of(archive, tmp_path)) == contents(wheel)


def test_quick_tests_pass_in_the_tree_of_a_source_archive(unpacked: Path, installed: Path) -> None:
    command = [installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *QUICK]
    done = finished(command, cwd=unpacked)
    assert re.search(r"\d\d+ passed", done.stdout), done.stdout


@pytest.fixture
def without_links(tmp_path: Path) -> Path:
    """A checkout as git makes it where symbolic links are off: files that hold where the link would lead."""
    sources = sources_in(tmp_path / "sources")
    for link, target in LINKS.items():
        (sources / link).unlink()
        (sources / link).write_text(target)
    return sources


def test_a_checkout_without_links_says_so_on_import(without_links: Path) -> None:
    done = finished([sys.executable, "-c", "import codesample"], cwd=without_links, expect=1)
    assert "codesample/kernels is no folder" in done.stderr.splitlines()[-1]
    assert "core.symlinks=true" in done.stderr.splitlines()[-1]


def test_a_checkout_without_links_is_not_built(without_links: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    done = finished([*command, "--wheel-dir", tmp_path, without_links], cwd=tmp_path, expect=1)
    assert "src/codesample is no folder" in done.stderr
    assert list(tmp_path.glob("*.whl")) == []
