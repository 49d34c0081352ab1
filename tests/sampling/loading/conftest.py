"""Checkpoint folders to damage: a small random model with its tokenizer, copied for each test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from codesample.testing.models import byte_tokenizer, random_model

Edit = Callable[[dict[str, Tensor]], object]


class Folder:
    """A checkpoint's folder, whose settings and weights can be changed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def weights(self, edit: Edit) -> Path:
        found = load_file(self.path / "model.safetensors")
        edit(found)
        save_file({key: value.contiguous() for key, value in found.items()}, self.path / "model.safetensors")
        return self.path

    def settings(self, **changes: Any) -> Path:
        config = json.loads((self.path / "config.json").read_text()) | changes
        kept = {key: value for key, value in config.items() if value is not ...}
        (self.path / "config.json").write_text(json.dumps(kept))
        return self.path


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def save(architecture: str) -> Path:
        if architecture not in made:
            made[architecture] = tmp_path_factory.mktemp(architecture)
            random_model(architecture).save_pretrained(made[architecture])
            byte_tokenizer().save_pretrained(made[architecture])
        return made[architecture]

    return save


@pytest.fixture
def folder(saved: Callable[[str], Path], tmp_path: Path) -> Callable[..., Folder]:
    def copy(architecture: str = "llama", name: str = "model") -> Folder:
        return Folder(Path(shutil.copytree(saved(architecture), tmp_path / name)))

    return copy


@pytest.fixture
def drawn() -> Callable[..., list[tuple[int, ...]]]:
    """Tokens and log-probabilities of a few candidates."""

    def draw(sampler: Any, prompt: str = "def f(x):", n: int = 3, tokens: int = 8) -> Any:
        return [
            (each.token_ids, torch.tensor(each.logprobs))
            for each in sampler.sample(prompt, n=n, max_new_tokens=tokens)
        ]

    return draw
