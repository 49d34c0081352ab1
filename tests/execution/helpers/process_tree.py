"""Look at the processes that descend from one, as the kernel tells of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_SECONDS = 60.0


def descendants(pid: int) -> list[int]:
    """Process ids of all live descendants."""
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            children = Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
            for child in map(int, children):
                found += [child, *descendants(child)]
    except OSError:
        return found
    return found


def alive(pid: int) -> bool:
    """Whether a process runs: one that has ended and is not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Callable[[], bool]) -> bool:
    """Say whether a condition came to hold in time."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def family_at(pid: int, depth: int) -> list[int]:
    """Process ids of the live descendants of one generation: its children at depth 1, theirs at 2."""
    generation = [pid]
    for _ in range(depth):
        children = []
        for parent in generation:
            try:
                for thread in os.listdir(f"/proc/{parent}/task"):
                    children += map(int, Path(f"/proc/{parent}/task/{thread}/children").read_text().split())
            except OSError:
                continue
        generation = children
    return generation
