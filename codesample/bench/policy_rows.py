"""What passes by a policy and exact ones come to: a row of figures, and when the policy pays."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median
from typing import NamedTuple

from codesample.bench.measurements import Measurement
from codesample.bench.policy_steps import Pass, total_variation, typical
from codesample.policies.accounting import Audit
from codesample.sampling.policy_choice import PolicyChoice

__all__ = ["Passes", "Paying", "paying", "policy_row"]


class Paying(NamedTuple):
    """From which step on a policy has saved time, and up to which; None: never, and for ever."""

    first: int | None
    last: int | None = None


def paying(before: float, exact: float, step: float) -> Paying:
    """Return when a policy has saved time.

    Args:
        before: Seconds that it costs once, before the first step; negative where it saves some.
        exact, step: Seconds of a step by all keys, and of one by the policy with its share of choosing.
    """
    saved = exact - step
    if before < 0 and saved < 0:
        return Paying(1, int(before / saved))
    if saved > 0:
        return Paying(max(1, -int(-before // saved)))
    return Paying(1 if before < 0 else None)


class Passes(NamedTuple):
    """Exact passes and a policy's of the same rounds, one with an audit, and seconds of the exact prefill."""

    exact: Sequence[Pass]
    by: Sequence[Pass]
    audited: Pass
    prefill_seconds: float


def policy_row(choice: PolicyChoice, passes: Passes, *, rows: int) -> Measurement:
    """Return the figures of a policy; None for what it does not do, such as choosing.

    Args:
        choice: Fitted to the model.
        passes: Its own and exact ones.
        rows: Of the passes.
    """
    exact, found, audited, prefill = passes
    account, looked = found[-1].account, audited.account
    steps = len(exact[0].seconds)
    # layers with a window choose nothing
    choosing = max(account.steps / steps, 1) * (1 if choice.pools else rows)
    choices = account.refreshes / choosing
    exact_mean, step_mean = (median(mean(each.seconds) for each in side) for side in (exact, found))
    prepare = median(each.account.prepare_seconds for each in found)
    own_run = found[-1].prefill_seconds
    more = own_run - prefill if own_run is not None and choice.runs_otherwise else 0.0
    pays = paying(prepare + more, exact_mean, step_mean if choice.steps_otherwise else exact_mean)
    chose = median(each.account.refresh_seconds for each in found) / max(choices, 1)
    storage, share = looked.storage, found[-1].prompt_share
    # what is not held cannot be looked at
    lets_go = share < 1 or found[-1].own_tokens < steps
    return {
        "policy": choice.spelt,
        "steps": steps,
        "rounds": len(found),
        "prefill_seconds": round(prefill, 2),
        "own_prefill_seconds": round(own_run, 2) if own_run is not None and choice.runs_otherwise else None,
        "exact_ms": round(1000 * median(typical(each.seconds) for each in exact), 2),
        "exact_mean_ms": round(1000 * exact_mean, 2),
        "step_ms": round(1000 * median(typical(each.seconds) for each in found), 2),
        "mean_ms": round(1000 * step_mean, 2),
        "refresh_ms": None if choice.reads_all else round(1000 * chose, 2),
        "prepare_seconds": None if choice.reads_all else round(prepare, 3),
        "break_even": pays.first,
        "pays_until": pays.last,
        "bytes": round(account.share * share, 4),
        "tokens": round(account.tokens_kept / account.tokens, 4) if account.tokens else 1.0,
        "own_tokens": round(found[-1].own_tokens / steps, 4),
        "pairs": round(looked.prefill.share, 4) if looked.prefill else 1.0 if share == 1 else None,
        "held": round(storage.bytes / storage.exact_bytes if storage else share, 4),
        **_missed("missed", looked.audit, nothing=choice.reads_all and not lets_go),
        **_missed("prompt_missed", looked.prefill.audit if looked.prefill else None, nothing=False),
        "moved": round(storage.output_error, 5) if storage and storage.queries else None,
        "total_variation": round(total_variation(audited.probabilities, exact[0].probabilities), 5),
    }


def _missed(name: str, audit: Audit | None, *, nothing: bool) -> Measurement:
    """Return the mean and the worst head's; None where nobody looked, unless nothing was left out."""
    if audit is None:
        return dict.fromkeys((name, f"{name}_worst"), 0.0 if nothing else None)
    return {name: round(audit.overall, 5), f"{name}_worst": round(audit.worst[0], 5)}
