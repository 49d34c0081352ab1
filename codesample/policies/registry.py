"""Finds prefix policies by name, the built-in ones too, and makes them of what was written."""

from __future__ import annotations

import inspect
from difflib import get_close_matches

from codesample.errors import ParameterError, PolicyError
from codesample.plugins import PluginKind
from codesample.policies.contract import PrefixPolicy
from codesample.records import Policy
from codesample.records.validation import validated

__all__ = ["POLICIES", "prefix_policy"]

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
    known = kind.parameters()
    for name, _ in policy.parameters:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            said = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known) or 'none'}"
            raise ParameterError(f"policy {policy.prefix!r} has no parameter {name!r}; {said}")
    try:
        return kind(**dict(policy.parameters))
    except ParameterError as error:
        raise ParameterError(f"policy {policy.prefix!r}: {error}") from error
    except Exception as error:
        raise PolicyError(
            f"policy {policy.prefix!r} could not be made: {type(error).__name__}: {error}"
        ) from error
