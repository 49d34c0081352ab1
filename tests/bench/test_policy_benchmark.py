"""Rows of the policy benchmark: all figures, refusals by reason, and break-even that is worked out."""

from dataclasses import replace

import pytest

from codesample.bench import policy_benchmark
from codesample.bench.policy_benchmark import measure_policies
from codesample.bench.policy_results import policy_tables
from codesample.bench.settings import PolicyOptions
from codesample.errors import ParameterError, UnknownNameError
from codesample.sampling.checkpoint import load_checkpoint


def test_every_length_and_policy_has_a_row_and_one_that_cannot_be_says_why() -> None:
    options = PolicyOptions(
        policies=("exact", "quest(keep=0.3, page=4)", "squeezed(recent=16)"),
        contexts=(90, 10**7),
        n=3,
        steps=4,
        repeats=1,
        device="cpu",
    )
    found = list(measure_policies("def add(x):\n", options))
    assert [(m["context"], m["policy"].partition("(")[0]) for m in found] == [
        (context, name) for context in (90, 10**7) for name in ("exact", "quest", "squeezed")
    ]
    exact, quest, squeezed = found[:3]
    assert exact["bytes"] == 1
    assert exact["missed"] == 0
    assert exact["total_variation"] < 1e-5
    for m in (quest, squeezed):
        assert 0 < m["tokens"] < 1
        assert 0 < m["missed"] <= m["missed_worst"] < 1
        assert m["refresh_ms"] > 0
    assert squeezed["prepare_seconds"] > 0
    assert all("ask for fewer" in m["refused"] for m in found[3:])
    shown = policy_tables(found)
    assert shown.count("not shown: ") == 3
    assert f"| {quest['step_ms']} |" in shown
    slower = [m for m in found if m.get("break_even", 0) is None]
    assert shown.count("nothing is gained") == len(slower)


def test_other_axes_have_rows_with_what_they_have_and_nothing_else() -> None:
    options = PolicyOptions(
        policies=(
            "exact",
            "storage=int8",
            "prefill=star(block=24, tail=5)",
            "decode_cache=cascade(capacity=4, levels=2, first=1)",
            "schedule=stream-k",
            "quest(keep=0.3, page=4), storage=fp8",
            "prefill=cascade(capacity=40, levels=2, first=5, stride=16)",
            "squeezed(recent=600)",
        ),
        contexts=(90,),
        n=3,
        steps=10,
        repeats=1,
        device="cpu",
    )
    found = list(measure_policies("def add(x):\n", options))
    exact, int8, star, cascade, stream, both, frozen, refused = found
    assert "wants 600 last queries" in refused["refused"]
    for m in (int8, star, cascade, stream):
        assert m["refresh_ms"] is None
        assert m["prepare_seconds"] is None
        assert m["missed"] == (None if m is cascade else 0)
    assert [m["own_prefill_seconds"] is None for m in found[:6]] == [True, False, False, True, True, False]
    assert int8["held"] < 0.5
    assert int8["bytes"] < 0.5
    assert 0 < int8["moved"] < both["moved"]
    assert star["pairs"] < 1
    assert 0 < star["prompt_missed"] < 1
    assert cascade["own_tokens"] == 0.5
    assert [m["own_tokens"] for m in (exact, int8, star, stream, both)] == [1] * 5
    assert frozen["own_prefill_seconds"] is not None
    assert frozen["bytes"] == frozen["held"] == 0.5
    assert frozen["pairs"] is frozen["missed"] is None
    assert frozen["total_variation"] > 0
    assert both["refresh_ms"] > 0
    assert 0 < both["missed"] < 1
    assert stream["total_variation"] < 1e-5 < int8["total_variation"]
    # steps are the same once prompts are stored, so that running them settles it
    assert star["break_even"] in (1, None)
    assert star["pays_until"] is None
    shown = policy_tables(found).splitlines()
    columns = [cell.strip() for cell in shown[0].split("|")]
    for title in ("prefill, s", "pairs", "prompt missed", "held", "own tokens", "moved", "choice, ms"):
        assert title in columns
    stars = [cell.strip() for cell in shown[2 + 2].split("|")]
    assert stars[columns.index("choice, ms")] == "-"
    assert stars[columns.index("own tokens")] == "100.0%"
    assert columns.index("moved") > columns.index("held")
    narrow = policy_tables([exact, stream]).splitlines()[0]
    assert "pairs" not in narrow
    assert "held" not in narrow


def test_a_row_that_pays_is_shown_with_its_steps() -> None:
    row = {
        "context": 8192,
        "n": 32,
        "policy": "quest",
        "exact_ms": 10.0,
        "exact_mean_ms": 10.0,
        "step_ms": 5.0,
        "mean_ms": 6.0,
        "refresh_ms": 8.0,
        "prepare_seconds": 0.1,
        "bytes": 0.25,
        "missed": 0.012,
        "missed_worst": 0.3,
        "total_variation": 0.02,
        "break_even": 25,
    }
    assert "| 10.0 | 5.0 | 8.0 | 0.1 | 25.0% | 1.2% | 30.0% | 2.0% | 25 steps |" in policy_tables([row])
    assert "| up to 9 steps |" in policy_tables([row | {"break_even": 1, "pays_until": 9}])
    assert "| at once |" in policy_tables([row | {"break_even": 1}])
    run = policy_tables([row | {"break_even": None, "prefill_seconds": 2.0, "own_prefill_seconds": 3.0}])
    assert "the prompt takes 1.50 times as long to run" in run
    slower = policy_tables([row | {"break_even": None, "mean_ms": 12.0}])
    assert "1.20 times as long as an exact one" in slower


@pytest.mark.parametrize("changes", [{"n": 0}, {"steps": 1}, {"repeats": 0}, {"contexts": (0,)}])
def test_numbers_below_one_are_refused(changes: dict) -> None:
    with pytest.raises(ParameterError):
        PolicyOptions(**changes)


def test_an_unknown_policy_is_refused_before_a_model_is_loaded() -> None:
    with pytest.raises(UnknownNameError):
        next(measure_policies("x", PolicyOptions(model="no such model", policies=("qest",))))


def test_what_several_processes_compute_is_refused_before_a_model_is_loaded() -> None:
    with pytest.raises(ParameterError, match="leave hosts and prefill=ring out"):
        next(measure_policies("x", PolicyOptions(model="no such model", policies=("prefill=ring",))))


def test_a_model_whose_prompts_are_not_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    apart = replace(load_checkpoint("tiny"), kv_shapes=(), notice="it has attention of its own")
    monkeypatch.setattr(policy_benchmark, "load_checkpoint", lambda *_, **__: apart)
    options = PolicyOptions(policies=("exact",), contexts=(90,), n=3, steps=4, device="cpu")
    with pytest.raises(ParameterError, match=r"attention of its own; policies are measured beside exact"):
        next(measure_policies("def add(x):\n", options))
