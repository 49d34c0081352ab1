"""The actors of one kind that live: starts them, replaces the dead, and says why none is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from codesample.distributed.cluster import Actor, ActorLostError, Cluster, Happened
from codesample.distributed.mailbox import Failure
from codesample.distributed.placement import Node, Slot
from codesample.errors import CodesampleError

__all__ = ["Crew", "Member", "Recruits"]

LOOK_SECONDS = 5.0
"""How often the cluster is asked which nodes it has."""

HELLO_SECONDS = 300.0
"""An actor that has not begun by then finds no room in the cluster, or its node is stuck."""

START_SECONDS = 3600.0
"""Most that opening an engine or a judge may take."""

TRIES = 3
"""So many actors may die in one place with nothing to show for it, before the place is given up."""


@dataclass(frozen=True, slots=True)
class Recruits:
    """What actors a crew has.

    Attributes:
        kind: Their class; it has `look` and `open`.
        what: What they are called in messages.
        opening: Given a place, returns what `open` is given there.
        place: Where they go, of the nodes that live.
        admit: Given a place and what `open` returned, says why the actor is of no use; "" where it is.
        error: Of what kind it is that none is left.
    """

    kind: type
    what: str
    opening: Callable[[Slot], Any]
    place: Callable[[Sequence[Node]], list[Slot]]
    admit: Callable[[Slot, Any], str]
    error: type[CodesampleError]


@dataclass(eq=False, slots=True)
class Member:
    """One actor.

    Attributes:
        actor, slot: What it is and where.
        hello, opening: What it was asked first; None once answered.
        begun: When, by `time.monotonic()`.
        opened: What `open` returned.
    """

    actor: Actor
    slot: Slot
    hello: Any
    opening: Any
    begun: float
    opened: Any = None


class Crew:
    """Actors of one kind. Nothing here waits but `settle_in`; one thread calls all of it.

    Args:
        cluster: Where they are.
        recruits: Which they are.
        happened: Is told of every one that joins, dies or is left out.

    Attributes:
        live: Those that can be given work.
    """

    def __init__(self, cluster: Cluster, recruits: Recruits, happened: Happened) -> None:
        self.live: list[Member] = []
        self._cluster, self._recruits, self._happened = cluster, recruits, happened
        self._coming: list[Member] = []
        self._tries: dict[tuple[str, int], int] = {}
        self._closed_to: set[tuple[str, int]] = set()
        self._looked = float("-inf")
        self._last = ""
        self._refusal: Failure | None = None

    def tend(self) -> None:
        """Take in those that are ready, and start new ones where there is room."""
        self._welcome()
        if monotonic() - self._looked >= LOOK_SECONDS:
            self._start()

    def settle_in(self, *, all_within: float = 0.0) -> None:
        """Wait until one lives, and for `all_within` seconds until all do that are going to.

        Raises:
            CodesampleError: as `expect_living`.
        """
        end = monotonic() + all_within
        while True:
            self.tend()
            self.expect_living()
            if self.live and (not self._coming or monotonic() >= end):
                return
            self._cluster.settled([each for one in self._coming for each in _asked(one)], seconds=0.2)

    def expect_living(self) -> None:
        """Refuse to go on where no actor lives and none is coming.

        Raises:
            CodesampleError: as said, with the reason of the last.
        """
        if self.live or self._coming:
            return
        self._start()
        if self._coming:
            return
        if self._refusal is not None and self._refusal.refused:
            raise self._refusal.raised()
        why = self._last or "the cluster has no node that has room for one (see `ray status`)"
        raise self._recruits.error(f"no {self._recruits.what} is left: {why}")

    def lost(self, member: Member, why: str) -> None:
        """Give up an actor; another takes its place where its node lives."""
        self.live = [each for each in self.live if each is not member]
        self._coming = [each for each in self._coming if each is not member]
        self._cluster.end(member.actor)
        self._happened.died(self._recruits.what, str(member.slot), why)
        self._last = f"{member.slot}: {why}"
        place = (member.slot.node.id, member.slot.number)
        self._tries[place] = self._tries.get(place, 0) + 1
        if self._tries[place] >= TRIES:
            self._leave_out(member.slot, f"{TRIES} in a row died there; the last: {why}")
        # a replacement at once, if the node is still there
        self._looked = min(self._looked, monotonic() - LOOK_SECONDS + 0.5)

    def worked(self, member: Member) -> None:
        """Note that an actor has something to show."""
        self._tries.pop((member.slot.node.id, member.slot.number), None)

    def close(self) -> None:
        """End all of them."""
        for each in (*self.live, *self._coming):
            self._cluster.end(each.actor)
        self.live, self._coming = [], []

    def _start(self) -> None:
        self._looked = monotonic()
        taken = {(each.slot.node.id, each.slot.number) for each in (*self.live, *self._coming)}
        for slot in self._recruits.place(self._cluster.nodes()):
            if (slot.node.id, slot.number) in taken | self._closed_to:
                continue
            actor = self._cluster.start(self._recruits.kind, slot.node, cpus=slot.cpus, gpus=slot.gpus)
            hello = actor.ask("look")
            opening = actor.ask("open", self._recruits.opening(slot))
            self._coming.append(Member(actor, slot, hello, opening, monotonic()))

    def _welcome(self) -> None:
        asked = [each for one in self._coming for each in _asked(one)]
        settled = self._cluster.settled(asked, seconds=0.0) if asked else []
        for member in list(self._coming):
            try:
                if any(member.opening is each for each in settled):
                    self._take_in(member, self._cluster.answer(member.opening))
                    continue
                if any(member.hello is each for each in settled):
                    self._cluster.answer(member.hello)
                    member.hello = None
            except ActorLostError as lost:
                self._lost_before_it_began(member, str(lost))
                continue
            self._hurry(member)

    def _lost_before_it_began(self, member: Member, why: str) -> None:
        if any(node.id == member.slot.node.id for node in self._cluster.nodes()):
            self.lost(member, why)
            return
        # its node was known to be dead only after it had been sent there
        self._coming.remove(member)
        self._last = f"{member.slot}: {why}"

    def _hurry(self, member: Member) -> None:
        waited = monotonic() - member.begun
        if member.hello is not None and waited > HELLO_SECONDS:
            wanted = f"{member.slot.cpus:g} CPUs, {member.slot.gpus:g} GPUs"
            self._turn_away(member, f"no room for {wanted} within {HELLO_SECONDS:g} s (see `ray status`)")
        elif waited > START_SECONDS:
            self._turn_away(member, f"not ready within {START_SECONDS:g} s")

    def _take_in(self, member: Member, opened: Any) -> None:
        if isinstance(opened, Failure):
            self._refusal = opened
            self._turn_away(member, opened.message)
        elif why := self._recruits.admit(member.slot, opened):
            self._turn_away(member, why)
        else:
            member.hello = member.opening = None
            member.opened = opened
            self._coming.remove(member)
            self.live.append(member)

    def _turn_away(self, member: Member, why: str) -> None:
        self._coming.remove(member)
        self._cluster.end(member.actor)
        self._last = f"{member.slot}: {why}"
        self._leave_out(member.slot, why)

    def _leave_out(self, slot: Slot, why: str) -> None:
        self._closed_to.add((slot.node.id, slot.number))
        self._happened.kept_out(f"{self._recruits.what} on {slot}", why)


def _asked(member: Member) -> list[Any]:
    return [each for each in (member.hello, member.opening) if each is not None]
