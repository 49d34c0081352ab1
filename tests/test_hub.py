"""Offline machines turn to their caches at once."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from codesample import hub
from codesample.errors import HubUnavailableError
from codesample.hub import expect_hub, expect_on_hub

SETTINGS = ("HF_HUB_OFFLINE", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    # set first, so that what the function writes is undone as well
    for name in SETTINGS:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, "huggingface_hub", raising=False)


def test_a_hub_that_answers_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        expect_hub()
    assert "HF_HUB_OFFLINE" not in os.environ


def test_a_hub_out_of_reach_switches_to_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed}")
    expect_hub()
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_a_name_server_that_is_silent_is_waited_for_no_longer_than_the_hub(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: silent.wait(20) and [])
    monkeypatch.setattr(hub, "_SECONDS", 0.05)
    began = time.monotonic()
    expect_hub()
    silent.set()
    assert time.monotonic() - began < 10
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_once_the_hubs_library_is_imported_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", sys)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    expect_hub()
    assert "HF_HUB_OFFLINE" not in os.environ


@pytest.mark.parametrize(("name", "value"), [("HF_HUB_OFFLINE", "0"), ("HTTPS_PROXY", "http://proxy:8080")])
def test_settings_of_the_user_are_left_alone(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)
    expect_hub()
    assert os.environ.get("HF_HUB_OFFLINE") == (value if name == "HF_HUB_OFFLINE" else None)


def test_a_checkpoint_is_not_waited_for_where_the_hubs_library_was_imported_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import huggingface_hub
    from huggingface_hub import constants

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the library was asked, which tries for a minute")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "model_info", never)
    monkeypatch.setattr(hub, "_answers", lambda address: False)
    with pytest.raises(HubUnavailableError, match="model 'nobody/nope' is neither a folder here nor cached"):
        expect_on_hub("nobody/nope")


@pytest.mark.parametrize("file", ["config.json", "adapter_config.json", "model-q8_0.gguf"])
def test_a_checkpoint_of_which_something_is_cached_is_left_to_whoever_loads_it(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "_answers", lambda address: False)
    with pytest.raises(HubUnavailableError):
        expect_on_hub("owner/model")
    # of a revision of its own
    snapshot = tmp_path / "models--owner--model" / "snapshots" / "1a2b"
    snapshot.mkdir(parents=True)
    with pytest.raises(HubUnavailableError):
        expect_on_hub("owner/model")
    (snapshot / file).write_text("")
    expect_on_hub("owner/model")
