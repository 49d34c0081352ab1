"""What policies read, cost and miss behind long prompts, beside exact steps of the same rounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import mean, median

from codesample.bench.long_prompts import code_before
from codesample.bench.machine import MODELS, machine
from codesample.bench.measurements import Measurement, reason_of
from codesample.bench.policy_steps import Pass, PolicyBench, total_variation, typical
from codesample.bench.settings import PolicyOptions
from codesample.errors import CodesampleError
from codesample.policies.contract import PrefixPolicy
from codesample.sampling.checkpoint import Checkpoint, load_checkpoint
from codesample.sampling.policy_choice import PolicyChoice

__all__ = ["break_even", "measure_policies"]


def measure_policies(problem: str, options: PolicyOptions) -> Iterator[Measurement]:
    """Measure every policy at every length, as rows come.

    Args:
        problem: What the prompts end with.
        options: What is measured.

    Yields: a row per length and policy: seconds of the prefill, milliseconds of an exact step and of a step
        by the policy between two choices ("step_ms") and over all ("mean_ms"), of a choice over all layers
        ("refresh_ms"), seconds of preparing, how many steps pay for that ("break_even", None: none do),
        shares of bytes and tokens, attention missed and total variation of next-token distributions; or
        "refused".
    """
    choices = [PolicyChoice(text) for text in options.policies or DEFAULT_POLICIES]
    for choice in choices:
        choice.expect_prefix_alone()
    checkpoint = load_checkpoint(options.model, device=options.device, dtype=options.dtype)
    policies = [choice.prefix_for(checkpoint) for choice in choices]
    facts = machine(MODELS, checkpoint.model.device)
    for tokens in options.contexts:
        cell: Measurement = {"kind": "policy", "model": checkpoint.name, "context": tokens, "n": options.n}
        try:
            rows = list(_measured(checkpoint, policies, problem, tokens, options))
        except (CodesampleError, MemoryError, RuntimeError) as error:
            rows = [{"policy": policy.spelt, "refused": reason_of(error)} for policy in policies]
        for row in rows:
            yield cell | row | facts


DEFAULT_POLICIES = ("quest", "squeezed", "squeezed(tail=estimate)", "token-select", "quest(pool=false)")
"""Those that are measured where none are named."""


def _measured(
    checkpoint: Checkpoint,
    policies: Sequence[PrefixPolicy],
    problem: str,
    tokens: int,
    options: PolicyOptions,
) -> Iterator[Measurement]:
    prompt = code_before(problem, tokens, checkpoint.encode)
    bench = PolicyBench(checkpoint.model, checkpoint.kv_shapes, prompt, rows=options.n, steps=options.steps)
    exact = [bench.exact()]
    passes: list[list[Pass]] = [[] for _ in policies]
    # all of them meet the machine's slow minutes
    for number in range(options.repeats):
        if number:
            exact.append(bench.exact())
        for policy, found in zip(policies, passes, strict=True):
            found.append(bench.by(policy))
    exact_ms = 1000 * median(typical(each.seconds) for each in exact)
    exact_mean = median(mean(each.seconds) for each in exact)
    for policy, found in zip(policies, passes, strict=True):
        audited = bench.by(policy, audit=True)
        account, audit = found[-1].account, audited.account.audit
        layers = len(checkpoint.kv_shapes)
        choices = account.refreshes / layers / (1 if policy.pool else options.n)
        mean_ms = 1000 * median(mean(each.seconds) for each in found)
        prepare = median(each.account.prepare_seconds for each in found)
        yield {
            "policy": policy.spelt,
            "steps": options.steps,
            "rounds": options.repeats,
            "prefill_seconds": round(bench.prefill_seconds, 2),
            "exact_ms": round(exact_ms, 2),
            "exact_mean_ms": round(1000 * exact_mean, 2),
            "step_ms": round(1000 * median(typical(each.seconds) for each in found), 2),
            "mean_ms": round(mean_ms, 2),
            "refresh_ms": round(
                1000 * median(each.account.refresh_seconds for each in found) / max(choices, 1), 2
            ),
            "prepare_seconds": round(prepare, 3),
            "break_even": break_even(prepare, exact_mean, mean_ms / 1000),
            "bytes": round(account.share, 4),
            "tokens": round(account.tokens_kept / account.tokens, 4) if account.tokens else 1.0,
            "missed": round(audit.overall, 5) if audit else 0.0,
            "missed_worst": round(audit.worst[0], 5) if audit else 0.0,
            "total_variation": round(total_variation(audited.probabilities, exact[0].probabilities), 5),
        }


def break_even(prepare: float, exact: float, step: float) -> int | None:
    """Return after how many steps preparing has paid for itself; None where a step saves nothing.

    Args:
        prepare: Seconds, once.
        exact, step: Seconds of a step by all keys, and of one by the policy with its share of choosing.
    """
    saved = exact - step
    return None if saved <= 0 else max(1, -int(-prepare // saved))
