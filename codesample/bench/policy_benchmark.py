"""What policies read, cost and miss behind long prompts, beside exact steps of the same rounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codesample.bench.long_prompts import code_before
from codesample.bench.machine import MODELS, machine
from codesample.bench.measurements import Measurement, reason_of
from codesample.bench.policy_rows import Passes, policy_row
from codesample.bench.policy_steps import Pass, PolicyBench
from codesample.bench.settings import PolicyOptions
from codesample.errors import CodesampleError, ParameterError
from codesample.sampling.checkpoint import Checkpoint, load_checkpoint
from codesample.sampling.policy_choice import PolicyChoice

__all__ = ["measure_policies"]

_FAILURES = (CodesampleError, MemoryError, RuntimeError)


def measure_policies(problem: str, options: PolicyOptions) -> Iterator[Measurement]:
    """Measure every policy at every length, as rows come.

    Args:
        problem: What the prompts end with.
        options: What is measured.

    Yields: a row per length and policy: seconds of the prefill, and of the policy's own where it has one;
        milliseconds of an exact step and of a step by the policy between two choices ("step_ms") and over all
        ("mean_ms"), of a choice over all layers ("refresh_ms"), seconds of preparing, after how many steps
        all that has paid ("break_even", None: after none) and up to which ("pays_until", None: for ever);
        shares of bytes, of tokens, of own tokens, of pairs computed while the prompt was run, of bytes held;
        attention missed by steps and by the prompt, how far outputs moved over keys in 8 bits, and total
        variation of next-token distributions; or "refused".

    Raises:
        UnknownNameError, ParameterError: a policy that is not known, is not for this model, or is computed by
            several processes; or a model whose prompts are not shared without its own pattern.
    """
    choices = [PolicyChoice(text) for text in options.policies or DEFAULT_POLICIES]
    for choice in choices:
        choice.expect_one_process()
    checkpoint = load_checkpoint(options.model, device=options.device, dtype=options.dtype)
    for choice in choices:
        choice.served(checkpoint)
    if not checkpoint.shared:
        raise ParameterError(
            f"{checkpoint.name}: {checkpoint.notice}; policies are measured beside exact steps over a shared "
            "prompt, which it has not"
        )
    facts = machine(MODELS, checkpoint.model.device)
    for tokens in options.contexts:
        cell: Measurement = {"kind": "policy", "model": checkpoint.name, "context": tokens, "n": options.n}
        try:
            rows = list(_measured(checkpoint, choices, problem, tokens, options))
        except _FAILURES as error:
            rows = [_refused(choice, error) for choice in choices]
        for row in rows:
            yield cell | row | facts


DEFAULT_POLICIES = ("quest", "squeezed", "squeezed(tail=estimate)", "token-select", "quest(pool=false)")
"""Those that are measured where none are named."""


def _refused(choice: PolicyChoice, error: Exception) -> Measurement:
    return {"policy": choice.spelt, "refused": reason_of(error)}


def _measured(
    checkpoint: Checkpoint,
    choices: Sequence[PolicyChoice],
    problem: str,
    tokens: int,
    options: PolicyOptions,
) -> Iterator[Measurement]:
    prompt = code_before(problem, tokens, checkpoint.encode)
    bench = PolicyBench(checkpoint.model, checkpoint.kv_shapes, prompt, rows=options.n, steps=options.steps)
    exact = [bench.exact()]
    passes: list[list[Pass]] = [[] for _ in choices]
    failed: dict[int, Exception] = {}
    # all of them meet the machine's slow minutes
    for number in range(options.repeats):
        if number:
            exact.append(bench.exact())
        for at, choice in enumerate(choices):
            if at not in failed:
                try:
                    passes[at].append(bench.by(choice))
                except _FAILURES as error:
                    failed[at] = error
    for at, (choice, found) in enumerate(zip(choices, passes, strict=True)):
        if at in failed:
            yield _refused(choice, failed[at])
            continue
        measured = Passes(exact, found, bench.by(choice, audit=True), bench.prefill_seconds)
        yield policy_row(choice, measured, rows=options.n)
