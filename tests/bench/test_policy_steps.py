"""Passes over the same tokens: exact ones agree, and so does a policy that reads all."""

import pytest
import torch

from codesample.bench.policy_steps import PolicyBench, total_variation, typical
from codesample.errors import ModelError, ParameterError
from codesample.sampling.attention_probe import probe_shared_path
from codesample.sampling.policy_choice import PolicyChoice
from codesample.testing.models import random_model


@pytest.fixture(scope="module")
def bench() -> PolicyBench:
    model = random_model("llama")
    prompt = torch.randint(0, 256, (120,), generator=torch.Generator().manual_seed(0)).tolist()
    made = PolicyBench(model, probe_shared_path(model).kv_shapes, prompt, rows=6, steps=9)
    made.exact()
    return made


def test_exact_passes_draw_once_and_repeat(bench: PolicyBench) -> None:
    first, second = bench.exact(), bench.exact()
    assert len(first.seconds) == 9
    assert first.probabilities.shape == (9, 4, 259)
    assert torch.equal(first.probabilities, second.probabilities)
    assert bench.prefill_seconds > 0


@pytest.mark.parametrize("text", ["exact", "quest(keep=1)", "squeezed(keep=1, recent=9)", "token-select"])
def test_a_policy_that_reads_all_gives_the_same_distributions(bench: PolicyBench, text: str) -> None:
    found = bench.by(PolicyChoice(text))
    assert total_variation(found.probabilities, bench.exact().probabilities) < 1e-6
    assert found.account.share == (1.0 if text != "token-select" else pytest.approx(found.account.share))


def test_leaving_keys_out_whatever_the_guard_is_counted_and_seen(bench: PolicyBench) -> None:
    policy = PolicyChoice("quest(keep=0.2, page=4)")
    assert "guard=4096" in policy.spelt
    found, audited = bench.by(policy), bench.by(policy, audit=True)
    assert found.account.steps == 9 * 3
    assert found.account.refreshes == 2 * 3
    assert found.account.audit is None
    assert audited.account.audit is not None
    assert audited.account.audit.queries == 9 * 6
    assert torch.equal(found.probabilities, audited.probabilities)
    assert total_variation(found.probabilities, bench.exact().probabilities) > 0.01


def test_rows_that_choose_by_themselves_read_more(bench: PolicyBench) -> None:
    pooled, apart = (
        bench.by(PolicyChoice(f"quest(keep=0.2, page=4, pool={pool})")) for pool in ("true", "false")
    )
    assert apart.account.read_bytes == 6 * pooled.account.read_bytes
    assert apart.account.share == pytest.approx(6 * pooled.account.share)


@pytest.mark.parametrize(
    ("text", "apart"),
    [
        ("schedule=stream-k(workers=3)", (0, 1e-6)),
        ("schedule=fixed(keys=64)", (0, 1e-6)),
        ("decode_cache=cascade(capacity=6, levels=2, first=3)", (0, 1e-6)),
        ("decode_cache=cascade(capacity=2, levels=2, first=1)", (1e-4, 0.5)),
        ("storage=int8", (1e-6, 0.03)),
        ("storage=fp8", (0.02, 0.12)),
        ("prefill=star(block=24, tail=5)", (1e-4, 0.5)),
        ("prefill=star(block=60)", (0, 1e-6)),
        ("prefill=criti(budget=32, segment=16, block=8, threshold=16)", (1e-4, 0.5)),
        ("prefill=criti(budget=128, segment=16, block=8)", (0, 1e-6)),
        ("quest(keep=1), storage=int8, schedule=stream-k", (1e-6, 0.03)),
    ],
)
def test_every_axis_is_stepped_over_the_same_tokens(
    text: str, apart: tuple[float, float], bench: PolicyBench
) -> None:
    choice = PolicyChoice(text)
    found = bench.by(choice)
    assert apart[0] <= total_variation(found.probabilities, bench.exact().probabilities) <= apart[1]
    # a prompt is run once for all passes, and nothing of a pass is left for the next one
    assert torch.equal(found.probabilities, bench.by(choice).probabilities)
    assert (found.prefill_seconds is None) == (text.startswith("schedule"))


def test_own_tokens_are_held_up_to_the_capacity(bench: PolicyBench) -> None:
    held = [
        bench.by(PolicyChoice(f"decode_cache=cascade(capacity={capacity}, levels=2)")).own_tokens
        for capacity in (2, 4, 20)
    ]
    assert held == [9, 9, 9]
    choice = PolicyChoice("decode_cache=cascade(capacity=4, levels=2, first=1)")
    assert bench.by(choice).own_tokens == 5


def test_what_prompts_miss_and_how_far_outputs_move_is_measured_where_it_is_asked(bench: PolicyBench) -> None:
    star, int8 = PolicyChoice("prefill=star(block=24, tail=5)"), PolicyChoice("storage=int8")
    plain, audited = (bench.by(star, audit=audit).account.prefill for audit in (False, True))
    assert plain is not None
    assert audited is not None
    assert plain.share == audited.share < 1
    assert plain.audit is None
    assert audited.audit is not None
    assert 0 < audited.audit.overall < 1
    moved, unmoved = (bench.by(int8, audit=audit).account.storage for audit in (True, False))
    assert moved is not None
    assert unmoved is not None
    assert 0 < moved.output_error < 0.05
    assert unmoved.queries == 0
    # runs are stored in whole groups of 64 tokens
    assert 0 < unmoved.bytes / unmoved.exact_bytes < 0.5


def test_a_policy_that_wants_more_queries_than_are_kept_is_refused(bench: PolicyBench) -> None:
    with pytest.raises(ModelError, match="wants 600 last queries"):
        bench.by(PolicyChoice("squeezed(recent=600)"))


def test_more_steps_than_a_pattern_reads_own_tokens_of_are_refused(bench: PolicyBench) -> None:
    with pytest.raises(ParameterError, match=r"9 tokens; .* for 5 at most; lower steps"):
        bench.by(PolicyChoice("pattern(block_size=4, local_blocks=2)"))


def test_nothing_is_compared_before_tokens_are_drawn() -> None:
    model = random_model("llama")
    fresh = PolicyBench(model, probe_shared_path(model).kv_shapes, [1, 2, 3], rows=2, steps=2)
    with pytest.raises(ModelError, match="step exactly first"):
        fresh.by(PolicyChoice("quest"))


def test_figures() -> None:
    assert total_variation(torch.tensor([[1.0, 0]]), torch.tensor([[0.0, 1]])) == 1
    assert typical([9.0, 1.0, 2.0, 3.0]) == 2
    assert typical([9.0]) == 9
