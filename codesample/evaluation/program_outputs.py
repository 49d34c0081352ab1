"""Lets rerankers call programs on inputs of their own, in the sandbox, and compare what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codesample.execution import Executor
from codesample.records import Status

__all__ = ["ProgramOutputs", "canonical"]

_DECIMAL_BITS = 8192


class ProgramOutputs:
    """Calls a function of each program on each input.

    Args:
        executor: Open.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def outputs(
        self, programs: Sequence[str], entry_point: str, inputs: Sequence[tuple[Any, ...]]
    ) -> list[tuple[str | None, ...] | None]:
        """Return, per program, the canonical text of each result.

        None stands for a call that raised, exceeded a limit or returned no plain data, and, as a whole
        row, for a failure of the harness.

        Raises:
            ParameterError: an input is not plain data.
            ExecutionError: the executor as a whole failed.
        """
        calls = [self._executor.submit_calls(source, entry_point, inputs) for source in programs]
        rows: list[tuple[str | None, ...] | None] = []
        for outcomes in (call.result() for call in calls):
            if any(each.status is Status.HARNESS_ERROR for each in outcomes):
                rows.append(None)
            else:
                rows.append(
                    tuple(
                        canonical(each.value) if each.status is Status.PASSED else None for each in outcomes
                    )
                )
        return rows


def canonical(value: Any) -> str:
    """Return one text for all values that Python holds equal, and different ones for others.

    Args:
        value: Plain data, such as a result that came back from a program.
    """
    if isinstance(value, complex) and value.imag == 0:
        value = value.real
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        number = int(value)
        return str(number) if number.bit_length() <= _DECIMAL_BITS else hex(number)
    if isinstance(value, list):
        return f"[{','.join(map(canonical, value))}]"
    if isinstance(value, tuple):
        return f"({','.join(map(canonical, value))},)"
    if isinstance(value, set | frozenset):
        return f"set({','.join(sorted(map(canonical, value)))})"
    if isinstance(value, dict):
        pairs = sorted(f"{canonical(key)}:{canonical(item)}" for key, item in value.items())
        return f"{{{','.join(pairs)}}}"
    return repr(bytes(value) if isinstance(value, bytearray) else value)
