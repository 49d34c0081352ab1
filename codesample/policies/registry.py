"""Finds prefix policies by name, the built-in ones too, and makes them of what was written."""

from __future__ import annotations

import inspect

from codesample.errors import PolicyError
from codesample.plugins import PluginKind
from codesample.policies.axes import axis_choice, expect_compatible
from codesample.policies.contract import PrefixPolicy
from codesample.policies.parametrised import made_of
from codesample.records import Policy
from codesample.records.policy import AXES, EXACT
from codesample.records.validation import validated

__all__ = ["POLICIES", "expect_policy", "prefix_policy"]

POLICIES = PluginKind(
    kind="policy",
    group="codesample.policies",
    error=PolicyError,
    hint="List them: codesample list policies",
)


@validated
def prefix_policy(policy: str | Policy) -> PrefixPolicy:
    """Return the prefix policy that is named, with its parameters.

    Args:
        policy: A record, or what `Policy.parse` reads, such as "quest(keep=0.2)".

    Raises:
        UnknownNameError: no policy of that name is installed.
        PolicyError: a plug-in that cannot be loaded, or is no policy.
        ParameterError: a parameter that it does not have, or a value that it refuses.
    """
    policy = Policy.parse(policy) if isinstance(policy, str) else policy
    kind = POLICIES.load(policy.prefix)
    if not (inspect.isclass(kind) and issubclass(kind, PrefixPolicy) and not inspect.isabstract(kind)):
        raise PolicyError(f"policy {policy.prefix!r} is {kind!r}, expected a class made of `PrefixPolicy`")
    if kind.name != policy.prefix:
        raise PolicyError(
            f"policy {policy.prefix!r} calls itself {kind.name!r}; expected one name, since runs record it"
        )
    return made_of(kind, dict(policy.parameters), called=f"policy {policy.prefix!r}")


@validated
def expect_policy(policy: str | Policy) -> None:
    """Refuse a policy of which a part is not installed, or takes other parameters; loads no model.

    Raises:
        UnknownNameError, PolicyError, ParameterError: as `prefix_policy`, `axis_choice`, `expect_compatible`.
    """
    policy = Policy.parse(policy) if isinstance(policy, str) else policy
    if policy.prefix != EXACT or policy.parameters:
        prefix_policy(policy)
    for axis in AXES:
        axis_choice(policy, axis)
    expect_compatible(policy)
