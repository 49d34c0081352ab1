"""Verdicts that recorded samples came with, compared with ours, and why the two differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from codesample.evaluation.intervals import Estimate
from codesample.records import Origin, Status, Verdict
from codesample.records.short import one_line
from codesample.records.validation import validated
from codesample.runs import Key, RunFolder

__all__ = ["Agreement", "Difference", "agreement"]

_MOST_KEPT = 1_000
_MOST_SHOWN = 5
_WORDS = 80
_SAME = 0.0005
_STOPPED = frozenset({Status.CPU_TIMEOUT, Status.WALL_TIMEOUT, Status.MEMORY, Status.OUTPUT_LIMIT})

# what a verdict of theirs says that is no matter of the program, and what it is a matter of
_THEIR_REASONS = (
    ("object is not subscriptable", "recorded with a Python before 3.9, where list[int] failed"),
    ("unsupported operand type(s) for |", "recorded with a Python before 3.10, where int | None failed"),
    ("timed out", "their time limit"),
    ("timeout", "their time limit"),
    ("no module named", "a package that was missing there"),
)
_OUR_REASONS = (
    ("ModuleNotFoundError", "a package that programs are not granted here; --imports NAME grants it"),
    ("PermissionError", "something that programs may not do here"),
    ("SyntaxError", "no Python as it stands; was it read out of an answer there? --extract does so here"),
)
_READ_ANEW = "the program was read out of the answer here"
_FEWER_TESTS = "perhaps judged there without the plus tests"


@validated
@dataclass(frozen=True, slots=True)
class Difference:
    """One candidate, or one problem (index None), on which two verdicts differ.

    Attributes:
        theirs, ours: In the words of each.
        detail: What our verdict says besides.
        reason: What the difference comes from, as far as the two tell; "" where they do not.
    """

    task_id: str
    index: int | None
    theirs: str
    ours: str
    detail: str = ""
    reason: str = ""

    __repr__ = one_line


@validated
@dataclass(frozen=True, slots=True)
class Agreement:
    """Verdicts of another tool beside ours, candidate by candidate.

    Attributes:
        form: The tool.
        compared: Candidates with a verdict of both, or problems where the file tells shares only.
        agree: Of these, how many have the same.
        not_compared: Candidates of which only one of the two has a verdict.
        differences: The first thousand.
        figures: The tool's own figures over all samples, by name, each with ours where we have it.
    """

    form: str
    compared: int
    agree: int
    not_compared: int = 0
    differences: tuple[Difference, ...] = ()
    figures: Mapping[str, tuple[float, float | None]] = field(default_factory=dict)

    __repr__ = one_line

    def notices(self) -> Iterator[str]:
        """Say it in sentences."""
        if self.compared:
            more = f"; of {self.not_compared} more only one side has a verdict" if self.not_compared else ""
            yield f"their verdicts ({self.form}): {self.agree} of {self.compared} agree{more}"
        for reason, count in Counter(each.reason for each in self.differences).most_common():
            shown = [each for each in self.differences if each.reason == reason][:_MOST_SHOWN]
            listed = "; ".join(_in_words(each) for each in shown) + ("; ..." if count > len(shown) else "")
            differ = "1 differs" if count == 1 else f"{count} differ"
            yield f"{differ}{f' ({reason})' if reason else ''}: {listed}"
        for name, (theirs, ours) in self.figures.items():
            if ours is not None:
                same = "the same" if abs(theirs - ours) < _SAME else f"{ours:.4f}"
                yield f"their {name} ({self.form}): {theirs:.4f}; here {same}"

    @classmethod
    def from_json(cls, content: Mapping[str, Any] | None) -> Agreement | None:
        """Rebuild it from plain JSON data; raises TypeError or KeyError where that is something else."""
        if content is None:
            return None
        known = dict(content)
        known["differences"] = tuple(Difference(**each) for each in known["differences"])
        known["figures"] = {name: (pair[0], pair[1]) for name, pair in known["figures"].items()}
        return cls(**known)


def agreement(
    run: RunFolder, verdicts: Sequence[Verdict], pass_at_k: Mapping[int, Estimate]
) -> Agreement | None:
    """Compare the verdicts of a run with those that its samples came with; None where they had none."""
    settings = run.manifest.settings
    origins = run.origins() if "samples" in settings else {}
    ours = {f"pass@{k}": estimate.value for k, estimate in pass_at_k.items()}
    # theirs are over all problems
    known = {} if run.manifest.shard else settings.get("their_figures", {})
    figures = {name: (float(value), ours.get(name)) for name, value in known.items()}
    told = any(each.passed is not None or each.share is not None for each in origins.values())
    if not told and not figures:
        return None
    judged = [each for each in verdicts if each.status is not Status.HARNESS_ERROR]
    # programs that were read out of answers here are others than those that were judged there
    anew = run.manifest.prompt.get("style") == "chat"
    fewer = run.manifest.task.endswith("_plus") and settings.get("form") != "EvalPlus"
    reason = _READ_ANEW if anew else _FEWER_TESTS if fewer else ""
    pairs = [*_by_candidate(origins, judged, reason), *_by_problem(origins, verdicts, reason)]
    differences = [each for _, each in pairs if each is not None]
    return Agreement(
        form=str(settings.get("form", "")),
        compared=len(pairs),
        agree=len(pairs) - len(differences),
        not_compared=_not_compared(origins, verdicts),
        differences=tuple(differences[:_MOST_KEPT]),
        figures=figures,
    )


_Compared = tuple[Key, Difference | None]


def _by_candidate(
    origins: Mapping[Key, Origin], judged: Iterable[Verdict], otherwise: str
) -> Iterator[_Compared]:
    """Compare one by one; `otherwise` is the reason of what the two verdicts do not explain."""
    for verdict in judged:
        key = (verdict.task_id, verdict.index)
        origin = origins.get(key)
        if origin is None or origin.passed is None:
            continue
        if origin.passed == verdict.passed:
            yield key, None
        else:
            theirs = origin.said or ("passed" if origin.passed else "failed")
            reason = _reason(origin, verdict) or otherwise
            yield key, Difference(*key, theirs, str(verdict.status), verdict.detail, reason)


def _by_problem(
    origins: Mapping[Key, Origin], verdicts: Iterable[Verdict], otherwise: str
) -> Iterator[_Compared]:
    """Compare shares, where a file says no more than how many of a problem's samples passed.

    A problem of which one was not judged here has no share.
    """
    told = _shares(origins)
    ours: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.task_id in told:
            ours[verdict.task_id].append(verdict)
    for task_id, found in ours.items():
        if any(each.status is Status.HARNESS_ERROR for each in found):
            continue
        theirs, here = told[task_id], sum(each.passed for each in found) / len(found)
        if abs(theirs - here) < _SAME:
            yield (task_id, 0), None
        else:
            said = f"{theirs:.3f} of its samples passed"
            yield (task_id, 0), Difference(task_id, None, said, f"{here:.3f} of them passed", "", otherwise)


def _shares(origins: Mapping[Key, Origin]) -> dict[str, float]:
    return {each.task_id: each.share for each in origins.values() if each.share is not None}


def _not_compared(origins: Mapping[Key, Origin], verdicts: Iterable[Verdict]) -> int:
    """Count the candidates of which one of the two has a verdict, and the other none."""
    shares = _shares(origins)
    judged = {(each.task_id, each.index): each.status is not Status.HARNESS_ERROR for each in verdicts}
    told = {key: origins[key].passed is not None if key in origins else False for key in judged}
    return sum(judged[key] != told[key] for key in judged if key[0] not in shares)


def _reason(origin: Origin, verdict: Verdict) -> str:
    if verdict.passed:
        said = origin.said.casefold()
        return next((reason for words, reason in _THEIR_REASONS if words in said), "")
    if verdict.status in _STOPPED:
        return "a limit here"
    if verdict.status is Status.UNSUPPORTED_VALUE:
        return "a value that cannot be compared here"
    return next((reason for words, reason in _OUR_REASONS if words in verdict.detail), "")


def _in_words(each: Difference) -> str:
    which = each.task_id if each.index is None else f"{each.task_id}, candidate {each.index}"
    last = (each.detail.strip().splitlines() or [""])[-1]
    ours = f"{each.ours}: {last}" if last else each.ours
    return f"{which}: {_short(each.theirs)} there, {_short(ours)} here"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _WORDS else text[: _WORDS - 3] + "..."
