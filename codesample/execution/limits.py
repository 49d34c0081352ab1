"""What one program may use before it is stopped."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from codesample.errors import ParameterError
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["MIB", "WALL_PER_CPU_SECOND", "Limits", "wall_for"]

MIB = 1 << 20

WALL_PER_CPU_SECOND = 5.0
"""Wall seconds granted for each CPU second where nothing else is said."""

_MAY_BE_NOTHING = frozenset({"imports", "scratch"})
_HARD_WALL_FACTOR = 10.0
_MIN_WALL_SECONDS = 10.0


def wall_for(cpu_seconds: float) -> float:
    """Return the wall seconds granted with so many CPU seconds where nothing else is said."""
    return max(_MIN_WALL_SECONDS, WALL_PER_CPU_SECOND * cpu_seconds)


@validated
@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one program. CPU time is the one that decides; the others catch what it cannot see.

    A step of the tests, such as one input, has less where a reference says how long it takes: see
    `codesample.execution.worker.pace`.

    Attributes:
        cpu_seconds: User plus system time of the program, all its threads together.
        wall_seconds: Seconds that the tests wait for the program, less those spent waiting for a core, so
            that a busy machine makes no time-outs; None means five times `cpu_seconds`, at least 10. Ten
            times this, load or no load, ends any program.
        memory: Bytes of private memory; address space may exceed it by 256 MiB.
        output_bytes: Bytes that a stdin/stdout program may print beyond the expected output.
        result_bytes: Encoded bytes of one value that a program may hand back.
        check_seconds: CPU seconds that the trusted tests may spend on what one program returned.
        imports: Modules of the caller's installation that programs may import, loaded beforehand. With
            any, address space is not limited (numeric libraries reserve much more than they use) and
            resident memory is polled instead.
        scratch: Bytes of files that a program may keep in its current folder, which is empty at its start
            and gone with it; at most a thousand files. 0 means that it can write none. Needs isolation
            level "namespaced".

    Raises:
        ParameterError: a limit that is not positive, or a scratch folder of less than nothing.
    """

    cpu_seconds: float = 10.0
    wall_seconds: float | None = None
    memory: int = 512 * MIB
    output_bytes: int = MIB
    result_bytes: int = 16 * MIB
    check_seconds: float = 10.0
    imports: tuple[str, ...] = ()
    scratch: int = 0

    __repr__ = one_line

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in _MAY_BE_NOTHING or value is None:
                continue
            if not 0 < value < math.inf:
                raise ParameterError(f"{item.name} = {value!r}: expected a finite number above 0")
        if self.scratch < 0:
            raise ParameterError(f"scratch = {self.scratch!r}: expected a number of bytes, 0 for none")

    @property
    def wall(self) -> float:
        """Seconds allowed outside the run queue, with the default rule applied."""
        if self.wall_seconds is not None:
            return self.wall_seconds
        return wall_for(self.cpu_seconds)

    @property
    def hard_wall(self) -> float:
        """Seconds on the clock after which a program is stopped whatever the load."""
        return _HARD_WALL_FACTOR * self.wall
