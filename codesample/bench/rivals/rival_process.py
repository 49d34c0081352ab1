"""The process of one side: started, asked line by line, and ended."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from codesample.bench.rivals.rival_set import Side
from codesample.errors import CodesampleError

__all__ = ["RefusedError", "RivalProcess"]

_TO_LOAD = 600.0


class RefusedError(CodesampleError):
    """What one side did not do, and why."""


class RivalProcess:
    """Starts a side's process, which loads its model; use it in `with`.

    Args:
        side: Whose.
        patience: Seconds that an answer may take.
        who: Stands before what it refuses, where a reader would take another for the one.
    Attributes:
        facts: What it says of itself.

    Raises:
        RefusedError: it cannot be started or cannot load its model.
    """

    def __init__(self, side: Side, *, patience: float = 1800.0, who: str = "") -> None:
        self._patience, self._who = patience, who
        # closed with the process
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        self._lost = ""
        try:
            self._process = subprocess.Popen(
                side.command,
                env=os.environ | side.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
            )
        except OSError as error:
            raise self._refused(f"is not set up: {side.command[0]}: {error.strerror}") from error
        self._rest = b""
        try:
            self.facts: dict[str, Any] = self._answer(_TO_LOAD, "ready")["ready"]
        except BaseException:
            self.end()
            raise

    def draw(self, prompt: Sequence[int], *, n: int, new: int, greedy: bool = False, seed: int = 0) -> Any:
        """Let it draw; returns seconds and tokens.

        Raises:
            RefusedError: it cannot, or drew another number of tokens; or an earlier answer never came, after
                which the next could be that one.
        """
        if self._lost:
            raise self._refused(self._lost)
        call = {"prompt": list(prompt), "n": n, "new": new, "greedy": greedy, "seed": seed}
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(call).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._refused(self._end_of_it()) from None
        answer = self._answer(self._patience, "tokens")
        lengths = {len(row) for row in answer["tokens"]}
        if len(answer["tokens"]) != n or lengths != {new}:
            raise self._refused(
                f"drew {len(answer['tokens'])} candidates of {sorted(lengths)} tokens instead of {n} of {new}"
            )
        return answer

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.end()

    def _answer(self, patience: float, wanted: str) -> Any:
        until = time.monotonic() + patience
        stream = self._process.stdout
        assert stream is not None
        while b"\n" not in self._rest:
            if not select.select([stream], [], [], max(0.0, until - time.monotonic()))[0]:
                self._lost = f"did not answer within {patience:.0f} s"
                raise self._refused(self._lost)
            got = os.read(stream.fileno(), 1 << 16)
            if not got:
                raise self._refused(self._end_of_it())
            self._rest += got
        line, _, self._rest = self._rest.partition(b"\n")
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if isinstance(answer, dict) and "refused" in answer:
            raise self._refused(str(answer["refused"]))
        if not isinstance(answer, dict) or wanted not in answer:
            self._lost = f"answered {line[:80].decode(errors='replace')!r}, which is no answer"
            raise self._refused(self._lost)
        return answer

    def _refused(self, reason: str) -> RefusedError:
        return RefusedError(self._who + reason)

    def _end_of_it(self) -> str:
        code = self._process.wait()
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return f"ended with {code}: {lines[-1][:200] if lines else 'without a word'}"
