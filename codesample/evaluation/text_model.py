"""Models that write and read text for rerankers: every text is drawn and read once, and kept.

A model is opened when something is asked of it that is not kept yet, so that a run whose texts are all there
is ranked again without any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from time import monotonic
from typing import Any

from codesample.engines.contract import Engine
from codesample.engines.delivery import delivered, read_by
from codesample.errors import RerankerError
from codesample.evaluation.behaviour import Store
from codesample.evaluation.plan import ModelSource, model_source
from codesample.evaluation.supply import RECORDED
from codesample.records import (
    Candidate,
    FinishReason,
    GivenText,
    Prompt,
    Reading,
    Request,
    SamplingParams,
    Usage,
)
from codesample.rerankers.made_once import Cost, Costed
from codesample.runs.artefacts import artefact_key

__all__ = ["EngineText", "Models"]

_TUPLES = ("token_ids", "logprobs", "sampled_logprobs", "token_ends", "certainties", "confidences")
_READING = ("token_ids", "token_ends", "logprobs", "certainties", "confidences")


class EngineText:
    """A `TextModel` and a `BulkModel` over an engine.

    Args:
        name: Which model it is, with whatever makes it another one; part of what texts are kept under.
        engine: Returns the engine, opening it at the first call.
        stores: Gives the store of a kind, as `RunFolder.artefacts` does.
    """

    def __init__(self, name: str, engine: Callable[[], Engine], stores: Callable[[str], Store]) -> None:
        self.name, self._engine, self._stores = name, engine, stores

    def generate(self, prompt: Prompt, *, n: int, params: SamplingParams, key: str) -> Costed[Candidate]:
        """Return n continuations of a prompt, kept ones where there are any; see `TextModel`.

        Raises:
            ParameterError, ModelError: as `Engine.stream`, or as opening the engine.
        """
        return self.generate_all([(key, prompt)], n=n, params=params)[0]

    def generate_all(
        self,
        asked: Sequence[tuple[str, Prompt]],
        *,
        n: int,
        params: SamplingParams,
        finished: Callable[[int], None] | None = None,
    ) -> list[Costed[Candidate]]:
        """Return n continuations of each prompt, in one stream of requests; raises as `generate`.

        What is finished is kept at once, so that an interrupted call goes on where it stopped.

        Args:
            asked: A key, as in `generate`, with its prompt.
            finished: Told how many of the prompts have all of theirs.
        """
        store, settled = self._stores("drawn"), params.settled()
        prompts = {_stream_name(key, prompt): prompt for key, prompt in asked}
        keys = {
            name: artefact_key(self.name, name, _plain(prompt), asdict(settled), n)
            for name, prompt in prompts.items()
        }
        found = {name: store.get(key) for name, key in keys.items()}
        missing = [
            Request(name, prompt, tuple(range(n))) for name, prompt in prompts.items() if found[name] is None
        ]
        if missing:
            for count, (name, value) in enumerate(self._drawn(missing, settled), 1):
                store.put(keys[name], value)
                found[name] = value
                if finished is not None:
                    finished(len(prompts) - len(missing) + count)
        return [_continuations(key, found[_stream_name(key, prompt)]) for key, prompt in asked]

    def logprobs(self, given: Sequence[tuple[Prompt, str]]) -> Costed[tuple[float, ...]]:
        """Return the log-probability of each token of texts behind their prompts; see `TextModel`.

        Raises:
            ParameterError, ModelError: as `read_by`, or as opening the engine.
        """
        texts = [GivenText(prompt, text) for prompt, text in given]
        found = self._read("read", texts, ("logprobs",))
        return Costed((tuple(each["logprobs"]) for each in found), _cost_of_reading(texts, found))

    def readings(self, texts: Sequence[GivenText]) -> Costed[Reading]:
        """Return everything that a model makes of given texts; raises as `logprobs`."""
        found = self._read("readings", texts, _READING)
        readings = (
            Reading(**{name: tuple(each[name]) for name in _READING}, prompt_tokens=each["prompt_tokens"])
            for each in found
        )
        return Costed(readings, _cost_of_reading(texts, found))

    def _drawn(self, requests: Sequence[Request], params: SamplingParams) -> Any:
        """Yield each request's name and what is kept of it, as soon as all its candidates are there."""
        open_: dict[str, list[Candidate]] = {request.task_id: [] for request in requests}
        wanted = {request.task_id: len(request.indices) for request in requests}
        engine = self._engine()
        before = monotonic()
        with closing(delivered(engine, requests, params)) as stream:
            for each in stream:
                came = open_[each.task_id]
                came.append(each)
                if len(came) == wanted[each.task_id]:
                    now = monotonic()
                    ordered = sorted(came, key=lambda candidate: candidate.index)
                    kept = [_plain_candidate(candidate) for candidate in ordered]
                    yield each.task_id, {"candidates": kept, "seconds": round(now - before, 6)}
                    before = now

    def _read(self, kind: str, texts: Sequence[GivenText], names: Sequence[str]) -> list[Mapping[str, Any]]:
        store = self._stores(kind)
        keys = [artefact_key(self.name, _plain(each.prompt), each.text, each.token_ids) for each in texts]
        found = {key: store.get(key) for key in keys}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if found[key] is None}
        if missing:
            engine, before = self._engine(), monotonic()
            for key, reading in zip(missing, read_by(engine, list(missing.values())), strict=True):
                now = monotonic()
                value: dict[str, Any] = {name: list(getattr(reading, name)) for name in names}
                value |= {"prompt_tokens": reading.prompt_tokens, "seconds": round(now - before, 6)}
                store.put(key, value)
                found[key], before = value, now
        return [found[key] for key in keys]


class Models:
    """The models of one call, by name: each is opened once, when it is needed, and closed with the rest.

    Args:
        own: Where the candidates come from, or what was named to stand there; None where there is none.
        stores: See `EngineText`.
        opened: The engine of `own`, where it is open already; it stays open.
        lacking: What to say where there is none of its own.
    """

    def __init__(
        self,
        own: ModelSource | None,
        stores: Callable[[str], Store],
        *,
        opened: Engine | None = None,
        lacking: str = RECORDED,
    ) -> None:
        self._own_source, self._stores, self._lacking = own, stores, lacking
        self._engines: dict[str, Engine] = {}
        self._texts: dict[str, EngineText] = {}
        self._given = opened
        if own is not None and opened is not None:
            self._engines[own.identity] = opened

    @property
    def own(self) -> EngineText | None:
        """The model that the candidates come from, where there is one."""
        return None if self._own_source is None else self._text(self._own_source)

    def __call__(self, name: str | None) -> EngineText:
        """Return the model of that name, or the candidates' own for None.

        Raises:
            RerankerError: the candidates have none.
            UnknownNameError, ModelError: as `model_source`.
        """
        own = self._own_source
        if name is None:
            if own is None:
                raise RerankerError(f"this run has no model at hand: {self._lacking}")
            return self._text(own)
        if own is not None and name == own.name:
            return self._text(own)
        return self._text(model_source(name))

    def close(self) -> None:
        """Close every engine that was opened here; may be called again."""
        engines, self._engines = self._engines, {}
        for engine in engines.values():
            close = getattr(engine, "close", None)
            if engine is not self._given and callable(close):
                close()

    def _text(self, source: ModelSource) -> EngineText:
        if source.identity not in self._texts:
            self._texts[source.identity] = EngineText(
                source.identity, lambda: self._opened(source), self._stores
            )
        return self._texts[source.identity]

    def _opened(self, source: ModelSource) -> Engine:
        if source.identity not in self._engines:
            self._engines[source.identity] = source.open()
        return self._engines[source.identity]


def _stream_name(key: str, prompt: Prompt) -> str:
    """Return what names a prompt in random streams: the same for equal calls, another for other prompts."""
    return f"{key}/{artefact_key(_plain(prompt))[:12]}"


def _plain(prompt: Prompt) -> Any:
    return prompt if isinstance(prompt, str) else [[each.role, each.content] for each in prompt]


def _plain_candidate(candidate: Candidate) -> dict[str, Any]:
    kept = {name: getattr(candidate, name) for name in ("completion", *_TUPLES, "finish_reason", "stop")}
    kept["usage"] = None if candidate.usage is None else asdict(candidate.usage)
    return {name: value for name, value in kept.items() if value is not None}


def _continuations(key: str, value: Mapping[str, Any]) -> Costed[Candidate]:
    drawn = [_candidate(key, index, kept) for index, kept in enumerate(value["candidates"])]
    tokens = sum(each.tokens_drawn for each in drawn)
    return Costed(drawn, Cost(tokens_drawn=tokens, seconds=value["seconds"]))


def _candidate(key: str, index: int, kept: Mapping[str, Any]) -> Candidate:
    known: dict[str, Any] = {name: tuple(kept[name]) for name in _TUPLES if name in kept}
    if "finish_reason" in kept:
        known["finish_reason"] = FinishReason(kept["finish_reason"])
    if "usage" in kept:
        known["usage"] = Usage(**kept["usage"])
    return Candidate(key, index, kept["completion"], stop=kept.get("stop"), **known)


def _cost_of_reading(texts: Sequence[GivenText], found: Sequence[Mapping[str, Any]]) -> Cost:
    """Sum up what texts took, each once, and each prompt once."""
    once = {(each.prompt, each.text, each.token_ids): value for each, value in zip(texts, found, strict=True)}
    prompts = {each.prompt: value["prompt_tokens"] for each, value in zip(texts, found, strict=True)}
    return Cost(
        tokens_read=sum(len(value["logprobs"]) for value in once.values()) + sum(prompts.values()),
        seconds=sum(value["seconds"] for value in once.values()),
    )
