"""A key comes from the environment, goes to the server alone, and is shown nowhere."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from fake_server import FakeServer, Fault, serving

from codesample import ModelOptions, ServerEngine, evaluate, read_problems
from codesample.errors import CodesampleError, ParameterError
from codesample.evaluation.options import RunOptions
from codesample.records import Request, SamplingParams
from codesample.servers.address import address_of

KEY = "sk-very-secret-0123456789"
PLAIN = SamplingParams(max_new_tokens=8, top_p=1.0, temperature=1.0)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_where_a_key_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    assert address_of("http://x", None).key is None
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    assert address_of("http://x", None).key == KEY
    monkeypatch.setenv("MINE", "other")
    assert address_of("http://x", "MINE").key == "other"


@pytest.mark.parametrize(
    ("given", "url", "local"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1", True),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1", True),
        ("http://[::1]:8000/v1/", "http://[::1]:8000/v1", True),
        ("https://api.example.com/openai/v1", "https://api.example.com/openai/v1", False),
    ],
)
def test_what_an_address_comes_to(given: str, url: str, local: bool) -> None:
    found = address_of(given, None)
    assert (found.url, found.is_local) == (url, local)


def test_the_address_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match="--base-url http://localhost:8000/v1, or OPENAI_BASE_URL"):
        address_of(None, None)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1")
    assert address_of(None, None).url == "http://localhost:1/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://me:{KEY}@localhost:1")
    with pytest.raises(ParameterError, match="OPENAI_BASE_URL: holds a user name") as refused:
        address_of(None, None)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        f"http://me:{KEY}@localhost:1",
        f"http://localhost:1/v1?key={KEY}",
        f"me:{KEY}@localhost",
        f"http://localhost:x{KEY}@/v1",
        f"http://localhost/#{KEY}",
    ],
)
def test_an_address_that_holds_a_secret_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ParameterError, match="base_url") as refused:
        ModelOptions("openai:model", base_url=url)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "http://", "http://x:99999/v1", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ParameterError, match="expected an address such as http://localhost:8000/v1"):
        ModelOptions("openai:model", base_url=url)


@pytest.mark.parametrize("name", [KEY, "sk_live_abcdef", "NO_SUCH_VARIABLE"])
def test_a_key_in_place_of_its_name_is_not_shown(name: str) -> None:
    with pytest.raises(ParameterError, match="not the key") as refused:
        address_of("http://x", name)
    assert (name in str(refused.value)) == name.isupper()


def test_a_key_that_cannot_be_sent_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-\N{SNOWMAN}secret")
    with pytest.raises(ParameterError, match="OPENAI_API_KEY: its value cannot be sent") as refused:
        address_of("http://x", None)
    assert "secret" not in str(refused.value)


def test_a_key_never_leaves_but_in_its_header(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("THEIR_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    with serving(FakeServer(key=KEY)) as server:
        options = ModelOptions(
            "openai:model", base_url=server.url, api_key_env="THEIR_KEY", api="completions", max_retries=1
        )
        run = RunOptions(out=tmp_path / "run", workers=1, allow_weak_isolation="none")
        chosen = read_problems("mini", limit=1)
        report = evaluate(chosen, model=options, n=2, params=PLAIN, run=run, rerankers=[])
        engine = ServerEngine("model", options)
        server.faults = [Fault("status", 400, body={"error": {"message": f"for {KEY}: no"}})]
        said = []
        try:
            list(engine.stream([Request("a", "x", (0,))], SamplingParams(top_k=3)))
        except CodesampleError as error:
            said.append(repr(error))
        server.key = f"not {KEY}"
        try:
            ServerEngine("model", options)
        except CodesampleError as error:
            said.append(repr(error))
    assert {each["authorization"] for each in server.headers} == {f"Bearer {KEY}"}
    kept = "".join(path.read_text() for path in (tmp_path / "run").rglob("*") if path.is_file())
    shown = [repr(engine), repr(options), repr(address_of("http://x", "THEIR_KEY")), str(report), *said]
    assert "THEIR_KEY" in repr(options)
    assert len(said) == 2
    assert "***" in "".join(said)
    assert server.url in kept
    for text in (kept, caplog.text, json.dumps(engine.describe()), *shown):
        assert KEY not in text
