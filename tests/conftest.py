"""Stand-ins that several parts' tests share: an engine that writes known candidates, and a small task."""

from __future__ import annotations

import gc
import json
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
    Status,
    Verdict,
)
from codesample.tasks.contract import Task

# a deadline times an example, and a busy machine then fails right code
settings.register_profile("codesample", deadline=None)
settings.load_profile("codesample")


def pytest_collection_finish() -> None:
    """Let collections of garbage pass over what libraries and the collected tests hold to the end."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let what was passed over be taken apart in order; some libraries complain of what is left."""
    gc.unfreeze()


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


OUTCOMES = {
    "mine/1": ["passed", "passed", "wrong", "error"],
    "mine/2": ["wrong", "passed", "cpu_timeout", "wrong"],
    "mine/30": ["wrong", "wrong", "wrong", "wrong"],
}
"""Verdicts of the run that `judged_run` makes."""

NEAR = {
    "mine/1": [0.5, 0.25, 0.5, None],
    "mine/2": [0.75, 0.5, 0.25, 0.0],
    "mine/30": [1.0, 1.0, 1.0, 1.0],
}
"""Scores of its reranker "near": it ties on the first problem, and loses the second one."""


@pytest.fixture
def judged_run(tmp_path: Path) -> Path:
    """Return a run folder with known candidates, verdicts and scores; the problems' file lies beside it."""
    file = tmp_path / "mine.jsonl"
    rows = [
        {
            "task_id": name,
            "prompt": 'def add(x):\n    """Return x + 1.\n\n    >>> add(0)\n    1\n    """\n',
            "entry_point": "add",
            "test": "assert add(1) == 2\nassert add(2) == 3\n",
            "canonical_solution": "    return x + 1\n",
        }
        for name in OUTCOMES
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return write_run(tmp_path / "run", file)


@pytest.fixture
def written_run() -> Callable[..., Path]:
    """Return the function that `judged_run` is made by, for candidates with other texts."""
    return write_run


def write_run(folder: Path, file: Path, texts: dict[tuple[str, int], str] | None = None) -> Path:
    """Write a run of the problems of a file, with the verdicts `OUTCOMES` and the scores `NEAR`."""
    from codesample.runs import Manifest, RunFolder
    from codesample.tasks.registry import load_task_file

    task = load_task_file(file)
    settings = {"task_file": str(file), "n": 4}
    manifest = Manifest(
        task.name, task.version, task.fingerprint(), "a model", SamplingParams(), 4, ({"settings": settings},)
    )
    with RunFolder.create(folder, manifest) as run:
        for name, statuses in OUTCOMES.items():
            for index, status in enumerate(statuses):
                text = f"    return x + {1 if status == 'passed' else 7}\n"
                run.add_sample(written(name, index, (texts or {}).get((name, index), text)))
                detail = "" if status == "passed" else f"said of {name}, {index}"
                run.add_verdict(Verdict(name, index, Status(status), 0.01, 0.02, 2**20, detail))
        for reranker, scores in {"near": NEAR, "even, more": {name: [0.0] * 4 for name in OUTCOMES}}.items():
            columns = {(name, at): score for name, row in scores.items() for at, score in enumerate(row)}
            run.write_scores(reranker.replace(" ", ""), columns)
    return folder


def written(task_id: str, index: int, text: str) -> Candidate:
    """Return a candidate whose tokens are its words, likely and unlikely in turn."""
    ends = tuple(at for at in range(1, len(text) + 1) if at == len(text) or text[at] == " ")
    logprobs = tuple(-0.125 if number % 2 else -5.0 for number, _ in enumerate(ends))
    ids = tuple(range(len(ends)))
    return Candidate(
        *(task_id, index, text, ids, logprobs, logprobs, FinishReason.EOS),
        token_ends=ends,
        rule="continuation",
        spans=((0, len(text)),),
    )


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
