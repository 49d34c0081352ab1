"""Which keys of stored prompts a sampler reads, and what it keeps account of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import LayerStore, PreparedBatch, prepare_batch
from codesample.policies.accounting import Account, PrefillTally, Tally
from codesample.policies.axes import axis_choice, expect_compatible
from codesample.policies.contract import PrefixPolicy
from codesample.policies.exact import Exact
from codesample.policies.parametrised import Parametrised
from codesample.policies.prefill.prefill_policy import PrefillPolicy
from codesample.policies.prefill.prefill_reads import PrefillReads
from codesample.policies.prefill.ring import Ring
from codesample.policies.prefill.star import Star
from codesample.policies.prefix_reads import PrefixReads
from codesample.policies.registry import prefix_policy
from codesample.policies.schedules import FixedSchedule, StreamKSchedule
from codesample.records import Policy
from codesample.records.policy import AXES, EXACT
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.headers import with_headers
from codesample.sampling.hosts.host_group import host_group
from codesample.sampling.hosts.spread import Spread
from codesample.sampling.hosts.spread_refusals import expect_spread
from codesample.sampling.native import DIVIDED
from codesample.sampling.prefix_cache import PrefixCache
from codesample.sampling.prompts import Prompt
from codesample.sampling.sharded.ranks import Ranks, ranks_of

__all__ = ["PolicyChoice"]


class PolicyChoice:
    """A policy for one checkpoint.

    Args:
        policy: A record, or its text.

    Raises:
        UnknownNameError, PolicyError, ParameterError: see `expect_policy`.
    """

    def __init__(self, policy: str | Policy = "exact") -> None:
        self.policy = Policy.parse(policy) if isinstance(policy, str) else policy
        chosen = self.policy.chosen("prefix") != (EXACT, ())
        self._prefix: PrefixPolicy = prefix_policy(self.policy) if chosen else Exact()
        found = {axis: axis_choice(self.policy, axis) for axis in AXES}
        self._others: dict[str, Parametrised] = {
            axis: each for axis, each in found.items() if each is not None
        }
        expect_compatible(self.policy)
        self._group = host_group(self.policy.hosts) if self.policy.hosts > 1 else None
        self._tally, self._prefill_tally = Tally(), PrefillTally()

    @property
    def is_exact(self) -> bool:
        """Whether prompts are run, stored and read as ever."""
        return self._reads_all and not self._others and self._group is None

    @property
    def draws_exactly(self) -> bool:
        """Whether what is drawn is what is drawn without a policy, but for rounding."""
        return self._reads_all and all(each.exact for each in self._others.values())

    @property
    def _reads_all(self) -> bool:
        return isinstance(self._prefix, Exact)

    @property
    def spelt(self) -> str:
        """All that settles what is read, for records."""
        others = [f"{axis}={each.spelt}" for axis, each in self._others.items()]
        hosts = [f"hosts={self.policy.hosts}"] if self._group else []
        return ", ".join([self._prefix.spelt, *others, *hosts])

    @property
    def account(self) -> Account | None:
        """What was read so far; None where every key is."""
        if self._group is not None or (self._reads_all and self._prefill is None):
            return None
        account = self._tally.account
        return account if self._prefill is None else replace(account, prefill=self._prefill_tally.account)

    @property
    def _prefill(self) -> PrefillPolicy | None:
        found = self._others.get("prefill")
        return found if isinstance(found, PrefillPolicy) else None

    def expect_served(self, checkpoint: Checkpoint) -> None:
        """Refuse a checkpoint whose prompts are not stored once for all their rows, or not whole.

        Raises:
            ParameterError: as said; names the policy and the reason.
        """
        if self.is_exact:
            return
        if ranks_of(checkpoint.model) is not None:
            raise ParameterError(f"policy = {str(self.policy)!r}: {DIVIDED}")
        if not checkpoint.shared:
            raise ParameterError(
                f"policy {str(self.policy)!r} is for keys that candidates share, and "
                f"{checkpoint.name!r} is sampled with one cache per candidate: {checkpoint.notice}; "
                "leave the policy out"
            )
        expect_spread(self.policy, checkpoint)

    def reads(self, layers: Sequence[LayerStore]) -> PrefixReads | None:
        """Return what follows the policy over a store; None where every key is read."""
        return None if self._reads_all else PrefixReads(self._prefix, layers, self._tally)

    def prefill_reads(self, layers: int) -> PrefillReads | None:
        """Return what follows the policy while prompts are run; None where they are run in full."""
        prefill = self._prefill
        return None if prefill is None else PrefillReads(prefill, layers, self._prefill_tally)

    def cache(self, shared: PrefixCache) -> PrefixCache:
        """Return where prompts of earlier calls are kept: not where others would take them for run in full.

        Nor are they kept for the same policy: a token's keys depend on where its run begins and ends.
        """
        whole = self._prefill is None and self._group is None and not self.apart
        return shared if whole else PrefixCache(0)

    @property
    def apart(self) -> bool:
        """Whether nothing of a prompt may depend, to the bit, on the prompts beside it."""
        return isinstance(self._others.get("schedule"), FixedSchedule)

    @property
    def ranks(self) -> Ranks | None:
        """The processes that prompts are spread over, which have to draw the same; None where it is one."""
        return self._group.ranks if self._group else None

    @property
    def spread(self) -> Spread | None:
        """How the keys of prompts are spread over processes; None where one has all."""
        if self._group is None:
            return None
        prefill = self._others.get("prefill")
        return Spread(self._group, prefill if isinstance(prefill, Ring | Star) else None)

    def arranged(self, prompts: Sequence[Prompt]) -> list[Prompt]:
        """Return prompts with what they share as headers, unless each is to be stored by itself."""
        return list(prompts) if self._group or self.apart else with_headers(prompts)

    def preparing(self, impl: str) -> Callable[..., PreparedBatch]:
        """Return `prepare_batch` with an implementation and the policy's schedule."""
        schedule = self._others.get("schedule")
        division = schedule.division if isinstance(schedule, StreamKSchedule | FixedSchedule) else None
        return partial(prepare_batch, impl=impl, schedule=division)
