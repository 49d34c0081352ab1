"""Texts are drawn and read once, kept by everything that they depend on, and models opened when needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesample.engines.contract import Reproducibility
from codesample.errors import ModelError, ParameterError, RerankerError
from codesample.evaluation.behaviour import InMemory
from codesample.evaluation.plan import ModelSource, model_source
from codesample.evaluation.text_model import EngineText, Models
from codesample.records import (
    Candidate,
    FinishReason,
    GivenText,
    Message,
    PublicView,
    Reading,
    SamplingParams,
)
from codesample.rerankers.context import Context
from codesample.runs.artefacts import Artefacts

PARAMS = SamplingParams(max_new_tokens=8)
ASKED = (Message("user", "Add."),)


class Writer:
    """Writes how often it was asked, and reads letters; counts what it does."""

    name = "writer"
    abilities = frozenset({"logprobs", "prompt_logprobs"})
    reproducibility = Reproducibility.EXACT

    def __init__(self, fail_at: int | None = None) -> None:
        self.drawn: list[tuple[str, int]] = []
        self.read_texts: list[GivenText] = []
        self.streams, self.closed, self.fail_at = 0, 0, fail_at

    def stream(self, requests: Any, params: Any, *, progress: Any = None) -> Iterator[Candidate]:
        self.streams += 1
        for request in requests:
            for index in request.indices:
                if len(self.drawn) == self.fail_at:
                    raise ModelError("it broke")
                self.drawn.append((request.task_id, index))
                text = f"text {len(self.drawn)} \ud800"
                yield Candidate(
                    request.task_id,
                    index,
                    text,
                    tuple(range(len(text))),
                    (-0.1,) * len(text),
                    finish_reason=FinishReason.STOP,
                    stop="\n",
                    token_ends=tuple(range(1, len(text) + 1)),
                )

    def read(self, given: Sequence[GivenText], *, progress: Any = None) -> Iterator[Reading]:
        for each in given:
            if len(self.read_texts) == self.fail_at:
                raise ModelError("it broke")
            self.read_texts.append(each)
            ids, count = tuple(map(ord, each.text)), len(each.text)
            yield Reading(
                ids, tuple(range(1, count + 1)), (-1 / 3,) * count, (0.1,) * count, (0.2,) * count, 7
            )

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}

    def close(self) -> None:
        self.closed += 1


class Stores:
    """Stores in memory, or in a folder where one is named."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder, self.made = folder, dict[str, Any]()

    def __call__(self, kind: str) -> Any:
        if kind not in self.made:
            file = self.folder and self.folder / f"{kind}.jsonl"
            self.made[kind] = Artefacts(file, writable=True) if file else InMemory()
        return self.made[kind]


def text_of(engine: Writer, stores: Stores | None = None, name: str = "writer") -> EngineText:
    return EngineText(name, lambda: engine, stores or Stores())


def test_equal_calls_are_made_once_and_give_equal_texts(tmp_path: Path) -> None:
    engine, again = Writer(), Writer()
    first = text_of(engine, Stores(tmp_path)).generate("a", n=2, params=PARAMS, key="k")
    assert [(each.task_id, each.index) for each in first] == [("k", 0), ("k", 1)]
    second = text_of(again, Stores(tmp_path)).generate("a", n=2, params=PARAMS, key="k")
    assert list(second) == list(first)
    assert (again.streams, second.cost) == (0, first.cost)
    assert first.cost.tokens_drawn == sum(len(each.completion) for each in first)
    assert first.cost.seconds > 0
    assert first[0].finish_reason is FinishReason.STOP


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "b"},
        {"prompt": ASKED},
        {"n": 3},
        {"key": "l"},
        {"params": replace(PARAMS, seed=1)},
        {"params": replace(PARAMS, temperature=0.5)},
        {"params": replace(PARAMS, confidence=True)},
    ],
    ids=str,
)
def test_other_calls_are_not_taken_for_them(other: dict[str, Any]) -> None:
    call = {"prompt": "a", "n": 2, "params": PARAMS, "key": "k"}
    engine = Writer()
    model = text_of(engine)
    for asked in (call, call | other):
        model.generate(asked.pop("prompt"), **asked)  # type: ignore[arg-type]
    assert engine.streams == 2


def test_another_model_is_not_given_what_one_wrote_or_read() -> None:
    stores, engine, other = Stores(), Writer(), Writer()
    for each, name in ((engine, "one"), (other, "two")):
        text_of(each, stores, name).generate("a", n=1, params=PARAMS, key="k")
        text_of(each, stores, name).logprobs([("a", "b")])
    assert (other.streams, len(other.read_texts)) == (1, 1)


def test_prompts_of_one_call_are_one_stream_and_come_in_order() -> None:
    engine = Writer()
    asked = [("x", "a"), ("y", "b"), ("x", "b"), ("x", "a")]
    found = text_of(engine).generate_all(asked, n=2, params=PARAMS)
    assert engine.streams == 1
    assert len(engine.drawn) == 6
    assert [each[0].task_id for each in found] == ["x", "y", "x", "x"]
    assert found[0] == found[3]
    assert len({each[0].completion for each in found}) == 3


def test_what_an_interrupted_call_had_finished_is_kept(tmp_path: Path) -> None:
    asked = [(f"k{i}", "a") for i in range(4)]
    with pytest.raises(ModelError, match="it broke"):
        text_of(Writer(fail_at=5), Stores(tmp_path)).generate_all(asked, n=2, params=PARAMS)
    engine = Writer()
    found = text_of(engine, Stores(tmp_path)).generate_all(asked, n=2, params=PARAMS)
    assert len(engine.drawn) == 4
    assert [[each.index for each in row] for row in found] == [[0, 1]] * 4
    with pytest.raises(ModelError, match="it broke"):
        text_of(Writer(fail_at=2), Stores(tmp_path)).logprobs([("p", text) for text in "abcd"])
    engine = Writer()
    text_of(engine, Stores(tmp_path)).logprobs([("p", text) for text in "abcd"])
    assert [each.text for each in engine.read_texts] == ["c", "d"]


def test_texts_are_read_once_and_pay_for_each_prompt_once(tmp_path: Path) -> None:
    engine = Writer()
    given: list[Any] = [("p", "ab"), ("p", "ab"), ("p", ""), (ASKED, "abc"), ("p\ud800", "a")]
    found = text_of(engine, Stores(tmp_path)).logprobs(given)
    assert [len(each) for each in found] == [2, 2, 0, 3, 1]
    assert found[0] == (-1 / 3,) * 2
    assert [each.text for each in engine.read_texts] == ["ab", "", "abc", "a"]
    assert found.cost.tokens_read == 2 + 0 + 3 + 1 + 3 * 7
    again = text_of(Writer(fail_at=0), Stores(tmp_path)).logprobs(given)
    assert (list(again), again.cost) == (list(found), found.cost)


def test_readings_hold_every_number_and_are_kept_apart_by_their_tokens() -> None:
    engine = Writer()
    model = text_of(engine)
    texts = [GivenText("p", "ab"), GivenText("p", "ab", (97, 98))]
    found = model.readings(texts)
    assert found[0] == found[1] == Reading((97, 98), (1, 2), (-1 / 3,) * 2, (0.1,) * 2, (0.2,) * 2, 7)
    assert list(model.readings(texts)) == list(found)
    assert len(engine.read_texts) == 2


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"abilities": frozenset({"logprobs"})}, "reads no given text"),
        ({"read": lambda self, given, progress=None: iter(())}, "ended with 0 of 1 readings"),
        (
            {"read": lambda self, given, progress=None: Writer.read(self, [*given, *given])},
            "a reading 1 that no text was given for",
        ),
        (
            {"read": lambda self, given, progress=None: iter([Reading((1,), (1,), (), (), (), 0)])},
            "a reading 0 that no text",
        ),
        ({"read": lambda self, given, progress=None: iter([1 / 0])}, "ZeroDivisionError"),
    ],
)
def test_an_engine_that_does_not_read_as_it_should_is_told_of(change: Any, complaint: str) -> None:
    engine = type("Broken", (Writer,), change)()
    with pytest.raises((ModelError, ParameterError), match=complaint):
        text_of(engine).logprobs([("p", "a")])


def test_a_model_is_opened_when_something_is_not_kept_and_closed_once() -> None:
    engines: list[Writer] = []

    def opened() -> Any:
        engines.append(Writer())
        return engines[-1]

    source = ModelSource("mine", opened, checkpoint="abc")
    stores = Stores()
    models = Models(source, stores)
    assert models.own is models(None) is models("mine")
    assert engines == []
    models(None).generate("a", n=1, params=PARAMS, key="k")
    models(None).generate("b", n=1, params=PARAMS, key="k")
    assert len(engines) == 1
    models.close()
    models.close()
    assert engines[0].closed == 1
    # another process that has the same weights elsewhere
    moved = Models(ModelSource("elsewhere", opened, checkpoint="abc"), stores)
    moved(None).generate("a", n=1, params=PARAMS, key="k")
    assert len(engines) == 1


def test_the_engine_of_the_run_itself_is_used_and_stays_open() -> None:
    engine = Writer()
    source = model_source(engine)
    models = Models(source, Stores(), opened=engine)
    models(None).generate("a", n=1, params=PARAMS, key="k")
    models(engine.name).generate("b", n=1, params=PARAMS, key="k")
    models.close()
    assert (engine.streams, engine.closed) == (2, 0)


def test_where_there_is_no_model_it_is_said_what_to_do() -> None:
    with pytest.raises(RerankerError, match="no model at hand: recorded samples have no model: name one by"):
        Models(None, Stores())(None)
    with pytest.raises(RerankerError, match="the folder moved"):
        Models(None, Stores(), lacking="the folder moved")(None)


def test_other_models_are_found_by_name() -> None:
    models = Models(None, Stores())
    assert models("tiny") is models("tiny")
    assert models("tiny").name == model_source("tiny").identity != "tiny"


def test_texts_drawn_together_are_those_drawn_one_by_one_and_cost_the_same() -> None:
    source = model_source("tiny")
    engine = source.open()
    view = PublicView("t", "t/0", "p", "Do it.", "f", ())
    prompts = ["def f(x):\n", "def longer_name(values, count):\n    # returns\n", "def f(x):\n", "x = "]
    params = SamplingParams(temperature=0.8, max_new_tokens=6, seed=3)

    def context(stores: Stores) -> Context:
        return Context(view, model=Models(source, stores, opened=engine))

    single, many, again = context(Stores()), context(stores := Stores()), context(stores)
    one_by_one = [single.generate(each, n=2, params=params) for each in prompts]
    together = many.generate_all(prompts, n=2, params=params)
    for drawn, alone in zip(together, one_by_one, strict=True):
        assert [(each.index, each.token_ids) for each in drawn] == [
            (each.index, each.token_ids) for each in alone
        ]
        # rounding differs with how many are decoded
        for each, other in zip(drawn, alone, strict=True):
            assert each.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    assert one_by_one[0] == one_by_one[2] != one_by_one[1]
    assert many.cost.tokens_drawn == single.cost.tokens_drawn > 0
    # each is kept by itself
    assert again.generate(prompts[1], n=2, params=params) == together[1]
    assert 0 < again.cost.tokens_drawn < many.cost.tokens_drawn


def test_what_was_drawn_before_a_failure_is_not_drawn_again() -> None:
    stores, broken, whole = Stores(), Writer(fail_at=2), Writer()
    asked = [("k", "a"), ("k", "b"), ("k", "c")]
    with pytest.raises(ModelError, match="it broke"):
        text_of(broken, stores).generate_all(asked, n=1, params=PARAMS)
    text_of(whole, stores).generate_all(asked, n=1, params=PARAMS)
    assert len(whole.drawn) == 1
