"""The model of a saved run is found where it was, or named; another one is never taken for it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from codesample.engines.model_options import ModelOptions
from codesample.errors import ModelError, UnknownNameError
from codesample.evaluation.plan import model_source
from codesample.evaluation.run_model import model_of_run
from codesample.records import SamplingParams
from codesample.runs import Manifest

NATIVE: dict[str, Any] = {"architecture": "X", "reproducibility": "exact"}


def manifest(model: str, settings: dict[str, Any] | None = None, **facts: Any) -> Manifest:
    session = {"model": facts, "settings": settings or {}}
    return Manifest("t", "1", "h", model, SamplingParams(), 1, (session,))


def test_a_folder_is_known_by_what_it_holds_wherever_it_is(unloaded, tmp_path: Path) -> None:
    folder = unloaded()
    before = model_source(str(folder))
    made = manifest(str(folder), checkpoint=before.checkpoint, **NATIVE)
    own = model_of_run(made, None)
    assert own.source is not None
    assert (own.source.identity, own.estranged, own.recorded) == (before.checkpoint, "", False)
    moved = folder.rename(tmp_path / "moved")
    gone = model_of_run(made, None)
    assert gone.source is not None
    # what is kept of it can be used still
    assert gone.source.identity == before.checkpoint
    with pytest.raises(ModelError, match="no longer there; name its folder: --model FOLDER"):
        gone.source.open()
    named = model_of_run(made, moved)
    assert named.source is not None
    assert (named.source.identity, named.estranged) == (before.checkpoint, "")


def test_a_folder_that_changed_is_another_model(unloaded) -> None:
    folder = unloaded()
    before = model_source(str(folder)).checkpoint
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    found = model_of_run(manifest(str(folder), checkpoint=before, **NATIVE), None)
    assert found.source is not None
    assert found.source.identity != before
    assert "has changed since the run was sampled" in found.estranged
    assert before in found.estranged


def test_of_a_run_that_recorded_no_fingerprint_no_change_is_claimed() -> None:
    own = model_of_run(manifest("tiny", **NATIVE), None)
    assert own.source is not None
    assert own.estranged == ""


def test_another_model_is_told_of(unloaded) -> None:
    made = manifest(str(unloaded()), checkpoint="abc", **NATIVE)
    other = model_of_run(made, "tiny")
    assert "tiny (fingerprint " in other.estranged
    assert "is another model than the one that drew the candidates" in other.estranged
    assert "(fingerprint abc)" in other.estranged


def test_the_built_in_model_is_its_own_copy_in_a_folder(tmp_path: Path) -> None:
    from codesample.sampling.checkpoint_source import BUILT_IN_MODELS

    tiny = model_source("tiny")
    made = manifest("tiny", checkpoint=tiny.checkpoint, **NATIVE)
    assert model_of_run(made, None).estranged == ""
    copy = tmp_path / "copy"
    shutil.copytree(BUILT_IN_MODELS["tiny"], copy)
    assert model_of_run(made, copy).estranged == ""


def test_a_revision_is_read_off_the_name() -> None:
    found = model_of_run(manifest("owner/name@abc", **NATIVE), None)
    assert found.source is not None
    assert (found.source.name, found.estranged) == ("owner/name@abc", "")


@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        (manifest("mine"), "was an engine of the caller's own; hand it over again"),
        (manifest("nothere:model", **NATIVE), "unknown engine 'nothere'.*name the model: --model MODEL"),
    ],
)
def test_where_it_cannot_be_found_it_is_said_what_to_do(made: Manifest, complaint: str) -> None:
    import re

    found = model_of_run(made, None)
    assert found.source is None
    assert re.search(complaint, found.lacking)


def test_recorded_samples_have_no_model_unless_one_was_named() -> None:
    made = manifest("x.jsonl@sha256:1", reproducibility="recorded")
    assert model_of_run(made, None) == model_of_run(made, None)
    assert (model_of_run(made, None).source, model_of_run(made, None).recorded) == (None, True)
    assert "--model" in model_of_run(made, None).lacking
    named = model_of_run(made, "tiny")
    assert named.source is not None
    assert (named.recorded, named.estranged) == (True, "")
    again = model_of_run(manifest("x", {"text_model": "tiny"}, reproducibility="recorded"), None)
    assert again.source is not None
    assert again.source.name == "tiny"


def test_a_name_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(UnknownNameError, match="nothere"):
        model_of_run(manifest("tiny", **NATIVE), "nothere:model")


def test_an_adapter_makes_another_model_and_a_trained_one_another_yet(unloaded, tmp_path: Path) -> None:
    folder, adapter = unloaded(), tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    options = ModelOptions(str(folder), adapter=str(adapter))
    plain, before = model_source(str(folder)), model_source(options)
    assert plain.checkpoint is not None
    assert before.checkpoint is not None
    assert before.checkpoint.startswith(plain.checkpoint + "+")
    found = model_of_run(manifest(before.name, checkpoint=before.checkpoint, **NATIVE), None)
    assert found.source is not None
    assert (found.source.name, found.estranged) == (options.name, "")
    (adapter / "adapter_config.json").write_text("{ }")
    changed = model_of_run(manifest(before.name, checkpoint=before.checkpoint, **NATIVE), None)
    assert "has changed since the run was sampled" in changed.estranged
    # of a hub id the files are not looked at, and its name tells it from others
    hub = model_source(ModelOptions("a/b", revision="r", adapter=str(adapter))).checkpoint
    assert hub is not None
    assert hub.startswith("a/b@r+")
