"""Passes over the same tokens: exact ones agree, and so does a policy that reads all."""

import pytest
import torch

from codesample.bench.policy_steps import PolicyBench, total_variation, typical
from codesample.errors import ModelError
from codesample.policies.contract import PrefixPolicy
from codesample.policies.registry import prefix_policy
from codesample.sampling.attention_probe import probe_shared_path
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
    found = bench.by(prefix_policy(text))
    assert total_variation(found.probabilities, bench.exact().probabilities) < 1e-6
    assert found.account.share == (1.0 if text != "token-select" else pytest.approx(found.account.share))


def test_leaving_keys_out_whatever_the_guard_is_counted_and_seen(bench: PolicyBench) -> None:
    policy = prefix_policy("quest(keep=0.2, page=4)")
    assert policy.guard == 4096
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
        bench.by(prefix_policy(f"quest(keep=0.2, page=4, pool={pool})")) for pool in ("true", "false")
    )
    assert apart.account.read_bytes == 6 * pooled.account.read_bytes
    assert apart.account.share == pytest.approx(6 * pooled.account.share)


def test_a_policy_that_wants_more_queries_than_are_kept_is_refused(bench: PolicyBench) -> None:
    with pytest.raises(ModelError, match="wants 600 last queries"):
        bench.by(prefix_policy("squeezed(recent=600)"))


def test_nothing_is_compared_before_tokens_are_drawn() -> None:
    model = random_model("llama")
    fresh = PolicyBench(model, probe_shared_path(model).kv_shapes, [1, 2, 3], rows=2, steps=2)
    policy = prefix_policy("quest")
    assert isinstance(policy, PrefixPolicy)
    with pytest.raises(ModelError, match="step exactly first"):
        fresh.by(policy)


def test_figures() -> None:
    assert total_variation(torch.tensor([[1.0, 0]]), torch.tensor([[0.0, 1]])) == 1
    assert typical([9.0, 1.0, 2.0, 3.0]) == 2
    assert typical([9.0]) == 9
