"""Scores cases again in a new process that holds no hidden test, hashes otherwise and lives later."""

from __future__ import annotations

import inspect
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codesample.errors import CodesampleError, RerankerError
from codesample.rerankers.registry import load_reranker
from codesample.tasks.contract import Task
from codesample.testing.reranker_cases import Case
from codesample.testing.reranker_checks import Scores, first_difference

__all__ = ["differences_elsewhere"]

_LIMIT = 600.0
_CODE = "from codesample.testing.reranker_process import main; main()"
_CODE_FILES = (".py", ".pyc", ".so")
_OF_RUNS = frozenset({"run.json", "samples.jsonl", "verdicts.jsonl", "results.json"})
# seconds: some years, and another hour of another day
_LATER = 5 * 365 * 86_400 + 3 * 86_400 + 11 * 3_600


def differences_elsewhere(
    spec: str,
    cases: Sequence[Case],
    expected: Sequence[Scores],
    *,
    seed: int = 0,
    limit: float = _LIMIT,
) -> list[str]:
    """Say where scores of another process differ.

    It is given what a reranker may see and nothing else, neither a built-in task's problems nor a run can be
    read there, it loads the reranker by its name, and it takes the problems in reverse. Its hash seed, its
    time, its time zone and its working directory are others.

    Args:
        spec: As for `load_reranker`; places of files relative to the current folder.
        cases: With answers to everything that was asked for.
        expected: Scores of this process.
        seed: Of the contexts.
        limit: Seconds that the other process may take.
    """
    given = [(case.view, case.candidates, case.answers) for case in cases]
    environment = os.environ | {"PYTHONHASHSEED": "4242", "TZ": "Pacific/Chatham"}
    with (
        tempfile.TemporaryDirectory(prefix="codesample-") as folder,
        # no pipes, which a program that the reranker started and left would keep open
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as errors,
    ):
        read = {"spec": spec, "seed": seed, "given": given, "folder": folder, "path": sys.path}
        try:
            done = subprocess.run(
                [sys.executable, "-c", _CODE],
                input=pickle.dumps(read),
                stdout=out,
                stderr=errors,
                env=environment | {"HOME": folder},
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return [f"another process that loads it did not end within {limit:g} s"]
        left = sorted(os.listdir(folder))
        for file in (out, errors):
            file.seek(0)
        printed, complained = out.read(), errors.read()
    if done.returncode or not printed:
        said = complained.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no word"]
        return [f"another process that loads it ended with {done.returncode}: {said[0]}"]
    found = []
    for case, own, other in zip(cases, expected, json.loads(printed.splitlines()[-1]), strict=True):
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
    refused = _refuse_files()
    reranker = load_reranker(read["spec"])
    os.chdir(read["folder"])
    rows: list[Any] = []
    for view, candidates, answers in reversed(read["given"]):
        try:
            rows.append(reranker.score(view, candidates, answers.context(view, seed=read["seed"])))
        except CodesampleError as error:
            rows.append(str(error))
        if refused:
            rows[-1] = refused.pop()
            refused.clear()
    sys.stdout.write("\n" + json.dumps(rows[::-1]) + "\n")
    sys.stdout.flush()
    # threads that a reranker left would keep it
    os._exit(0)


def _hide_problems() -> None:
    """Let no task give its problems: whoever reads them reads the tests that grade."""

    def looked_up(task: Task, name: str) -> Any:
        if name in {"load", "problems", "all_problems"}:
            raise RerankerError("reads the problems of a task, and with them the tests that grade")
        return object.__getattribute__(task, name)

    Task.__getattribute__ = looked_up  # type: ignore[assignment]


def _refuse_files() -> list[str]:
    """Refuse to open problems of the built-in tasks and files of runs; return what is refused since.

    Not by an error alone, which a reranker can catch.
    """
    refused: list[str] = []
    # a built-in task lies here, and perhaps where the folder of the package is a link to
    tasks = Path(inspect.getfile(Task)).resolve().parent

    def look(event: str, given: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(given[0], str | bytes):
            return
        path = Path(os.fsdecode(given[0]))
        if path.suffix in _CODE_FILES:
            return
        if path.name in _OF_RUNS or tasks in path.resolve().parents:
            refused.append(f"it opened {path}, where the tests or what came of them can be read")
            raise RerankerError(refused[-1])

    sys.addaudithook(look)
    return refused


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
