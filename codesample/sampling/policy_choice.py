"""Which keys of stored prompts a sampler reads, and what it keeps account of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import LayerStore, PackedKind, PreparedBatch, prepare_batch
from codesample.policies.accounting import Account, PrefillTally, Tally
from codesample.policies.axes import axis_choice, expect_compatible
from codesample.policies.cascade import Cascade
from codesample.policies.contract import ModelFacts, PrefixPolicy
from codesample.policies.exact import Exact
from codesample.policies.learned_scores import Scorer, learned_scorers
from codesample.policies.parametrised import Parametrised
from codesample.policies.prefill.frozen_prompt import FrozenPrompt
from codesample.policies.prefill.prefill_policy import PrefillPolicy
from codesample.policies.prefill.prefill_reads import PrefillReads
from codesample.policies.prefill.ring import Ring
from codesample.policies.prefill.star import Star
from codesample.policies.prefix_reads import PrefixReads
from codesample.policies.registry import prefix_policy
from codesample.policies.schedules import FixedSchedule, StreamKSchedule
from codesample.policies.storage import Storage
from codesample.policies.storage_accounting import StorageTally
from codesample.records import Policy
from codesample.records.policy import AXES, EXACT
from codesample.sampling.attention_probe import probe_shared_path
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.frozen_fit import fit_frozen
from codesample.sampling.headers import with_headers
from codesample.sampling.hosts.host_group import host_group
from codesample.sampling.hosts.spread import Spread
from codesample.sampling.hosts.spread_refusals import expect_spread
from codesample.sampling.kv_store import KVStore
from codesample.sampling.layer_masks import windows_of
from codesample.sampling.native import DIVIDED
from codesample.sampling.prefix_cache import PrefixCache
from codesample.sampling.prompts import Prompt
from codesample.sampling.rotary_shift import RotaryShift
from codesample.sampling.sharded.ranks import Ranks, ranks_of

__all__ = ["PolicyChoice"]

# of a text model, whatever its configuration calls them
_SIZES = ("num_hidden_layers", "num_attention_heads", "num_key_value_heads", "hidden_size")


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
        # as it is asked for, and as it is used on a model
        self._asked: PrefixPolicy = prefix_policy(self.policy) if chosen else Exact()
        self._prefix = self._asked
        found = {axis: axis_choice(self.policy, axis) for axis in AXES}
        self._others: dict[str, Parametrised] = {
            axis: each for axis, each in found.items() if each is not None
        }
        expect_compatible(self.policy)
        self._group = host_group(self.policy.hosts) if self.policy.hosts > 1 else None
        storage = self._storage
        self._stored = StorageTally(audit=storage.audit) if storage else None
        self._tally, self._prefill_tally = Tally(), PrefillTally()
        self.scorers: Mapping[int, Scorer] = {}
        self.shift: RotaryShift | None = None

    @property
    def is_exact(self) -> bool:
        """Whether prompts are run, stored and read as ever."""
        return self.reads_all and not self._others and self._group is None

    @property
    def draws_exactly(self) -> bool:
        """Whether what is drawn is what is drawn without a policy, but for rounding."""
        return self.reads_all and all(each.exact for each in self._others.values())

    @property
    def reads_all(self) -> bool:
        """Whether steps read every key of a prompt."""
        return self._prefix.reads_all

    @property
    def spelt(self) -> str:
        """All that settles what is read and kept, for records."""
        others = [f"{axis}={each.spelt}" for axis, each in self._others.items()]
        hosts = [f"hosts={self.policy.hosts}"] if self._group else []
        return ", ".join([self._prefix.spelt, *others, *hosts])

    @property
    def _prefill(self) -> PrefillPolicy | None:
        found = self._others.get("prefill")
        return found if isinstance(found, PrefillPolicy) else None

    @property
    def facts(self) -> dict[str, str]:
        """What a record of the engine says of it, {} where every key is read."""
        if self.is_exact:
            return {}
        notice = self._prefix.notice
        return {"policy": self.spelt} | ({"policy_notice": notice} if notice else {})

    @property
    def account(self) -> Account | None:
        """What was read so far; None where every key is, as it is."""
        read_as_ever = self.reads_all and self._prefill is None and self._stored is None
        if self._group is not None or read_as_ever:
            return None
        return replace(
            self._tally.account,
            prefill=self._prefill_tally.account if self._prefill else None,
            storage=self._stored.account if self._stored else None,
        )

    def served(self, checkpoint: Checkpoint) -> Checkpoint:
        """Fit the policy to a checkpoint, and return the checkpoint as it is sampled by the policy.

        Raises:
            ParameterError: its prompts are not stored once for all their rows, or not whole, or a part of the
                policy is not for it; names the policy and the reason.
        """
        checkpoint = replace(checkpoint, prompt_tokens=None, shift=None)
        if self.is_exact:
            return checkpoint
        model = checkpoint.model
        if ranks_of(model) is not None:
            raise ParameterError(f"policy = {str(self.policy)!r}: {DIVIDED}")
        config = model.config.get_text_config()
        sizes = {name: getattr(config, name, None) for name in _SIZES}
        facts = ModelFacts(checkpoint.name, vars(config) | sizes, dict(model.named_parameters()))
        self._prefix = self._asked.fitted(facts)
        self.scorers = learned_scorers(facts) if self._prefix.query_free else {}
        if any(facts.config.get(name) for name in self._prefix.computes):
            # what it computes is a doubt to whoever does not
            checkpoint = replace(checkpoint, **probe_shared_path(model, self._prefix)._asdict())
            if self._prefill is not None or self.frozen is not None:
                raise ParameterError(
                    f"policy = {str(self.policy)!r}: prompts of {checkpoint.name!r} are run by its own "
                    "pattern; leave prefill out"
                )
        if self._prefill is not None and self._storage is not None and self._storage.audit:
            raise ParameterError(
                f"policy = {str(self.policy)!r}: an audit of storage holds outputs against those of full "
                "prefill; leave audit or prefill out"
            )
        if self.cascade is not None and checkpoint.shared and windows_of(model):
            raise ParameterError(
                f"policy decode_cache = {self.cascade.name!r}: {checkpoint.name!r} has layers with a window, "
                "which count by position; leave it out"
            )
        if not checkpoint.shared:
            raise ParameterError(
                f"policy {str(self.policy)!r} is for keys that candidates share, and "
                f"{checkpoint.name!r} is sampled with one cache per candidate: {checkpoint.notice}; "
                "leave the policy out"
            )
        expect_spread(self.policy, checkpoint)
        if self.frozen is not None:
            checkpoint = fit_frozen(checkpoint, self.frozen)
            self.shift = checkpoint.shift
        return checkpoint

    def expect_one_process(self) -> None:
        """Refuse a policy that several processes compute, for whoever measures it in one.

        Raises:
            ParameterError: as said; names the policy.
        """
        if self._group is not None or self.policy.prefill == "ring":
            raise ParameterError(
                f"policy {str(self.policy)!r}: prompts that are spread over processes are not measured here; "
                "leave hosts and prefill=ring out"
            )

    def measured(self, *, audit: bool) -> PolicyChoice:
        """Return the same choice without guards, audited throughout or not at all, with counts of its own."""
        other = copy(self)
        other._asked, other._prefix = (_measured(each, audit=audit) for each in (self._asked, self._prefix))
        other._others = {axis: _measured(each, audit=audit) for axis, each in self._others.items()}
        storage = other._storage
        other._stored = StorageTally(audit=storage.audit) if storage else None
        other._tally, other._prefill_tally = Tally(), PrefillTally()
        return other

    @property
    def stores_otherwise(self) -> bool:
        """Whether a prompt has to be run, or room for rows be made, for this policy by itself."""
        return bool(self.scorers) or bool(self._others.keys() - {"schedule"})

    @property
    def steps_otherwise(self) -> bool:
        """Whether a step computes anything else than it would without a policy, once prompts are stored."""
        return not self.reads_all or bool(self._others.keys() - {"prefill"})

    @property
    def runs_otherwise(self) -> bool:
        """Whether running a prompt takes another time than without a policy."""
        return bool(self._others.keys() & {"prefill", "storage"})

    @property
    def pools(self) -> bool:
        """Whether the rows of a prompt choose together."""
        return self._prefix.pool

    @property
    def storage_tally(self) -> StorageTally | None:
        """Who is told of prompts in 8 bits; None where none are held so."""
        return self._stored

    def expect_own(self, longest: int, by: str = "max_new_tokens") -> None:
        """Refuse candidates that may grow longer, to so many tokens, than the policy reads rightly.

        Args:
            longest: How many tokens a candidate may have.
            by: What the caller can lower.

        Raises:
            ParameterError: as said.
        """
        most = self._prefix.longest_own
        if most is not None and longest > most:
            raise ParameterError(
                f"policy {self._prefix.name!r}: candidates may have {longest} tokens; it reads what the "
                f"model was trained to read for {most} at most; lower {by}"
            )

    def packed(self, tokens: int) -> PackedKind | None:
        """Return how prompts are held in 8 bits, the longest of so many tokens; None: as they are."""
        storage = self._storage
        return storage.kind if storage is not None and tokens >= storage.guard else None

    @property
    def _storage(self) -> Storage | None:
        found = self._others.get("storage")
        return found if isinstance(found, Storage) else None

    @property
    def cascade(self) -> Cascade | None:
        """How many own tokens candidates keep; None: all."""
        found = self._others.get("decode_cache")
        return found if isinstance(found, Cascade) else None

    @property
    def frozen(self) -> FrozenPrompt | None:
        """How many tokens of a prompt are kept; None: all."""
        found = self._others.get("prefill")
        return found if isinstance(found, FrozenPrompt) else None

    def cache(self, shared: PrefixCache, store: KVStore) -> PrefixCache:
        """Return where prompts of earlier calls are kept: not where others would take them for run in full.

        Nor are they kept for the same policy: a token's keys depend on where its run begins and ends, as do
        those in 8 bits.
        """
        alone = store.packed or self._prefill or self._group or self.apart or self.frozen
        return PrefixCache(0) if alone else shared

    def reads(self, layers: Sequence[LayerStore]) -> PrefixReads | None:
        """Return what follows the policy over a store; None where every key is read as it is."""
        packed = any(layer.packed is not None for layer in layers)
        if self.reads_all and not packed:
            return None
        return PrefixReads(self._prefix, layers, self._tally, self.scorers, self._stored)

    def prefill_reads(self, layers: int) -> PrefillReads | None:
        """Return what follows the policy while prompts are run; None where they are run in full."""
        prefill = self._prefill
        return None if prefill is None else PrefillReads(prefill, layers, self._prefill_tally)

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
        return list(prompts) if self._group or self.apart or self.frozen else with_headers(prompts)

    def preparing(self, impl: str) -> Callable[..., PreparedBatch]:
        """Return `prepare_batch` with an implementation and the policy's schedule."""
        schedule = self._others.get("schedule")
        division = schedule.division if isinstance(schedule, StreamKSchedule | FixedSchedule) else None
        return partial(prepare_batch, impl=impl, schedule=division)


Chosen = TypeVar("Chosen", bound=Parametrised)


def _measured(choice: Chosen, *, audit: bool) -> Chosen:
    wanted: dict[str, Any] = {"guard": 0, "audit": audit}
    # some count stretches, others say yes or no
    taken = {
        name: type(getattr(choice, name))(value)
        for name, value in wanted.items()
        if name in choice.parameters()
    }
    return replace(choice, **taken) if taken else choice  # type: ignore[type-var]
