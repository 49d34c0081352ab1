"""Stand-ins that several parts' tests share: an engine that writes known candidates, and a small task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from codesample.engines.contract import Reproducibility
from codesample.records import (
    CallExample,
    Candidate,
    CodeTests,
    FinishReason,
    Problem,
    Request,
    SamplingParams,
)
from codesample.tasks.contract import Task

# a deadline times an example, and a busy machine then fails right code
settings.register_profile("codesample", deadline=None)
settings.load_profile("codesample")

ADDENDS = (1, 2, 3, 5)


def problem(addend: int) -> Problem:
    """Ask for a function that adds `addend`."""
    prompt = f'def add(x):\n    """Return x + {addend}.\n\n    >>> add(0)\n    {addend}\n    """\n'
    return Problem(
        task_id=f"adding/{addend}",
        prompt=prompt,
        tests=CodeTests(
            source=f"assert add(10) == {10 + addend}\nassert add(-1) == {addend - 1}", entry_point="add"
        ),
        description=prompt,
        entry_point="add",
        examples=(CallExample("add(0)", str(addend)),),
        reference=f"    return x + {addend}\n",
    )


class ScriptedEngine:
    """Candidate `index` of "adding/a" adds a where index is a multiple of a, and 7 elsewhere.

    Args:
        before_each: Called with the number of candidates yielded so far, before the next one.
    """

    name = "scripted"
    abilities = frozenset({"logprobs"})
    reproducibility = Reproducibility.EXACT

    def __init__(self, before_each: Callable[[int], None] = lambda count: None) -> None:
        self.asked: list[tuple[str, int]] = []
        self.closed = False
        self._before_each = before_each

    def stream(
        self,
        requests: Sequence[Request],
        params: SamplingParams,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[Candidate]:
        try:
            for request in requests:
                for index in request.indices:
                    self._before_each(len(self.asked))
                    self.asked.append((request.task_id, index))
                    if progress is not None:
                        progress(4)
                    yield scripted(request.task_id, index)
        finally:
            self.closed = True

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}


def scripted(task_id: str, index: int) -> Candidate:
    addend = int(task_id.partition("/")[2])
    right = index % addend == 0
    return Candidate(
        task_id=task_id,
        index=index,
        completion=f"    return x + {addend if right else 7}\n",
        token_ids=(1, 2, 3, index),
        logprobs=(-0.5, -0.25, -0.125, -1.0 / (index + 1)),
        sampled_logprobs=(-0.5, -0.25, -0.125, -1.0 / (index + 1)),
        finish_reason=FinishReason.EOS,
    )


def adding_task() -> Task:
    """Four problems that ask for the sum of the argument and a constant."""
    return Task(
        name="adding",
        version="1",
        source="made for tests",
        stop=("\ndef ",),
        max_new_tokens=16,
        load=lambda: [problem(addend) for addend in ADDENDS],
    )


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what references returned out of the user's own folder, in tests and in processes they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODESAMPLE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def adding() -> Task:
    return adding_task()


@pytest.fixture
def scripted_engine() -> type[ScriptedEngine]:
    return ScriptedEngine


CHATML = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""A chat template that takes every turn as it is."""


@pytest.fixture
def unloaded(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a small model's folder without weights: configuration and tokenizer."""

    def write(name: str = "small", *, template: str | None = None, **config: Any) -> Path:
        from codesample.testing.models import ARCHITECTURES, byte_tokenizer

        folder = tmp_path / "models" / name
        tokenizer = byte_tokenizer()
        tokenizer.add_special_tokens({"additional_special_tokens": ["<|end|>"]})
        tokenizer.chat_template = template
        tokenizer.save_pretrained(folder)
        settings = ARCHITECTURES["qwen2"].to_dict() | {"vocab_size": len(tokenizer)} | config
        type(ARCHITECTURES["qwen2"])(**settings).save_pretrained(folder)
        return folder

    return write


PUBLISHED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def published() -> Callable[[str], Path]:
    """Give the path of a published data file, or skip where this machine has none."""

    def path_of(name: str) -> Path:
        path = PUBLISHED / name
        if not path.is_file():
            pytest.skip(f"needs the published file {name} in ../shared/data beside the checkout")
        return path

    return path_of
