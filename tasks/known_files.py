"""Recognises published files by their fields, so that a wrong one says which it looks like."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesample.errors import DataError

__all__ = ["KnownFile", "expect_data_of", "hint", "known_file"]

# no item of a published set is longer, but for the private tests of one, which stand at an item's end
_MOST_BYTES = 64 << 20
_OWN = "problems of one's own: --task-file FILE"
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A kind of files.

    Attributes:
        what: As people call it.
        family: Name that all tasks of it begin with; "" for what is no task's data.
        fields: Which an item of it has.
        lacks: Which it has not, where fields alone do not tell.
        id_start: How `task_id` begins, where that tells.
        advice: What to do with it, where it is no task's data; FILE stands for it.
    """

    what: str
    family: str
    fields: frozenset[str]
    lacks: frozenset[str] = frozenset()
    id_start: str = ""
    advice: str = ""

    @property
    def own(self) -> bool:
        """Whether it is a file of problems of one's own."""
        return self.advice == _OWN

    def holds(self, item: Mapping[str, Any]) -> bool:
        """Whether an item may be one of this kind."""
        keys = item.keys()
        id_ = str(item.get("task_id", ""))
        return self.fields <= keys and not self.lacks & keys and id_.startswith(self.id_start)


def _of(what: str, family: str, fields: str, *, lacks: str = "", id_start: str = "") -> KnownFile:
    return KnownFile(what, family, frozenset(fields.split()), frozenset(lacks.split()), id_start)


def _other(what: str, fields: str, advice: str, *, lacks: str = "") -> KnownFile:
    return KnownFile(what, "", frozenset(fields.split()), frozenset(lacks.split()), advice=advice)


_FUNCTION = "task_id prompt entry_point"
_JUDGE = "judge them: codesample execute FILE --task TASK"
# the first that holds is taken: those with more fields stand before those with fewer
_KNOWN = (
    _of("HumanEval+", "humaneval_plus", f"{_FUNCTION} base_input plus_input", id_start="HumanEval/"),
    _of("MBPP+", "mbpp_plus", f"{_FUNCTION} base_input plus_input", id_start="Mbpp/"),
    _of("HumanEval", "humaneval", f"{_FUNCTION} test", lacks="base_input", id_start="HumanEval/"),
    _of("MBPP", "mbpp", "task_id text code test_list"),
    _of("sanitized MBPP", "mbpp_sanitized", "task_id prompt code test_list", lacks="text"),
    _of("BigCodeBench", "bigcodebench", "task_id complete_prompt instruct_prompt test"),
    _of("ClassEval", "classeval", "task_id skeleton solution_code test"),
    _of("CRUXEval", "cruxeval", "id code input output"),
    _of("LiveCodeBench", "livecodebench", "question_content public_test_cases private_test_cases"),
    _of("APPS", "apps", "question solutions input_output"),
    _of("CodeContests", "code_contests", "description public_tests private_tests"),
    _other("a result file of EvalPlus", "eval date", _JUDGE),
    _other("samples of lm-eval", "doc resps", _JUDGE),
    _other("a log of inspect", "eval samples", _JUDGE),
    _other("outputs of LiveCodeBench", "question_id code_list", _JUDGE),
    _other("samples", "task_id completion", _JUDGE, lacks="prompt test"),
    _other("samples", "task_id solution", _JUDGE, lacks="prompt test"),
    _other("a task file of one's own", "task_id prompt test", _OWN, lacks="base_input"),
    _other("a task file of one's own", "task_id prompt io", _OWN),
)
_LISTS = KnownFile("generations of bigcode", "", frozenset(), advice=_JUDGE)


def known_file(path: Path) -> KnownFile | None:
    """Return the kind of a file by its first item; None where it is of none, or cannot be read."""
    item = _first(path)
    if isinstance(item, list):
        return _LISTS if item and all(isinstance(each, str) for each in item) else None
    if not isinstance(item, dict):
        return None
    return next((kind for kind in _KNOWN if kind.holds(item)), None)


def family_of(task: str) -> str:
    """Return the family of a task's name, the longest that it begins with; "" for another's."""
    families = {kind.family for kind in _KNOWN if kind.family}
    mine = [each for each in families if task == each or task.startswith(f"{each}_")]
    return max(mine, key=len, default="")


def hint(path: Path, names: Iterable[str]) -> str:
    """Say what a file looks like and what to do with it; "" where it is of no known kind.

    Args:
        names: Of the tasks that are installed.
    """
    kind = known_file(path)
    if kind is None:
        return ""
    if not kind.family:
        return f"looks like {kind.what}; {kind.advice.replace('FILE', str(path))}"
    mine = [name for name in names if family_of(name) == kind.family]
    if not mine:
        return f"looks like {kind.what}, of which no task is installed"
    name = kind.family if kind.family in mine else min(mine, key=len)
    return f"looks like {kind.what}: codesample eval {name} --data {path}"


def expect_data_of(task: str, path: Path, names: Iterable[str]) -> None:
    """Refuse a file that is plainly another task's, or no task's; others are for the task to read.

    Args:
        task: Name that was asked for; any goes for one whose files nothing is known of.
        path: The file that was given for it.
        names: Of the tasks that are installed.

    Raises:
        DataError: says what the file looks like, and what to do with it.
    """
    family, kind = family_of(task), known_file(path)
    if not family or kind is None or kind.family == family:
        return
    if kind.own and family == "humaneval" and "entry_point" in dict(_first(path) or {}):
        # problems of one's own may have the very same form
        return
    raise DataError(f"{path}: is no data of {task}; it {hint(path, names)}")


def _first(path: Path) -> Any:
    """Return the first item of a file: of its lines, of its array, or the one object that it is."""
    with suppress(OSError, EOFError, zlib.error, ValueError, RecursionError):
        if path.suffix == ".parquet":
            return _first_row(path)
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            stream = gzip.GzipFile(fileobj=raw) if packed else raw
            head = stream.readline(_MOST_BYTES)
            with suppress(ValueError):
                return _first_in(head)
            return _first_in(head + stream.read(_MOST_BYTES))
    return None


def _first_in(raw: bytes) -> object:
    text, decoder = raw.decode("utf-8", "replace").lstrip("\ufeff \t\r\n"), json.JSONDecoder()
    if not text.startswith("["):
        return decoder.raw_decode(text)[0]
    inner = text[1:].lstrip()
    return None if inner.startswith("]") else decoder.raw_decode(inner)[0]


def _first_row(path: Path) -> object:
    try:
        import pyarrow.parquet

        names = pyarrow.parquet.read_schema(path).names
    except Exception:
        return None
    return dict.fromkeys(names)
