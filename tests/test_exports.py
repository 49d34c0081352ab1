"""The public surface: sorted, importable name by name, closed, and light until a name is used."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import codesample

# Types, by whole name, that stand in a public call and are no one's to make or to take apart, and why.
NOT_FOR_USERS = {
    "codesample.sampling.prompts.Prompt": "prompts that are tokens already, for benchmarks of the loop",
    "codesample.sampling.trajectory.Trajectory": "what drew `Prompt`s tells; of use to rollouts alone",
    "codesample.runs.lock.FolderLock": "what keeps a run to one writer; `RunFolder.open` takes it",
}

HEAVY = ("torch", "transformers", "datasets", "evaluate", "numpy", "triton", "pyarrow")


def modules_after(code: str) -> set[str]:
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    return set(json.loads(done.stdout))


def test_is_sorted_and_free_of_repeats() -> None:
    assert codesample.__all__ == sorted(set(codesample.__all__))


@pytest.mark.parametrize("name", codesample.__all__)
def test_every_exported_name_can_be_had(name: str) -> None:
    assert getattr(codesample, name).__module__.startswith("codesample")


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not modules_after("import codesample").intersection(HEAVY)


def test_records_can_be_used_without_anything_heavy() -> None:
    assert not modules_after("from codesample import Candidate, SamplingParams").intersection(HEAVY)


def test_an_unknown_name_is_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(AttributeError, match="Sampler"):
        _ = codesample.sampler_of_dreams


def test_dir_lists_the_exports() -> None:
    assert set(codesample.__all__) <= set(dir(codesample))


def test_what_a_public_call_takes_or_returns_is_exported_as_well() -> None:
    missing = unexported(codesample)
    assert NOT_FOR_USERS.keys() <= missing.keys()
    unknown = [f"{name}: {place}" for name, place in sorted(missing.items()) if name not in NOT_FOR_USERS]
    assert not unknown, "\n".join(["", *unknown])


def unexported(package: ModuleType) -> dict[str, str]:
    """Return the package's own types that a user of its exports meets and cannot import from it.

    Followed are arguments and results of functions, public methods and properties, and public fields,
    also those of the missing types themselves.

    Returns: by whole name, where the type is met.
    """
    exported = {id(getattr(package, name)) for name in package.__all__}
    missing: dict[str, str] = {}
    waiting = [(name, getattr(package, name)) for name in package.__all__]
    while waiting:
        place, thing = waiting.pop(0)
        for spot, hint in hints_of(place, thing):
            for kind in types_in(hint):
                whole = f"{kind.__module__}.{kind.__qualname__}"
                inside = kind.__module__.split(".")[0] == package.__name__
                if inside and id(kind) not in exported and whole not in missing:
                    missing[whole] = spot
                    waiting.append((whole, kind))
    return missing


def hints_of(place: str, thing: object) -> Iterator[tuple[str, object]]:
    """Yield each annotation of a function, or of what is public in a class, with the place it stands at."""
    if isinstance(thing, FunctionType):
        for function in (thing, *typing.get_overloads(thing)):
            for name, hint in typing.get_type_hints(function, None, names_for_typing(function)).items():
                yield f"{place}({name})", hint
    elif isinstance(thing, type):
        own = {
            base for base in thing.__mro__ if base.__module__.split(".")[0] == thing.__module__.split(".")[0]
        }
        for base in own:
            for name, hint in typing.get_type_hints(base, None, names_for_typing(base)).items():
                if not name.startswith("_"):
                    yield f"{place}.{name}", hint
            for name, value in vars(base).items():
                if not name.startswith("_") or name in ("__init__", "__enter__", "__iter__", "__call__"):
                    called = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
                    if isinstance(called, FunctionType):
                        yield from hints_of(f"{place}.{name}", called)


def types_in(hint: object) -> Iterator[type]:
    """Yield the classes that an annotation is made of."""
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        yield hint
    parts = hint if isinstance(hint, list | tuple) else typing.get_args(hint)
    for part in parts:
        yield from types_in(part)


def names_for_typing(thing: Any) -> dict[str, object]:
    """Return what the module of a function or class imports for type checkers alone."""
    module = importlib.import_module(thing.__module__)
    names: dict[str, object] = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            exec(compile(ast.Module(node.body, []), "for typing", "exec"), names)
    return names


@pytest.mark.parametrize(
    ("exports", "missing"),
    [
        (["Alone"], {}),
        (["call", "Given", "Part", "Result"], {}),
        (["call", "Given", "Result"], {"planted.Part": "Given.part"}),
        (
            ["call"],
            {
                "planted.Given": "call(given)",
                "planted.Part": "planted.Given.part",
                "planted.Result": "call(return)",
            },
        ),
        (["Given", "Holder", "Part"], {"planted.late.Late": "Holder.late(late)"}),
        (["Given", "Part", "Taker"], {"planted.Result": "Taker.__init__(result)"}),
        (["decorate"], {"planted.Part": "decorate(function)"}),
    ],
)
def test_a_type_that_is_not_exported_is_found(
    exports: list[str], missing: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
from __future__ import annotations
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload
if TYPE_CHECKING:
    from planted.late import Late

__all__ = EXPORTS

class Part: ...
class Result: ...

@dataclass
class Given:
    part: list[Part] | None

class Alone:
    _hidden: Result
    def count(self) -> dict[str, int]: ...
    def _hidden(self) -> Part: ...

class Holder:
    @property
    def given(self) -> Given: ...
    @classmethod
    def late(cls, late: Late) -> None: ...

class Taker(Given):
    def __init__(self, result: Result, *parts: Part) -> None: ...

def call(given: Callable[[Given], int]) -> Result | None: ...

@overload
def decorate(function: Callable[[Part], int]) -> int: ...
@overload
def decorate(function: int) -> int: ...
def decorate(function: Any) -> Any: ...
"""
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "__init__.py").write_text(text.replace("EXPORTS", repr(exports)))
    (tmp_path / "planted" / "late.py").write_text("class Late: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("planted", "planted.late"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert unexported(importlib.import_module("planted")) == missing
