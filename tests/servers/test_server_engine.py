"""The engine over servers keeps the contract of engines, through real sockets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from fake_server import KNOWN, VOCABULARY, FakeServer, Fault, serving

from codesample import ModelOptions, ServerEngine
from codesample.engines.candidate_seeds import candidate_seed
from codesample.errors import ModelError, ParameterError
from codesample.records import Candidate, FinishReason, Message, Prompt, Request, SamplingParams, Usage
from codesample.testing.engines import check_engine

PLAIN = SamplingParams(max_new_tokens=16, top_p=1.0, temperature=1.0)
DRAWS = SamplingParams(max_new_tokens=16)


def text(words: str) -> Prompt:
    return words


def turn(words: str) -> Prompt:
    return (Message("user", words),)


def decoded(prompt: Prompt, token_ids: Sequence[int]) -> str:
    return "".join(VOCABULARY[token] for token in token_ids)


def opened(server: FakeServer, **options: Any) -> ServerEngine:
    return ServerEngine("model", ModelOptions("openai:model", base_url=server.url, **options))


def drawn(
    engine: ServerEngine, params: SamplingParams = PLAIN, n: int = 3, prompt: Prompt = "def f"
) -> list[Candidate]:
    found = engine.stream([Request("a", prompt, tuple(range(n)))], params)
    return sorted(found, key=lambda each: each.index)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serving(FakeServer()) as running:
        yield running


@pytest.mark.parametrize(("api", "form"), [("completions", text), ("chat", turn)])
def test_it_keeps_the_contract_of_engines(
    server: FakeServer, api: str, form: Callable[[str], Prompt]
) -> None:
    engine = opened(server, api=api)
    requests = (Request("one", form("def f"), (0, 1, 2)), Request("two", form("def g(x)"), (0, 3)))
    checked = check_engine(engine, requests, DRAWS, decode=decoded)
    assert set(checked.left_out) == {"confidence", "given text"}
    assert engine.reproducibility == "exact"
    assert engine.abilities == frozenset({"logprobs"} | ({"chat"} if api == "chat" else set()))


def test_what_shares_one_random_stream_repeats_one_by_one() -> None:
    with serving(FakeServer(one_stream=True, delay=0.01)) as server:
        many, one = opened(server, api="completions"), opened(server, api="completions", max_requests=1)
        assert (many.reproducibility, one.reproducibility) == ("none", "seeded")
        requests = (Request("one", "def f", (0, 1)), Request("two", "def g", (0, 3)))
        assert "repeats" in check_engine(one, requests, DRAWS, decode=decoded).tried


def test_each_candidate_is_a_request_with_a_seed_of_its_own(server: FakeServer) -> None:
    engine = opened(server, api="completions")
    before = len(server.requests)
    few, many = drawn(engine, n=2), drawn(engine, n=5)
    assert many[:2] == few
    sent = [body for body in server.requests[before:] if body["prompt"] == "def f"]
    assert len(sent) == 7
    assert {body["seed"] for body in sent} == {candidate_seed(0, "a", each, bits=63) for each in range(5)}
    assert not any("n" in body for body in sent)


def test_seeds_are_far_apart_and_fit() -> None:
    seeds = [candidate_seed(seed, name, each, bits=63) for seed in (0, 1) for name in "ab" for each in (0, 1)]
    assert len(set(seeds)) == 8
    assert min(abs(one - other) for one in seeds for other in seeds if one != other) > 1 << 30
    assert max(seeds) < 1 << 63
    assert all(0 <= candidate_seed(0, "a", each, bits=31) < 1 << 31 for each in range(100))


def test_tokens_are_the_servers_and_raw_log_probabilities_are_the_models_own(server: FakeServer) -> None:
    tempered = drawn(opened(server, api="completions"), replace(PLAIN, temperature=0.5))[0]
    assert tempered.logprobs is not None
    assert tempered.sampled_logprobs is None
    plain = drawn(opened(server, api="completions"))[0]
    # nothing tempered, nothing left out: one distribution
    assert plain.sampled_logprobs == plain.logprobs
    assert plain.token_ids is not None
    assert "".join(VOCABULARY[each] for each in plain.token_ids) == plain.completion


def test_processed_log_probabilities_are_those_drawn_from() -> None:
    with serving(FakeServer(processed=True)) as server:
        engine = opened(server, api="completions")
        assert engine.facts.logprobs == "processed"
        assert "logprobs" not in engine.abilities
        tempered, plain = drawn(engine, replace(PLAIN, temperature=0.5))[0], drawn(engine)[0]
    assert tempered.logprobs is None
    assert tempered.sampled_logprobs is not None
    assert plain.logprobs == plain.sampled_logprobs is not None


def test_a_stop_is_cut_and_named_by_whoever_knows_it(server: FakeServer) -> None:
    whole = drawn(opened(server, api="completions"), n=6)
    stop = "return"
    assert any(stop in each.completion for each in whole)
    for trims, names in ((True, True), (False, True), (True, False)):
        server.trims, server.names_stops = trims, names
        cut = drawn(opened(server, api="completions"), replace(PLAIN, stop=(stop,)), n=6)
        for before, now in zip(whole, cut, strict=True):
            assert now.completion == before.completion.partition(stop)[0]
            assert (now.stop == stop) == (stop in before.completion)
            assert now.token_ids is not None
            assert now.token_ends is not None
            assert len(now.token_ids) == len(now.token_ends) == len(now.logprobs or ())


def test_a_server_that_hides_which_stop_it_was_leaves_the_reason_open() -> None:
    hiding = FakeServer(names_stops=False, honours=KNOWN - {"logprobs", "top_logprobs"})
    with serving(hiding) as server:
        engine = opened(server, api="completions")
        assert (engine.facts.stop, engine.facts.names_stops) == ("trimmed", False)
        found = drawn(engine, replace(PLAIN, stop=("return",)), n=6)
    assert {each.finish_reason for each in found} <= {None, FinishReason.LENGTH}
    assert None in {each.finish_reason for each in found}
    assert all(each.logprobs is None and each.token_ids is None for each in found)


def test_stops_that_a_server_ignores_are_cut_here() -> None:
    with serving(FakeServer(honours=KNOWN - {"stop"})) as server:
        engine = opened(server, api="completions")
        assert engine.facts.stop == "ignored"
        whole = drawn(engine, n=6)
        cut = drawn(engine, replace(PLAIN, stop=("return",)), n=6)
        assert [each.completion for each in cut] == [each.completion.partition("return")[0] for each in whole]
        assert not any("stop" in body for body in server.requests[-6:])


def test_more_stops_than_a_server_takes_are_cut_all_the_same() -> None:
    with serving(FakeServer(most_stops=4)) as server:
        stops = ("q1", "q2", "q3", "q4", "return", "add")
        found = drawn(opened(server, api="completions"), replace(PLAIN, stop=stops), n=6)
        assert server.requests[-1]["stop"] == list(stops[:4])
    assert not any("return" in each.completion or "add" in each.completion for each in found)
    assert {each.stop for each in found} & {"return", "add"}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("length", FinishReason.LENGTH),
        ("stop", FinishReason.EOS),
        ("tool_calls", None),
    ],
)
def test_reasons_of_ending_are_told_apart(said: str, reason: FinishReason | None) -> None:
    with serving(FakeServer(end=said)) as server:
        assert {each.finish_reason for each in drawn(opened(server, api="completions"))} == {reason}


def test_reasoning_is_no_part_of_the_answer(server: FakeServer) -> None:
    plain = drawn(opened(server, api="chat"), prompt=turn("add"))
    server.reasoning = 3
    thoughtful = drawn(opened(server, api="chat"), prompt=turn("add"))
    assert [each.completion for each in thoughtful] == [each.completion for each in plain]
    assert [each.logprobs for each in thoughtful] == [each.logprobs for each in plain]
    assert [each.tokens_drawn - 3 for each in thoughtful] == [each.tokens_drawn for each in plain]


def test_usage_and_cost_are_as_the_server_reports_them() -> None:
    with serving(FakeServer(cost=0.25)) as server:
        found = drawn(opened(server, api="completions"))
    assert all(each.usage == Usage(6, each.tokens_drawn, 0.25 * each.tokens_drawn) for each in found)
    assert Usage.total(each.usage for each in found if each.usage).prompt_tokens == 18


def test_several_choices_for_each_request_repeat_but_are_not_exact(server: FakeServer) -> None:
    engine = opened(server, api="completions", choices_per_request=3)
    assert engine.reproducibility == "seeded"
    before = len(server.requests)
    found = drawn(engine, n=7)
    assert [body.get("n", 1) for body in server.requests[before:]].count(3) == 2
    assert found == drawn(engine, n=7)
    assert len({each.completion for each in found}) == 7
    assert [each.usage is None for each in found] == [False, True, True, False, True, True, False]


@pytest.mark.parametrize("failing", [{"honours": KNOWN - {"n"}}, {"equal_choices": True}])
def test_several_choices_are_refused_where_the_server_does_not_give_them(failing: dict[str, Any]) -> None:
    with (
        serving(FakeServer(**failing)) as server,
        pytest.raises(ParameterError, match=r"choices_per_request = 4: openai:model: several choices .* are"),
    ):
        opened(server, choices_per_request=4)


def test_no_more_requests_are_under_way_than_allowed() -> None:
    class Meeting(FakeServer):
        meet: threading.Barrier | None = None

        def _answered(self, *given: Any) -> tuple[int, Any]:
            if self.meet is not None:
                # broken where fewer than three ever come together
                self.meet.wait(60)
            return super()._answered(*given)

    with serving(Meeting()) as server:
        engine = opened(server, api="completions", max_requests=3)
        drawn(engine, n=1)
        server.most_at_once, vars(server)["meet"] = 0, threading.Barrier(3)
        drawn(engine, n=12)
        assert server.most_at_once == 3


def test_a_prompt_that_is_refused_is_refused_before_any_candidate(server: FakeServer) -> None:
    engine = opened(server, api="completions")
    engine.stream([], PLAIN)
    drawn(engine, n=1)
    too_long = {"error": {"message": "maximum context length is 8 tokens", "param": "prompt"}}
    server.faults = [Fault("status", 400, body=too_long, prompt="x" * 50)]
    requests = [Request("short", "x", (0, 1)), Request("long", "x" * 50, (0, 1))]
    found = engine.stream(requests, PLAIN)
    with pytest.raises(
        ParameterError, match=r"long, candidate 0: .* HTTP 400, field 'prompt': maximum context"
    ):
        next(found)
    assert len(list(engine.stream(requests, PLAIN))) == 4


def test_a_later_refusal_keeps_what_was_drawn(server: FakeServer) -> None:
    engine = opened(server, api="completions", max_requests=1)
    drawn(engine, n=1)
    server.faults = [None, None, Fault("status", 403, body="closed for the night")]
    found = engine.stream([Request("a", "x", (0, 1, 2, 3))], PLAIN)
    assert [next(found).index, next(found).index] == [0, 1]
    with pytest.raises(ModelError, match=r"a, candidate 2: .*HTTP 403: closed for the night; what was drawn"):
        next(found)


def test_what_came_while_the_longest_prompt_was_pending_is_kept_where_that_fails() -> None:
    class Failing(FakeServer):
        def _answered(self, path: str, body: dict[str, Any], *rest: Any) -> tuple[int, Any]:
            if body.get("prompt") == "x":
                self.short = getattr(self, "short", 0) + 1
                if self.short == 3:
                    # whoever asks for the third has got the first two
                    self.gate.set()
            if len(str(body.get("prompt"))) != 60:
                return super()._answered(path, body, *rest)
            assert self.gate.wait(60)
            return 503, "gone"

    requests = [Request("short", "x", (0, 1, 2)), Request("long", "x" * 60, (0,))]
    came: list[Candidate] = []
    with serving(Failing()) as server:
        found = opened(server, api="completions", max_retries=0, max_requests=2).stream(requests, PLAIN)
        with pytest.raises(ModelError, match=r"HTTP 503: gone"):
            came.extend(found)
    assert {each.task_id for each in came} == {"short"}
    assert {0, 1} <= {each.index for each in came}


def test_prompts_of_the_other_kind_are_refused_with_what_to_choose(server: FakeServer) -> None:
    with pytest.raises(ParameterError, match="no text; choose --api completions"):
        drawn(opened(server, api="chat"))
    with pytest.raises(ParameterError, match="no messages; choose --api chat"):
        drawn(opened(server, api="completions"), prompt=turn("x"))


def test_an_answer_that_has_begun_goes_on_where_the_server_shows_it(server: FakeServer) -> None:
    begun = (Message("user", "add"), Message("assistant", "def"))
    drawn(opened(server, api="chat"), prompt=begun, n=1)
    assert server.requests[-1]["continue_final_message"] is True
    server.honours = KNOWN - {"continue_final_message"}
    with pytest.raises(ParameterError, match=r"does not show that it goes on .* leave --prefill out"):
        drawn(opened(server, api="chat"), prompt=begun, n=1)


def test_what_it_is_can_be_recorded(server: FakeServer) -> None:
    said = json.loads(json.dumps(opened(server, api="completions").describe()))
    assert said["base_url"] == server.url
    assert said["server"]["requests"] == len(server.requests) + 1
    assert said["server"]["seed"] == "honoured"
