"""The sources keep to what is declared here: arrows, libraries, file names, sizes; and the pages are true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from page_names import layers, missing_bare_names, missing_names, repeated_terms
from page_tests import missing_tests, promises
from page_writers import page_writer
from source_rules import (
    against_picture,
    crowded_calls,
    cycles,
    forbidden_arrows,
    forbidden_libraries,
    intruders,
    libraries_at_load,
    long_functions,
    long_modules,
    middle_length,
    repeated_stems,
    undeclared,
    unreadable_imports,
)
from source_tree import SourceTree

ROOT = Path(__file__).resolve().parents[1]
SOURCES = SourceTree(ROOT)
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PAGES = ("README.md", "docs/architecture.md")

# What each part may import. A part is a package, or a module of codesample itself; "codesample" is the
# package's `__init__`. "name.*" grants a package with all within it. Imports for type checkers count:
# whoever reads the one must know the other.
ARROWS = {
    "errors": set(),
    "hub": {"errors"},
    "plugins": {"errors"},
    "quiet": set(),
    "decoding": {"errors"},
    "data_files": {"decoding", "errors", "hub", "quiet"},
    "records": {"errors"},
    "engines": {"errors", "plugins", "policies", "records", "stops"},
    "policies": {"errors", "kernels.*", "plugins", "records"},
    "policies.prefill": {"errors", "kernels.*", "policies", "records"},
    "kernels": set(),
    "kernels.bifurcated_decode": {"errors"},
    "execution": {"errors", "records", "execution.*"},
    "execution.caller": {
        "errors",
        "records",
        "execution",
        "execution.isolation",
        "execution.wire",
        "execution.worker",
    },
    "execution.child": {"execution.isolation", "execution.wire"},
    "execution.child.startup": {"execution.child"},
    "execution.isolation": {"errors"},
    "execution.wire": {"errors", "records", "execution"},
    "execution.worker": {
        "records",
        "execution",
        "execution.child",
        "execution.isolation",
        "execution.wire",
        "execution.worker.form_rules",
    },
    "execution.worker.form_rules": {"records"},
    "rerankers": {"errors", "hub", "plugins", "quiet", "records"},
    "extraction": {"records"},
    "stops": {"extraction"},
    "tasks": {"data_files", "decoding", "errors", "extraction", "plugins", "records"},
    "tasks.apps": {"data_files", "decoding", "errors", "records", "tasks"},
    "tasks.code_contests": {"data_files", "errors", "records", "tasks"},
    "tasks.bigcodebench": {"data_files", "errors", "extraction", "records", "tasks"},
    "tasks.classeval": {"data_files", "errors", "extraction", "records", "tasks"},
    "tasks.cruxeval": {"data_files", "errors", "extraction", "records", "tasks"},
    "tasks.evalplus": {"data_files", "extraction", "decoding", "errors", "records", "tasks"},
    "tasks.humaneval": {"data_files", "extraction", "errors", "records", "tasks"},
    "tasks.livecodebench": {"data_files", "errors", "records", "tasks"},
    "tasks.mbpp": {"data_files", "extraction", "decoding", "errors", "records", "tasks"},
    "tasks.mini": {"data_files", "extraction", "errors", "records", "tasks"},
    "tiny": set(),
    "tiny.training": {"errors"},
    "sampling": {
        "engines",
        "errors",
        "hub",
        "kernels.*",
        "policies",
        "policies.prefill",
        "records",
        "sampling.hosts",
        "sampling.loading",
        "sampling.sharded",
        "stops",
    },
    "sampling.loading": {"errors", "quiet", "sampling", "sampling.sharded"},
    "sampling.sharded": {"engines", "errors", "records", "sampling"},
    "sampling.hosts": {
        "errors",
        "kernels.*",
        "policies",
        "policies.prefill",
        "records",
        "sampling",
        "sampling.sharded",
    },
    "servers": {"engines", "errors", "records"},
    "versions": set(),
    "distributed": {
        "engines",
        "errors",
        "execution",
        "execution.caller",
        "execution.isolation",
        "execution.wire",
        "records",
        "versions",
    },
    "vllm_offline": {"engines", "errors", "hub", "records", "sampling", "sampling.loading", "stops"},
    "serving": {"engines", "errors", "evaluation", "execution", "records", "rerankers", "sampling"},
    "runs": {"decoding", "errors", "records"},
    "foreign": {"data_files", "decoding", "errors", "records"},
    "evaluation": {
        "distributed",
        "engines",
        "errors",
        "execution",
        "execution.caller",
        "execution.isolation",
        "extraction",
        "evaluation.pass_at_k_metric",
        "foreign",
        "hub",
        "records",
        "rerankers",
        "runs",
        "sampling",
        "stops",
        "tasks",
        "versions",
    },
    "evaluation.pass_at_k_metric": {
        "errors",
        "evaluation",
        "execution",
        "execution.caller",
        "execution.isolation",
        "records",
    },
    "reports": {
        "distributed",
        "engines",
        "errors",
        "evaluation",
        "execution",
        "execution.caller",
        "execution.isolation",
        "policies",
        "records",
        "rerankers",
        "sampling",
        "sampling.sharded",
        "tasks",
    },
    "rewards": {
        "data_files",
        "errors",
        "evaluation",
        "execution",
        "execution.caller",
        "records",
        "sampling",
        "stops",
        "tasks",
    },
    "reports.html": {"errors", "evaluation", "records", "runs"},
    "bench": {"errors", "execution.*", "kernels.*", "policies", "records", "sampling", "testing"},
    "bench.rivals": {"bench", "errors"},
    "bench.rivals.children": {"bench", "records", "sampling"},
    "testing": {
        "engines",
        "errors",
        "evaluation",
        "execution",
        "execution.isolation",
        "kernels.*",
        "policies",
        "policies.prefill",
        "records",
        "rerankers",
        "tasks",
    },
    "cli": {
        "codesample",
        "bench",
        "bench.rivals",
        "data_files",
        "engines",
        "errors",
        "evaluation",
        "execution.isolation",
        "records",
        "rerankers",
        "reports",
        "reports.html",
        "runs",
        "sampling",
        "sampling.sharded",
        "tasks",
        "testing",
    },
    "codesample": {
        "engines",
        "errors",
        "evaluation",
        "execution",
        "execution.caller",
        "execution.isolation",
        "extraction",
        "policies",
        "records",
        "reports",
        "rerankers",
        "rewards",
        "runs",
        "sampling",
        "sampling.sharded",
        "servers",
        "serving",
        "stops",
        "tasks",
        "vllm_offline",
    },
    "__main__": {"cli"},
}

# Packages that are entered by these modules alone.
DOORS = {
    "codesample.cli": {"codesample.__main__"},
    "codesample.bench": {"codesample.cli.bench"},
    "codesample.testing": {"codesample.bench.kernel_checks", "codesample.cli.rerankers"},
    "codesample.tiny": set(),
}

HEAVY = {"torch", "transformers"}

# Libraries that a part does without, wherever in it an import stands.
FREE_OF = {
    "engines": HEAVY,
    "distributed": HEAVY,
    "errors": HEAVY,
    "execution": HEAVY | {"numpy", "triton"},
    "foreign": HEAVY | {"datasets", "numpy"},
    "extraction": HEAVY,
    "hub": HEAVY,
    "kernels": {"transformers"},
    "plugins": HEAVY,
    "records": HEAVY,
    "runs": HEAVY,
    "servers": HEAVY,
    "tasks": HEAVY,
    "versions": HEAVY,
}

# Parts that load no heavy library until they are asked for what needs one.
LATE = ("cli", "evaluation", "reports", "rerankers", "rewards")

# Modules that a library loads, which is then there with all that it brings; nothing of ours imports them.
GUESTS = {"codesample.evaluation.pass_at_k_metric.pass_at_k_metric": "a metric of `evaluate`"}

# Modules that import what only a run can name, and what that is.
COMPUTED = {
    "codesample/__init__.py": "what the package exports, from its own table",
    "codesample/execution/child/beside.py": "the modules that tests ask for",
    "codesample/execution/child/zygote.py": "the modules granted to a program",
    "codesample/execution/evaluating.py": "the standard modules that expressions use",
    "codesample/execution/wire/library_values.py": "what tests hand over of the standard library, by name",
    "codesample/execution/__init__.py": "what the package exports, from its own table",
    "codesample/execution/worker/code_tests.py": "the modules that tests ask for",
    "codesample/execution/worker/form_rules/library.py": "the modules of which tests import all",
    "tasks/given_names.py": "the standard modules of which a grader imports all",
    "codesample/plugins.py": "a user's `package.module:name`",
    "codesample/policies/axes.py": "the class of a policy's choice, from its own table",
}

# Why a file name may stand in two folders.
STEMS: dict[str, str] = {}
FREE_STEMS = {"__init__", "__main__", "contract", "registry", "codesample.cli"}

LINES_OF_A_MODULE = 400
LINES_OF_A_FUNCTION = 60
MEDIAN_LINES = 120
ARGUMENTS = 12


def none_of(violations: list[str]) -> None:
    assert not violations, "\n".join(["", *violations])


def test_every_part_is_declared() -> None:
    none_of(undeclared(SOURCES, ARROWS))


def test_arrows_point_as_declared() -> None:
    none_of(forbidden_arrows(SOURCES, ARROWS))


def test_no_arrows_make_a_circle() -> None:
    none_of(cycles(SOURCES))


def test_arrows_point_as_the_map_draws_them() -> None:
    picture = layers(MAP)
    assert picture
    none_of(against_picture(ARROWS, picture))


def test_guarded_packages_are_entered_by_their_doors() -> None:
    none_of(intruders(SOURCES, DOORS))


def test_parts_do_without_libraries_they_must_not_need() -> None:
    none_of(forbidden_libraries(SOURCES, FREE_OF))


def test_no_heavy_library_is_loaded_before_it_is_needed() -> None:
    light = [part for part, libraries in FREE_OF.items() if libraries >= HEAVY]
    none_of(libraries_at_load(SOURCES, [*light, *LATE], HEAVY))


@pytest.mark.parametrize(
    "parts",
    [[part for part, libraries in FREE_OF.items() if libraries >= HEAVY], LATE],
    ids=["light", "late"],
)
def test_importing_every_module_really_loads_no_heavy_library(parts: list[str]) -> None:
    names = [module.name for part in parts for module in SOURCES.of(f"codesample.{part}")]
    assert len(names) > 20
    assert first_to_load(HEAVY, [name for name in names if name not in GUESTS], ROOT) == {}


def test_every_import_can_be_read() -> None:
    none_of(unreadable_imports(SOURCES, COMPUTED))


def test_no_file_name_stands_in_two_folders() -> None:
    none_of(repeated_stems(SOURCES, STEMS, free=FREE_STEMS))


def test_modules_are_short() -> None:
    none_of(long_modules(SOURCES, LINES_OF_A_MODULE))
    assert middle_length(SOURCES) < MEDIAN_LINES


def test_functions_are_short() -> None:
    none_of(long_functions(SOURCES, LINES_OF_A_FUNCTION))


def test_public_calls_take_few_arguments() -> None:
    none_of(crowded_calls(SOURCES, ARGUMENTS))


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_exists(page: str) -> None:
    none_of(missing_names((ROOT / page).read_text(encoding="utf-8"), SOURCES))


def test_the_map_uses_names_that_exist_and_defines_each_term_once() -> None:
    none_of(missing_bare_names(MAP, SOURCES))
    none_of(repeated_terms(MAP))


def test_every_promise_names_tests_that_exist() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    assert len(promises(page)) > 30
    none_of(missing_tests(page, ROOT))


def test_every_folder_and_every_module_is_on_the_map() -> None:
    assert page_writer("write_map").with_modules(MAP) == MAP, "make map"


def test_the_package_is_reached_through_links_and_claims_no_bare_name() -> None:
    none_of(wrong_links(ROOT))


def wrong_links(root: Path) -> list[str]:
    """Return what would make a bare name of ours importable, or the package unreachable."""
    parts = ("kernels", "rerankers", "tasks")
    links = {"src/codesample": "codesample", **{f"codesample/{part}": part for part in parts}}
    # an editable install puts src/ on the path
    inner = {path.name for path in (root / "src").iterdir() if path.suffix != ".egg-info"}
    return [
        *(f"{link}: no link to {to}" for link, to in links.items() if not leads_to(root / link, root / to)),
        *(
            f"{part}/__init__.py: claims a bare name"
            for part in parts
            if (root / part / "__init__.py").exists()
        ),
        *(f"src/{name}: claims a bare name" for name in sorted(inner - {"codesample"})),
    ]


def leads_to(link: Path, target: Path) -> bool:
    return link.is_symlink() and link.resolve() == target.resolve()


@pytest.mark.parametrize(
    ("planted", "expected"),
    [
        (None, []),
        ("tasks/__init__.py", ["tasks/__init__.py: claims a bare name"]),
        ("src/kernels", ["src/kernels: claims a bare name"]),
        ("codesample/tasks", ["codesample/tasks: no link to tasks"]),
        ("src/codesample", ["src/codesample: no link to codesample"]),
    ],
)
def test_a_link_that_is_a_file_and_a_bare_name_are_found(
    planted: str | None, expected: list[str], tmp_path: Path
) -> None:
    for folder in ("codesample", "kernels", "rerankers", "tasks", "src"):
        (tmp_path / folder).mkdir()
    for link in ("src/codesample", "codesample/kernels", "codesample/rerankers", "codesample/tasks"):
        (tmp_path / link).symlink_to("../" + link.split("/")[1])
    if planted is not None:
        (tmp_path / planted).unlink(missing_ok=True)
        (tmp_path / planted).write_text("")
    assert wrong_links(tmp_path) == expected


def first_to_load(libraries: set[str], modules: list[str], root: Path) -> dict[str, str]:
    """Import modules one after another in a new Python; return each library with the one that loaded it."""
    code = f"""
import importlib, json, sys
found = {{}}
for name in {modules!r}:
    importlib.import_module(name)
    for library in {sorted(libraries)!r}:
        if library in sys.modules:
            found.setdefault(library, name)
print(json.dumps(found))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_library_that_a_mere_import_loads_is_found_with_the_module_that_loads_it(tmp_path: Path) -> None:
    for name, text in {
        "codesample/__init__.py": "",
        "codesample/light.py": "import json",
        "codesample/hidden.py": "exec('import to' + 'mato')",
        "tomato.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    names = ["codesample.light", "codesample.hidden"]
    assert first_to_load({"tomato"}, names, tmp_path) == {"tomato": "codesample.hidden"}
    assert first_to_load({"tomato"}, names[:1], tmp_path) == {}


@pytest.mark.parametrize("goal", ["To a verdict", "To a score"])
def test_a_candidates_way_returns_to_no_room_more_than_once(goal: str) -> None:
    way = rooms_of(MAP, goal)
    assert len(way) > 6
    for room in way:
        assert (ROOT / room).is_dir(), room
    none_of([f"{goal}: {room} is left and returned to {count} times" for room, count in returns(way).items()])


def test_a_way_that_wanders_is_noticed() -> None:
    page = "To a verdict.\n\n```\n[caller] a -> b -> a\n[worker] b -> a\n```\n"
    assert returns(rooms_of(page, "To a verdict")) == {"a": 2}


def rooms_of(page: str, goal: str) -> list[str]:
    """Read the rooms of the first picture behind `goal`, in their order."""
    picture = page.partition(goal)[2].split("```\n")[1]
    steps = [step for line in picture.splitlines() for step in line.partition("]")[2].split("->")]
    return [step.strip() for step in steps]


def returns(way: list[str]) -> dict[str, int]:
    """Count how often each room is returned to, for those to which it is more than once."""
    visits = Counter(room for room, before in zip(way, ["", *way], strict=False) if room != before)
    return {room: count - 1 for room, count in visits.items() if count > 2}
