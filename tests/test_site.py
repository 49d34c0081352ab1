"""The pages as a site: it builds without a complaint, holds every page, and asks nothing of a network."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fresh_install import sources_in

import codesample

ROOT = Path(__file__).resolve().parents[1]
# what a browser fetches by itself; a link in a text waits until somebody follows it
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?(?:https?:)?//|<link[^>]*\shref=["']?(?:https?:)?//"""
    r"""|url\(["']?(?:https?:)?//|@import\s+["']?(?:https?:)?//"""
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("mkdocs") is None, reason="needs the extra 'docs': pip install .[docs]"
    ),
]


def build(root: Path, place: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", "docs/mkdocs.yml"]
    environment = os.environ | {"PYTHONPATH": str(root), "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        [*command, "--site-dir", str(place)],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    done = build(ROOT, place)
    assert done.returncode == 0, done.stderr
    return place


def test_holds_a_page_for_every_text(site: Path) -> None:
    folders = ("docs", "kernels", "rerankers", "tasks")
    texts = [page for folder in folders for page in (ROOT / folder).rglob("*.md")]
    assert len(texts) > 15
    for text in (*texts, ROOT / "README.md", ROOT / "CHANGELOG.md"):
        name = text.relative_to(ROOT)
        page = name.with_name("index") if name.stem == "README" else name
        assert (site / page.with_suffix(".html")).is_file(), name


def test_the_reference_holds_everything_that_is_exported(site: Path) -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").glob("*.html"))
    for name in codesample.__all__:
        assert f'id="{codesample._HOME[name]}.{name}"' in pages, name


def test_a_browser_fetches_nothing_from_elsewhere(site: Path) -> None:
    read = 0
    for path in site.rglob("*"):
        if path.suffix in (".html", ".css"):
            read += 1
            found = FETCHED.search(path.read_text(encoding="utf-8"))
            assert found is None, f"{path}: {found and found[0]}"
    assert read > 20


def test_what_a_browser_would_fetch_is_seen() -> None:
    for text in (
        '<script src="https://cdn.example/x.js">',
        '<link rel="stylesheet" href="//fonts.example/css">',
        '@import "https://x"',
        "src: url(https://x/y.woff2)",
    ):
        assert FETCHED.search(text), text
    assert not FETCHED.search('<a href="https://arxiv.org/abs/1">')


@pytest.mark.parametrize(
    ("planted", "named"),
    [
        # one build complains of both
        (
            {
                "docs/security.md": "[gone](nowhere.md)",
                "README.md": "[gone](docs/security.md#no-such-heading)",
            },
            ("'nowhere.md'", "'#no-such-heading'"),
        ),
        ({"docs/stray.md": "# A page in no chapter"}, ("docs/stray.md",)),
        ({"rerankers/registry.py": "gone"}, ("codesample.rerankers.registry.gone",)),
    ],
)
def test_what_leads_nowhere_stops_the_build(
    planted: dict[str, str], named: tuple[str, ...], tmp_path: Path
) -> None:
    root = sources_in(tmp_path / "sources")
    for page, fault in planted.items():
        text = root / page
        before = text.read_text(encoding="utf-8") if text.exists() else ""
        if page.endswith(".py"):
            after = before.replace('__all__ = ["', f'__all__ = ["{fault}", "')
        else:
            after = f"{before}\n\n{fault}\n"
        assert after != before
        text.write_text(after, encoding="utf-8")
    done = build(root, tmp_path / "site")
    assert done.returncode != 0, done.stderr
    for each in named:
        assert each in done.stderr, done.stderr
