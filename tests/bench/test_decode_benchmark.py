import json

import pytest
import torch
from transformers import LlamaConfig

from codesample.bench import decode_cells, decode_methods, decode_steps, model_shapes, tables
from codesample.bench.decode_cells import DecodeBench
from codesample.sampling.attention_hook import DecodeState

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
    monkeypatch.setitem(model_shapes.SHAPES, "small", SMALL)
    for module in (model_shapes, decode_cells):
        monkeypatch.setitem(module.WORKLOADS, "short", model_shapes.Workload(9, (5, 12), 4, 8))


def bench(*names, dtype=torch.float32):
    cpu = torch.device("cpu")
    return DecodeBench(shapes=["small"], workloads=["short"], methods=names, device=cpu, dtype=dtype)


def test_every_method_in_process_gives_a_row_with_its_ratio():
    names = ["generate", "repeated cache", "codesample, own caches", "codesample"]
    rows = list(bench(*names).jobs())
    assert [row["method"] for row in rows] == names
    assert all(row["tokens_per_second"] > 0 and row["first_token_seconds"] > 0 for row in rows)
    assert rows[-1]["codesample_is_faster_by"] == 1
    assert json.loads(json.dumps(rows)) == rows


def test_no_speed_is_given_for_a_method_that_draws_other_tokens(monkeypatch):
    def wrong(model, prompts, n, new, greedy):
        return decode_methods.Drawn([torch.zeros(n, new, dtype=torch.int64) for _ in prompts], 0.0)

    def broken(*_):
        raise NotImplementedError

    def short(model, prompts, n, new, greedy):
        drawn = decode_methods.generate(model, prompts, n, new, greedy)
        return drawn._replace(tokens=[tokens[:, 1:] for tokens in drawn.tokens])

    for name, method in {"wrong": wrong, "broken": broken, "short": short}.items():
        monkeypatch.setitem(decode_methods.METHODS, name, method)
    rows = list(bench("wrong", "broken", "short", "codesample").jobs())
    assert rows[0]["refused"].startswith("greedy tokens are not the likeliest")
    assert rows[1]["refused"] == "NotImplementedError"
    assert rows[2]["refused"] == "[4, 5] tokens for [4, 6]"
    assert not any("tokens_per_second" in row for row in rows[:3])
    assert rows[3]["tokens_per_second"] > 0
    assert tables.markdown(rows).count("not shown") == 3


@pytest.mark.parametrize(("prompt", "row"), [(1, 0), (0, 3)])
def test_the_check_covers_every_prompt_and_several_rows(monkeypatch, prompt, row):
    def wrong_once(model, prompts, n, new, greedy):
        drawn = decode_methods.generate(model, prompts, n, new, greedy)
        drawn.tokens[prompt][row, -1] += 1
        return drawn

    monkeypatch.setitem(decode_methods.METHODS, "wrong once", wrong_once)
    (found,) = bench("wrong once").jobs()
    assert "not the likeliest" in found["refused"]


def test_a_method_that_fails_while_it_is_timed_costs_its_own_row_only(monkeypatch):
    def failing(model, prompts, n, new, greedy):
        if not greedy:
            raise RuntimeError("out of luck\nand more")
        return decode_methods.generate(model, prompts, n, new, greedy)

    monkeypatch.setitem(decode_methods.METHODS, "failing", failing)
    rows = list(bench("failing", "codesample").jobs())
    assert rows[0]["refused"] == "RuntimeError: out of luck"
    assert rows[1]["tokens_per_second"] > 0


def test_a_method_that_would_not_fit_memory_is_not_tried(monkeypatch):
    monkeypatch.setattr(decode_cells, "free_memory", lambda device: 1000)
    rows = list(bench("generate", "codesample").jobs())
    assert rows[0]["refused"].endswith("0.0 GB are free")
    assert rows[1]["tokens_per_second"] > 0


def test_rounding_refuses_no_method_in_bfloat16():
    bench16 = bench("generate", "codesample", dtype=torch.bfloat16)
    rows = [*bench16.jobs(), *bench16.steps([("small", 40, 3)])]
    assert not [row["refused"] for row in rows if "refused" in row]
    assert rows[-1]["left_out"] == {}


def test_a_row_names_the_device_it_was_measured_on(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "a GPU")
    assert decode_cells.machine(torch.device("cpu"))["device"] != "a GPU"
    assert decode_cells.machine(torch.device("cuda"))["device"] == "a GPU"


def test_steps_are_timed_by_method_after_their_logits_agree(tmp_path):
    rows = list(bench().steps([("small", 40, n) for n in (1, 3)]))
    assert [set(row["ms"]) for row in rows] == [{"repeated cache", "joined buffers", "codesample"}] * 2
    assert all(row["ratio"]["codesample"] == 1 for row in rows)
    tables.save_rows(rows, tmp_path / "rows.jsonl")
    assert [json.loads(line) for line in (tmp_path / "rows.jsonl").open()] == rows
    assert tables.markdown(rows).count("\n| small | 40 |") == 2


def test_steps_with_wrong_logits_are_refused(monkeypatch):
    prepare, attend = decode_steps.StepBench.__post_init__, DecodeState.attend

    def spoil(bench):
        prepare(bench)
        monkeypatch.setattr(DecodeState, "attend", lambda *given: 1.5 * attend(*given))

    monkeypatch.setattr(decode_steps.StepBench, "__post_init__", spoil)
    rows = list(bench().steps([("small", 40, 2)]))
    assert rows[0]["refused"].startswith("logits differ by")
    assert "not shown: logits differ" in tables.markdown(rows)


def test_rivals_of_a_step_that_do_not_fit_are_left_out(monkeypatch, tmp_path):
    monkeypatch.setattr(decode_steps, "free_memory", lambda device: 1000)
    (row,) = bench().steps([("small", 40, 2)])
    assert set(row["ms"]) == {"codesample"}
    assert set(row["left_out"]) == {"repeated cache", "joined buffers"}
    assert tables.markdown([row]).count("not shown: ModelError: needs 0.0 GB") == 2
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    tables.plot([row], tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_prompts_share_their_header_and_repeat():
    workload = model_shapes.WORKLOADS["short"]
    first, second = workload.prompts(300)
    assert first[:9] == second[:9]
    assert (len(first), len(second)) == (14, 21)
    assert workload.prompts(300) == [first, second]
