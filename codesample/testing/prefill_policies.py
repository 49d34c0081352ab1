"""A conformance kit for prefill policies: what any of them owes to the prompts that are run by it.

Each check takes a policy and a case and raises PolicyError where a promise is broken; `check_prefill_policy`
runs them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch

from codesample.errors import PolicyError
from codesample.policies.prefill.prefill_policy import PrefillAsk, PrefillPolicy, Stretch
from codesample.records.validation import validated
from codesample.testing.policies import PolicyCase

__all__ = ["check_prefill_policy"]

_CASES = (
    PolicyCase(),
    PolicyCase(tokens=1),
    PolicyCase(tokens=333, heads=(4, 4), spread=60, dtype=torch.float32),
    PolicyCase(heads=(8, 1), dtype=torch.bfloat16, seed=1),
)


@validated
def check_prefill_policy(policy: PrefillPolicy) -> None:
    """Hold a policy against all that prefill policies owe, for prompts of at most 640 tokens.

    Args:
        policy: With sizes by which prompts of 640 tokens leave something out.

    Raises:
        PolicyError: says what it did, and what was expected.
    """
    for case in _CASES:
        for check in (_covers, _repeats, _ends_whole, _is_the_same_in_passes):
            check(policy, case)


def _asks(case: PolicyCase) -> list[PrefillAsk]:
    """Return what each layer asks for a whole prompt."""
    return [
        PrefillAsk(0, layer, stored.queries, stored.keys, case.tokens, stored.scores)
        for layer, stored in enumerate(case.stored(case.tokens))
    ]


def _chosen(policy: PrefillPolicy, asks: Sequence[PrefillAsk]) -> list[list[Stretch]]:
    run = policy.begin()
    return [list(run.stretches(ask)) for ask in asks]


def _covers(policy: PrefillPolicy, case: PolicyCase) -> None:
    for ask, found in zip(_asks(case), _chosen(policy, _asks(case)), strict=True):
        borders = [ask.begin, *(each.end for each in found)]
        if [each.begin for each in found] + [ask.end] != borders or any(a >= b for a, b in pairwise(borders)):
            raise _broken(
                policy, f"spoke of {[each[:2] for each in found]}", f"all of {borders[0]}..{ask.end}"
            )
        for each in found:
            if not 0 <= each.own <= each.begin:
                raise _broken(policy, f"has own keys from {each.own}", f"0 to {each.begin}")
            _expect_index(policy, each, ask)


def _expect_index(policy: PrefillPolicy, stretch: Stretch, ask: PrefillAsk) -> None:
    index = stretch.earlier
    if index is None:
        return
    if index.dtype != torch.int64 or index.dim() != 2 or len(index) != len(ask.keys):
        raise _broken(policy, f"gave {list(index.shape)} {index.dtype}", f"[{len(ask.keys)}, N] torch.int64")
    inside = bool(((index >= 0) & (index < stretch.own)).all())
    if not inside or not bool((index[:, 1:] > index[:, :-1]).all()):
        raise _broken(policy, "named tokens behind `own`, or not in rising order", "each once, below `own`")


def _repeats(policy: PrefillPolicy, case: PolicyCase) -> None:
    if not _alike(*(_chosen(policy, _asks(case)) for _ in range(2))):
        raise _broken(policy, "chose otherwise the second time", "the same of the same prompt")


def _ends_whole(policy: PrefillPolicy, case: PolicyCase) -> None:
    for found in _chosen(policy, _asks(case)):
        if found[-1].earlier is not None or found[-1].own:
            raise _broken(policy, "left out keys for the last token", "all, since the first draw rests on it")


def _is_the_same_in_passes(policy: PrefillPolicy, case: PolicyCase) -> None:
    whole = [_by_token(each) for each in _chosen(policy, _asks(case))]
    cut = [*range(0, case.tokens, policy.step * max(1, 100 // policy.step)), case.tokens]
    parts: list[list[tuple[object, ...]]] = [[] for _ in whole]
    for begin, end in pairwise(cut):
        asks = [a._replace(queries=a.queries[:, begin:end], keys=a.keys[:, :end]) for a in _asks(case)]
        for part, found in zip(parts, _chosen(policy, asks), strict=True):
            part += _by_token(found)
    if parts != whole:
        raise _broken(policy, f"chose otherwise in passes that are cut at {cut}", "the same as in one pass")


def _by_token(stretches: Sequence[Stretch]) -> list[tuple[object, ...]]:
    return [
        (at, each.own, None if each.earlier is None else tuple(map(tuple, each.earlier.tolist())))
        for each in stretches
        for at in range(each.begin, each.end)
    ]


def _alike(one: list[list[Stretch]], other: list[list[Stretch]]) -> bool:
    return [_by_token(each) for each in one] == [_by_token(each) for each in other]


def _broken(policy: PrefillPolicy, did: str, expected: str) -> PolicyError:
    return PolicyError(f"policy prefill = {policy.name!r} {did}; expected {expected}")
