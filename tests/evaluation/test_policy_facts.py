"""What a report says of the keys that were read, from the engine's account to the line that is printed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesample import ModelOptions, RunOptions, SamplingParams, evaluate
from codesample.errors import ParameterError, RunFolderError, UnknownNameError
from codesample.evaluation.comparison import compare_runs
from codesample.evaluation.policy_facts import added_up, policy_facts, policy_line
from codesample.evaluation.report import Report
from codesample.policies.accounting import Account, Audit, PrefillAccount
from codesample.policies.storage_accounting import StorageAccount


class Engine:
    policy_account: Any = None

    def describe(self) -> dict[str, Any]:
        return {"policy": "quest(keep=0.2)"}


def facts(**changes: Any) -> dict[str, Any]:
    engine = Engine()
    numbers = {
        "prefixes": 2,
        "steps": 10,
        "exact_bytes": 1000,
        "read_bytes": 200,
        "scored_bytes": 50,
    } | changes
    engine.policy_account = Account(**numbers)
    return policy_facts(engine)  # type: ignore[arg-type]


AUDIT = Audit(5, ((0.1, 0.2), (float("nan"),) * 2), ((0.3, 0.4), (float("nan"),) * 2))


def test_an_engine_without_an_account_has_no_facts() -> None:
    assert policy_facts(Engine()) == {}  # type: ignore[arg-type]
    assert policy_facts(object()) == {}  # type: ignore[arg-type]


def test_a_line_says_what_was_read_and_missed() -> None:
    assert policy_line(facts()) == "quest(keep=0.2): 25% of the bytes of 2 stored prompts read"
    assert policy_line(facts(audit=AUDIT)).endswith(
        "15.00% of attention missed (worst: 20.00%, layer 0, head 1)"
    )
    assert "of prompts nothing was left out" in policy_line(facts(steps=0))
    json.dumps(facts(audit=AUDIT), allow_nan=False)


def test_a_line_says_what_prompts_read_while_they_were_run() -> None:
    alone = facts(steps=0, prefill=PrefillAccount(40, 1000, 300))
    assert policy_line(alone) == "quest(keep=0.2): 40 tokens of prompts run with 30% of their attention"
    both = policy_line(facts(prefill=PrefillAccount(40, 1000, 300, AUDIT)))
    assert "25% of the bytes of 2 stored prompts read; 40 tokens of prompts run with 30%" in both
    assert both.endswith("15.00% of attention missed (worst: 20.00%, layer 0, head 1)")
    # no prompt was as long as the guard
    assert "of prompts nothing was left out" in policy_line(facts(steps=0, prefill=PrefillAccount()))
    json.dumps(facts(prefill=PrefillAccount(40, 1000, 300, AUDIT)), allow_nan=False)


def test_shards_add_up_what_prompts_read() -> None:
    total = added_up(
        [facts(prefill=PrefillAccount(40, 1000, 300, AUDIT)), {}, facts(prefill=PrefillAccount())]
    )
    assert total["prefill"] == {"tokens": 40, "pairs": 1000, "pairs_read": 300, "share": 0.3, "audit": None}
    assert "prefill" not in added_up([facts(), facts()])


def test_shards_add_up_how_prompts_are_held() -> None:
    looked_at = StorageAccount(2, 27, 100, queries=5, output_error=0.01, worst_error=0.2)
    more = StorageAccount(1, 30, 60, queries=15, output_error=0.03, worst_error=0.1)
    total = added_up([facts(storage=looked_at), {}, facts(storage=more), facts(storage=StorageAccount())])
    assert total["storage"] == {
        "runs": 3,
        "bytes": 57,
        "exact_bytes": 160,
        "queries": 20,
        "output_error": 0.025,
        "worst_error": 0.2,
    }
    assert "prompts held in 36% of their bytes, outputs moved by 2.50%" in policy_line(total)
    # a shard whose every prompt was shorter than the guard, and one that never looked
    unseen = added_up([facts(), facts(storage=StorageAccount(1, 30, 60))])["storage"]
    assert (unseen["runs"], unseen["queries"], unseen["output_error"]) == (1, 0, 0.0)
    assert added_up([facts(), facts()])["storage"] is None


def test_shards_are_added_up() -> None:
    assert added_up([]) == added_up([{}, {}]) == {}
    total = added_up([{}, facts(state_bytes=7), facts(read_bytes=400, state_bytes=5, audit=AUDIT)])
    assert total["steps"] == 20
    assert total["state_bytes"] == 7
    assert total["share"] == (200 + 50 + 400 + 50) / 2000
    assert total["audit"] is None
    assert policy_line(total)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an exact run and one with a policy."""
    place = tmp_path_factory.mktemp("runs")
    for name, policy in (("exact", "exact"), ("quest", "quest(keep=0.3, guard=8, page=4, audit=2)")):
        run(place / name, policy)
    return place


def run(out: Path, policy: str, **changes: Any) -> Report:
    return evaluate(
        "mini",
        model=ModelOptions(policy=policy),
        n=2,
        limit=3,
        params=SamplingParams(max_new_tokens=24),
        run=RunOptions(out=out, **changes),
    )


def test_a_run_keeps_account_of_what_was_read(runs: Path) -> None:
    content = json.loads((runs / "quest" / "results.json").read_text())
    policy = content["policy"]
    assert policy["policy"].startswith("quest(first=1, guard=8, keep=0.3")
    assert policy["steps"] > 0
    assert 0 < policy["share"] < 1
    assert 0 < policy["audit"]["missed"] < 1
    assert content["engine"]["reproducibility"] == "seeded"
    assert json.loads((runs / "exact" / "results.json").read_text())["policy"] == {}
    manifest = json.loads((runs / "quest" / "run.json").read_text())
    assert manifest["sessions"][0]["model"]["policy"] == policy["policy"]


def test_a_comparison_shows_the_policies(runs: Path) -> None:
    found = compare_runs(runs / "exact", runs / "quest")
    (change,) = [each for each in found.settings if each.name == "policy"]
    assert change.first == "exact"
    assert change.second.startswith("quest(")


def test_runs_of_different_policies_are_not_mixed(runs: Path) -> None:
    with pytest.raises(RunFolderError, match=r"policy is 'quest\(.*', the run has 'exact'"):
        run(runs / "exact", "quest(keep=0.3, guard=8)", resume=True)
    with pytest.raises(RunFolderError, match=r"policy is 'exact', the run has 'quest\("):
        run(runs / "quest", "exact", resume=True)
    # what is measured changes nothing
    again = run(runs / "quest", "quest(keep=0.3, guard=8, page=4)", resume=True)
    # and what was read stays known where nothing is drawn any more
    assert again.policy["steps"] > 0


def test_what_is_no_policy_is_refused_before_a_model_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="expected a comma or a closing bracket"):
        ModelOptions(policy="quest(keep=0.3")
    for text, error in (("qest", UnknownNameError), ("quest(keep=3)", ParameterError)):
        with pytest.raises(error):
            evaluate(
                "mini", model=ModelOptions("no such model", policy=text), run=RunOptions(out=tmp_path / "x")
            )
    with pytest.raises(ParameterError, match="policy = 'quest'"):
        evaluate("mini", model=ModelOptions("openai:x", policy="quest", base_url="http://localhost:9/v1"))


def test_a_line_says_how_prompts_are_held_and_what_has_to_be_known() -> None:
    storage = StorageAccount(runs=2, bytes=27, exact_bytes=100)
    assert policy_line(facts(steps=0, storage=storage)).endswith(": prompts held in 27% of their bytes")
    looked_at = replace(storage, queries=5, output_error=0.01, worst_error=0.2)
    said = policy_line(facts(storage=looked_at))
    assert said.endswith("prompts held in 27% of their bytes, outputs moved by 1.00% (worst: 20.00%)")
    assert "of prompts nothing was left out" in policy_line(facts(steps=0, storage=StorageAccount()))
    json.dumps(facts(storage=looked_at), allow_nan=False)

    class Ablation(Engine):
        policy_account = Account(steps=1, exact_bytes=2, read_bytes=1)

        def describe(self) -> dict[str, Any]:
            return super().describe() | {"policy_notice": "an ablation"}

    assert policy_line(policy_facts(Ablation())).endswith("; an ablation")  # type: ignore[arg-type]
