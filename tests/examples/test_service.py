"""The example of a service answers over HTTP, refuses what it cannot do, and serves several at once."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

testing = pytest.importorskip(
    "fastapi.testclient", reason="needs the extra 'examples': pip install .[examples]"
)

SERVICE = Path(__file__).resolve().parents[2] / "examples" / "service.py"
(SHOWN,) = re.findall(r"--json '(.*?)'", SERVICE.read_text(encoding="utf-8"), re.DOTALL)
ASKED = json.loads(SHOWN)
PROMPT = ASKED["prompt"]


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


def test_a_program_comes_back_with_what_speaks_for_it(client: Any) -> None:
    answer = client.post("/best", json=ASKED)
    assert answer.status_code == 200
    found = answer.json()
    names: dict[str, Any] = {}
    exec(found["program"], names)
    assert names["total"]([2, 7, 5]) == 14
    assert found["examples_passed"] is True
    assert found["drawn"] < ASKED["n"]
    assert "good enough to stop at" in found["why"]


def test_without_examples_the_likeliest_program_is_chosen(client: Any) -> None:
    found = client.post("/best", json={"prompt": "def double(x: int) -> int:\n", "n": 2}).json()
    assert found["examples_passed"] is None
    assert found["drawn"] == 2


@pytest.mark.parametrize("asked", [{"prompt": PROMPT, "n": 0}, {"n": 4}, {"prompt": PROMPT, "n": 4000}])
def test_what_cannot_be_asked_for_is_refused(client: Any, asked: dict[str, Any]) -> None:
    assert client.post("/best", json=asked).status_code == 422


def test_requests_are_served_beside_each_other_and_alike(client: Any) -> None:
    asked = [ASKED | {"n": 4, "seed": seed} for seed in (1, 2, 1, 2)]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda each: client.post("/best", json=each).json(), asked))
    assert answers[0] == answers[2]
    assert answers[1] == answers[3]


def test_the_example_stays_small() -> None:
    assert len(SERVICE.read_text(encoding="utf-8").splitlines()) <= 80
