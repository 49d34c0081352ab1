"""Each rule is quiet on a sound tree and reports exactly what was planted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
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

Plant = Callable[[dict[str, str]], SourceTree]

ARROWS = {"codesample": {"high"}, "low": set(), "high": {"low"}, "rerankers": {"low"}}


def test_a_sound_tree_passes_every_rule(plant: Plant) -> None:
    tree = plant({})
    assert undeclared(tree, ARROWS) == []
    assert forbidden_arrows(tree, ARROWS) == []
    assert cycles(tree) == []
    assert intruders(tree, {"codesample.high": {"codesample"}}) == []
    assert forbidden_libraries(tree, {"low": {"torch"}, "high": {"torch"}}) == []
    assert libraries_at_load(tree, ["low", "high"], {"torch"}) == []
    assert unreadable_imports(tree, {}) == []
    assert repeated_stems(tree, {}, free={"__init__"}) == []
    assert long_modules(tree, 10) == []
    assert long_functions(tree, 2) == []
    assert crowded_calls(tree, 0) == []


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("codesample/new.py", "new"),
        ("codesample/room/thing.py", "room"),
        ("codesample/low/inner/thing.py", "low.inner"),
        ("kernels/flash/api.py", "kernels.flash"),
        ("rerankers/deep/pick.py", "rerankers.deep"),
        ("tasks/other/__init__.py", "tasks.other"),
    ],
)
def test_a_part_that_nobody_declared_is_reported(file: str, part: str, plant: Plant) -> None:
    tree = plant({file: ""})
    above = {".".join(part.split(".")[:length]) for length in range(1, part.count(".") + 1)}
    assert undeclared(tree, {*ARROWS, *above}) == [f"{part}: not in the table"]


def test_a_declared_part_that_is_gone_is_reported(plant: Plant) -> None:
    assert undeclared(plant({}), {**ARROWS, "middle": set()}) == ["middle: in the table, not in the tree"]


@pytest.mark.parametrize(
    "text",
    [
        "import codesample.high.door",
        "from codesample.high.door import enter",
        "from codesample.high import door",
        "from codesample import enter",
        "from ..high.door import enter",
        "from ..high import door",
        "import importlib; importlib.import_module('codesample.high.door')",
    ],
)
@pytest.mark.parametrize("place", ["", "def f(): ", "if TYPE_CHECKING: "])
def test_an_arrow_that_nobody_granted_is_reported(place: str, text: str, plant: Plant) -> None:
    tree = plant({"codesample/low/other.py": f"from typing import TYPE_CHECKING\n{place}{text}\n"})
    expected = ["codesample/low/other.py:2: low imports codesample.high.door"]
    assert forbidden_arrows(tree, ARROWS) == expected


def test_a_part_beside_the_package_is_held_to_its_arrows(plant: Plant) -> None:
    tree = plant({"rerankers/pick.py": "from codesample import enter\n"})
    assert forbidden_arrows(tree, ARROWS) == ["rerankers/pick.py:1: rerankers imports codesample.high.door"]


def test_a_grant_of_a_package_is_not_one_of_what_is_within(plant: Plant) -> None:
    tree = plant(
        {"codesample/low/inner/part.py": "", "codesample/high/door.py": "import codesample.low.inner.part\n"}
    )
    expected = ["codesample/high/door.py:1: high imports codesample.low.inner.part"]
    assert forbidden_arrows(tree, ARROWS) == expected
    assert forbidden_arrows(tree, ARROWS | {"high": {"low.*"}}) == []


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"codesample/low/other.py": "def f(): from codesample import enter"}, "high -> low -> high"),
        (
            {
                "codesample/low/a/x.py": "import codesample.low.b.x",
                "codesample/low/b/x.py": "import codesample.low.c.x",
                "codesample/low/c/x.py": "import codesample.low.a.x",
            },
            "low.a -> low.b -> low.c -> low.a",
        ),
    ],
)
def test_a_circle_is_reported_with_its_way(files: dict[str, str], expected: str, plant: Plant) -> None:
    assert cycles(plant(files)) == [expected]


def test_a_grant_that_points_up_on_the_picture_is_reported() -> None:
    table = {
        "top": {"left", "anywhere"},
        "left": {"right"},
        "right": {"low.*"},
        "low": set(),
        "anywhere": set(),
    }
    picture = [{"top"}, {"left", "right"}, {"low"}]
    assert against_picture(table, picture) == []
    assert against_picture(table | {"low.inner": {"left"}}, picture) == [
        "low -> left: points up on the picture"
    ]
    assert against_picture(table, [*picture, {"gone"}]) == ["gone: on the picture, not in the table"]


def test_whoever_enters_a_guarded_package_beside_its_door_is_reported(plant: Plant) -> None:
    tree = plant({"rerankers/pick.py": "def f():\n    from codesample import enter\n"})
    expected = ["rerankers/pick.py:2: imports codesample.high.door; only codesample may"]
    assert intruders(tree, {"codesample.high": {"codesample"}}) == expected


@pytest.mark.parametrize("text", ["import torch", "from torch.nn import Module", "def f(): import torch"])
def test_a_library_that_a_part_must_do_without_is_reported(text: str, plant: Plant) -> None:
    tree = plant({"codesample/low/inner/other.py": text, "codesample/high/free.py": text})
    target = "torch.nn" if "nn" in text else "torch"
    assert forbidden_libraries(tree, {"low": {"torch"}}) == [
        f"codesample/low/inner/other.py:1: imports {target}"
    ]


def test_a_library_loaded_by_way_of_another_part_is_reported_with_the_way(plant: Plant) -> None:
    tree = plant({"codesample/low/thing.py": "import torch.nn\n", "codesample/high/__init__.py": ""})
    assert libraries_at_load(tree, ["high"], {"torch"}) == [
        "codesample/high/door.py: loads torch by way of codesample.high.door -> codesample.low.thing"
    ]


def test_a_library_that_is_loaded_by_a_call_is_not_loaded_by_import(plant: Plant) -> None:
    late = "def f():\n    import torch\n"
    assert libraries_at_load(plant({"codesample/low/thing.py": late}), ["high", "low"], {"torch"}) == []


def test_an_import_that_cannot_be_read_is_reported(plant: Plant) -> None:
    tree = plant({"codesample/low/other.py": "import importlib\nimportlib.import_module(__name__)\n"})
    path = "codesample/low/other.py"
    assert unreadable_imports(tree, {}) == [f"{path}:2: imports by a computed name"]
    assert unreadable_imports(tree, {path: "its own name"}) == []
    gone = unreadable_imports(tree, {path: "its own name", "codesample/low/thing.py": "nothing"})
    assert gone == ["codesample/low/thing.py: declared, but imports nothing by a computed name"]


def test_a_file_name_in_two_folders_is_reported(plant: Plant) -> None:
    tree = plant({"rerankers/thing.py": ""})
    assert repeated_stems(tree, {}, free={"__init__"}) == [
        "thing: codesample/low/thing.py, rerankers/thing.py"
    ]
    assert repeated_stems(tree, {"thing": "both are things"}, free={"__init__"}) == []
    assert repeated_stems(tree, {}, free={"__init__", "codesample.low"}) == []
    gone = repeated_stems(tree, {"thing": "both are things", "door": "none"}, free={"__init__"})
    assert gone == ["door: declared, but not repeated"]


def test_a_module_of_too_many_lines_is_reported(plant: Plant) -> None:
    tree = plant({"codesample/low/other.py": "x = 1\n" * 11, "codesample/low/thing.py": "x = 1\n" * 10})
    assert long_modules(tree, 10) == ["codesample/low/other.py: 11 lines"]


def test_the_median_leaves_out_what_makes_a_folder_a_package(plant: Plant) -> None:
    lengths = {"codesample/low/thing.py": 5, "codesample/high/door.py": 7, "rerankers/pick.py": 30}
    tree = plant({path: "x = 1\n" * length for path, length in lengths.items()})
    assert middle_length(tree) == 7


def test_a_function_of_too_many_lines_is_reported(plant: Plant) -> None:
    body = "    x = 1\n" * 3
    text = (
        f"@decorator\ndef f():\n{body}\nclass A:\n    async def g(self):\n        x = 1\n\n\n        y = 1\n"
    )
    tree = plant({"codesample/low/other.py": text, "kernels/k/api.py": f"@triton.jit\ndef kernel():\n{body}"})
    path = "codesample/low/other.py"
    assert long_functions(tree, 3) == [f"{path}:2: f has 4 lines", f"{path}:8: g has 5 lines"]
    assert long_functions(tree, 5) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(a, b, /, c): ...", "1: f takes 3 arguments"),
        ("def f(a, *, b, c): ...", "1: f takes 3 arguments"),
        ("def f(a, *b, **c): ...", "1: f takes 3 arguments"),
        ("async def f(a, b, c): ...", "1: f takes 3 arguments"),
        ("class A:\n    def __init__(self, a, b, c): ...", "2: A.__init__ takes 3 arguments"),
        ("class A:\n    @classmethod\n    def f(cls, a, b, c): ...", "3: A.f takes 3 arguments"),
        ("class A:\n    @staticmethod\n    def f(a, b, c): ...", "3: A.f takes 3 arguments"),
        ("def f(a, b): ...", None),
        ("def _f(a, b, c): ...", None),
        ("class A:\n    def f(self, a, b): ...", None),
        ("class A:\n    def _f(self, a, b, c): ...", None),
        ("class _A:\n    def __init__(self, a, b, c): ...", None),
        ("@triton.jit(do_not_specialize=['a'])\ndef f(a, b, c): ...", None),
        ("def f():\n    def inner(a, b, c): ...", None),
    ],
)
def test_a_public_call_with_too_many_arguments_is_reported(
    text: str, expected: str | None, plant: Plant
) -> None:
    tree = plant({"codesample/low/other.py": text})
    assert crowded_calls(tree, 2) == ([f"codesample/low/other.py:{expected}"] if expected else [])
