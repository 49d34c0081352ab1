"""The example of a service answers over HTTP, refuses what it cannot do, and serves several at once."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import codesample

httpx = pytest.importorskip("httpx2", reason="needs the extra 'examples': pip install .[examples]")
testing = pytest.importorskip(
    "fastapi.testclient", reason="needs the extra 'examples': pip install .[examples]"
)

SERVICE = Path(__file__).resolve().parents[2] / "examples" / "service.py"
(SHOWN,) = re.findall(r"--json '(.*?)'", SERVICE.read_text(encoding="utf-8"), re.DOTALL)
ASKED = json.loads(SHOWN)
PROMPT = ASKED["prompt"]
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location("service", SERVICE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["service"] = module
    try:
        spec.loader.exec_module(module)
        with testing.TestClient(module.app) as client:
            yield client
    finally:
        del sys.modules["service"]


def lines(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


def test_what_happens_comes_line_by_line_and_the_choice_comes_last(client: Any) -> None:
    *before, last = lines(client.post("/best", json=ASKED))
    names: dict[str, Any] = {}
    exec(last["program"], names)
    assert names["total"]([2, 7, 5]) == 14
    assert last["examples_passed"] is True
    assert "good enough to stop at" in last["why"]
    drawn = [line["drawn"] for line in before if "drawn" in line]
    assert drawn
    assert len(drawn) < ASKED["n"]
    judged = {line["judged"]: line["good"] for line in before if "judged" in line}
    assert sorted(judged) == sorted(drawn)
    assert judged[last["chosen"]]


def test_without_examples_the_likeliest_program_is_chosen(client: Any) -> None:
    *drawn, last = lines(client.post("/best", json={"prompt": "def double(x: int) -> int:\n", "n": 2}))
    assert last["examples_passed"] is None
    assert sorted(line["drawn"] for line in drawn) == [0, 1]


@pytest.mark.parametrize("asked", [{"prompt": PROMPT, "n": 0}, {"n": 4}, {"prompt": PROMPT, "n": 4000}])
def test_what_cannot_be_asked_for_is_refused(client: Any, asked: dict[str, Any]) -> None:
    assert client.post("/best", json=asked).status_code == 422


@pytest.mark.parametrize("asked", ['"seed": 1e30', '"deadline": NaN', '"deadline": -1'])
def test_what_the_sampler_refuses_is_the_last_line(client: Any, asked: str) -> None:
    body = json.dumps({"prompt": PROMPT, "n": 1})[:-1] + f", {asked}}}"
    answer = client.post("/best", content=body, headers=JSON)
    if answer.status_code != 422:
        *_, last = lines(answer)
        assert last["error"] in ("ParameterError", "WrongTypeError")


def test_a_passed_deadline_is_the_last_line(client: Any) -> None:
    *_, last = lines(client.post("/best", json=ASKED | {"n": 128, "deadline": 0.05}))
    assert last["error"] == "DeadlineError"
    assert "0.05 s passed" in last["message"]


def test_thirty_two_clients_each_get_what_they_would_get_alone(client: Any) -> None:
    """Over a loop of its own, all at once; the texts are those that a sampler draws alone."""
    asked = [
        {"prompt": f"def f{i}(xs):\n    # number {i}\n", "n": 1 + i % 3, "seed": i % 5, "max_new_tokens": 8}
        for i in range(32)
    ]

    async def post(web: Any, each: dict[str, Any]) -> list[dict[str, Any]]:
        return lines(await web.post("/best", json=each))

    async def main() -> list[list[dict[str, Any]]]:
        transport = httpx.ASGITransport(client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here", timeout=300) as web:
            return await asyncio.gather(*(post(web, each) for each in asked))

    answers = asyncio.run(main())
    sampler = codesample.Sampler("tiny")
    for each, answer in zip(asked, answers, strict=True):
        params = {name: each[name] for name in ("seed", "max_new_tokens")}
        expected = {c.index: c.completion for c in sampler.sample(each["prompt"], n=each["n"], **params)}
        assert {line["drawn"]: line["text"] for line in answer if "drawn" in line} == expected
        assert answer[-1]["chosen"] in expected


def test_who_hangs_up_frees_the_rows(client: Any) -> None:
    sampler = client.app.state.sampler
    body = json.dumps({"prompt": "def f(xs):\n", "n": 64}).encode()

    async def main() -> None:
        hung_up = asyncio.Event()
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await hung_up.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message.get("body"):
                hung_up.set()

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "path": "/best",
            "raw_path": b"/best",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }
        await client.app(scope, receive, send)
        while sampler.load.calls:
            await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(main(), 60))
    assert sampler.load.rows == 0


@pytest.mark.slow
def test_it_runs_as_the_readme_shows_it() -> None:
    readme = (SERVICE.parents[1] / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^MODEL=tiny (uvicorn .*)$", readme, re.MULTILINE)
    (asked,) = re.findall(r"^curl -N localhost:8000/best --json '(.*)'$", readme, re.MULTILINE)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", *command.split(), "--port", str(port)], cwd=SERVICE.parents[1]
    )
    try:
        web = httpx.Client(transport=httpx.HTTPTransport(retries=20), timeout=120)
        answer = web.post(f"http://127.0.0.1:{port}/best", content=asked, headers=JSON)
        *drawn, last = lines(answer)
        assert len(drawn) == 8
        assert last["program"].startswith("def double")
        # a client that hangs up leaves the service to others
        long = json.dumps({"n": 128, "prompt": PROMPT})
        with web.stream("POST", f"http://127.0.0.1:{port}/best", content=long, headers=JSON) as stream:
            next(stream.iter_lines())
        assert len(lines(web.post(f"http://127.0.0.1:{port}/best", content=asked, headers=JSON))) == 9
    finally:
        process.terminate()
        assert process.wait(60) in (0, -signal.SIGTERM)


def test_the_example_stays_small() -> None:
    assert len(SERVICE.read_text(encoding="utf-8").splitlines()) < 80
