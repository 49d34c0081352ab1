"""The pages of the site, for mkdocs: the repository's own texts where they stand, and the reference.

Nothing is copied: a page's place in the site is its place in the repository, so that its links are right in
both. What a page links to that is no page, such as a source file, goes along as it is.
"""

from __future__ import annotations

import ast
import atexit
import re
import shutil
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import codesample

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)(#[^)]*)?\)")
FENCED = re.compile(r"^(`{3,}|~{3,}).*?^\1[`~]*[ \t]*$", re.MULTILINE | re.DOTALL)
TABLE_LINE = re.compile(r"^\|.*\|$", re.MULTILINE)

TOGETHER = re.compile(r"^( +)((?:\w+, )+\w+): (\S.*(?:\n\1 +.*)*)", re.MULTILINE)
"""In a docstring, names that are explained together."""

FIELD = re.compile(r"^( +)(Formula|Source|Needs|Cost|Leaning): (\S.*(?:\n\1 +.*)*)", re.MULTILINE)
"""In a docstring, what `codesample.rerankers.description` reads."""

BOOKS: dict[str, list[str]] = {
    "Using it": [
        "docs/tutorial.md",
        "docs/results.md",
        "docs/cluster.md",
        "docs/checkpoints.md",
        "docs/models.md",
        "docs/engines.md",
        "docs/policies.md",
        "docs/coming-from.md",
        "docs/prompt-forms.md",
        "docs/service.md",
        "docs/rl.md",
    ],
    "Choosing": ["docs/rerankers.md", "rerankers/README.md"],
    "Tasks": ["docs/tasks.md", "tasks/README.md", "tasks/*/README.md", "codesample/extraction/README.md"],
    "Inside": [
        "docs/architecture.md",
        "docs/security.md",
        "docs/log.md",
        "kernels/*/README.md",
        "codesample/tiny/README.md",
        "docs/benchmarks/*.md",
        "CHANGELOG.md",
    ],
}
"""Pages by chapter, in their order; a page that is in none is an error."""

NOT_PAGES = ("tests/",)
"""Folders whose texts are no pages."""

REFERENCE = {
    "Sampling": (
        "codesample.sampling",
        "codesample.engines",
        "codesample.policies",
        "codesample.servers",
        "codesample.serving",
        "codesample.vllm_offline",
    ),
    "Choosing": ("codesample.rerankers", "codesample.evaluation.best_of_n"),
    "Evaluating": ("codesample.evaluation", "codesample.runs", "codesample.reports"),
    "Running programs": ("codesample.execution", "codesample.extraction"),
    "Rewards": ("codesample.rewards",),
    "Tasks": ("codesample.tasks",),
    "Records": ("codesample.records",),
    "Errors": ("codesample.errors",),
}
"""Chapters of the reference, with the modules whose exported names they hold; the closest one counts."""

MODULES = {
    "Errors": ["codesample.errors"],
    "Choosing": [
        f"codesample.rerankers.{part}"
        for part in ("registry", "compose", "expression", "parameters", "description")
    ],
    "Evaluating": ["codesample.evaluation.reranking", "codesample.reports.html.page_writing"],
    "Metrics": ["codesample.evaluation.metrics", "codesample.evaluation.intervals"],
    "Kernels": ["codesample.kernels.bifurcated_decode.api"],
    "Checking plug-ins": [
        f"codesample.testing.{part}" for part in ("engines", "judges", "policies", "rerankers", "tasks")
    ],
}
"""Modules that are shown besides, by chapter, with what is public in them and not exported."""

BUILT_IN = "Built-in rerankers"


@event_priority(100)  # before mkdocstrings reads where the sources are
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lay out the chapters, and say where the reference is read from."""
    chapters: list[Any] = [{"Start": "README.md"}]
    chapters += [{title: list(_expanded(patterns))} for title, patterns in BOOKS.items()]
    chapters.append({"Reference": [{title: path} for title, path in _reference_paths().items()]})
    config.nav = chapters
    config.plugins["mkdocstrings"].config.handlers["python"]["paths"] = [str(_sources())]
    return config


def _sources() -> Path:
    """Copy the package's modules to where there are no links and no folders without `__init__.py`.

    What reads them follows neither, and knows no names that are explained together.
    """
    place = Path(tempfile.mkdtemp(prefix="codesample-reference-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    for source in _modules_under(ROOT / "codesample"):
        copy = place / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        copy.write_text(_names_apart(text), encoding="utf-8")
        for folder in copy.relative_to(place).parents[:-1]:
            (place / folder / "__init__.py").touch()
    return place


def _names_apart(source: str) -> str:
    """Give each name that a docstring explains with others its own line, and each field of a reranker."""
    lines = source.splitlines(keepends=True)
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            shown = node.body[0]
            begin, end = shown.lineno - 1, shown.end_lineno
            text = FIELD.sub(_as_item, TOGETHER.sub(_one_each, "".join(lines[begin:end])))
            # the list stays as long, so that what stands behind is found
            lines[begin:end] = [text, *[""] * (end - begin - 1)]
    return "".join(lines)


def _one_each(together: re.Match[str]) -> str:
    return "\n".join(f"{together[1]}{name}: {together[3]}" for name in together[2].split(", "))


def _as_item(field: re.Match[str]) -> str:
    indent, name, text = field[1], field[2], " ".join(field[3].split())
    return f"\n{indent}- {name}: " + (f"`{text}`" if name == "Formula" else text)


def _modules_under(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name != "__pycache__":
            yield from _modules_under(path)
        elif path.suffix == ".py":
            yield path


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Bring in the pages, what they link to, and the reference."""
    pages = ["README.md", *(page for patterns in BOOKS.values() for page in _expanded(patterns))]
    if lost := sorted(set(_texts()) - set(pages)):
        raise SystemExit(f"in no chapter of docs/site/site_pages.py: {', '.join(lost)}")
    linked = {each for page in pages for each in _linked_files(page)}
    made = Files([each for each in files if not each.src_uri.endswith(".py")])
    for path in [*pages, *sorted(linked - set(pages))]:
        made.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    for path, content in _reference().items():
        made.append(File.generated(config, path, content=content))
    return made


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to folders lead to what the folder says of itself, or be no links."""
    place = PurePosixPath(page.file.src_uri).parent

    def settled(link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        if "://" in target or not (ROOT / place / target).is_dir():
            return link[0]
        inside = f"{target.rstrip('/')}/README.md"
        known = files.get_file_from_path(normpath(place / inside))
        return f"[{text}]({inside}{anchor})" if known else text

    return TABLE_LINE.sub(_bare_bars, _outside_code(markdown, settled))


def _bare_bars(line: re.Match[str]) -> str:
    """Take the mark off bars in code: other readers of Markdown want one there, and this one shows it."""
    return re.sub(r"`[^`]*`", lambda code: code[0].replace("\\|", "|"), line[0])


def _outside_code(text: str, change: Callable[[re.Match[str]], str]) -> str:
    """Change the links of a text that stand in no block of code."""
    made, end = [], 0
    for code in FENCED.finditer(text):
        made += [LINK.sub(change, text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*made, LINK.sub(change, text[end:])])


def _texts() -> Iterator[str]:
    """Yield every text of the repository that should be a page."""
    folders = ("docs", "kernels", "rerankers", "tasks", "codesample")
    for path in (*ROOT.glob("*.md"), *(page for folder in folders for page in (ROOT / folder).rglob("*.md"))):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(NOT_PAGES):
            yield name


def _expanded(patterns: list[str]) -> Iterator[str]:
    for pattern in patterns:
        yield from sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern))


def _linked_files(page: str) -> Iterator[str]:
    place = PurePosixPath(page).parent
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        path = normpath(place / target)
        if "://" not in target and (ROOT / path).is_file():
            yield path


def _reference_paths() -> dict[str, str]:
    titles = dict.fromkeys([*REFERENCE, BUILT_IN, *MODULES])
    return {title: f"reference/{title.lower().replace(' ', '-')}.md" for title in titles}


def _reference() -> dict[str, str]:
    """Return the reference's pages, with every name once."""
    exported = [f"{codesample._HOME[name]}.{name}" for name in codesample.__all__]
    by_chapter: dict[str, list[str]] = defaultdict(list)
    for whole, name in zip(exported, codesample.__all__, strict=True):
        by_chapter[_chapter_of(codesample._HOME[name])].append(f"::: {whole}")
    for title, modules in (*MODULES.items(), (BUILT_IN, _built_in_modules())):
        for module in modules:
            public = [f"{module}.{name}" for name in _public_names(module)]
            by_chapter[title].append(
                f"::: {module}\n    options: {{members: false, show_root_full_path: true}}"
            )
            by_chapter[title] += [f"::: {each}" for each in public if each not in exported]
    return {
        path: f"# {title}\n\n" + "\n\n".join(by_chapter[title]) for title, path in _reference_paths().items()
    }


def _built_in_modules() -> list[str]:
    """Return the modules of the rerankers that this project registers, in the order in which it does."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    places = project["entry-points"]["codesample.rerankers"].values()
    return list(dict.fromkeys(place.partition(":")[0] for place in places))


def _public_names(module: str) -> list[str]:
    """Return what a module lists as its own in `__all__`."""
    source = (ROOT / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    raise SystemExit(f"{module} has no __all__")


def _chapter_of(home: str) -> str:
    fitting = [
        (len(module), title)
        for title, modules in REFERENCE.items()
        for module in modules
        if home == module or home.startswith(f"{module}.")
    ]
    if not fitting:
        raise SystemExit(f"{home} is in no chapter of the reference: docs/site/site_pages.py")
    return max(fitting)[1]
