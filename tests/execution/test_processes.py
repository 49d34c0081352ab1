"""Each group of modules runs in a process of its own, and loads what belongs there and nothing else."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from codesample.execution import Executor, Program
from codesample.records import CodeTests

FOLDER = Path(__file__).resolve().parents[2] / "codesample" / "execution"
OURS = "codesample.execution."

CODEC = {"wire.codec", "wire.channel", "wire.library_values"}
OBJECTS = {"wire.protocols", "wire.shared"}
RECORDS = {"codesample.records"}
ALLOWED = {
    "wire/codec.py": CODEC,
    "wire/channel.py": CODEC,
    "wire/library_values.py": set(),
    "wire/protocols.py": set(),
    "wire/shared.py": CODEC,
    "wire/launch.py": {"wire"},
    "wire/messages.py": {"wire", "limits", "codesample.errors", *RECORDS},
    # the errors only where the caller parses a level's name: a zygote loads none, see below
    "isolation": {"isolation", "codesample.errors"},
    "child": {"child", "isolation", *CODEC, *OBJECTS},
    "worker": {"worker", "wire", "isolation", "limits", "child.exit_status", *RECORDS},
    "caller": {
        "caller",
        "wire",
        "isolation",
        "limits",
        "judge",
        # for the probe, which confines a child from here
        "worker.exchange",
        "worker.raised",
        "worker.remote",
        "worker.spawner",
        # to remove what killed workers left
        "worker.control_group",
        # what tests settle by their text
        "worker.form",
        "worker.wanted_names",
        "codesample.errors",
        *RECORDS,
    },
    "judge.py": {"isolation.grants", *RECORDS},
    # goes into the sandbox as text, where nothing of ours can be imported
    "evaluating.py": set(),
    "questions.py": {"evaluating"},
    "program_runner.py": {"judge", "questions", "worker.compare_output", *RECORDS},
    "limits.py": {"codesample.errors", *RECORDS},
}
"""Beside the standard library: modules, or folders with all they hold."""


def imported(tree: ast.Module) -> set[str]:
    """Return every module that is imported, inside functions too; of ours without their common start."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they lead"
            module = node.module or ""
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                names.add(inner if is_module(inner) else module)
    return {name.removeprefix(OURS) for name in names}


def is_module(name: str) -> bool:
    """Whether a dotted name of ours is a module rather than something in one."""
    if not name.startswith(OURS):
        return False
    path = FOLDER.joinpath(*name.removeprefix(OURS).split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def strangers(tree: ast.Module, allowed: set[str]) -> set[str]:
    return {
        name
        for name in imported(tree)
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not any(name == each or name.startswith(f"{each}.") for each in allowed)
    }


def files(group: str) -> list[Path]:
    path = FOLDER / group
    return [path] if path.suffix else sorted(path.rglob("*.py"))


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("group", ALLOWED)
def test_each_group_imports_what_its_process_may_hold(group: str) -> None:
    found = {file.name: strangers(parsed(file), ALLOWED[group]) for file in files(group)}
    assert found
    assert not {name: odd for name, odd in found.items() if odd}


def test_every_module_belongs_to_a_group() -> None:
    covered = {file for group in ALLOWED for file in files(group)}
    inits = {FOLDER / "__init__.py", FOLDER / "wire" / "__init__.py"}
    assert set(FOLDER.rglob("*.py")) - covered == inits


def test_each_group_says_in_whose_process_it_runs() -> None:
    for init in sorted(FOLDER.glob("*/__init__.py")):
        assert (ast.get_docstring(parsed(init)) or "").startswith("Runs in "), init


@pytest.mark.parametrize(
    ("group", "line"),
    [
        ("child", "from codesample.records import Status"),
        ("child", "import numpy"),
        ("child", "def f():\n    from codesample.execution.wire import messages"),
        ("child", "from codesample.execution import limits"),
        ("isolation", "from codesample.execution.wire import codec"),
        ("worker", "from codesample.execution.child.server import serve"),
        ("worker", "from codesample.execution.caller.executor import Executor"),
        ("worker", "import codesample.tasks.registry"),
        ("caller", "from codesample.execution.worker.main import main"),
        ("wire/codec.py", "from codesample.execution.wire import messages"),
    ],
)
def test_an_import_across_a_process_boundary_is_found(group: str, line: str) -> None:
    assert strangers(ast.parse(line), ALLOWED[group])


LOADED_BY_A_CHILD = "import sys\ndef f():\n    return [name for name in sys.modules]"
PACKAGES = {"codesample", "codesample.execution"}
CHILD = ("child", "child.beside", "child.exit_status", "child.server", "child.watch", "child.zygote")
FORKED = {
    *PACKAGES,
    *(f"{OURS}{name}" for name in CHILD),
    *(
        f"{OURS}child.{name}"
        for name in ("exceptions", "objects", "operations", "stacks", "early_end", "script")
    ),
    *(f"{OURS}{name}" for name in ("wire", "wire.channel", "wire.codec", "wire.library_values")),
    *(f"{OURS}wire.{name}" for name in ("protocols", "shared")),
}


def test_a_real_zygote_holds_the_standard_library_and_its_own_group(executor: Executor) -> None:
    (outcome,) = executor.submit_calls(LOADED_BY_A_CHILD, "f", [()]).result(60)
    # a child holds what its zygote held, and the program
    loaded = set(outcome.value) - {"program", "__main__"}
    ours = {name for name in loaded if name.startswith("codesample")}
    assert f"{OURS}child.zygote" in ours
    assert {name for name in ours if not name.startswith(f"{OURS}isolation")} == FORKED
    assert {name.partition(".")[0] for name in loaded - ours} <= sys.stdlib_module_names


LOADED_BY_A_WORKER = """
import sys
assert f(2) == 4
odd = [name for name in sys.modules if name.startswith("codesample.") and not name.startswith((
    "codesample.errors", "codesample.execution", "codesample.records"
))]
foreign = ("codesample.execution.child.server", "codesample.execution.judge", "asyncio", "torch", "numpy")
odd += [name for name in sys.modules if name.startswith(("codesample.execution.caller", *foreign))]
assert not odd, odd
assert "codesample.execution.worker.main" in sys.modules
"""


def test_a_real_worker_holds_its_own_group_and_the_records(executor: Executor) -> None:
    tests = CodeTests(source=LOADED_BY_A_WORKER, entry_point="f", mode="split")
    verdict = executor.submit(Program("t", 0, "def f(x):\n    return x * x", tests)).result(60)
    assert verdict.passed, verdict
