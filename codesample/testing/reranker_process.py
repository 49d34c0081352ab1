"""Scores cases again in a new process that holds no hidden test, hashes otherwise and lives later."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from codesample.errors import CodesampleError, RerankerError
from codesample.rerankers.registry import load_reranker
from codesample.tasks.contract import Task
from codesample.testing.reranker_cases import Case
from codesample.testing.reranker_checks import Scores, first_difference

__all__ = ["differences_elsewhere"]

_LIMIT = 600.0
_CODE = "from codesample.testing.reranker_process import main; main()"
# seconds: some years, and another hour of another day
_LATER = 5 * 365 * 86_400 + 3 * 86_400 + 11 * 3_600


def differences_elsewhere(
    spec: str, cases: Sequence[Case], expected: Sequence[Scores], *, seed: int = 0
) -> list[str]:
    """Say where scores of another process differ.

    It is given what a reranker may see and nothing else, no task gives its problems there, it loads the
    reranker by its name, and it takes the problems in reverse. Its hash seed, its time, its time zone and its
    working directory are others.

    Args:
        spec: As for `load_reranker`; places of files relative to the current folder.
        cases: With answers to everything that was asked for.
        expected: Scores of this process.
        seed: Of the contexts.
    """
    given = [(case.view, case.candidates, case.answers) for case in cases]
    environment = os.environ | {"PYTHONHASHSEED": "4242", "TZ": "Pacific/Chatham"}
    with tempfile.TemporaryDirectory(prefix="codesample-") as folder:
        done = subprocess.run(
            [sys.executable, "-c", _CODE],
            input=pickle.dumps(
                {"spec": spec, "seed": seed, "given": given, "folder": folder, "path": sys.path}
            ),
            capture_output=True,
            env=environment | {"HOME": folder},
            timeout=_LIMIT,
            check=False,
        )
        left = sorted(os.listdir(folder))
    if done.returncode or not done.stdout:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no word"]
        return [f"another process that loads it ended with {done.returncode}: {said[0]}"]
    found = []
    for case, own, other in zip(cases, expected, json.loads(done.stdout.splitlines()[-1]), strict=True):
        differs = (
            f"it failed: {other}" if isinstance(other, str) else first_difference(own, other, rounded=True)
        )
        if differs:
            found.append(f"{case.problem.task_id}, {differs} in another process")
    return found + [f"it left files in the working directory: {', '.join(left)}"] * bool(left)


def main() -> None:
    """Read what there is to score from standard input, and write the scores to standard output as a line."""
    read = pickle.loads(sys.stdin.buffer.read())
    sys.path[:] = read["path"]
    _shift_time()
    _hide_problems()
    reranker = load_reranker(read["spec"])
    os.chdir(read["folder"])
    rows: list[Any] = []
    for view, candidates, answers in reversed(read["given"]):
        try:
            rows.append(reranker.score(view, candidates, answers.context(view, seed=read["seed"])))
        except CodesampleError as error:
            rows.append(str(error))
    sys.stdout.write("\n" + json.dumps(rows[::-1]) + "\n")


def _hide_problems() -> None:
    """Let no task give its problems: whoever reads them reads the tests that grade."""

    def looked_up(task: Task, name: str) -> Any:
        if name in {"load", "problems", "all_problems"}:
            raise RerankerError("reads the problems of a task, and with them the tests that grade")
        return object.__getattribute__(task, name)

    Task.__getattribute__ = looked_up  # type: ignore[assignment]


def _shift_time() -> None:
    """Let everything that is imported from now on live some years later."""
    import datetime
    import time

    for name, unit in (("time", 1), ("time_ns", 1_000_000_000)):
        _shift(time, name, _LATER * unit)
    later = datetime.timedelta(seconds=_LATER)

    class Moment(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return super().now(tz) + later

        @classmethod
        def utcnow(cls) -> Any:
            return cls.now(datetime.UTC).replace(tzinfo=None)

        @classmethod
        def today(cls) -> Any:
            return cls.now()

    class Day(datetime.date):
        @classmethod
        def today(cls) -> Any:
            return Moment.now().date()

    datetime.datetime, datetime.date = Moment, Day  # type: ignore[misc]


def _shift(module: Any, name: str, by: int) -> None:
    own = getattr(module, name)
    setattr(module, name, lambda: own() + by)
