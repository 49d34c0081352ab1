"""Engines are found by the name that a model begins with, through one door."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from codesample.engines.model_options import ModelOptions
from codesample.engines.registry import ENGINES, NATIVE, expect_engine, open_engine, split_model
from codesample.errors import ModelError, ParameterError, UnknownNameError


def test_the_native_engine_comes_through_the_same_door() -> None:
    assert NATIVE in ENGINES.names()
    engine = open_engine(ModelOptions("native:tiny"))
    assert (engine.name, engine.reproducibility) == ("tiny", "exact")


@pytest.mark.parametrize(
    ("model", "engine", "rest"),
    [
        ("tiny", NATIVE, "tiny"),
        ("org/name", NATIVE, "org/name"),
        ("native:org/name", NATIVE, "org/name"),
        ("openai:gpt:4", "openai", "gpt:4"),
        ("./odd:folder", NATIVE, "./odd:folder"),
        ("/models/odd:folder", NATIVE, "/models/odd:folder"),
        ("1x:y", "1x", "y"),
        ("my.engine:y", "my.engine", "y"),
        ("~/odd:folder", NATIVE, "~/odd:folder"),
    ],
)
def test_a_name_with_a_scheme_asks_for_that_engine(model: str, engine: str, rest: str) -> None:
    assert split_model(ModelOptions(model)) == (engine, rest)


def test_a_folder_that_is_there_is_the_native_engines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd:folder").mkdir()
    assert split_model(ModelOptions("odd:folder")) == (NATIVE, "odd:folder")


def test_an_engine_without_a_model_is_refused() -> None:
    with pytest.raises(ModelError, match="names the engine 'native' and no model"):
        split_model(ModelOptions("native:"))


def test_what_a_plug_in_raises_of_its_own_names_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(model: str, options: ModelOptions) -> Any:
        raise ConnectionError("nobody there")

    plug_in(monkeypatch, broken)
    with pytest.raises(ModelError, match="engine 'fake' could not open 'x': ConnectionError: nobody there"):
        open_engine(ModelOptions("fake:x"))


def test_an_unknown_engine_suggests_a_near_one() -> None:
    with pytest.raises(UnknownNameError, match="unknown engine 'nativ'; did you mean 'native'"):
        expect_engine(ModelOptions("nativ:tiny"))


def plug_in(monkeypatch: pytest.MonkeyPatch, opener: object) -> None:
    entry = EntryPoint("fake", "no.such:thing", ENGINES.group)
    monkeypatch.setattr("codesample.plugins.entry_points", lambda group: [entry])
    monkeypatch.setattr(EntryPoint, "load", lambda self: opener)


def test_what_a_plug_in_opens_must_be_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    class Half:
        name = "half"
        abilities: frozenset[str] = frozenset()

    plug_in(monkeypatch, lambda model, options: Half())
    with pytest.raises(ModelError, match="opened Half, which lacks reproducibility, stream, describe"):
        open_engine(ModelOptions("fake:x"))


def test_a_plug_in_that_opens_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, "a text")
    with pytest.raises(ModelError, match="is str, expected a function"):
        open_engine(ModelOptions("fake:x"))


def test_an_engine_is_given_the_rest_of_the_name_and_the_options(
    monkeypatch: pytest.MonkeyPatch, scripted_engine: Any
) -> None:
    seen: list[tuple[str, ModelOptions]] = []

    def opener(model: str, options: ModelOptions) -> Any:
        seen.append((model, options))
        return scripted_engine()

    plug_in(monkeypatch, opener)
    options = ModelOptions("fake:some/model:7", revision="v2")
    assert open_engine(options).name == "scripted"
    assert seen == [("some/model:7", options)]


def test_options_that_an_engine_would_ignore_are_refused() -> None:
    options = ModelOptions("fake:x", dtype="float16")
    options.expect_only({"dtype"}, engine="fake")
    with pytest.raises(ParameterError, match="dtype = 'float16': the engine 'fake' does not know"):
        options.expect_only({"revision"}, engine="fake")


@pytest.mark.parametrize(
    "field", [{"memory_fraction": 0}, {"memory_fraction": 1.1}, {"max_rows": 0}, {"model": ""}]
)
def test_options_are_checked_where_they_are_made(field: dict[str, Any]) -> None:
    (name,) = field
    with pytest.raises(ParameterError, match=f"{name} = "):
        ModelOptions(**field)


def test_only_a_model_in_a_folder_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    assert [ModelOptions(name).folder for name in ("tiny", "org/name")] == [None, None]
    assert ModelOptions(str(tmp_path)).folder == tmp_path
    with pytest.raises(ModelError, match="File name too long"):
        _ = ModelOptions("x" * 300).folder


def test_the_contract_and_best_of_n_load_neither_torch_nor_transformers() -> None:
    code = """
import json, sys
from codesample import Engine, ModelOptions, RunOptions, best_of_n, evaluate
import codesample.engines.contract, codesample.engines.registry, codesample.engines.recorded
import codesample.sampling.native, codesample.testing.engines
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert not {"torch", "transformers", "numpy"}.intersection(json.loads(done.stdout))
