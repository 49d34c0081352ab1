"""Shared by tests of built packages: wheels, fresh environments without a network, type checkers there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# of what lies in a checkout, all that is not its own; `.git` is a file in a second work tree
NOT_SOURCES = shutil.ignore_patterns(
    ".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "build", "dist", "runs.*"
)
# a search path of whoever runs the tests would lead to this checkout instead of to what is installed
ENVIRONMENT = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "MYPYPATH")}


def finished(command: list[object], *, cwd: Path, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and require its exit code; None takes any."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=600
    )
    assert expect is None or done.returncode == expect, done.stdout[-4000:] + done.stderr[-4000:]
    return done


def ask(python: Path, code: str, *flags: str, cwd: Path = ROOT) -> Any:
    """Run code that sets `answer` to plain data; returns it."""
    done = finished([python, *flags, "-c", f"import json\n{code}\nprint(json.dumps(answer))"], cwd=cwd)
    return json.loads(done.stdout)


def sources_in(place: Path, sources: Path = ROOT) -> Path:
    """Copy the checkout, or a folder of it, as it is, links as links."""
    return Path(
        shutil.copytree(
            sources,
            place,
            symlinks=True,
            ignore=lambda folder, names: (
                NOT_SOURCES(folder, names) | ({"runs"} if Path(folder) == ROOT else set())
            ),
        )
    )


def wheel_of(sources: Path, place: Path) -> Path:
    """Build a wheel from a folder or from a source archive."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    finished([*command, "--wheel-dir", place, sources], cwd=place)
    (built,) = place.glob("*.whl")
    return built


def environment_with(packages: list[object], home: Path) -> Path:
    """Make an environment with packages and the libraries of this one; returns its Python."""
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    # a path named in a .pth file does not have its own .pth files read: no editable install comes along
    libraries = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (site_of(python) / "libraries.pth").write_text("\n".join(libraries) + "\n")
    if packages:
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index"]
        finished([*pip, "--no-deps", "--no-build-isolation", "--ignore-installed", *packages], cwd=home)
    return python


def site_of(python: Path) -> Path:
    """Return where an environment's packages are."""
    (site,) = python.parents[1].glob("lib/python*/site-packages")
    return site


def errors_by_mypy(python: Path, source: Path, cache: Path) -> set[tuple[str, int]]:
    """Check a file or a folder strictly; returns file names and lines."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={cache}"]
    done = finished([*command, f"--python-executable={python}", source], cwd=source.parent, expect=None)
    assert done.returncode < 2, done.stdout + done.stderr
    found = re.findall(r"^(.+?):(\d+): error", done.stdout, re.MULTILINE)
    return {(Path(name).name, int(line)) for name, line in found}


def errors_by_pyright(python: Path, source: Path, _cache: Path) -> set[tuple[str, int]]:
    """Check a file or a folder; returns file names and lines."""
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", python, source]
    report = json.loads(finished(command, cwd=source.parent, expect=None).stdout)
    assert report["summary"]["filesAnalyzed"] > 0
    found = [each for each in report["generalDiagnostics"] if each["severity"] == "error"]
    return {(Path(each["file"]).name, each["range"]["start"]["line"] + 1) for each in found}


CHECKERS = {"mypy": errors_by_mypy, "pyright": errors_by_pyright}
