"""Runs over a server are runs: ended early on either side, and resumed, they are as if never disturbed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_server import KNOWN, FakeServer, serving

from codesample import Executor, Level, ModelOptions, RunOptions, best_of_n, evaluate, read_problems
from codesample.errors import ModelError, ParameterError
from codesample.evaluation.options import PromptOptions
from codesample.evaluation.reranking import rerank_run
from codesample.evaluation.sample_candidates import sample_candidates
from codesample.records import Candidate, SamplingParams
from codesample.runs import RunFolder
from codesample.servers.transport import Patience

PARAMS = SamplingParams(max_new_tokens=12, top_p=1.0, temperature=1.0)


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for milliseconds between tries."""
    monkeypatch.setattr(Patience, "wait", lambda self, tries: 0.002)


def options(server: FakeServer, **more: Any) -> ModelOptions:
    return ModelOptions("openai:model", base_url=server.url, max_requests=2, max_retries=1, **more)


@pytest.fixture(scope="module", autouse=True)
def judge() -> Iterator[Executor]:
    """One judge for all runs: its start takes longer than what is tried here."""
    with Executor(workers=1, minimum=Level.NONE) as opened:
        _judge.append(opened)
        yield opened
        _judge.clear()


_judge: list[Executor] = []


def run(server: FakeServer, out: Path, *, resume: bool = False, n: int = 4, **more: Any) -> Any:
    kept = RunOptions(out=out, resume=resume, judge=_judge[0], skip_health_check=True, cache=False)
    chosen = read_problems("mini", limit=3)
    model = options(server, **{"api": "completions", **more})
    return evaluate(chosen, model=model, n=n, params=PARAMS, rerankers=["mean_logprob"], run=kept)


def samples(out: Path) -> list[Candidate]:
    with RunFolder.open(out) as folder:
        found = sorted(folder.samples(), key=lambda each: (each.task_id, each.index))
    return [replace(each, rule=None, spans=None) for each in found]


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_a_run_by_either_endpoint(api: str, tmp_path: Path) -> None:
    with serving(FakeServer(cost=0.5)) as server:
        report = run(server, tmp_path / "run", api=api)
        sent = server.requests[-1]
    assert (report.samples, report.engine.reproducibility) == (12, "exact")
    assert report.prompt["style"] == ("chat" if api == "chat" else "base")
    assert ("messages" in sent) == (api == "chat")
    assert report.tokens == sum(each.tokens_drawn for each in samples(tmp_path / "run")) > 12
    assert report.usage is not None
    assert report.usage.completion_tokens == report.tokens
    assert report.usage.cost == report.tokens / 2
    with RunFolder.open(tmp_path / "run") as folder:
        model = folder.manifest.sessions[-1]["model"]
    assert model["base_url"] == server.url
    assert model["server"]["seed"] == "honoured"


def test_a_server_that_dies_in_mid_answer_and_comes_back_elsewhere(tmp_path: Path) -> None:
    with serving(FakeServer()) as server:
        run(server, tmp_path / "whole")

    class Dying(FakeServer):
        def _drawn(self, *given: Any) -> dict[str, Any]:
            answer = super()._drawn(*given)
            if len(self.requests) > 22:
                raise ConnectionResetError
            return answer

    with serving(Dying()) as server, pytest.raises(ModelError, match="asked 2 times"):
        run(server, tmp_path / "run")
    before = samples(tmp_path / "run")
    assert 0 < len(before) < 12
    with serving(FakeServer()) as server:
        asked = len(server.requests)
        run(server, tmp_path / "run", resume=True)
        drawn = [body for body in server.requests[asked:] if body["max_tokens"] == 12]
    assert samples(tmp_path / "run") == samples(tmp_path / "whole")
    assert len(drawn) == 12 - len(before)


def test_more_candidates_join_those_that_are_there(tmp_path: Path) -> None:
    with serving(FakeServer()) as server:
        run(server, tmp_path / "few", n=2)
        run(server, tmp_path / "few", n=4, resume=True)
        run(server, tmp_path / "many", n=4)
        assert samples(tmp_path / "few") == samples(tmp_path / "many")
        with pytest.raises(ParameterError, match=r"takes no text; choose --api completions"):
            run(server, tmp_path / "few", n=5, resume=True, api="chat")


def test_what_is_ignored_leaves_no_run_behind(tmp_path: Path) -> None:
    with (
        serving(FakeServer(honours=KNOWN - {"temperature"})) as server,
        pytest.raises(ParameterError, match=r"temperature = 1\.0"),
    ):
        run(server, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_saved_run_is_ranked_again_by_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with serving(FakeServer()) as server:
        run(server, tmp_path / "run", n=2, api="chat")
        asked = len(server.requests)
        kept = RunOptions(judge=_judge[0])
        rerank_run(
            tmp_path / "run", rerankers=["judge_pointwise"], model=options(server, api="chat"), run=kept
        )
        assert len(server.requests) > asked + 6
        # a folder says where a server was, and is not taken at its word: a key would go there
        with pytest.raises(ParameterError, match="base_url: a server's model needs its address"):
            rerank_run(tmp_path / "run", rerankers=["judge_listwise"], run=kept)


def test_one_prompt_and_the_best_of_its_candidates() -> None:
    with serving(FakeServer()) as server:
        base, chat = options(server, api="completions"), options(server, api="chat")
        found = best_of_n(base, "def f(x):\n", n=3, params=PARAMS, judge=_judge[0])
        assert len(found.candidates) == 3
        assert found.tokens == sum(each.tokens_drawn for each in found.candidates)
        put = list(sample_candidates("add", model=chat, n=2, params=PARAMS))
        assert server.requests[-1]["messages"] == [{"role": "user", "content": "add"}]
        assert len(put) == 2
        asked = PromptOptions(style="chat")
        with pytest.raises(ParameterError, match="--api chat"):
            list(sample_candidates("add", model=base, n=2, params=PARAMS, prompts=asked))


@pytest.mark.slow
def test_a_command_that_is_interrupted_and_resumed(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "codesample",
        "eval",
        "mini",
        "--limit",
        "3",
        "--n",
        "4",
        "--workers",
        "1",
    ]
    command += [
        "--allow-weak-isolation",
        "none",
        "--max-new-tokens",
        "12",
        "--top-p",
        "1",
        "--api",
        "completions",
    ]
    command += ["--temperature", "1", "-r", "mean_logprob", "--model", "openai:model", "--max-requests", "2"]

    def started(server: FakeServer, out: Path, *more: str) -> subprocess.Popen[str]:
        given = [*command, "--base-url", server.url, "--out", str(out), *more]
        return subprocess.Popen(
            given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # of a job in the background, interrupts are ignored, and what it starts inherits that
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def lines(out: Path) -> int:
        file = out / "samples.jsonl"
        return file.read_bytes().count(b"\n") if file.exists() else 0

    with serving(FakeServer()) as server:
        run(server, tmp_path / "whole")
        # the same questions again and four answers; for the others it waits until the command is gone
        server.shut_after = 2 * len(server.requests) - 8
        going = started(server, tmp_path / "run")
        wait_for(lambda: lines(tmp_path / "run") >= 2)
        going.send_signal(signal.SIGINT)
        said = going.communicate(timeout=60)
        assert going.returncode == 130, said
        assert lines(tmp_path / "run") < 12
        server.gate.set()
        again = started(server, tmp_path / "run", "--resume")
        said = again.communicate(timeout=100)
        assert again.returncode == 0, said
    assert samples(tmp_path / "run") == samples(tmp_path / "whole")


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)
