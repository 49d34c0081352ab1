"""vLLM's offline engine keeps the contract of engines, over a stand-in that has vLLM's own objects."""

from __future__ import annotations

import ast
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fake_vllm import NAMES, FakeEngine, installed

from codesample import ModelOptions, RunOptions, VllmEngine, evaluate, read_problems
from codesample.engines.contract import Reproducibility
from codesample.errors import ModelError, ParameterError
from codesample.records import Candidate, FinishReason, Message, Prompt, Request, SamplingParams
from codesample.testing.engines import check_engine

PLAIN = SamplingParams(max_new_tokens=16, top_p=1.0, temperature=1.0)
HELPERS = Path(__file__).parent / "helpers"
REQUESTS = (Request("one", "def f(x):\n", (0, 1, 2)), Request("two", "def g(y):\n    return ", (0, 3)))


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    with installed(monkeypatch) as library:
        yield library


def opened(**options: Any) -> VllmEngine:
    return VllmEngine("tiny", ModelOptions("tiny", **options))


def below(engine: VllmEngine) -> FakeEngine:
    """The stand-in's engine that an engine drives."""
    llm: Any = engine._llm
    found: FakeEngine = llm.llm_engine
    return found


def drawn(
    engine: VllmEngine, params: SamplingParams = PLAIN, requests: Sequence[Request] = REQUESTS
) -> dict[tuple[str, int], Candidate]:
    return {(each.task_id, each.index): each for each in engine.stream(requests, params)}


def decoded(engine: VllmEngine) -> Any:
    tokenizer = engine._checkpoint.tokenizer

    def text(prompt: Prompt, ids: Sequence[int]) -> str:
        return str(tokenizer.decode(list(ids), skip_special_tokens=True))

    return text


@pytest.mark.parametrize("invariant", [False, True])
@pytest.mark.parametrize("mode", ["raw_logprobs", "processed_logprobs"])
@pytest.mark.parametrize("params", [PLAIN, SamplingParams(max_new_tokens=16, seed=7)], ids=["plain", "cut"])
def test_it_keeps_the_contract(
    monkeypatch: pytest.MonkeyPatch, invariant: bool, mode: str, params: SamplingParams
) -> None:
    with installed(monkeypatch, invariant=invariant):
        engine = opened(engine_options=(("logprobs_mode", mode),))
        assert engine.reproducibility is (Reproducibility.EXACT if invariant else Reproducibility.SEEDED)
        assert ("logprobs" in engine.abilities) is (mode == "raw_logprobs")
        tried = check_engine(engine, REQUESTS, params, decode=decoded(engine)).tried
        assert {"stops", "repeats", "cancelling", "an error in mid-stream"} < {*tried}
        assert "text is decoded tokens" in tried
        assert ("prefix property" in tried) is invariant


def test_several_tokens_may_come_in_one_step(vllm: ModuleType) -> None:
    alone, together = opened(), opened()
    below(together).chunk = 5
    stopped = replace(PLAIN, stop=("(",))
    for params in (PLAIN, stopped):
        assert drawn(alone, params) == drawn(together, params)


def test_log_probabilities_go_where_they_belong(vllm: ModuleType) -> None:
    raw, processed = opened(), opened(engine_options=(("logprobs_mode", "processed_logprobs"),))
    greedy, cut = replace(PLAIN, temperature=0.0), replace(PLAIN, top_p=0.5)
    for engine, params, fields in (
        (raw, PLAIN, "both"),
        (processed, PLAIN, "both"),
        (raw, cut, "logprobs"),
        (processed, cut, "sampled_logprobs"),
        (raw, greedy, "both"),
        (processed, greedy, "both"),
        (raw, replace(greedy, repetition_penalty=1.2), "both"),
        (processed, replace(greedy, repetition_penalty=1.2), "sampled_logprobs"),
    ):
        for each in drawn(engine, params).values():
            given = {name for name in ("logprobs", "sampled_logprobs") if getattr(each, name) is not None}
            assert given == ({"logprobs", "sampled_logprobs"} if fields == "both" else {fields})
            assert each.sampled_logprobs is None or len(each.sampled_logprobs) == len(each.token_ids or ())
            if not params.temperature:
                assert {*(each.sampled_logprobs or ())} <= {0.0}


def test_ends_and_stops_are_no_part_of_a_candidate(vllm: ModuleType) -> None:
    engine = opened()
    found = drawn(engine, replace(PLAIN, max_new_tokens=200)).values()
    ended = [each for each in found if each.finish_reason is FinishReason.EOS]
    assert ended
    assert all(2 not in (each.token_ids or ()) for each in ended)
    whole = next(each for each in found if len(each.completion) > 6)
    stop = whole.completion[3:5]
    cut = drawn(engine, replace(PLAIN, max_new_tokens=200, stop=(stop,)))[whole.task_id, whole.index]
    assert cut.completion == whole.completion.partition(stop)[0]
    assert (cut.stop, cut.finish_reason) == (stop, FinishReason.STOP)
    # vLLM is told to draw no further
    assert below(engine).aborted
    assert not below(engine).running


def test_neighbouring_seeds_share_nothing(vllm: ModuleType) -> None:
    engine = opened()
    seeds: list[set[int]] = []
    for seed in (100, 101):
        drawn(engine, replace(PLAIN, seed=seed))
        seeds.append({int(each.seed or 0) for each in below(engine).params[-5:]})
    one, other = seeds
    assert len(one) == len(other) == 5
    assert not {each + by for each in one for by in range(-5, 6)} & other
    assert all(0 <= each < 2**63 for each in one | other)
    assert all(each.n == 1 for each in below(engine).params)


def test_requests_go_in_as_there_is_room(vllm: ModuleType) -> None:
    engine = opened(max_rows=4)
    many = Request("many", "def f(x):\n", tuple(range(50)))
    assert len(drawn(engine, requests=(many,))) == 50
    assert below(engine).most == 8
    assert below(engine).arguments["max_num_seqs"] == 4


def test_closing_gives_up_what_is_under_way(vllm: ModuleType) -> None:
    engine = opened()
    stream: Any = engine.stream(REQUESTS, replace(PLAIN, max_new_tokens=400))
    first = next(stream)
    stream.close()
    assert not below(engine).running
    assert drawn(engine, replace(PLAIN, max_new_tokens=400))[first.task_id, first.index] == first


def test_two_streams_are_drawn_together(vllm: ModuleType) -> None:
    engine = opened()
    alone = drawn(engine)
    one, other = engine.stream(REQUESTS, PLAIN), engine.stream(REQUESTS, PLAIN)
    held = next(one)
    # what comes for the first while the second is read waits for it
    assert {(each.task_id, each.index): each for each in other} == alone
    assert {(each.task_id, each.index): each for each in (held, *one)} == alone
    found: list[dict[tuple[str, int], Candidate]] = []
    threads = [threading.Thread(target=lambda: found.append(drawn(engine))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [alone] * 4


def test_a_dead_engine_ends_the_call_and_keeps_what_was_drawn(vllm: ModuleType) -> None:
    engine = opened()
    below(engine).fail_after = 6
    came: list[Candidate] = []
    with pytest.raises(ModelError, match=r"vllm:tiny: vLLM failed: RuntimeError: EngineCore .* \(above\)$"):
        came.extend(engine.stream(REQUESTS, PLAIN))
    below(engine).fail_after = None
    whole = drawn(engine)
    assert all(each == whole[each.task_id, each.index] for each in came)


@pytest.mark.parametrize(
    ("fault", "said"), [("end_early", "ended a request early: .*'abort'"), ("forgets", "lost")]
)
def test_a_request_that_comes_to_no_end_is_an_error(vllm: ModuleType, fault: str, said: str) -> None:
    engine = opened()
    setattr(below(engine), fault, "abort" if fault == "end_early" else True)
    with pytest.raises(ModelError, match=said):
        drawn(engine)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (SamplingParams(typical_p=0.5), "typical_p = 0.5: vLLM has no such option"),
        (SamplingParams(confidence=True), "confidence = True: vLLM has no such option"),
        (SamplingParams(temperature=0.001), "temperature = 0.001: vLLM would make 0.01 of it"),
        (SamplingParams(temperature=3.0), r"temperature = 3.0: vLLM does not take it: .*\[0, 2\]"),
        (SamplingParams(frequency_penalty=5.0), "frequency_penalty = 5.0: vLLM does not take it"),
        (SamplingParams(banned_tokens=(99999,)), "banned_tokens: token 99999: the model has tokens 0 to"),
        (SamplingParams(banned_tokens=tuple(range(1100))), "1100 tokens: vLLM takes up to 1024"),
    ],
    ids=lambda each: "" if isinstance(each, str) else None,
)
def test_what_it_cannot_honour_is_refused_by_name(
    vllm: ModuleType, params: SamplingParams, said: str
) -> None:
    engine = opened()
    with pytest.raises(ParameterError, match=said):
        engine.stream(REQUESTS, params)
    assert not below(engine).added


def test_parameters_reach_it_as_they_are(vllm: ModuleType) -> None:
    engine = opened()
    asked = SamplingParams(
        temperature=0.5, top_p=0.9, top_k=7, min_p=0.1, repetition_penalty=1.1, frequency_penalty=0.5
    )
    asked = replace(asked, logit_bias=((300, 3.0),), banned_tokens=(301,), allowed_tokens=(300, 301, 302))
    drawn(engine, replace(asked, max_new_tokens=3))
    taken = below(engine).params[0]
    for name in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "frequency_penalty"):
        assert getattr(taken, name) == getattr(asked, name)
    assert taken.logit_bias == {300: 3.0, 301: float("-inf")}
    assert taken.allowed_token_ids == [300, 301, 302]
    assert (taken.max_tokens, taken.ignore_eos, taken.stop_token_ids) == (3, True, [2])


def test_prompts_are_held_against_the_context_first(vllm: ModuleType) -> None:
    engine = opened(engine_options=(("max_model_len", 32),))
    with pytest.raises(ParameterError, match="vllm:tiny takes 32 in all"):
        engine.stream([Request("long", "x = 1\n" * 40, (0,))], PLAIN)
    drawn(engine, replace(PLAIN, max_new_tokens=500))
    engine_below = below(engine)
    # what the positions leave behind the prompt
    room = {
        len(ids) + (each.max_tokens or 0)
        for ids, each in zip(engine_below.prompts, engine_below.params, strict=True)
    }
    assert room == {32}


def test_messages_are_prompted_as_natively(vllm: ModuleType) -> None:
    engine = opened()
    turns = (Message("user", "Add two numbers."),)
    with pytest.raises(ParameterError, match="no chat template"):
        engine.stream([Request("a", turns, (0,))], PLAIN)
    engine._checkpoint.tokenizer.chat_template = (
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}<|bot|>"
    )
    assert "chat" in engine.abilities
    drawn(engine, requests=[Request("a", turns, (0,))])
    ids = engine._checkpoint.encode(turns)
    assert below(engine).prompts == [list(ids)]


def test_a_run_records_what_it_was_opened_with_and_resumes(vllm: ModuleType, tmp_path: Path) -> None:
    options = ModelOptions("vllm:tiny", engine_options=(("quantization", "fp8"), ("tensor_parallel_size", 2)))
    run = RunOptions(out=tmp_path / "run", workers=1, allow_weak_isolation="none")
    asked = {"model": options, "n": 2, "params": replace(PLAIN, max_new_tokens=8), "run": run}
    report = evaluate(read_problems("mini", limit=2), **asked)
    assert (report.samples, report.engine.reproducibility) == (4, "seeded")
    text = (tmp_path / "run" / "run.json").read_text()
    for each in ('"vllm 0.33.0"', '"fp8"', '"tensor_parallel_size": 2', '"prefix_caching": true'):
        assert each in text
    samples = tmp_path / "run" / "samples.jsonl"
    before = samples.read_text()
    samples.write_text("".join(before.splitlines(keepends=True)[:2]))
    evaluate(read_problems("mini", limit=2), **{**asked, "run": replace(run, resume=True)})
    assert sorted(samples.read_text().splitlines()) == sorted(before.splitlines())


def test_its_processes_end_with_it(vllm: ModuleType) -> None:
    engine = opened()
    core = below(engine)
    drawn(engine)
    assert not core.ended
    del engine
    gc.collect()
    assert core.ended == 1


def test_its_processes_end_before_the_interpreter_waits_for_them(tmp_path: Path) -> None:
    # as vLLM: a process that nobody ends, started by multiprocessing
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys, time, multiprocessing, pytest\nsys.path.insert(0, {str(HELPERS)!r})\n"
        "from fake_vllm import installed, FakeEngine\n"
        "child = multiprocessing.get_context('fork').Process(target=time.sleep, args=(600,))\n"
        "FakeEngine._shutdown = lambda self, timeout=None: (child.terminate(), print('ended'))\n"
        "from codesample import ModelOptions, VllmEngine\n"
        "with installed(pytest.MonkeyPatch()):\n"
        "    engine = VllmEngine('tiny', ModelOptions('tiny'))\n"
        "    child.start()\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


def test_another_process_is_told_to_open_its_own(vllm: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = opened()
    here = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: here + 1)
    with pytest.raises(ModelError, match="was opened in another process"):
        engine.stream(REQUESTS, PLAIN)


def test_the_stand_in_has_the_names_that_vllm_has() -> None:
    spec = None if (place := os.environ.get("CODESAMPLE_VLLM_SOURCE")) else find_spec("vllm")
    root = Path(place) if place else Path(spec.origin).parent if spec and spec.origin else None
    if root is None:
        pytest.skip("vllm is not installed, and CODESAMPLE_VLLM_SOURCE names no folder with its source")
    for name, (file, wanted) in NAMES.items():
        tree = ast.parse((root / file).read_text(encoding="utf-8"))
        found = next(each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == name)
        assert wanted <= _names_in(found), f"{name}: {sorted(wanted - _names_in(found))}"


def _names_in(found: ast.ClassDef) -> set[str]:
    """Names of a class: of its fields, methods, their arguments, and what it sets of itself."""
    names: set[str] = set()
    for node in ast.walk(found):
        if isinstance(node, ast.AnnAssign | ast.Assign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                names.add(getattr(target, "id", getattr(target, "attr", "")))
        elif isinstance(node, ast.FunctionDef):
            names |= {node.name, *(each.arg for each in (*node.args.args, *node.args.kwonlyargs))}
    return names
