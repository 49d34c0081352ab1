"""Every way to import is seen, and leads to the module that is meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from source_tree import SourceTree

Plant = Callable[[dict[str, str]], SourceTree]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import codesample.low.thing", [("codesample.low.thing", "load")]),
        ("import codesample.low.thing as t", [("codesample.low.thing", "load")]),
        ("from codesample.low import thing", [("codesample.low.thing", "load")]),
        ("from codesample.low.thing import Thing", [("codesample.low.thing", "load")]),
        ("from codesample.low.thing import *", [("codesample.low.thing", "load")]),
        ("from codesample.low import Thing", [("codesample.low", "load")]),
        ("from codesample import low", [("codesample.low", "load")]),
        ("from codesample import enter", [("codesample.high.door", "load")]),
        ("from codesample import low_thing", [("codesample.low.thing", "load")]),
        ("from codesample import __version__", [("codesample", "load")]),
        ("from codesample import rerankers", [("codesample.rerankers", "load")]),
        ("import codesample\ncodesample.enter()", [("codesample", "load"), ("codesample.high.door", "load")]),
        (
            "import codesample.low\ncodesample.high.door.enter()",
            [("codesample.low", "load"), ("codesample.high.door", "load")],
        ),
        (
            "import codesample as c\ndef f(): return c.low_thing",
            [("codesample", "load"), ("codesample.low.thing", "call")],
        ),
        ("from ..low import thing", [("codesample.low.thing", "load")]),
        ("from ..low.thing import Thing", [("codesample.low.thing", "load")]),
        ("from .. import low", [("codesample.low", "load")]),
        ("from . import door", [("codesample.high.door", "load")]),
        ("from .door import enter", [("codesample.high.door", "load")]),
        ("def f():\n    from codesample.low import thing", [("codesample.low.thing", "call")]),
        ("async def f():\n    import torch", [("torch", "call")]),
        ("class A:\n    import torch", [("torch", "load")]),
        ("try:\n    import torch\nexcept ImportError: ...", [("torch", "load")]),
        ("import torch.nn.functional as F", [("torch.nn.functional", "load")]),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\nelse:\n    import json",
            [("typing", "load"), ("torch", "typing"), ("json", "load")],
        ),
        (
            "import typing\nif typing.TYPE_CHECKING:\n    def f():\n        import torch",
            [("typing", "load"), ("torch", "typing")],
        ),
        (
            "import importlib\nimportlib.import_module('codesample.low.thing')",
            [("importlib", "load"), ("codesample.low.thing", "load")],
        ),
        (
            "from importlib import import_module\ndef f(): import_module('..low', 'codesample.high')",
            [("importlib", "load"), ("codesample.low", "call")],
        ),
        ("__import__('torch')", [("torch", "load")]),
    ],
)
def test_an_import_is_seen_with_what_it_leads_to(
    text: str, expected: list[tuple[str, str]], plant: Plant
) -> None:
    tree = plant({"codesample/high/window.py": text})
    imports = tree.imports(tree.modules["codesample.high.window"])
    assert [(each.target, each.when) for each in imports] == expected


def test_a_package_is_the_base_of_its_own_relative_imports(plant: Plant) -> None:
    tree = plant({"codesample/high/__init__.py": "from .door import enter\nfrom ..low import thing"})
    imports = tree.imports(tree.modules["codesample.high"])
    assert [each.target for each in imports] == ["codesample.high.door", "codesample.low.thing"]


def test_folders_beside_the_package_belong_to_it_and_are_read_once(plant: Plant) -> None:
    tree = plant({})
    (tree.root / "codesample" / "rerankers").symlink_to("../rerankers")
    again = SourceTree(tree.root)
    assert [module.path for module in again.of("codesample.rerankers")] == ["rerankers/pick.py"]
    assert again.modules["codesample.rerankers.pick"].package == "codesample.rerankers"


def test_imports_by_a_computed_name_are_told_apart(plant: Plant) -> None:
    text = "import importlib\nimportlib.import_module('json')\nimportlib.import_module(__name__)\n"
    tree = plant({"codesample/high/window.py": text})
    assert tree.computed_imports(tree.modules["codesample.high.window"]) == [3]


def test_what_a_module_loads_comes_with_the_way_it_is_reached(plant: Plant) -> None:
    tree = plant(
        {
            "codesample/low/__init__.py": "import torch",
            "codesample/low/window.py": "from codesample.high.door import enter",
            "codesample/near.py": "from codesample import low_thing\ndef f():\n    import transformers",
        }
    )
    loaded = tree.loads("codesample.near")
    # the package above a module is loaded before it
    assert loaded["torch"] == ("codesample.near", "codesample.low")
    assert "transformers" not in loaded
    assert "typing" in loaded
