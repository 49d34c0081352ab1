"""What a run's report says of the policy by which keys of its prompts were read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from codesample.engines.contract import Engine
from codesample.errors import RunFolderError
from codesample.runs import RunFolder

__all__ = ["added_up", "kept_facts", "policy_facts", "policy_line"]

_RATIOS = ("read_bytes", "scored_bytes", "gathered_bytes")


def policy_facts(engine: Engine) -> dict[str, Any]:
    """Return the engine's account of this session, with the policy; {} where every key is read."""
    account = getattr(engine, "policy_account", None)
    if account is None:
        return {}
    facts: dict[str, Any] = account.as_json()
    said = engine.describe()
    notice = {"notice": said["policy_notice"]} if "policy_notice" in said else {}
    return {"policy": said.get("policy", "")} | notice | facts


def kept_facts(run: RunFolder, spent: Mapping[str, Any], *, tokens: int) -> Mapping[str, Any]:
    """Return a session's facts, or where it drew nothing those that the run's results have."""
    if tokens:
        return spent
    with suppress(RunFolderError):
        return (run.results() or {}).get("policy") or spent
    return spent


def added_up(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the account of several sessions of one policy; what was audited of attention stays with each."""
    known = [each for each in facts if each]
    if not known:
        return {}
    total: dict[str, Any] = dict(known[0]) | {"audit": None}
    for each in known[1:]:
        for name, value in each.items():
            if name == "state_bytes":
                total[name] = max(total[name], value)
            elif isinstance(value, int | float) and name != "share":
                total[name] += value
    if total["exact_bytes"]:
        total["share"] = round(sum(total[name] for name in _RATIOS) / total["exact_bytes"], 4)
    if parts := [each["prefill"] for each in known if "prefill" in each]:
        total["prefill"] = _prefills_added_up(parts)
    parts = [each["storage"] for each in known if each.get("storage")]
    total["storage"] = _storages_added_up(parts) if parts else None
    return total


def _prefills_added_up(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    total: dict[str, Any] = {
        name: sum(each[name] for each in parts) for name in ("tokens", "pairs", "pairs_read")
    }
    share = total["pairs_read"] / total["pairs"] if total["pairs"] else 1.0
    return total | {"share": round(share, 4), "audit": None}


def _storages_added_up(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    total: dict[str, Any] = {
        name: sum(each[name] for each in parts) for name in ("runs", "bytes", "exact_bytes", "queries")
    }
    # a mean over all outputs that were computed both ways, of any shard
    moved = sum(each["output_error"] * each["queries"] for each in parts)
    worst = max(each["worst_error"] for each in parts)
    error = round(moved / total["queries"], 6) if total["queries"] else 0.0
    return total | {"output_error": error, "worst_error": worst}


def policy_line(facts: Mapping[str, Any]) -> str:
    """Say in a line what was read and what was missed, and what has to be known of it."""
    said = []
    if facts["steps"]:
        read = f"{facts['share']:.0%} of the bytes of {facts['prefixes']} stored prompts read"
        said.append(read + _missed(facts["audit"]))
    if (prefill := facts.get("prefill") or {}).get("pairs"):
        read = f"{prefill['tokens']} tokens of prompts run with {prefill['share']:.0%} of their attention"
        said.append(read + _missed(prefill["audit"]))
    if (storage := facts.get("storage") or {}).get("runs"):
        said.append(_held(storage))
    nothing = "of prompts nothing was left out: none that was read is as long as its guard"
    notice = f"; {facts['notice']}" if "notice" in facts else ""
    return f"{facts['policy']}: {'; '.join(said) or nothing}{notice}"


def _held(storage: Mapping[str, Any]) -> str:
    words = f"prompts held in {storage['bytes'] / storage['exact_bytes']:.0%} of their bytes"
    if storage["queries"]:
        words += f", outputs moved by {storage['output_error']:.2%} (worst: {storage['worst_error']:.2%})"
    return words


def _missed(audit: Mapping[str, Any] | None) -> str:
    if not audit:
        return ""
    worst = f"{audit['worst']:.2%}, layer {audit['worst_layer']}, head {audit['worst_head']}"
    return f", {audit['missed']:.2%} of attention missed (worst: {worst})"
