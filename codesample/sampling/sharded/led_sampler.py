"""A model or its prompts divided among a team: an engine of the first process, which the others follow."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, TypeVar, cast

import torch.distributed as dist

from codesample.engines.contract import Progress, Reproducibility
from codesample.engines.model_options import ModelOptions
from codesample.errors import CodesampleError, ParameterError
from codesample.records import Candidate, GivenText, Policy, Reading, Request, SamplingParams
from codesample.records.validation import validated
from codesample.sampling.checkpoint import load_checkpoint
from codesample.sampling.sampler import Sampler, Step
from codesample.sampling.sharded.rank_environment import take_part
from codesample.sampling.sharded.ranks import DEADLINE, digest
from codesample.sampling.sharded.team import Order, Team

__all__ = ["LedSampler", "open_led", "tensor_parallel"]

T = TypeVar("T")


@validated
def tensor_parallel(*, deadline: float = DEADLINE) -> AbstractContextManager[bool]:
    """Divide every model that is opened in here among the processes of torchrun.

    The first process works as if it were alone; it alone judges programs, writes run folders and prints. The
    others stay in here and hold their shards until it leaves.

        with codesample.tensor_parallel() as first:
            if first:
                codesample.evaluate("mini", model="Qwen/Qwen2.5-Coder-7B")

    Without torchrun the one process has whole models.

    Args:
        deadline: Seconds after which a process that does not answer is given up, with an error in the first.

    Returns:
        What is entered by `with`, and then says whether this is the first process.

    Raises:
        ModelError: on entering; not all processes of the launcher came, or there are more of them than GPUs.
    """
    return _divided(deadline)


@contextmanager
def _divided(deadline: float) -> Iterator[bool]:
    if int(os.environ.get("WORLD_SIZE") or 1) < 2:
        yield True
        return
    own = not dist.is_initialized()
    team = Team(deadline=deadline)
    if team.rank:
        _follow(team)
        yield False
    else:
        take_part(team)
        try:
            yield True
        finally:
            take_part(None)
            team.end()
    # where one is gone, the others would wait for it
    if own and not team.lost:
        dist.destroy_process_group()


class LedSampler:
    """A `Sampler` of this process's shard, with which the others do the same. An `Engine` and a `Reader`.

    Args:
        team: This process leads it.
        number: By which all know the model.
        sampler: Of this shard.
    """

    def __init__(self, team: Team, number: int, sampler: Sampler) -> None:
        self._team, self._number, self._sampler = team, number, sampler
        self.name, self.abilities = sampler.name, sampler.abilities
        # the others let go of it when the next is opened
        weakref.finalize(self, team.unused.append, number)

    @property
    def reproducibility(self) -> Reproducibility:
        """See `Sampler`."""
        return self._sampler.reproducibility

    def describe(self) -> dict[str, Any]:
        """Facts about the checkpoint, and how it is divided."""
        return self._sampler.describe()

    def stream(
        self, requests: Sequence[Request], params: SamplingParams, *, progress: Progress | None = None
    ) -> Iterator[Candidate]:
        """Yield every candidate as it finishes; see `Engine.stream`."""
        return self._begun("stream", (tuple(requests), params), progress)

    def read(self, given: Sequence[GivenText], *, progress: Progress | None = None) -> Iterator[Reading]:
        """Yield what the model makes of given texts; see `Sampler.read`."""
        return self._begun("read", (tuple(given),), progress)

    def _begun(self, method: str, given: tuple[Any, ...], progress: Progress | None) -> Iterator[Any]:
        number = self._team.new_number()
        stream: Iterator[Any] = self._team.together(
            Order("begin", number, (self._number, method, given)),
            lambda: getattr(self._sampler, method)(*given, progress=progress),
        )
        return self._mirrored(number, stream)

    def _mirrored(self, number: int, stream: Iterator[T]) -> Iterator[T]:
        try:
            while (
                item := self._team.together(Order("next", number), lambda: next(stream, None), _said)
            ) is not None:
                yield item
        finally:
            if not self._team.over:
                self._team.together(Order("drop", number), stream.close)  # type: ignore[attr-defined]


def open_led(team: Team, model: str, options: ModelOptions) -> LedSampler:
    """Open a model that is divided among a team; for its first process.

    Raises:
        UnknownNameError, HubUnavailableError, ModelError: see `Sampler`, or another process could not load
            its shard.
        ParameterError: a device was asked for.
    """
    while team.unused:
        team.together(Order("close", team.unused.pop()), lambda: None)
    number = team.new_number()
    sampler = team.together(Order("open", number, (model, options)), lambda: _shard(team, model, options))
    return LedSampler(team, number, sampler)


def _shard(team: Team, model: str, options: ModelOptions) -> Sampler:
    if options.device not in ("auto", team.device.type):
        raise ParameterError(
            f"device = {options.device!r}: each of the {team.size} processes has its own, here "
            f"{team.device.type}; leave it out"
        )
    spread = Policy.parse(options.policy).hosts > 1
    if not spread and (options.compile or options.cpu_matmul in ("bfloat16", "int8")):
        named = "compile" if options.compile else f"cpu_matmul = {options.cpu_matmul!r}"
        raise ParameterError(
            f"{named}: the weights are divided among {team.size} processes, which multiply with them as they "
            "are; leave it out"
        )
    checkpoint = load_checkpoint(
        model,
        tokenizer=options.tokenizer,
        adapter=options.adapter,
        device=team.device,
        dtype=options.dtype,
        revision=options.revision,
        trust_remote_code=options.trust_remote_code,
        processes=1 if spread else team.size,
        loaded=lambda: team.compare("loaded", loading=True),
    )
    sampler = Sampler(
        checkpoint,
        dtype=options.dtype,
        max_rows=options.max_rows,
        memory_fraction=options.memory_fraction,
        step="compiled" if options.compile else cast("Step", options.cpu_matmul),
    )
    return sampler.with_policy(options.policy) if spread else sampler


def _follow(team: Team) -> None:
    """Carry out orders until the first process has no more."""
    samplers: dict[int, Sampler] = {}
    streams: dict[int, Any] = {}

    def doing(order: Order) -> Callable[[], Any]:
        number = order.number
        match order.what:
            case "open":
                return lambda: samplers.__setitem__(number, _shard(team, *order.given))
            case "begin":
                sampler, method, given = order.given
                return lambda: streams.__setitem__(number, getattr(samplers[sampler], method)(*given))
            case "next":
                return lambda: next(streams[number], None)
            case "drop":
                return lambda: streams.pop(number).close()
            case "look":
                return team.devices
            case _:
                return lambda: (samplers.pop(number, None), gc.collect())

    try:
        while (order := team.heard()).what != "end":
            with suppress(CodesampleError):
                team.carried_out(doing(order), _said if order.what == "next" else lambda _: "")
            if team.lost:
                return
    except BaseException as error:
        team.lost = True
        team.fault(f"{type(error).__name__}: {error}")


def _said(result: Any) -> str:
    """Return what the processes compare of a candidate or a reading."""
    return "" if result is None else f"tokens {digest(0, result.token_ids):08x}"
