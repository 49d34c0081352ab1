"""The first line of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.execute_samples import execute_samples
from codesample.evaluation.headline import form_text
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import PromptOptions, RunOptions
from codesample.records import SamplingParams
from codesample.tasks.contract import Task


class First(Observer):
    """Keeps the line, and what came before it."""

    def __init__(self) -> None:
        self.line = ""
        self.earlier: list[str] = []

    def planned(self, what: str) -> None:
        self.line = what

    def notice(self, text: str) -> None:
        if not self.line:
            self.earlier.append(text)

    def started(self, run: Path, *, problems: int, candidates: int) -> None:
        if not self.line:
            self.earlier.append(str(run))


def first_line(task: Task, engine: Any, out: Path, *, resume: bool = False, **more: Any) -> str:
    first = First()
    run = RunOptions(out=out, workers=1, allow_weak_isolation="none", resume=resume)
    evaluate(task, model=engine, n=2, rerankers=(), run=run, observer=first, **more)
    assert first.earlier == []
    return first.line


@pytest.fixture
def chatting(scripted_engine: type[Any]) -> Any:
    engine = scripted_engine()
    engine.abilities = frozenset({"logprobs", "chat"})
    return engine


def test_it_says_task_size_model_form_and_draw(
    adding: Task, scripted_engine: type[Any], tmp_path: Path
) -> None:
    assert first_line(adding, scripted_engine(), tmp_path / "run") == (
        "adding: 4 problems x 2 candidates of scripted, prompts base, since the model has no chat template, "
        "temperature 0.8, seed 0"
    )


def test_auto_says_that_a_chat_template_decided(adding: Task, chatting: Any, tmp_path: Path) -> None:
    line = first_line(adding, chatting, tmp_path / "run", params=SamplingParams(temperature=0.0, seed=3))
    assert "prompts chat (version complete-1), since the model has a chat template, greedy, seed 3" in line
    resumed = first_line(
        adding, chatting, tmp_path / "run", resume=True, params=SamplingParams(temperature=0.0, seed=3)
    )
    assert "prompts chat (version complete-1), as the run has them, greedy" in resumed


def test_what_was_said_needs_no_reason(adding: Task, chatting: Any, tmp_path: Path) -> None:
    said = first_line(adding, chatting, tmp_path / "a", prompts=PromptOptions("base"))
    assert "prompts base, temperature" in said
    asked = first_line(
        adding, chatting, tmp_path / "b", prompts=PromptOptions(system="Be brief.", prefill=True)
    )
    assert "prompts chat (version complete-1, with a system turn, answers begun), temperature" in asked


def test_recorded_samples_are_called_so(adding: Task, tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    samples.write_text('{"task_id": "adding/2", "completion": "    return x + 2\\n"}\n' * 3)
    first = First()
    run = RunOptions(out=tmp_path / "run", workers=1, allow_weak_isolation="none")
    execute_samples(samples, adding, run=run, observer=first)
    assert first.line.startswith("adding: 1 problem x 3 candidates, recorded: ")
    assert "samples.jsonl" in first.line


def test_a_form_of_an_old_run_is_base() -> None:
    assert form_text({}) == "base"
