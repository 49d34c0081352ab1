"""Tests whose outcome could differ between one process and two are weak, and the rest is split."""

from __future__ import annotations

import ast
import contextlib
import importlib
import keyword
import random
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codesample.execution.worker.form import Form, form_of
from codesample.execution.worker.form_rules.library import known_modules, library_names
from codesample.execution.worker.wanted_names import wanted_names
from codesample.records import CodeTests
from codesample.tasks.registry import load_task

EXECUTION = Path(__file__).parents[1]
DATA = EXECUTION.parents[1].parent / "shared" / "data"

# name, published file, problems
SETS = [
    ("humaneval", "HumanEval.jsonl.gz", 164),
    ("mbpp", "mbpp.jsonl", 974),
    ("mbpp_sanitized", "sanitized-mbpp.json", 427),
    ("mini", "", 107),
]


def read_cases() -> list[tuple[str, str]]:
    """Read the texts of forms.txt, each with the form that it has."""
    found, form = [], ""
    for line in (EXECUTION / "worker" / "forms.txt").read_text("utf-8").splitlines()[1:]:
        if line.startswith("=== "):
            form = line.removeprefix("=== ")
        elif line and not line.startswith("#"):
            found.append((form, line.replace("¶", "\n")))
    return found


CASES = read_cases()
FORMS = {"harmless": (True, True), "lasting": (True, False), "weak": (False, False)}


def form(source: str, entry_point: str | None = "f") -> Form:
    return form_of(CodeTests(source=source, entry_point=entry_point))


def brief(form: Form) -> tuple[bool, bool]:
    return form.split, form.harmless


def problems(name: str, file: str) -> list[CodeTests]:
    if file and not (DATA / file).exists():
        pytest.skip(f"needs the published file {file} in ../shared/data beside the checkout")
    task = load_task(name, data=DATA / file) if file else load_task(name)
    every = [problem.tests for problem in task.all_problems()]
    return [tests for tests in every if isinstance(tests, CodeTests)]


def test_every_kind_of_case_is_there_many_times() -> None:
    counts = {name: sum(form == name for form, _ in CASES) for name in FORMS}
    assert counts["harmless"] > 100
    assert counts["lasting"] >= 10
    assert counts["weak"] > 300


@pytest.mark.parametrize(("expected", "source"), CASES, ids=[source for _, source in CASES])
def test_each_text_has_the_form_that_its_outcome_needs(expected: str, source: str) -> None:
    found = form(source)
    assert brief(found) == FORMS[expected], found.reason
    assert (found.reason == "") == found.split


@pytest.mark.parametrize(("name", "file", "count"), SETS, ids=[row[0] for row in SETS])
def test_published_problems_are_split_and_harmless_and_quick_to_tell(
    name: str, file: str, count: int
) -> None:
    every = problems(name, file)
    assert len(every) == count
    start = time.process_time()
    forms = [form_of(tests) for tests in every]
    seconds = time.process_time() - start
    assert [found.reason for found in forms if not found.split] == []
    assert all(found.harmless for found in forms)
    assert seconds < 0.005 * count


# entry point, tests, whether they are split
ENTRIES: list[tuple[str | None, str, bool]] = [
    ("Sort", "assert Sort([2, 1]) == [1, 2]", True),
    ("Sum", "assert Sum(60) == 10 and abs(Sum(3) - 2) < 1e-9", True),
    ("Check_Vow", "assert Check_Vow('a', 'b')", True),
    ("Check_Vow", "assert not Check_Vow('a', 'b') == Check_Vow('a', 'c')", True),
    ("Sort", "assert Sort([2, 1])", False),
    ("Sort", "assert Sort([2, 1]) == Sort([1, 2])", False),
    ("Vector", "assert Vector(1) + Vector(2) == 3", False),
    ("Vector", "v = Vector(1)\nassert v.x == 1 and str(v) == 'v'", True),
    ("Vector", "v = Vector(1)\nassert v == (1,)\nassert v.x == 1", False),
    ("Vector", "assert Vector(1) == (1,)\nassert Vector(1).x == 1", False),
    ("Vector", "assert Vector(1) == (1,)\nassert getattr(Vector(1), 'x') == 1", False),
    ("Vector", "assert Vector(1) == (1,)\nv = Vector(2)\nv.x = 1", False),
    ("Vector", "assert Vector.zero().x == 0", True),
    ("Vector", "assert Vector.ZERO == 0", False),
    ("Vector", "assert isinstance(f(1), Vector)", False),
    ("Broken", "try: f(1)\nexcept Broken: pass", False),
    ("LRUCache", "c = LRUCache(2)\nc.put(1, 1)\nassert c.get(1) == 1 and c.get(2) == -1", True),
    ("Solution", "assert Solution().two_sum([1], 2) == []", True),
    (None, "assert double(2) == 4", True),
    (None, "s = Stack()\ns.push(1)\nassert s.pop() == 1", True),
    (None, "assert sum([1, 2]) == 3", True),
    (None, "assert sum([1, 2])", True),
    (None, "assert sum == 3\nassert sum(1)", False),
    (None, "assert len(f('a')) == 1", True),
    (None, "assert math.floor(f(2.5)) == 2", True),
    (None, "assert os.path.exists(f('a'))", False),
    ("os", "assert os.path == 1", True),
    ("f", "def check(f): assert f(1) == 1\ncheck(f)", True),
]


@pytest.mark.parametrize(("entry_point", "source", "split"), ENTRIES)
def test_the_entry_point_tells_functions_from_classes(
    entry_point: str | None, source: str, split: bool
) -> None:
    assert form(source, entry_point).split is split


def test_reasons_name_the_place() -> None:
    tests = CodeTests(
        stub="import math\n", source="x = 1\n", checks=("assert f(1) == 1", "y = 1\nassert f(x) is y")
    )
    assert form_of(tests).reason == "check 2, line 2: compares identities (is)"
    assert form("x = 1\nassert f(x) is x").reason == "line 2: compares identities (is)"
    assert form_of(CodeTests(stub="\nimport os", source="f(1)")).reason == "stub line 2: uses the module os"


def test_stub_source_and_checks_share_one_namespace() -> None:
    stub = "from math import *\ndef helper(x):\n    return x + 1\n"
    shared = {"stub": stub, "source": "p = Point(1)"}
    checks = ("assert helper(f(1)) == 2", "assert p.x == 1")
    assert brief(form_of(CodeTests(**shared, checks=checks))) == (True, True)
    found = form_of(CodeTests(**shared, checks=(*checks, "assert p == f(1)")))
    assert found.reason == "check 3, line 1: compares an object of the program"
    # what a prompt shows of the entry point comes before the program
    shown = "def f(x):\n    return x\n"
    assert form_of(CodeTests(stub=shown, source="assert f(1) == 1", entry_point="f")).split


def written_tests(file: Path) -> list[CodeTests]:
    """Return the code tests that a test module writes out, or names texts of that it writes out."""
    tree, found = ast.parse(file.read_text("utf-8")), []
    texts = {
        node.targets[0].id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "CodeTests":
            values = [
                (each.arg, texts.get(getattr(each.value, "id", ""), each.value)) for each in node.keywords
            ]
            try:
                given = {name: ast.literal_eval(value) for name, value in values if name}
            except ValueError:
                continue
            if given.get("source", "").strip() or given.get("checks"):
                found.append(CodeTests(**given))
    return found


def test_tests_written_for_the_executor_are_split() -> None:
    folders = (EXECUTION, *(path for path in EXECUTION.iterdir() if path.is_dir()))
    files = [file for folder in folders for file in sorted(folder.glob("*.py"))]
    every = [tests for file in files if file != Path(__file__) for tests in written_tests(file)]
    every = [tests for tests in every if tests.mode == "auto" and tests.source != "assert f("]
    assert len(every) > 20
    assert [(tests, found.reason) for tests in every if not (found := form_of(tests)).split] == []


@pytest.mark.parametrize("source", ["assert f(", "def f(:", "x = \0", "'\ud800", "assert f(1) ==\n\n2 3"])
def test_what_is_no_python_is_said_so(source: str) -> None:
    with pytest.raises(SyntaxError):
        form(source)


HARMLESS = [
    "pass",
    "assert True",
    "import math as unused_module",
    "unused_name = [1, {'a': (2.5, None)}]",
    "def unused_function(x, *y): return x + len(y)",
    "for unused_item in range(3): unused_sum = unused_item + 1",
    "assert sorted([3, 1]) == [1, 3], 'no'",
]


def with_statement(source: str, statement: str, draw: random.Random) -> str:
    """Put a statement between two others of a text."""
    body = ast.parse(source).body
    lines = source.split("\n")
    starts = [node.lineno for node in body if getattr(node, "module", "") != "__future__"]
    # a line may hold several statements, and a decorator stands above its function
    places = [line for line in starts if not lines[line - 1].startswith((" ", "@"))]
    places = [line for line in places if line == 1 or not lines[line - 2].startswith("@")]
    line = draw.choice([*places, len(lines) + 1])
    return "\n".join([*lines[: line - 1], statement, *lines[line - 1 :]])


@pytest.mark.parametrize("statement", HARMLESS)
def test_a_harmless_statement_more_changes_no_form(statement: str) -> None:
    draw = random.Random(statement)
    for expected, source in CASES:
        longer = with_statement(source, statement, draw)
        assert brief(form(longer)) == FORMS[expected], longer


@pytest.mark.parametrize(("name", "file", "count"), SETS, ids=[row[0] for row in SETS])
def test_a_weak_statement_makes_any_tests_weak(name: str, file: str, count: int) -> None:
    draw = random.Random(name)
    weak = ["import os", "assert candidate_of(1) is [0]", "Thing_.x = 1", "eval('1')", "run_it(lambda: 0)"]
    for tests in problems(name, file)[::5]:
        statement = draw.choice(weak)
        longer = with_statement(tests.source, statement, draw) if tests.source.strip() else statement
        changed = CodeTests(
            source=longer, checks=tests.checks, stub=tests.stub, entry_point=tests.entry_point
        )
        assert not form_of(changed).split, longer


WORDS = re.compile(r"\w+")


def mutated(source: str, pieces: list[str], draw: random.Random) -> str:
    """Change some words of a text into others."""
    for _ in range(draw.randint(1, 3)):
        at = draw.choice(list(WORDS.finditer(source)))
        # names in place of names, so that much of it stays Python
        piece = draw.choice([each for each in pieces if each.isidentifier() == at.group().isidentifier()])
        source = source[: at.start()] + piece + source[at.end() :]
    return source


def test_whatever_the_text_it_has_a_form_or_is_no_python() -> None:
    draw = random.Random(0)
    texts = [source for _, source in CASES]
    if (DATA / SETS[0][1]).exists():
        texts += [f"{tests.stub}\n{tests.source}"[:1500] for tests in problems(*SETS[0][:2])[::4]]
    pieces = sorted({word.group() for text in texts for word in WORDS.finditer(text)})
    pieces = [each for each in pieces if not keyword.iskeyword(each)] + [
        "is",
        "not",
        "lambda",
        "yield",
        "await",
    ]
    read = 0
    for source in texts * 4:
        changed = mutated(source, pieces, draw)
        try:
            found = form(changed)
        except SyntaxError:
            continue
        read += 1
        assert (found.reason == "") == found.split, changed
        assert found.split or not found.harmless, changed
        assert found == form(changed)
    assert read > 1_000


def test_the_form_takes_the_same_names_from_the_program_as_the_judge() -> None:
    for expected, source in CASES:
        if expected == "weak" or "import *" in source or "__future__" in source:
            continue
        bound = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
        for name in wanted_names(source, "f").program:
            # a name that the judge takes from the program may not be used as data
            assert name in bound | {"f"}
            assert not form(f"{source}\nassert {name} == 3").split


NEWER = {"UTC", "StrEnum", "Never", "Self", "batched", "cbrt", "exp2", "fma", "sumprod"}
"""Names that the oldest Python we work with lacks."""


def test_every_name_of_the_library_is_really_there() -> None:
    absent = []
    for name in known_modules():
        if name == "pytest":
            continue
        module = importlib.import_module(name)
        absent += [f"{name}.{each}" for each in library_names(name) or [] if not hasattr(module, each)]
    assert [each for each in absent if each.rpartition(".")[2] not in NEWER] == []
    assert {name.partition(".")[0] for name in known_modules()} <= sys.stdlib_module_names | {"pytest"}


class Anything:
    """Stands for whatever a text takes from a program."""

    def __getattr__(self, name: str) -> Any:
        return Anything()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return Anything()

    def __bool__(self) -> bool:
        return False

    def __iter__(self) -> Iterator[Any]:
        return iter([Anything(), 1])

    __getitem__ = __add__ = __sub__ = __radd__ = __lt__ = __le__ = __gt__ = __call__


class Unasserted(ast.NodeTransformer):
    """Computes what a text asserts, whatever comes of it."""

    def visit_Assert(self, node: ast.Assert) -> ast.Expr:
        return ast.copy_location(ast.Expr(node.test), node)


def state() -> dict[str, dict[str, object]]:
    """What modules hold, and what stands at sys.stdout."""
    names = ["builtins", *(name for name in known_modules() if name != "pytest")]
    modules = map(importlib.import_module, names)
    return {module.__name__: dict(vars(module)) for module in modules}


def test_harmless_texts_leave_modules_as_they_were() -> None:
    before, ended = state(), 0
    for source in [source for expected, source in CASES if expected == "harmless"]:
        names: dict[str, Any] = {name: Anything() for name in wanted_names(source, "f").program}
        names["__name__"] = "tests"
        with contextlib.suppress(Exception):
            exec(compile(Unasserted().visit(ast.parse(source)), "<tests>", "exec"), names)
            ended += 1
        after = state()
        for module, held in before.items():
            changed = [name for name in held.keys() | after[module].keys() if name not in CHANGING]
            assert [name for name in changed if held.get(name) is not after[module].get(name)] == [], source
    assert ended > 80


CHANGING = {"last_exc", "last_type", "last_value", "last_traceback", "__warningregistry__"}
"""Names that the interpreter itself may set."""
