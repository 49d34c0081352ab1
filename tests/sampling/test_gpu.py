"""What sampling on a GPU must give, graphs and late reading included: the candidates of plain steps."""

import pytest
import torch

from codesample.records import Request, SamplingParams
from codesample.sampling import Sampler, decode_loop
from codesample.testing.models import random_model

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
REQUESTS = [
    Request(f"p{i}", "shared start of all\n" * 4 + "abcdefg"[i] * (9 * i + 2), tuple(range(9)))
    for i in range(7)
]


@pytest.fixture(scope="module")
def model():
    return random_model("llama", seed=1).cuda()


def candidates(model, tokenizer, params, rows):
    sampler = Sampler(model, tokenizer=tokenizer, max_rows=rows, prefix_cache=0)
    return {(c.task_id, c.index): c.token_ids for c in sampler.stream(REQUESTS, params)}


@pytest.mark.parametrize("rows", [5, 32, 512])
@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(max_new_tokens=40, temperature=0),
        SamplingParams(max_new_tokens=40),
        SamplingParams(max_new_tokens=40, top_p=1.0, stop=("e",)),
        SamplingParams(max_new_tokens=40, repetition_penalty=1.2),
    ],
    ids=["greedy", "nucleus", "stops", "penalty"],
)
def test_captured_steps_draw_what_plain_steps_draw(model, tokenizer, monkeypatch, params, rows):
    captured = candidates(model, tokenizer, params, rows)
    monkeypatch.setattr(decode_loop, "GPU_PACE", decode_loop.CPU_PACE)
    plain = candidates(model, tokenizer, params, rows)
    assert len(captured) == sum(len(r.indices) for r in REQUESTS)
    # single precision: batches of other sizes may round a draw to another side of a boundary
    same = sum(captured[key] == plain[key] for key in plain)
    assert same >= 0.95 * len(plain)


def test_steps_are_captured_and_graphs_serve_later_batches(model, tokenizer, monkeypatch):
    captures, replays = [], []
    capture, replay = torch.cuda.CUDAGraph.capture_begin, torch.cuda.CUDAGraph.replay
    monkeypatch.setattr(
        torch.cuda.CUDAGraph, "capture_begin", lambda *a, **k: (captures.append(1), capture(*a, **k))[1]
    )
    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", lambda *a: (replays.append(1), replay(*a))[1])
    candidates(model, tokenizer, SamplingParams(max_new_tokens=60), 16)
    assert captures
    assert len(replays) > 8 * len(captures)
