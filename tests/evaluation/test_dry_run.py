"""What an evaluation would do: bounds that hold, and nothing loaded, run or written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesample.engines.model_options import ModelOptions
from codesample.errors import MetricError, ParameterError, RerankerError, RunFolderError
from codesample.evaluation.dry_run import DryRun, dry_run
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.options import PromptOptions, RunOptions
from codesample.evaluation.plan import choose_rerankers, model_source
from codesample.evaluation.problem_set import ProblemSet
from codesample.records import SamplingParams
from codesample.reports.dry_page import dry_page
from codesample.sampling.outline import Outline
from codesample.tasks.contract import Task

TURNS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"


def planned(task: Task, model: str | None = "tiny", **more: Any) -> DryRun:
    options = ModelOptions(model or "tiny")
    settings = {"n": 6, "rerankers": choose_rerankers(("mean_logprob", "public_examples"))} | more
    return dry_run(
        ProblemSet(task, tuple(task.problems())),
        model_source(options),
        outline=Outline(options) if model else None,
        **settings,
    )


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test, with nothing in it."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_bounds_hold_for_the_run_itself(adding: Task, empty: Path) -> None:
    params = SamplingParams(max_new_tokens=8)
    plan = planned(adding, params=params, run=RunOptions(out=empty / "run", workers=1))
    assert list(empty.iterdir()) == []
    assert (plan.problems, plan.candidates, plan.to_draw, plan.to_judge) == (4, 24, 24, 24)
    assert (plan.new_tokens, plan.checks, plan.references, plan.by_rerankers) == (192, 24, 4, 24)
    assert plan.rerankers == {"mean_logprob": ("logprobs",), "public_examples": ("public_examples",)}
    assert (plan.run, plan.resumed, plan.k) == (empty / "run", False, (1, 5))
    assert plan.longest_prompt is not None
    assert plan.prompt_tokens is not None
    assert plan.longest_prompt <= plan.prompt_tokens <= 4 * plan.longest_prompt
    assert plan.memory is not None
    assert plan.memory.rows == 24
    kept = RunOptions(out=empty / "run", workers=1, allow_weak_isolation="none")
    report = evaluate(adding, model="tiny", n=6, params=params, rerankers=(), run=kept)
    assert report.samples == plan.candidates
    assert 0 < report.tokens <= plan.new_tokens


def test_the_form_is_settled_by_the_tokenizer(
    adding: Task, empty: Path, unloaded: Callable[..., Path]
) -> None:
    folder = str(unloaded("a-chat", template=TURNS))
    plan = planned(adding, folder)
    assert "prompts chat (version complete-1), since the model has a chat template" in plan.headline
    assert plan.first.form["style"] == "chat"
    base = planned(adding, folder, prompts=PromptOptions("base"))
    assert base.first.form["style"] == "base"
    assert base.first.stop == ("\ndef ",)
    with pytest.raises(ParameterError, match="tiny has no chat template"):
        planned(adding, prompts=PromptOptions("chat"))


def test_positions_bound_the_tokens(adding: Task, empty: Path, unloaded: Callable[..., Path]) -> None:
    folder = str(unloaded("small", max_position_embeddings=80))
    plan = planned(adding, folder, params=SamplingParams(max_new_tokens=100))
    assert plan.prompt_tokens is not None
    assert plan.new_tokens == 6 * (4 * 80 - plan.prompt_tokens)


def test_what_is_there_already_is_not_drawn_again(
    adding: Task, empty: Path, scripted_engine: type[Any]
) -> None:
    out = empty / "run"
    kept = {"out": out, "workers": 1, "allow_weak_isolation": "none"}
    params = SamplingParams(max_new_tokens=4)
    evaluate(adding, model="tiny", n=2, params=params, rerankers=(), run=RunOptions(**kept))
    before = {path: path.read_bytes() for path in out.iterdir() if path.is_file()}
    plan = planned(adding, params=params, run=RunOptions(**kept, resume=True))
    assert (plan.candidates, plan.to_draw, plan.to_judge, plan.resumed) == (24, 16, 16, True)
    assert {path: path.read_bytes() for path in out.iterdir() if path.is_file()} == before
    with pytest.raises(RunFolderError, match="other settings"):
        planned(adding, params=SamplingParams(seed=5), run=RunOptions(**kept, resume=True))


def test_what_a_run_would_refuse_is_refused(adding: Task, empty: Path) -> None:
    with pytest.raises(MetricError, match="k = 9 with n = 6"):
        planned(adding, k=(9,))
    with pytest.raises(RerankerError):
        planned(adding, rerankers=choose_rerankers(("mean_logprob", str(_needy(empty)) + ":needy")))


def _needy(folder: Path) -> Path:
    file = folder / "needy.py"
    file.write_text(
        "from codesample.rerankers.contract import reranker\n"
        "@reranker('needy', needs={'hidden_states'})\n"
        "def needy(view, candidates, context):\n    '''Needs what nobody has.'''\n    return [0.0]\n"
    )
    return file


def test_another_librarys_engine_leaves_open_what_it_alone_knows(adding: Task, empty: Path) -> None:
    plan = planned(adding, None)
    assert "prompts base or chat: known once the engine is open" in plan.headline
    assert (plan.prompt_tokens, plan.memory, plan.first.tokens) == (None, None, None)
    assert "not known before the engine is open" in dry_page(plan)


def test_it_is_shown_as_lines_and_as_json(adding: Task, empty: Path) -> None:
    plan = planned(adding, params=SamplingParams(max_new_tokens=8), run=RunOptions(out=Path("here")))
    page = dry_page(plan)
    for line in (
        "dry run: adding: 4 problems x 6 candidates of tiny, prompts base, since",
        "run folder   here would be made",
        "candidates   24 to draw\n",
        "new tokens   up to 192\n",
        "executions   24 programs, 24 checks, up to 24 more runs by rerankers; 4 references first",
        "rerankers    mean_logprob (needs logprobs); public_examples (needs public_examples)",
        "candidates at a time",
        "the first prompt:\nadding/1 of adding, prompts base, for tiny\n",
    ):
        assert line in page
    content = json.loads(json.dumps(plan.as_json()))
    assert content["run"] == "here"
    assert content["first"]["task_id"] == "adding/1"
    assert content["memory"]["rows"] == 24
