"""How files call the problems of a task: to the letter, in another spelling, by number or by position."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from difflib import get_close_matches

__all__ = ["ProblemNames", "data_set_of"]

# how data sets name their problems, and how the names of their tasks begin
_DATA_SETS = {
    "HumanEval": (re.compile(r"humaneval/\d+", re.ASCII), "humaneval"),
    "MBPP": (re.compile(r"(mbpp/)?\d+", re.ASCII), "mbpp"),
    "BigCodeBench": (re.compile(r"bigcodebench/\d+", re.ASCII), "bigcodebench"),
    "ClassEval": (re.compile(r"classeval/\d+", re.ASCII), "classeval"),
    "CRUXEval": (re.compile(r"sample/\d+", re.ASCII), "cruxeval"),
    "LiveCodeBench": (re.compile(r"\d+/[a-z]\d?|abc\d+/[a-z]|arc\d+/[a-z]", re.ASCII), "livecodebench"),
    "mini": (re.compile(r"mini/\d+", re.ASCII), "mini"),
}
_MOST_LISTED = 3
# how many problems a data set has, for files that give no names
_SIZES = {164: "HumanEval", 500: "MBPP", 974: "MBPP", 427: "MBPP", 257: "MBPP", 378: "MBPP"}
_SIZES |= {1_140: "BigCodeBench", 800: "CRUXEval", 100: "ClassEval"}


class ProblemNames:
    """Finds the problems of a task by what files call them.

    Args:
        ids: Of the problems, in the task's order; positions count along them.
        outside: Of problems that the task has besides and does not evaluate.
    """

    def __init__(self, ids: Sequence[str], outside: Collection[str] = ()) -> None:
        self.ids = ids
        self._outside = frozenset(outside)
        every = [*ids, *outside]
        self._exact = frozenset(every)
        spelt = [(_plain(each), each) for each in every]
        heads = {plain.rpartition("/")[0] for plain, _ in spelt}
        if len(heads) == 1:
            # of one data set: the number alone says which
            spelt += [(plain.rpartition("/")[2], each) for plain, each in spelt if "/" in plain]
        counts = Counter(plain for plain, _ in dict.fromkeys(spelt))
        self._spelt = {plain: each for plain, each in spelt if counts[plain] == 1}

    def find(self, name: str | int) -> str | None:
        """Return the id of the problem that a file calls `name`; None where there is none."""
        if isinstance(name, str) and name in self._exact:
            return name
        return self._spelt.get(_plain(name))

    def is_outside(self, task_id: str) -> bool:
        """Whether a problem is one that the task has and does not evaluate."""
        return task_id in self._outside

    def near(self, name: str | int) -> str | None:
        """Return an id that looks like `name`."""
        return next(iter(get_close_matches(str(name), self.ids, n=1)), None)


def data_set_of(name: str | int | None, size: int | None, tasks: Collection[str]) -> str:
    """Say which data set a file is of, and by which of the `tasks` it is judged; "" where that is unknown.

    Args:
        name: How the file calls a problem; None where it gives positions alone.
        size: How many problems it holds, for those.
    """
    if name is None:
        title = _SIZES.get(size or 0, "")
    else:
        plain = _plain(name)
        title = next((each for each, (form, _) in _DATA_SETS.items() if form.fullmatch(plain)), "")
    if not title:
        return ""
    begins = _DATA_SETS[title][1]
    fitting = sorted(each for each in tasks if each == begins or each.startswith(f"{begins}_"))
    if len(fitting) > _MOST_LISTED:
        fitting = [*fitting[:_MOST_LISTED], "another (codesample list tasks)"]
    listed = " or ".join(filter(None, [", ".join(fitting[:-1]), *fitting[-1:]]))
    return f"these are samples of {title}" + (f": --task {listed}" if fitting else "")


def _plain(name: str | int) -> str:
    return str(name).casefold().replace("_", "/")
