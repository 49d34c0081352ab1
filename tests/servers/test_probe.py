"""The probe finds what a server ignores or refuses, before anything is drawn."""

from __future__ import annotations

from typing import Any

import pytest
from fake_server import KNOWN, FakeServer, serving

from codesample import ModelOptions, ServerEngine
from codesample.errors import ModelError, ParameterError
from codesample.records import Request, SamplingParams
from codesample.servers.transport import Patience


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for milliseconds between tries."""
    monkeypatch.setattr(Patience, "wait", lambda self, tries: 0.002)


NEUTRAL = {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
LOGPROBS = {"logprobs", "top_logprobs"}


def facts_of(fake: FakeServer, **options: Any) -> dict[str, Any]:
    with serving(fake) as server:
        engine = ServerEngine("model", ModelOptions("openai:model", base_url=server.url, **options))
    return engine.facts.as_json() | {"reproducibility": str(engine.reproducibility)}


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_a_server_that_honours_everything_is_seen_to(api: str) -> None:
    found = facts_of(FakeServer(), api=api)
    assert {name: found[name] for name in ("choices", "seed", "temperature")} == dict.fromkeys(
        ("choices", "seed", "temperature"), "honoured"
    )
    assert (found["api"], found["logprobs"], found["stop"], found["names_stops"]) == (
        api,
        "raw",
        "trimmed",
        True,
    )
    assert (found["unknown_fields"], found["neutral"], found["usage"]) == ("ignored", NEUTRAL, True)


@pytest.mark.parametrize(
    ("fake", "seen"),
    [
        (FakeServer(honours=KNOWN - {"n"}), {"choices": "ignored"}),
        (FakeServer(equal_choices=True), {"choices": "equal"}),
        (FakeServer(honours=KNOWN - LOGPROBS), {"logprobs": "ignored", "logprob_fields": {}}),
        (FakeServer(processed=True), {"logprobs": "processed"}),
        (FakeServer(honours=KNOWN - {"seed"}), {"seed": "ignored", "reproducibility": "none"}),
        (FakeServer(one_stream=True, delay=0.01), {"seed": "alone", "reproducibility": "none"}),
        (FakeServer(honours=KNOWN - {"temperature"}), {"temperature": "sampled"}),
        (FakeServer(honours=KNOWN - {"stop"}), {"stop": "ignored"}),
        (FakeServer(limits=False), {"limit": "ignored"}),
        (FakeServer(trims=False), {"stop": "kept", "names_stops": True}),
        (FakeServer(honours=KNOWN - {"return_token_ids"}), {"token_ids": False}),
        (
            FakeServer(strict=True, knows=KNOWN - {"top_k", "min_p", "n"}),
            {
                "unknown_fields": "refused",
                "choices": "refused",
                "neutral": {"top_p": 1.0, "repetition_penalty": 1.0},
            },
        ),
        (
            FakeServer(strict=True, knows=KNOWN - LOGPROBS - {"seed"}),
            {"logprobs": "refused", "seed": "refused", "seed_bits": 63, "reproducibility": "none"},
        ),
        (FakeServer(strict=True, knows=KNOWN - {"stop"}), {"stop": "refused"}),
        (FakeServer(strict=True, knows=KNOWN - {"temperature"}), {"temperature": "refused"}),
    ],
    ids=str,
)
def test_what_a_server_does_not_do_is_seen(fake: FakeServer, seen: dict[str, Any]) -> None:
    found = facts_of(fake, api="completions")
    assert {name: found[name] for name in seen} == seen


def test_short_answers_that_are_all_reasoning_show_as_much() -> None:
    found = facts_of(FakeServer(reasoning=-1), api="chat")
    assert [found[name] for name in ("seed", "temperature", "choices", "logprobs")] == [
        "honoured",
        "honoured",
        "honoured",
        "raw",
    ]


def test_a_limit_that_is_ignored_is_an_error_first() -> None:
    with serving(FakeServer(limits=False)) as server:
        engine = ServerEngine("model", ModelOptions("openai:model", base_url=server.url, api="completions"))
        with pytest.raises(ParameterError, match=r"max_new_tokens = 8: .* more tokens than it is told"):
            engine.stream([Request("a", "def f", (0,))], SamplingParams(max_new_tokens=8))


def test_another_name_of_the_limit_is_found() -> None:
    class Newer(FakeServer):
        def _answered(self, path: str, body: dict[str, Any], *rest: Any) -> tuple[int, Any]:
            if "max_tokens" in body:
                said = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
                return 400, {"error": {"message": said, "param": "max_tokens"}}
            return super()._answered(path, {**body, "max_tokens": body.pop("max_completion_tokens")}, *rest)

    assert facts_of(Newer(), api="chat")["limit_field"] == "max_completion_tokens"


def test_large_seeds_become_smaller_where_they_must() -> None:
    class Small(FakeServer):
        def _answered(self, path: str, body: dict[str, Any], *rest: Any) -> tuple[int, Any]:
            if body.get("seed", 0) >= 1 << 31:
                return 400, {"error": {"message": "seed: too large"}}
            return super()._answered(path, body, *rest)

    found = facts_of(Small(), api="completions")
    assert (found["seed"], found["seed_bits"]) == ("honoured", 31)


def test_a_refusal_that_names_no_field_is_traced_to_it() -> None:
    class Mute(FakeServer):
        def _answered(self, path: str, body: dict[str, Any], *rest: Any) -> tuple[int, Any]:
            return (400, "no") if {"top_k", "n"} & body.keys() else super()._answered(path, body, *rest)

    found = facts_of(Mute(), api="completions")
    assert (found["choices"], "top_k" in found["neutral"], "min_p" in found["neutral"]) == (
        "refused",
        False,
        True,
    )


def test_a_field_at_which_a_server_fails_is_left_out() -> None:
    class Failing(FakeServer):
        def _answered(self, path: str, body: dict[str, Any], *rest: Any) -> tuple[int, Any]:
            return (500, "boom") if "min_p" in body else super()._answered(path, body, *rest)

    found = facts_of(Failing(), api="completions")
    assert ("min_p" in found["neutral"], "top_k" in found["neutral"]) == (False, True)


def test_text_is_asked_for_where_there_is_no_chat() -> None:
    assert facts_of(FakeServer(apis=("completions",)))["api"] == "completions"
    assert facts_of(FakeServer())["api"] == "chat"

    class Untaught(FakeServer):
        def _answered(self, path: str, *rest: Any) -> tuple[int, Any]:
            return (500, "no chat template") if "chat" in path else super()._answered(path, *rest)

    assert facts_of(Untaught())["api"] == "completions"


@pytest.mark.parametrize(
    ("model", "fake", "said"),
    [
        ("nosuch", FakeServer(), "The model nosuch does not exist.*; the server has model"),
        ("model", FakeServer(apis=()), "HTTP 404: Not Found.*with /v1 at its end"),
        (
            "model",
            FakeServer(key="right"),
            "HTTP 401: Incorrect API key .*OPENAI_API_KEY, or from the variable",
        ),
    ],
)
def test_a_server_that_cannot_be_asked_says_why(model: str, fake: FakeServer, said: str) -> None:
    with serving(fake) as server, pytest.raises(ModelError, match=said):
        ServerEngine(model, ModelOptions(f"openai:{model}", base_url=server.url))


@pytest.mark.parametrize(
    ("ignored", "asked", "said"),
    [
        ("temperature", {"temperature": 0.5}, "temperature = 0.5: .* heeds none"),
        ("seed", {"seed": 7}, "seed = 7: .* seeds are ignored; leave it out"),
        ("top_p", {"top_p": 0.9}, "top_p = 0.9: .* has no effect; turn it off: --top-p 1"),
        ("top_k", {"top_k": 5}, "top_k = 5: .* has no effect; turn it off: --top-k 0"),
        ("min_p", {"min_p": 0.1}, "min_p = 0.1: .* has no effect"),
        ("repetition_penalty", {"repetition_penalty": 1.2}, "repetition_penalty = 1.2: .* has no effect"),
        ("frequency_penalty", {"frequency_penalty": 0.5}, "frequency_penalty = 0.5: .* has no effect"),
        ("logit_bias", {"logit_bias": ((3, 5.0),)}, r"logit_bias = \(3, 5.0\): .* has no effect"),
        ("", {"logit_bias": ((3, 500.0),)}, "amounts up to 100"),
        ("", {"typical_p": 0.5}, "typical_p = 0.5: .* no such option"),
        ("", {"banned_tokens": (4,)}, "banned_tokens = .* no such option"),
        ("", {"allowed_tokens": (4,)}, "allowed_tokens = .* no such option"),
        ("", {"confidence": True}, "confidence = True: .* no such option"),
    ],
)
def test_what_is_ignored_is_an_error_before_anything_is_drawn(
    ignored: str, asked: dict[str, Any], said: str
) -> None:
    params = SamplingParams(**{"top_p": 1.0, "temperature": 1.0, "max_new_tokens": 8, **asked})
    request = Request("a", "def f", (0, 1))
    with serving(FakeServer(honours=KNOWN - {ignored})) as server:
        engine = ServerEngine("model", ModelOptions("openai:model", base_url=server.url, api="completions"))
        with pytest.raises(ParameterError, match=said):
            list(engine.stream([request], params))
        assert not any(body["prompt"] == "def f" for body in server.requests)
    if not ignored:
        return
    with serving(FakeServer()) as server:
        engine = ServerEngine("model", ModelOptions("openai:model", base_url=server.url, api="completions"))
        assert len(list(engine.stream([request], params))) == 2


def test_a_server_that_never_draws_is_found() -> None:
    class Greedy(FakeServer):
        def _drawn(self, api: str, body: dict[str, Any], others: bool) -> dict[str, Any]:
            return super()._drawn(api, {**body, "temperature": 0.0}, others)

    with serving(Greedy()) as server:
        engine = ServerEngine("model", ModelOptions("openai:model", base_url=server.url, api="completions"))
        with pytest.raises(ParameterError, match=r"one text whatever the temperature; .*do_sample.*--greedy"):
            engine.stream([Request("a", "def f", (0,))], SamplingParams())
        assert len(list(engine.stream([Request("a", "def f", (0,))], SamplingParams(temperature=0)))) == 1


def test_what_is_off_is_said_so_that_no_default_of_the_servers_comes_in() -> None:
    with serving(FakeServer()) as server:
        engine = ServerEngine("model", ModelOptions("openai:model", base_url=server.url, api="completions"))
        list(engine.stream([Request("a", "def f", (0,))], SamplingParams(top_k=3, max_new_tokens=4)))
        sent = server.requests[-1]
    assert {name: sent[name] for name in NEUTRAL} == {**NEUTRAL, "top_p": 0.95, "top_k": 3}
