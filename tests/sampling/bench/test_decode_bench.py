import json

import pytest
import torch
from transformers import LlamaConfig

from codesample.sampling.bench import methods, report, run, shapes
from codesample.sampling.bench.run import DecodeBench

SMALL = LlamaConfig(
    vocab_size=300,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=256,
)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setitem(shapes.SHAPES, "small", SMALL)
    for module in (shapes, run):
        monkeypatch.setitem(module.WORKLOADS, "short", shapes.Workload(9, (5, 12), 4, 8))


def bench(*names):
    return DecodeBench(shapes=["small"], workloads=["short"], methods=names, device=torch.device("cpu"))


def test_every_method_in_process_gives_a_row_with_its_ratio():
    names = ["generate", "repeated cache", "codesample, own caches", "codesample"]
    rows = list(bench(*names).jobs())
    assert [row["method"] for row in rows] == names
    assert all(row["tokens_per_second"] > 0 and row["first_token_seconds"] > 0 for row in rows)
    assert rows[-1]["codesample_is_faster_by"] == 1
    assert json.loads(json.dumps(rows)) == rows


def test_no_speed_is_given_for_a_method_that_draws_other_tokens(monkeypatch):
    def wrong(model, prompts, n, new, greedy):
        return methods.Drawn([torch.zeros(n, new, dtype=torch.int64) for _ in prompts], 0.0)

    def broken(*_):
        raise RuntimeError("no such backend")

    monkeypatch.setitem(methods.METHODS, "wrong", wrong)
    monkeypatch.setitem(methods.METHODS, "broken", broken)
    rows = list(bench("wrong", "broken", "codesample").jobs())
    assert rows[0]["refused"] == "greedy tokens differ from those of generate"
    assert "no such backend" in rows[1]["refused"]
    assert not any("tokens_per_second" in row for row in rows[:2])
    assert "not shown" in report.markdown(rows)


def test_steps_are_timed_by_method_after_their_logits_agree(tmp_path):
    rows = list(bench().steps([("small", 40, n) for n in (1, 3)]))
    assert [set(row["ms"]) for row in rows] == [{"repeated cache", "joined buffers", "codesample"}] * 2
    assert all(row["ratio"]["codesample"] == 1 for row in rows)
    report.save_rows(rows, tmp_path / "rows.jsonl")
    assert [json.loads(line) for line in (tmp_path / "rows.jsonl").open()] == rows
    assert report.markdown(rows).count("\n| small | 40 |") == 2


def test_prompts_share_their_header_and_repeat():
    workload = shapes.WORKLOADS["short"]
    first, second = workload.prompts(300)
    assert first[:9] == second[:9]
    assert (len(first), len(second)) == (14, 21)
    assert workload.prompts(300) == [first, second]
