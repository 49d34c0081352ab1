"""The engine over sampling actors: units go out, candidates come back, what the dead held is drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from codesample.distributed.cluster import ActorLostError, Cluster, Happened
from codesample.distributed.crew import Crew, Recruits
from codesample.distributed.mailbox import Failure
from codesample.distributed.node_facts import NodeFacts, here
from codesample.distributed.placement import Placement, Slot
from codesample.distributed.sampling_actor import Draw, Opened, Opener, Read, SamplingActor
from codesample.distributed.shift import Patience, Shift
from codesample.distributed.units import DEATHS, Key, Unit, Units, cut
from codesample.engines.contract import Progress, Reproducibility
from codesample.errors import ModelError, ParameterError
from codesample.records import Candidate, GivenText, Reading, Request, SamplingParams

__all__ = ["RayEngine"]

WORK = "sampling actor"

SAME_MODEL = ("revision", "architecture", "parameters", "dtype", "matmul")
"""What all of a run's engines say alike of themselves, as do the sessions of one run."""


class RayEngine:
    """A model on the nodes of a cluster. An `Engine`, and a `Reader` where the model is one.

    Args:
        cluster: Where.
        opener: Opens the model on a node.
        placement: Which nodes have which actors.
        happened: Is told what befalls them.
        patience: How long is waited.

    Attributes:
        name, abilities, reproducibility: Those of the engine that was opened first; others that differ are
            left out.

    Raises:
        ModelError: no node could open the model; says why.
        ParameterError: an option that the engine does not know.
    """

    def __init__(
        self,
        cluster: Cluster,
        opener: Opener,
        *,
        placement: Placement,
        happened: Happened,
        patience: Patience | None = None,
    ) -> None:
        self._cluster, self._happened, self._patience = cluster, happened, patience or Patience()
        self._here: NodeFacts = here()
        self._first: Opened | None = None
        self._working = False
        recruits = Recruits(
            SamplingActor, WORK, lambda slot: opener, placement.sampling, self._admit, ModelError
        )
        self._crew = Crew(cluster, recruits, happened)
        try:
            self._crew.settle_in()
        except BaseException:
            self._crew.close()
            raise
        self.name, self.abilities = self._one.name, self._one.abilities
        self.reproducibility = Reproducibility(self._one.reproducibility)
        if not self._one.reads:
            self.abilities -= {"prompt_logprobs"}

    def stream(
        self, requests: Sequence[Request], params: SamplingParams, *, progress: Progress | None = None
    ) -> Iterator[Candidate]:
        """Yield every candidate once, as it comes from its node; see `Engine.stream`.

        Raises:
            ParameterError: a request or parameter that the engine cannot honour, before any candidate.
            ModelError: no actor is left; or, after all others, candidates over which two actors died.
        """
        keys = [(each.task_id, index) for each in requests for index in each.indices]
        if len(set(keys)) < len(keys) or any(index < 0 for _, index in keys):
            raise ParameterError("indices of a prompt must differ and be at least 0")
        if not keys:
            return iter(())
        self._expect_taken(Draw(tuple(requests), params))

        def work(unit: Unit) -> Draw:
            return Draw(unit.requests, params)

        return (item for _, item in self._done(cut(requests, actors=self._actors), work, progress))

    def read(self, given: Sequence[GivenText], *, progress: Progress | None = None) -> Iterator[Reading]:
        """Yield how likely each text is, in the order given; see `Reader.read`."""
        found: dict[int, Reading] = {}
        due = 0
        if not given:
            return
        whole = Unit(tuple(_by_prompt(given)))

        def work(unit: Unit) -> Read:
            return Read({key: given[key[1]] for key in unit.keys})

        self._expect_taken(work(whole))
        units = cut(whole.requests, actors=self._actors)
        for (_, at), reading in self._done(units, work, progress):
            found[at] = reading
            while due in found:
                yield found.pop(due)
                due += 1

    def describe(self) -> dict[str, Any]:
        """Return what the engine that was opened first says of itself."""
        return dict(self._one.described)

    @property
    def checkpoint(self) -> str | None:
        """By which files the weights are known there; None where by none."""
        return self._one.checkpoint

    def close(self) -> None:
        """End all actors."""
        self._crew.close()

    @property
    def _one(self) -> Opened:
        assert self._first is not None
        return self._first

    @property
    def _actors(self) -> int:
        return max(1, len(self._crew.live))

    def _admit(self, slot: Slot, opened: Opened) -> str:
        if why := opened.facts.estranged(self._here):
            return why
        first = self._first = self._first or opened
        pairs = [
            ("name", opened.name, first.name),
            ("weights", opened.checkpoint, first.checkpoint),
            ("abilities", sorted(opened.abilities), sorted(first.abilities)),
            *((each, opened.described.get(each), first.described.get(each)) for each in SAME_MODEL),
        ]
        if differs := [
            f"{name} {there} there and {one} elsewhere" for name, there, one in pairs if there != one
        ]:
            return f"it opened another model: {'; '.join(differs)}"
        device = opened.described.get("device")
        self._happened.joined(slot.node, opened.facts, "sampling", gpus=slot.gpus, device=device)
        return ""

    def _expect_taken(self, work: Draw | Read) -> None:
        """Have one of the engines look at everything that is asked for."""
        while True:
            self._crew.settle_in()
            member = self._crew.live[0]
            asked = member.actor.ask("check", work)
            try:
                if not self._cluster.settled([asked], seconds=self._patience.check):
                    raise ActorLostError(f"looking at the prompts took over {self._patience.check:g} s")
                refusal = self._cluster.answer(asked)
            except ActorLostError as lost:
                self._crew.lost(member, str(lost))
                continue
            if isinstance(refusal, Failure):
                raise refusal.raised()
            return

    def _done(
        self, units: Sequence[Unit], work: Callable[[Unit], Draw | Read], progress: Progress | None
    ) -> Generator[tuple[Key, Any]]:
        """Have units done, and yield what comes."""
        if self._working:
            raise ModelError(f"{self.name}: another call is not at its end; take the rest of it, or close it")
        shift = Shift(Units(units), self._crew, self._cluster, patience=self._patience, work=work)
        self._working, yielded = True, False
        try:
            while shift.units.open:
                for item in shift.round(progress or _unheard):
                    yielded = True
                    yield item
        except ParameterError as refusal:
            if not yielded:
                raise
            raise ModelError(f"{refusal}; what was drawn is kept") from None
        finally:
            self._happened.handed_out_again("candidates", shift.units.requeued)
            shift.leave()
            self._working = False
        if shift.units.given_up:
            raise ModelError(_of_given_up(shift.units.given_up))


def _by_prompt(given: Sequence[GivenText]) -> list[Request]:
    """Return texts as requests: a name for each prompt, with the places of the texts that follow it."""
    places: dict[Any, list[int]] = {}
    for at, each in enumerate(given):
        places.setdefault(each.prompt, []).append(at)
    return [Request(str(number), "", tuple(found)) for number, found in enumerate(places.values())]


def _of_given_up(given_up: dict[Key, str]) -> str:
    (task_id, index), why = next(iter(given_up.items()))
    return (
        f"{len(given_up)} candidates were given up, for {DEATHS} actors died over each; the first: candidate "
        f"{index} of {task_id!r}: {why}. All others are kept; --resume tries these again"
    )


def _unheard(tokens: int) -> None:
    """Report to nobody."""
