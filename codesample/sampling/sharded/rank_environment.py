"""Whether this process is one of several that a launcher, such as torchrun, has started; loads no torch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from codesample.sampling.sharded.team import Team

__all__ = ["in_team", "launched", "launcher", "take_part"]

_NAMES = ("RANK", "WORLD_SIZE")
_team: list[Team] = []


def launched() -> bool:
    """Whether a launcher has started this very process among others, and no process of such a kind has."""
    if _settings(os.environ) is None or int(os.environ["WORLD_SIZE"]) < 2:
        return False
    try:
        parent = psutil.Process().parent()
        return parent is None or _settings(parent.environ()) != _settings(os.environ)
    except psutil.Error:
        return True


def launcher() -> str:
    """Return the words by which a command of ours is started as this one was: "codesample" or more."""
    if not _team:
        return "codesample"
    here = os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"])
    more = "" if here == os.environ["WORLD_SIZE"] else " ..."
    return f"torchrun --nproc-per-node {here}{more} -m -- codesample"


def in_team() -> Team | None:
    """Return the processes that models are divided among as they are opened; None where they are not."""
    return _team[-1] if _team else None


def take_part(team: Team | None) -> None:
    """Settle what `in_team` returns from now on."""
    _team[:] = [] if team is None else [team]


def _settings(environment: object) -> tuple[str, ...] | None:
    found = dict(environment)  # type: ignore[call-overload]
    return tuple(found[each] for each in _NAMES) if all(found.get(each) for each in _NAMES) else None
