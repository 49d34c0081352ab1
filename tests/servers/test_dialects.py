"""llama.cpp's server has words of its own and loses a few: what it does is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_server import FakeServer, serving

from codesample import ModelOptions, ServerEngine
from codesample.engines.contract import Reproducibility
from codesample.errors import ParameterError
from codesample.records import FinishReason, Request, SamplingParams
from codesample.testing.engines import check_engine

PLAIN = SamplingParams(max_new_tokens=16, top_p=1.0, temperature=1.0)
REQUESTS = (Request("one", "def f", (0, 1, 2)), Request("two", "def g", (0, 3)))


def opened(server: FakeServer) -> ServerEngine:
    return ServerEngine("model", ModelOptions("openai:model", base_url=server.url, api="completions"))


def test_it_keeps_the_contract_with_named_stops_and_small_seeds() -> None:
    with serving(FakeServer(llama=True)) as server:
        engine = opened(server)
        assert engine.facts.names_stops
        assert engine.facts.spelling == {"repetition_penalty": "repeat_penalty"}
        assert engine.facts.neutral["repeat_penalty"] == 1.0
        assert engine.reproducibility is Reproducibility.EXACT
        assert {"stops", "prefix property"} < {*check_engine(engine, REQUESTS, PLAIN).tried}
        assert all(0 <= each["seed"] < 2**31 for each in server.requests if "seed" in each)


def test_its_repetition_penalty_looks_at_all_tokens() -> None:
    with serving(FakeServer(llama=True)) as server:
        engine = opened(server)
        asked = replace(PLAIN, repetition_penalty=1.3)
        plain, penalised = ({each.completion for each in engine.stream(REQUESTS, p)} for p in (PLAIN, asked))
        assert plain != penalised
        assert server.requests[-1]["repeat_penalty"] == 1.3
        assert server.requests[-1]["repeat_last_n"] > 1024
        assert "repetition_penalty" not in server.requests[-1]


def test_the_same_penalty_is_refused_of_a_server_that_drops_it() -> None:
    drops = FakeServer(llama=True, honours=FakeServer().honours - {"repetition_penalty"})
    with (
        serving(drops) as server,
        pytest.raises(ParameterError, match=r"repetition_penalty = 1.3: .*no effect"),
    ):
        list(opened(server).stream(REQUESTS, replace(PLAIN, repetition_penalty=1.3)))


def test_a_text_whose_tokens_are_not_all_there_has_none() -> None:
    with serving(FakeServer(llama=True)) as server:
        engine = opened(server)
        whole = {(each.task_id, each.index): each for each in engine.stream(REQUESTS, PLAIN)}
        lost = kept = 0
        # "d" ends within tokens of its own, " a" is one
        for stop in ("d", " a", "n"):
            for each in engine.stream(REQUESTS, replace(PLAIN, stop=(stop,))):
                text = whole[each.task_id, each.index].completion
                assert each.completion == text.partition(stop)[0]
                if each.stop is None:
                    continue
                assert (each.stop, each.finish_reason) == (stop, FinishReason.STOP)
                if each.logprobs is None:
                    assert each.token_ids is each.token_ends is None
                    lost += 1
                else:
                    assert each.token_ends is not None
                    assert (each.token_ends or (0,))[-1] == len(each.completion)
                    kept += 1
        assert lost
        assert kept
