"""One call's work over the actors of a crew: who does which unit, what is asked of whom, and until when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from codesample.distributed.cluster import ActorLostError, Cluster
from codesample.distributed.crew import Crew, Member
from codesample.distributed.mailbox import linger
from codesample.distributed.sampling_actor import Draw, Read, Taken
from codesample.distributed.units import Key, Unit, Units

__all__ = ["Patience", "Shift"]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the driver waits, in seconds.

    Attributes:
        answer: For an answer that takes no work; an actor that needs longer is given up.
        stall: Until an actor that draws has drawn another token.
        check: For a look at all prompts.
        take: So long an actor that has nothing yet keeps a question open.
    """

    answer: float = 300.0
    stall: float = 1800.0
    check: float = 1800.0
    take: float = 1.0


@dataclass(slots=True)
class _Asked:
    """What a member does: the open question and when it was put, what was drawn, and seconds since then."""

    question: Any
    put: float
    tokens: int = 0
    idle: float = 0.0


@dataclass(eq=False)
class Shift:
    """One call's work.

    Attributes:
        units: What is to be done.
        crew, cluster, patience: By whom, where, and how long is waited.
        work: What an actor is given for a unit.
    """

    units: Units
    crew: Crew
    cluster: Cluster
    patience: Patience
    work: Callable[[Unit], Draw | Read]
    _busy: dict[Member, _Asked] = field(default_factory=dict)

    def round(self, progress: Callable[[int], None]) -> Iterator[tuple[Key, Any]]:
        """Hand out what waits, and yield what has come; waits for a moment where nothing has.

        Raises:
            ParameterError: an engine refuses a parameter.
            ModelError: no actor is left.
        """
        self.crew.tend()
        self.crew.expect_living()
        self._hand_out()
        settled = {id(each) for each in self._settled()}
        # now, for whoever takes what is yielded may take his time
        late = monotonic() - self.patience.answer
        overdue = {member for member, asked in self._busy.items() if asked.put < late}
        for member, asked in list(self._busy.items()):
            try:
                if id(asked.question) in settled:
                    taken = self.cluster.answer(asked.question)
                    yield from self._arrived(member, taken)
                    progress(taken.tokens - asked.tokens)
                    self._go_on(member, asked, taken)
                elif member in overdue:
                    raise ActorLostError(f"no answer within {self.patience.answer:g} s")
            except ActorLostError as lost:
                self._lose(member, str(lost))

    def leave(self) -> None:
        """Have everyone let go of what is not done."""
        for member in self._busy:
            member.actor.ask("drop")
        self._busy.clear()

    def _settled(self) -> list[Any]:
        return self.cluster.settled([each.question for each in self._busy.values()], seconds=0.2)

    def _hand_out(self) -> None:
        for member in self.crew.live:
            if member not in self._busy and (unit := self.units.lease(member)) is not None:
                member.actor.ask("give", self.work(unit))
                self._busy[member] = _Asked(self._take(member), monotonic())

    def _take(self, member: Member) -> Any:
        return member.actor.ask("take", self.patience.take, linger(len(self.crew.live)))

    def _arrived(self, member: Member, taken: Taken) -> Iterator[tuple[Key, Any]]:
        for key, item in taken.items:
            if self.units.arrived(member, key):
                self.crew.worked(member)
                yield key, item

    def _go_on(self, member: Member, asked: _Asked, taken: Taken) -> None:
        """Ask a member for more, or let it have another unit; raises ActorLostError where it has failed."""
        if taken.failure is not None:
            if taken.failure.refused:
                raise taken.failure.raised()
            # an engine that failed, as a GPU that is in error, would fail over all that is left
            raise ActorLostError(taken.failure.message)
        if taken.ended:
            if missing := self.units.missing(member):
                raise ActorLostError(f"the engine ended without {len(missing)} of its candidates")
            del self._busy[member]
            self.units.ended(member)
            return
        moved = bool(taken.items) or taken.tokens > asked.tokens
        asked.idle = 0.0 if moved else asked.idle + self.patience.take
        if asked.idle > self.patience.stall:
            raise ActorLostError(f"drew nothing for {self.patience.stall:g} s")
        asked.tokens = taken.tokens
        asked.question, asked.put = self._take(member), monotonic()

    def _lose(self, member: Member, why: str) -> None:
        del self._busy[member]
        self.units.died(member, why)
        self.crew.lost(member, why)
