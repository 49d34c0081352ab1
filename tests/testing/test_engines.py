"""The kit for engines passes engines that keep the contract, and finds each way of breaking it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesample.engines.contract import Progress, Reproducibility
from codesample.engines.recorded import RecordedSamples
from codesample.errors import ModelError, ParameterError
from codesample.records import Candidate, FinishReason, GivenText, Reading, Request, SamplingParams
from codesample.sampling import Sampler
from codesample.testing.engines import check_engine
from codesample.testing.models import byte_tokenizer, random_model

REQUESTS = (Request("one", "def f(x):\n", (0, 1, 2)), Request("two", "def g(y):\n    return ", (0, 3)))
PARAMS = SamplingParams(max_new_tokens=16)
ALL = (
    "states what it is",
    "every candidate once",
    "lengths",
    "text is decoded tokens",
    "stops",
    "repeats",
    "prefix property",
    "cancelling",
    "an error in mid-stream",
    "bad requests",
    "messages",
    "confidence",
    "given text",
)
ABILITIES = frozenset({"logprobs", "confidence", "prompt_logprobs"})


class Written:
    """Keeps the contract: candidate i of a prompt is always the same text, a token a letter."""

    name = "written"
    abilities = ABILITIES
    reproducibility = Reproducibility.EXACT

    def stream(
        self, requests: Sequence[Request], params: SamplingParams, *, progress: Progress | None = None
    ) -> Iterator[Candidate]:
        for request in requests:
            if len(set(request.indices)) < len(request.indices) or min(request.indices) < 0:
                raise ParameterError(f"{request.task_id}: indices must differ and be at least 0")
            if not isinstance(request.prompt, str):
                raise ParameterError(f"{request.task_id}: a text is expected, and no messages")
        return self._stream(requests, params, progress or (lambda tokens: None))

    def _stream(
        self, requests: Sequence[Request], params: SamplingParams, progress: Progress
    ) -> Iterator[Candidate]:
        for request in requests:
            for index in request.indices:
                text = f"return {request.task_id} {index}"[: params.token_limit]
                stop = next((each for each in params.stop if each in text), None)
                kept = text if stop is None else text.partition(stop)[0]
                progress(len(kept))
                made = self.made(request.task_id, index, kept, stop)
                sure = (0.25,) * len(kept)
                yield replace(made, certainties=sure, confidences=sure) if params.confidence else made

    def made(self, task_id: str, index: int, text: str, stop: str | None) -> Candidate:
        return Candidate(
            task_id=task_id,
            index=index,
            completion=text,
            token_ids=tuple(map(ord, text)),
            logprobs=(-0.5,) * len(text),
            token_ends=tuple(range(1, len(text) + 1)),
            finish_reason=FinishReason.EOS if stop is None else FinishReason.STOP,
            stop=stop,
        )

    def read(self, given: Sequence[GivenText], *, progress: Progress | None = None) -> Iterator[Reading]:
        for each in given:
            if each.token_ids is not None and min(each.token_ids, default=0) < 0:
                raise ParameterError("a token is at least 0")
        return map(self.reading, given)

    def reading(self, given: GivenText) -> Reading:
        size = len(given.text)
        ids, ends = tuple(map(ord, given.text)), tuple(range(1, size + 1))
        return Reading(ids, ends, (-0.5,) * size, (0.25,) * size, (0.25,) * size, len(given.prompt))

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}


def letters(prompt: str, token_ids: Sequence[int]) -> str:
    return "".join(map(chr, token_ids))


def test_an_engine_that_keeps_the_contract_passes_every_check() -> None:
    assert check_engine(Written(), REQUESTS, PARAMS, decode=letters) == (ALL, {})


def test_the_native_engine_passes() -> None:
    tokenizer = byte_tokenizer()
    sampler = Sampler(random_model("llama", seed=1).double(), tokenizer=tokenizer, max_rows=3)

    def decode(prompt: str, token_ids: Sequence[int]) -> str:
        before = tokenizer(prompt).input_ids
        return tokenizer.decode([*before, *token_ids])[len(tokenizer.decode(before)) :]

    assert check_engine(sampler, REQUESTS, PARAMS, decode=decode) == (ALL, {})


def test_the_native_engine_passes_on_the_path_of_models_that_share_nothing() -> None:
    sampler = Sampler(random_model("bloom", seed=1).double(), tokenizer=byte_tokenizer(), max_rows=3)
    assert not sampler.checkpoint.shared
    assert check_engine(sampler, REQUESTS, PARAMS).left_out.keys() == {"text is decoded tokens"}


def test_recorded_samples_pass(tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    candidates = list(Written().stream(REQUESTS, PARAMS))
    file.write_text("".join(json.dumps({"task_id": each.task_id}) + "\n" for each in candidates))
    checked = check_engine(RecordedSamples(file, candidates), REQUESTS, SamplingParams(), decode=letters)
    left_out = {"stops", "an error in mid-stream", "messages", "confidence", "given text"}
    assert checked.left_out.keys() == left_out
    assert "the same whatever the prompt" in checked.left_out["messages"]
    assert "take no sampling parameters" in checked.left_out["stops"]


def broken(**changed: Any) -> Written:
    """An engine of which one attribute or method is another."""
    return type("Broken", (Written,), changed)()


def altering(alter: Callable[[list[Candidate]], list[Candidate]]) -> Written:
    """An engine whose streams are altered before they are given out."""

    def stream(self: Any, requests: Any, params: Any, *, progress: Any = None) -> Iterator[Candidate]:
        return iter(alter(list(Written.stream(self, requests, params, progress=progress))))

    return broken(stream=stream)


def of_each(**fields: Callable[[Candidate], Any]) -> Written:
    return altering(
        lambda found: [replace(each, **{name: make(each) for name, make in fields.items()}) for each in found]
    )


def swallowing() -> Written:
    def stream(self: Any, requests: Any, params: Any, *, progress: Any = None) -> Iterator[Candidate]:
        def quiet(tokens: int) -> None:
            with contextlib.suppress(Exception):
                (progress or (lambda count: None))(tokens)

        return Written.stream(self, requests, params, progress=quiet)

    return broken(stream=stream)


def counting(*, by: Callable[[Sequence[Request]], int], reproducibility: Reproducibility) -> Written:
    """An engine whose candidates depend on the call as `by` says."""

    def stream(self: Any, requests: Any, params: Any, *, progress: Any = None) -> Iterator[Candidate]:
        number = by(requests)
        found = Written.stream(self, requests, params, progress=progress)
        return (replace(each, logprobs=tuple(-1.0 * number for _ in each.completion)) for each in found)

    return broken(stream=stream, reproducibility=reproducibility)


CALLS = iter(range(10_000))


@pytest.mark.parametrize(
    ("engine", "complaint"),
    [
        (broken(abilities={"logprobs"}), "expected text and a frozenset"),
        (broken(name=""), "expected text"),
        (broken(reproducibility="often"), "reproducibility 'often'"),
        (broken(describe=lambda self: {"x": object()}), "no plain JSON data"),
        (broken(stream=None), "lacks an attribute or method"),
        (altering(lambda found: found[1:]), "never came"),
        (altering(lambda found: found + found[:1]), "came twice"),
        (altering(lambda found: [*found, replace(found[0], index=77)] if found else []), "never asked for"),
        (of_each(token_ids=lambda each: (*each.token_ids, *[1] * 40)), "at most 16 were asked for"),
        (of_each(logprobs=lambda each: None), "which the engine says it gives"),
        (of_each(logprobs=lambda each: each.logprobs[1:]), "logprobs for"),
        (of_each(sampled_logprobs=lambda each: (0.0,)), "sampled_logprobs for"),
        (of_each(logprobs=lambda each: (0.5,) * len(each.logprobs)), "no log-probability"),
        (of_each(completion=lambda each: each.completion + "!", token_ends=lambda each: None), "decode to"),
        (of_each(token_ends=lambda each: each.token_ends[1:]), "token_ends for"),
        (of_each(token_ends=lambda each: each.token_ends[::-1]), "token_ends go back"),
        (of_each(completion=lambda each: each.completion + "!"), "token_ends lead to"),
        (of_each(token_ends=lambda each: (*each.token_ends[1:], len(each.completion))), "token_ends say"),
        (of_each(stop=lambda each: None), "finish reason"),
        (
            of_each(finish_reason=lambda each: FinishReason.EOS, stop=lambda each: None),
            "does not name it",
        ),
        (swallowing(), "swallowed"),
        (
            counting(by=lambda requests: next(CALLS), reproducibility=Reproducibility.SEEDED),
            "when the same call is repeated",
        ),
        (
            counting(
                by=lambda requests: sum(len(each.indices) for each in requests),
                reproducibility=Reproducibility.EXACT,
            ),
            "are asked for alone",
        ),
        (
            counting(
                by=lambda requests: 1 + (len(requests) > 1 and requests[0].task_id == "two"),
                reproducibility=Reproducibility.EXACT,
            ),
            "when the prompts come in another order",
        ),
    ],
)
def test_a_broken_promise_is_found(engine: Any, complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        check_engine(engine, REQUESTS, PARAMS, decode=letters)


def test_an_engine_that_does_not_stop_is_found() -> None:
    def stream(self: Any, requests: Any, params: Any, *, progress: Any = None) -> Iterator[Candidate]:
        return Written.stream(self, requests, replace(params, stop=()), progress=progress)

    with pytest.raises(ModelError, match="goes on past the stop"):
        check_engine(broken(stream=stream), REQUESTS, PARAMS, decode=letters)


def test_an_engine_that_goes_on_after_it_was_closed_is_found() -> None:
    class Endless:
        def __init__(self, found: list[Candidate]) -> None:
            self.found = iter(found)

        def __iter__(self) -> Any:
            return self

        def __next__(self) -> Candidate:
            return next(self.found)

        def close(self) -> None:
            pass

    def stream(self: Any, requests: Any, params: Any, *, progress: Any = None) -> Any:
        return Endless(list(Written.stream(self, requests, params, progress=progress)))

    with pytest.raises(ModelError, match="a closed stream goes on"):
        check_engine(broken(stream=stream), REQUESTS, PARAMS, decode=letters)


def test_an_engine_that_takes_any_request_is_found() -> None:
    def stream(self: Any, requests: Any, params: Any, *, progress: Any = None) -> Iterator[Candidate]:
        return self._stream(requests, params, progress or (lambda tokens: None))

    with pytest.raises(ModelError, match="asked for twice is not refused"):
        check_engine(broken(stream=stream), REQUESTS, PARAMS, decode=letters)


def test_an_engine_that_takes_messages_without_saying_so_is_found() -> None:
    with pytest.raises(ModelError, match="takes messages, and its abilities lack 'chat'"):
        check_engine(talking(), REQUESTS, PARAMS, decode=letters)


def test_an_engine_that_says_it_takes_messages_and_refuses_them_is_found() -> None:
    with pytest.raises(ParameterError, match="no messages"):
        check_engine(broken(abilities=frozenset({"logprobs", "chat"})), REQUESTS, PARAMS, decode=letters)


def test_an_engine_that_takes_messages_passes_and_is_held_to_its_candidates() -> None:
    chat = ABILITIES | {"chat"}
    assert check_engine(talking(abilities=chat), REQUESTS, PARAMS, decode=letters) == (ALL, {})
    with pytest.raises(ModelError, match="differs when texts are asked for beside them"):
        check_engine(talking(abilities=chat, counts=True), REQUESTS, PARAMS, decode=letters)


def talking(*, counts: bool = False, **changed: Any) -> Written:
    """An engine that answers messages by another text, which may depend on what else is asked."""

    def stream(self: Any, requests: Any, params: Any, *, progress: Any = None) -> Iterator[Candidate]:
        texts = [each for each in requests if isinstance(each.prompt, str)]
        found = Written.stream(self, texts, params, progress=progress)
        return written(self, requests, texts, found)

    def written(self: Any, requests: Any, texts: Any, found: Any) -> Iterator[Candidate]:
        yield from found
        answer = f"answer{len(requests) if counts else ''}"
        for each in requests:
            for index in each.indices if each not in texts else ():
                yield self.made(each.task_id, index, answer, None)

    return broken(stream=stream, **changed)


def test_the_native_engine_passes_with_messages() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m.role + m.content + '<pad>' }}{% endfor %}"
    sampler = Sampler(random_model("llama", seed=1).double(), tokenizer=tokenizer, max_rows=3)
    assert "chat" in sampler.abilities
    assert check_engine(sampler, REQUESTS, PARAMS).left_out.keys() == {"text is decoded tokens"}


def test_the_kit_says_what_it_could_not_try() -> None:
    none = broken(reproducibility=Reproducibility.NONE, abilities=frozenset({"logprobs"}))
    assert check_engine(none, REQUESTS, PARAMS).left_out.keys() == {
        "text is decoded tokens",
        "repeats",
        "prefix property",
        "confidence",
        "given text",
    }


def unsure(**fields: Any) -> Written:
    """An engine that records confidence as it should not."""

    def stream(self: Any, requests: Any, params: Any, *, progress: Any = None) -> Iterator[Candidate]:
        found = Written.stream(self, requests, params, progress=progress)
        return (replace(each, **fields) if params.confidence else each for each in found)

    return broken(stream=stream)


def reading(make: Callable[[list[Reading]], list[Reading]], **changed: Any) -> Written:
    """An engine whose readings are altered before they are given out."""

    def read(self: Any, given: Any, *, progress: Any = None) -> Iterator[Reading]:
        return iter(make(list(Written.read(self, given, progress=progress))))

    return broken(read=read, **changed)


def read_each(**fields: Callable[[Reading], Any]) -> Written:
    return reading(
        lambda found: [replace(each, **{name: make(each) for name, make in fields.items()}) for each in found]
    )


@pytest.mark.parametrize(
    ("engine", "complaint"),
    [
        (unsure(certainties=None), "has no certainties for each token"),
        (unsure(confidences=(1.0,)), "has no confidences for each token"),
        (unsure(completion="other"), "differs where confidence is recorded"),
        (broken(read=None), "promises 'prompt_logprobs' and has no method"),
        (reading(lambda found: found[1:]), "readings of"),
        (reading(lambda found: found[::-1]), "of other tokens than those given"),
        (read_each(token_ids=lambda each: (*each.token_ids, 1)), "not every number for every token"),
        (read_each(certainties=lambda each: each.certainties[1:]), "not every number for every token"),
        (read_each(logprobs=lambda each: (-0.6,) * len(each.logprobs)), "is read as it was not drawn"),
        (read_each(token_ends=lambda each: (0,) * len(each.token_ends)), "do not lead to the text's end"),
        (read_each(logprobs=lambda each: (0.5,) * len(each.logprobs)), "no log-probability"),
        (
            broken(read=lambda self, given, progress=None: map(self.reading, given)),
            "a token below 0 is not refused",
        ),
        (
            read_each(confidences=lambda each: (float(next(CALLS)),) * len(each.token_ids)),
            "depends on what is read beside it",
        ),
    ],
)
def test_a_promise_about_given_text_that_is_broken_is_found(engine: Any, complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        check_engine(engine, REQUESTS, PARAMS, decode=letters)


def test_the_kit_refuses_to_be_given_too_little() -> None:
    with pytest.raises(ParameterError, match="two requests"):
        check_engine(Written(), REQUESTS[:1], PARAMS)
