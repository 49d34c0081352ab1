"""What rerankers can act with: numbers recorded or read anew, texts drawn and read, and what each costs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scored_runs import PARAMS, Told, kept, likely, scores_of

from codesample.cli.app import app
from codesample.errors import ParameterError, RerankerError
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.execute_samples import execute_samples
from codesample.evaluation.reranking import rerank_run
from codesample.evaluation.resources import candidate_hash
from codesample.evaluation.scoring import saved_costs
from codesample.records import Candidate, SamplingParams
from codesample.rerankers.contract import Reranker, reranker
from codesample.rerankers.made_once import Cost
from codesample.runs import RunFolder


@reranker(needs={"confidence"})
def certainty(view: Any, candidates: Any, ctx: Any) -> list[float | None]:
    return [sum(each.certainties) + sum(each.confidences) for each in candidates]


@reranker(needs={"prompt_logprobs", "generate"})
def asking(view: Any, candidates: Any, ctx: Any) -> list[float | None]:
    drawn = ctx.generate(ctx.asked, n=1, params=SamplingParams(max_new_tokens=4))
    return [ctx.logprob(ctx.asked, each.completion) + len(drawn) for each in candidates]


@pytest.fixture(scope="module")
def plain_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the built-in model that records no confidence."""
    out = tmp_path_factory.mktemp("plain") / "run"
    evaluate("mini", model="tiny", n=2, limit=2, params=PARAMS, rerankers=["mean_logprob"], run=kept(out))
    return out


@pytest.fixture
def run(plain_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plain_run, tmp_path / "run"))


def test_confidence_is_recorded_where_a_reranker_needs_it_and_changes_nothing_drawn(
    plain_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sure"
    evaluate("mini", model="tiny", n=2, limit=2, params=PARAMS, rerankers=[certainty], run=kept(out))
    with RunFolder.open(out) as folder, RunFolder.open(plain_run) as plain:
        assert folder.manifest.params.confidence
        assert not plain.manifest.params.confidence
        found, without = list(folder.samples()), list(plain.samples())
    assert all(each.certainties and each.confidences for each in found)
    bare = [replace(each, certainties=None, confidences=None) for each in found]
    assert sorted(bare, key=lambda c: (c.task_id, c.index)) == sorted(
        without, key=lambda c: (c.task_id, c.index)
    )


def test_confidence_that_was_not_recorded_is_read_anew_and_equal(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "sure"
    evaluate("mini", model="tiny", n=2, limit=2, params=PARAMS, rerankers=[certainty], run=kept(out))
    told = Told()
    rerank_run(run, rerankers=[certainty], run=kept(), observer=told)
    assert scores_of(run, "certainty") == pytest.approx(scores_of(out, "certainty"), abs=1e-3)
    kept_readings = (run / "artefacts" / "readings.jsonl").read_bytes()
    rerank_run(run, rerankers=[certainty], run=kept())
    assert (run / "artefacts" / "readings.jsonl").read_bytes() == kept_readings
    assert not (out / "artefacts").exists() or not (out / "artefacts" / "readings.jsonl").exists()


def test_a_resumed_run_goes_on_recording_what_it_records(run: Path, tmp_path: Path) -> None:
    told = Told()
    evaluate(
        "mini",
        model="tiny",
        n=3,
        limit=2,
        params=replace(PARAMS, confidence=True),
        rerankers=[certainty],
        run=kept(run, resume=True),
        observer=told,
    )
    assert any("records no confidence, and does not begin to" in each for each in told.notices)
    with RunFolder.open(run) as folder:
        assert not folder.manifest.params.confidence
        assert all(each.confidences is None for each in folder.samples())
    assert None not in scores_of(run, "certainty").values()
    out = tmp_path / "sure"
    for n, rerankers in ((1, [certainty]), (2, [likely])):
        evaluate(
            "mini",
            model="tiny",
            n=n,
            limit=2,
            params=PARAMS,
            rerankers=rerankers,
            run=kept(out, resume=n > 1),
        )
    with RunFolder.open(out) as folder:
        assert all(each.confidences for each in folder.samples())


def test_text_is_drawn_and_read_once_and_costs_the_same_again(run: Path) -> None:
    rerank_run(run, rerankers=[asking], run=kept())
    first, cost = scores_of(run, "asking"), cost_of(run)["asking"]
    sizes = {file.name: file.stat().st_size for file in (run / "artefacts").iterdir()}
    rerank_run(run, rerankers=[asking], run=kept())
    assert {file.name: file.stat().st_size for file in (run / "artefacts").iterdir()} == sizes
    again = cost_of(run)["asking"]
    assert scores_of(run, "asking") == first
    assert replace(again, seconds=0) == replace(cost, seconds=0)
    assert 0 < cost.tokens_drawn <= 8
    with RunFolder.open(run) as folder:
        tokens = sum(len(each.token_ids or ()) for each in folder.samples())
    assert cost.tokens_read > tokens
    assert again.seconds == pytest.approx(cost.seconds, rel=0.9)


def cost_of(run: Path) -> dict[str, Cost]:
    with RunFolder.open(run) as folder:
        return saved_costs(folder.scored_by(), folder)


def test_each_pays_as_if_it_were_the_only_one(run: Path) -> None:
    @reranker("again", needs={"prompt_logprobs", "generate"})
    def again(view: Any, candidates: Any, ctx: Any) -> list[float | None]:
        for _ in range(2):
            scores = [ctx.logprob(ctx.asked, each.completion) for each in candidates]
        return scores

    rerank_run(run, rerankers=[asking, again], run=kept())
    found = cost_of(run)
    assert found["again"].tokens_read == found["asking"].tokens_read
    assert found["again"].tokens_drawn == 0
    lines = (run / "artefacts" / "read.jsonl").read_text().splitlines()
    reading = sum(json.loads(line)["value"]["seconds"] for line in lines)
    # though nothing was read for it
    assert found["again"].seconds > reading > 0


@pytest.mark.parametrize("command", ["rerank", "eval"])
def test_a_need_that_cannot_be_met_is_refused_before_anything_is_sampled(
    command: str, adding: Any, scripted_engine: Any, tmp_path: Path
) -> None:
    engine = scripted_engine()
    if command == "rerank":
        made = evaluate(adding, model=engine, n=1, rerankers=["mean_logprob"], run=kept(tmp_path / "run"))
        engine.asked.clear()
    for each, why in (
        (certainty, "records none, and scripted reads no given text"),
        (asking, "scripted reads no given text; choose another model"),
    ):

        def call(each: Reranker = each) -> Any:
            if command == "eval":
                return evaluate(adding, model=engine, n=1, rerankers=[each], run=kept(tmp_path / "run"))
            return rerank_run(made.run, task=adding, model=engine, rerankers=[each], run=kept())

        with pytest.raises(RerankerError, match=f"'{each.name}' needs .*{why}"):
            call()
    assert engine.asked == []
    assert command == "rerank" or not (tmp_path / "run").exists()


def test_an_engine_of_ones_own_is_asked_for_again(adding: Any, scripted_engine: Any, tmp_path: Path) -> None:
    made = evaluate(
        adding, model=scripted_engine(), n=1, rerankers=["mean_logprob"], run=kept(tmp_path / "run")
    )
    with pytest.raises(RerankerError, match="was an engine of the caller's own; hand it over again"):
        rerank_run(made.run, task=adding, rerankers=[asking], run=kept())
    told = Told()
    rerank_run(made.run, task=adding, rerankers=[asking], model="tiny", run=kept(), observer=told)
    assert any("another model than the one that drew the candidates" in each for each in told.notices)
    with pytest.raises(RerankerError, match=r"records none, and tiny .* is another model"):
        rerank_run(made.run, task=adding, rerankers=[certainty], model="tiny", run=kept())


def test_recorded_samples_are_read_by_the_model_that_is_named(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    with RunFolder.open(run) as folder:
        rows = [{"task_id": each.task_id, "completion": each.completion} for each in folder.samples()]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for each, why in ((certainty, "recorded samples have no model"), (likely, "name one by --model MODEL")):
        with pytest.raises(RerankerError, match=why):
            execute_samples(file, "mini", limit=2, rerankers=[each], run=kept(tmp_path / "x"))
    out = tmp_path / "recorded"
    execute_samples(file, "mini", limit=2, rerankers=[likely, asking], model="tiny", run=kept(out))
    # the model is found again by its name
    rerank_run(out, rerankers=[certainty], run=kept())
    rerank_run(run, rerankers=[asking], run=kept())
    assert scores_of(out, "asking") == pytest.approx(scores_of(run, "asking"), abs=1e-3)
    with RunFolder.open(out) as folder:
        # what was read is not written into the samples
        assert all(each.logprobs is None for each in folder.samples())


def test_candidates_that_differ_in_anything_have_other_hashes() -> None:
    base = Candidate("t", 0, "x", (1, 2), (-1.0, -2.0), program="x")
    others = [
        replace(base, index=1),
        replace(base, completion="y"),
        replace(base, token_ids=(1, 3)),
        replace(base, logprobs=(-1.0, -2.5)),
        replace(base, logprobs=None),
        replace(base, sampled_logprobs=(-1.0, -2.0)),
        replace(base, program=None),
        replace(base, certainties=(1.0,)),
        replace(base, confidences=(1.0,)),
        replace(base, completion="\ud800"),
    ]
    assert len({candidate_hash(each) for each in (base, *others)}) == 11
    assert candidate_hash(replace(base)) == candidate_hash(base)


@pytest.fixture
def invoke() -> Any:
    from typer.testing import CliRunner

    return lambda *words: CliRunner().invoke(app, list(map(str, words)))


def test_the_command_takes_a_model_and_keeps_json_alone(run: Path, tmp_path: Path, invoke: Any) -> None:
    (tmp_path / "idea.py").write_text(
        "from codesample import reranker\n\n\n@reranker(needs={'prompt_logprobs'})\n"
        "def mine(view, candidates, ctx):\n    print('said')\n"
        "    return [ctx.logprob(ctx.asked, each.completion) for each in candidates]\n"
    )
    words = ("rerank", run, "-r", f"{tmp_path}/idea.py:mine", "--allow-weak-isolation", "none")
    found = invoke(*words, "--model", "tiny", "--dtype", "float32", "--json")
    assert found.exit_code == 0, found.output
    assert "mine" in json.loads(found.stdout)["rerankers"]
    assert "said" in found.stderr
    assert "another model" not in found.stderr
    refused = invoke(*words, "--dtype", "float32")
    assert refused.exit_code == 2
    assert "name it too, --model MODEL" in refused.stderr


def test_how_a_model_is_loaded_alone_says_nothing() -> None:
    from codesample.cli.text_models import text_model
    from codesample.engines.model_options import ModelOptions

    assert text_model(None, ModelOptions()) is None
    assert text_model("m", ModelOptions(dtype="bfloat16")) == ModelOptions("m", dtype="bfloat16")
    with pytest.raises(ParameterError, match="name it too"):
        text_model(None, ModelOptions(device="cpu"))
