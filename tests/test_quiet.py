"""Loading draws no bars unless they are asked for, and leaves the libraries' settings alone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import huggingface_hub.utils as hub
import pytest
from transformers.utils import logging as transformers_logging

from codesample.quiet import without_bars
from codesample.sampling.sampler import Sampler
from codesample.testing.models import byte_tokenizer, random_model

SCRIPT = """
import sys
from codesample import Sampler
for model in sys.argv[1:]:
    Sampler(model, device="cpu").sample("def f(x):", 2, max_new_tokens=3)
"""


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    random_model("llama").save_pretrained(folder, max_shard_size="20KB")
    byte_tokenizer().save_pretrained(folder)
    assert len(list(folder.glob("*.safetensors"))) > 2
    return folder


@pytest.fixture(autouse=True)
def _unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS", raising=False)


def said(*models: object, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, models)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout + done.stderr


def test_loading_writes_nothing(shards: Path) -> None:
    assert said("tiny", shards) == ""


def test_bars_are_drawn_where_they_are_asked_for(shards: Path) -> None:
    assert "Loading weights" in said(shards, HF_HUB_DISABLE_PROGRESS_BARS="0")


def test_settings_are_as_before(shards: Path) -> None:
    for wanted in (True, False):
        (transformers_logging.enable_progress_bar if wanted else transformers_logging.disable_progress_bar)()
        Sampler(shards, device="cpu")
        assert transformers_logging.is_progress_bar_enabled() is wanted
        assert hub.are_progress_bars_disabled() is not wanted
    transformers_logging.enable_progress_bar()
    hub.disable_progress_bars()
    with without_bars():
        assert not transformers_logging.is_progress_bar_enabled()
    assert transformers_logging.is_progress_bar_enabled()
    assert hub.are_progress_bars_disabled()
    hub.enable_progress_bars()


def test_the_last_of_several_threads_puts_them_back() -> None:
    transformers_logging.enable_progress_bar()
    inside, leave = threading.Event(), threading.Event()

    def load() -> None:
        with without_bars():
            inside.set()
            leave.wait(30)

    other = threading.Thread(target=load)
    other.start()
    assert inside.wait(30)
    with pytest.raises(KeyError), without_bars():
        raise KeyError
    assert not transformers_logging.is_progress_bar_enabled()
    leave.set()
    other.join()
    assert transformers_logging.is_progress_bar_enabled()
    assert not hub.are_progress_bars_disabled()
