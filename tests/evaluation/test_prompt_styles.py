"""Base or chat: settled by what the engine takes, recorded, and held to by whoever goes on with the run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import ParameterError, RunFolderError
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import PromptOptions, RunOptions
from codesample.evaluation.reranking import rerank_run
from codesample.evaluation.sample_candidates import sample_candidates
from codesample.records import Candidate, Message, PublicView, Request, SamplingParams
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker
from codesample.runs import RunFolder
from codesample.tasks.contract import Task


def kept(out: Path, *, resume: bool = False) -> RunOptions:
    return RunOptions(out=out, resume=resume, workers=1, allow_weak_isolation="none")


@pytest.fixture
def chatting(scripted_engine: type[Any]) -> Any:
    """An engine that answers: the scripted program in a fence, with words around it."""

    class Chatting(scripted_engine):  # type: ignore[misc]
        abilities = frozenset({"logprobs", "chat"})

        def __init__(self) -> None:
            super().__init__()
            self.requests: list[Request] = []
            self.params: list[SamplingParams] = []

        def stream(
            self, requests: Sequence[Request], params: SamplingParams, **more: Any
        ) -> Iterator[Candidate]:
            self.requests += requests
            self.params.append(params)
            for each in super().stream(requests, params, **more):
                body = f"def add(x):\n{each.completion}"
                yield replace(each, completion=f"Here you are:\n\n```python\n{body}```\nIt adds.")

    return Chatting()


def test_auto_is_chat_where_the_engine_takes_messages(
    adding: Task, chatting: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    report = evaluate(adding, model=chatting, run=kept(tmp_path / "run"), **options)
    assert all(isinstance(request.prompt, tuple) for request in chatting.requests)
    assert chatting.params[0].stop == ()
    assert report.statuses == {"passed": 13, "wrong": 11}
    recorded = json.loads((tmp_path / "run" / "run.json").read_text())
    assert recorded["prompt"] == {"style": "chat", "version": "complete-1", "system": None, "prefill": ""}
    assert recorded["params"]["stop"] == []


def test_raw_answer_rule_and_spans_are_stored(
    adding: Task, chatting: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    evaluate(adding, model=chatting, run=kept(tmp_path / "run"), **options)
    with RunFolder.open(tmp_path / "run") as run:
        first = next(iter(run.samples()))
    assert first.completion.startswith("Here you are:")
    assert first.rule
    assert first.spans
    begin, end = first.spans[0]
    assert first.completion[begin:end].startswith("def add(x):")


def test_auto_is_base_where_it_does_not(
    adding: Task, scripted_engine: type[Any], options: dict[str, Any], tmp_path: Path
) -> None:
    evaluate(adding, model=scripted_engine(), run=kept(tmp_path / "run"), **options)
    recorded = json.loads((tmp_path / "run" / "run.json").read_text())
    assert recorded["prompt"]["style"] == "base"
    assert recorded["params"]["stop"] == ["\ndef "]


def test_base_can_be_asked_of_an_engine_that_takes_messages(
    adding: Task, chatting: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    evaluate(adding, model=chatting, prompts=PromptOptions("base"), run=kept(tmp_path / "run"), **options)
    assert all(isinstance(request.prompt, str) for request in chatting.requests)


@pytest.mark.parametrize(
    "asked", [PromptOptions("chat"), PromptOptions(system="Be brief."), PromptOptions(prefill=True)]
)
def test_chat_of_an_engine_without_a_template_is_refused_before_anything_is_kept(
    adding: Task, scripted_engine: type[Any], options: dict[str, Any], tmp_path: Path, asked: PromptOptions
) -> None:
    engine = scripted_engine()
    with pytest.raises(ParameterError, match="scripted has no chat template"):
        evaluate(adding, model=engine, prompts=asked, run=kept(tmp_path / "run"), **options)
    assert not engine.asked
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("more", [{"system": "Be brief."}, {"prefill": True}])
def test_a_system_turn_or_prefill_for_the_base_form_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="belongs to the chat form"):
        PromptOptions("base", **more)


def test_a_chat_run_goes_on_as_one(
    adding: Task, chatting: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    evaluate(adding, model=chatting, run=kept(out), **options | {"n": 2})
    asked = len(chatting.asked)
    report = evaluate(adding, model=chatting, run=kept(out, resume=True), **options)
    assert len(chatting.asked) == 4 * 6
    assert asked == 4 * 2
    assert report.statuses == {"passed": 13, "wrong": 11}


def test_a_run_in_hand_keeps_its_form_where_none_is_said(
    adding: Task, chatting: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    evaluate(adding, model=chatting, prompts=PromptOptions("base"), run=kept(out), **options | {"n": 2})
    evaluate(adding, model=chatting, run=kept(out, resume=True), **options)
    assert all(isinstance(request.prompt, str) for request in chatting.requests)


def test_a_run_of_another_form_is_not_gone_on_with(
    adding: Task, chatting: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    evaluate(adding, model=chatting, run=kept(out), **options)
    for other in (PromptOptions("base"), PromptOptions(system="Be brief."), PromptOptions(prefill=True)):
        with pytest.raises(RunFolderError, match=r"prompt (style|system|prefill) is"):
            evaluate(adding, model=chatting, prompts=other, run=kept(out, resume=True), **options)


def test_answers_of_a_saved_run_are_read_again_in_their_form(
    adding: Task, chatting: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    report = evaluate(adding, model=chatting, run=kept(tmp_path / "run"), **options)
    again = rerank_run(
        tmp_path / "run",
        task=adding,
        rerankers=("public_examples",),
        run=RunOptions(workers=1, allow_weak_isolation="none"),
    )
    assert again.rerankers["public_examples"] == report.rerankers["public_examples"]
    assert again.rerankers["public_examples"].best_of_n.value == 1.0


def test_a_saved_run_of_another_version_of_the_form_is_named(
    adding: Task, chatting: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    evaluate(adding, model=chatting, run=kept(tmp_path / "run"), **options)
    file = tmp_path / "run" / "run.json"
    content = json.loads(file.read_text())
    content["prompt"]["version"] = "complete-0"
    file.write_text(json.dumps(content))
    with pytest.raises(RunFolderError, match="version complete-0 of the chat form"):
        rerank_run(tmp_path / "run", task=adding, rerankers=("mean_logprob",))


def test_a_text_is_a_turn_of_the_users_where_messages_are_taken(chatting: Any) -> None:
    chatting.stream = lambda requests, params, **more: iter(chatting.requests.extend(requests) or ())
    for given, prompts, expected in [
        ("Add one.", None, (Message("user", "Add one."),)),
        ("Add one.", PromptOptions("base"), "Add one."),
        (
            "Add one.",
            PromptOptions(system="Be brief."),
            (Message("system", "Be brief."), Message("user", "Add one.")),
        ),
        ([{"role": "user", "content": "Hi"}], None, (Message("user", "Hi"),)),
    ]:
        chatting.requests.clear()
        with pytest.raises(Exception, match="never came"):
            list(sample_candidates(given, model=chatting, n=1, prompts=prompts))
        assert chatting.requests[0].prompt == expected


def test_rerankers_see_the_tokens_of_the_program_alone(
    adding: Task, chatting: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    seen: list[Candidate] = []

    @reranker(needs={"logprobs"})
    def look(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float]:
        seen.extend(candidates)
        return [0.0] * len(candidates)

    scripted = chatting.stream

    def with_ends(*args: Any, **more: Any) -> Iterator[Candidate]:
        # words, the opened fence, the program, the rest
        for each in scripted(*args, **more):
            begin = each.completion.index("def")
            end = each.completion.index("```\nIt adds.")
            yield replace(each, token_ends=(13, begin, end, len(each.completion)))

    chatting.stream = with_ends
    evaluate(adding, model=chatting, run=kept(tmp_path / "run"), **options | {"rerankers": (look,)})
    assert len(seen) == 4 * 6
    assert {each.token_ids for each in seen} == {(3,)}
    assert {each.logprobs for each in seen} == {(-0.125,)}
    with RunFolder.open(tmp_path / "run") as run:
        assert {len(each.token_ids or ()) for each in run.samples()} == {4}


def test_a_task_that_does_not_say_how_answers_are_read_is_continued(
    adding: Task, chatting: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    own = replace(adding, assemble=lambda problem, text: f"{problem.prompt}{text}\nadd.made = True\n")
    told: list[str] = []

    class Noting(Observer):
        def planned(self, headline: str) -> None:
            told.append(headline)

    evaluate(own, model=chatting, run=kept(tmp_path / "run"), observer=Noting(), **options)
    assert all(isinstance(request.prompt, str) for request in chatting.requests)
    assert "prompts base, since the task does not say how answers are read" in told[0]
    with pytest.raises(ParameterError, match=r"Task\.chat"):
        evaluate(own, model=chatting, prompts=PromptOptions("chat"), **options)


def test_a_chat_run_is_not_gone_on_with_where_the_template_is_gone(
    adding: Task, chatting: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    evaluate(adding, model=chatting, run=kept(out), **options | {"n": 2})
    chatting.abilities = frozenset({"logprobs"})
    with pytest.raises(ParameterError, match="its prompts are messages, and scripted has no chat template"):
        evaluate(adding, model=chatting, run=kept(out, resume=True), **options)
    with RunFolder.open(out) as run:
        assert len(run.sampled) == 4 * 2


def test_a_text_that_is_answered_from_within_a_fence_ends_with_it(chatting: Any) -> None:
    chatting.stream = lambda requests, params, **more: (
        chatting.params.append(params) or iter([Candidate("prompt", 0, "")])
    )
    list(sample_candidates("Add.", model=chatting, n=1, prompts=PromptOptions(prefill=True)))
    list(sample_candidates("Add.", model=chatting, n=1))
    assert [each.stop for each in chatting.params] == [("\n```",), ()]


@pytest.mark.parametrize(
    "prompts", [PromptOptions("base"), PromptOptions(system="x"), PromptOptions(prefill=True)]
)
def test_messages_say_themselves_how_they_are_put(chatting: Any, prompts: PromptOptions) -> None:
    with pytest.raises(ParameterError, match="the prompt is messages"):
        sample_candidates([Message("user", "Add.")], model=chatting, n=1, prompts=prompts)


def test_messages_for_an_engine_that_takes_none_are_refused(scripted_engine: type[Any]) -> None:
    with pytest.raises(ParameterError, match="'scripted' takes no messages"):
        list(sample_candidates([Message("user", "Add.")], model=scripted_engine(), n=1))
