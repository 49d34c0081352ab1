"""Finds by name what the axes besides the prefix can be set to, and makes it of what was written."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from codesample.errors import ParameterError
from codesample.policies.parametrised import Parametrised, made_of
from codesample.records.policy import AXES, EXACT, Policy
from codesample.records.validation import validated

__all__ = ["CHOICES", "axis_choice", "axis_class", "expect_compatible"]

CHOICES: dict[str, Mapping[str, str]] = {
    "prefill": {
        "criti": "codesample.policies.prefill.criti:Criti",
        "star": "codesample.policies.prefill.star:Star",
        "ring": "codesample.policies.prefill.ring:Ring",
        "cascade": "codesample.policies.prefill.frozen_prompt:FrozenPrompt",
    },
    "decode_cache": {"cascade": "codesample.policies.cascade:Cascade"},
    "schedule": {
        "stream-k": "codesample.policies.schedules:StreamKSchedule",
        "fixed": "codesample.policies.schedules:FixedSchedule",
    },
    "storage": {
        "int8": "codesample.policies.storage:Int8",
        "fp8": "codesample.policies.storage:Fp8",
    },
}
"""By axis and name the class, a frozen dataclass made of `Parametrised`; each axis's default has none."""


def axis_class(axis: str, name: str) -> type[Parametrised]:
    """Return the class of a choice that is no default; imports its module alone."""
    module, _, attribute = CHOICES[axis][name].partition(":")
    found: type[Parametrised] = getattr(importlib.import_module(module), attribute)
    return found


@validated
def axis_choice(policy: str | Policy, axis: str) -> Any:
    """Return what a policy chooses on an axis, with its parameters; None for the axis's default.

    Args:
        policy: A record, or what `Policy.parse` reads, such as "prefill=criti(budget=2048)".
        axis: One of `codesample.records.policy.AXES`.

    Raises:
        ParameterError: a parameter that the choice does not have, or a value that it refuses.
    """
    policy = Policy.parse(policy) if isinstance(policy, str) else policy
    name, parameters = policy.chosen(axis)
    if name == AXES[axis][0]:
        return None
    return made_of(axis_class(axis, name), dict(parameters), called=f"{axis} = {name!r}")


@validated
def expect_compatible(policy: Policy) -> None:
    """Refuse choices that cannot both be kept.

    Raises:
        ParameterError: candidates that choose keys together are to be computed apart, fixed splits to read
            keys in 8 bits, or prompts of which some tokens are kept to be chosen from or packed; names both.
    """
    prefix, schedule = policy.chosen("prefix")[0], policy.chosen("schedule")[0]
    if policy.prefill == "cascade":
        for axis, usual in (("prefix", EXACT), ("storage", AXES["storage"][0])):
            if policy.chosen(axis)[0] != usual:
                raise ParameterError(
                    f"policy {str(policy)!r}: prefill = 'cascade' keeps some tokens of a prompt, which are "
                    f"all read as they are; leave it or {axis} = {policy.chosen(axis)[0]!r} out"
                )
    if schedule == "fixed" and policy.storage != AXES["storage"][0]:
        raise ParameterError(
            f"policy {str(policy)!r}: schedule = 'fixed' reads keys as they are, and storage = "
            f"{policy.storage!r} holds them in 8 bits; leave one of the two out"
        )
    if schedule == "fixed" and prefix != EXACT:
        raise ParameterError(
            f"policy {str(policy)!r}: schedule = 'fixed' computes each candidate apart from the others, and "
            f"{prefix!r} lets them choose keys together; leave one of the two out"
        )
