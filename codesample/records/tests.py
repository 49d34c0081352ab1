"""How programs of one problem are judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Tests"]


@dataclass(frozen=True, slots=True)
class Tests:
    """How programs of one problem are judged. Trusted: it never reaches a candidate's process.

    Either `source` (and `checks`) or `inputs` with `reference` is set.

    Attributes:
        source: Python that ends normally exactly when the program is right; it calls `entry_point`
            and any other name the program defines.
        entry_point: Name the program must define; None for data sets that do not state one.
        stub: Trusted definitions that stand before the program in the prompt, such as HumanEval's helpers.
        checks: Statements run one after another after `source`, each judged on its own; all must hold.
        inputs: Argument lists for `entry_point`; each result must equal what `reference` returns, plain
            data of built-in types.
        reference: Trusted source that defines `entry_point`; with `inputs` only.
        atol: Absolute tolerance of numbers in compared results; 0 means exact, but for a float or a list
            or tuple of floats, which get 1e-6. With `inputs` only.
        time_limit: CPU seconds for the whole program, or None for the executor's default.
        memory: Bytes of private memory for the program, or None for the executor's default.
        imports: Modules of the caller's installation that the program may import, beside those that the
            executor grants to all.
        oracle: Trusted source that defines `accept(arguments, result, expected) -> bool`, used in place
            of equality; with `inputs` only. `expected` is what `reference` returned.
        io: (standard input, expected standard output) pairs for a program that is a script; each is
            run in a process of its own. Stands alone, without `source` or `inputs`.
        mode: "split" runs the tests in another process than the program. "in_process" runs `source`
            and `checks` beside it: for tests that cannot be split, such as those of in-place changes,
            and for tests that are not trusted. The verdict's integrity is then "weak".
    """

    # pytest would collect a class of this name
    __test__ = False

    source: str = ""
    entry_point: str | None = None
    stub: str = ""
    checks: tuple[str, ...] = ()
    inputs: tuple[tuple[Any, ...], ...] | None = None
    reference: str | None = None
    atol: float = 0.0
    time_limit: float | None = None
    memory: int | None = None
    imports: tuple[str, ...] = ()
    oracle: str | None = None
    io: tuple[tuple[str, str], ...] = ()
    mode: Literal["split", "in_process"] = "split"
