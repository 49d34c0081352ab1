"""Says it where most programs of a run are no Python, why that is, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from codesample.evaluation.parse_causes import CAUSES
from codesample.records import Candidate, Status, Verdict

__all__ = ["does_not_parse", "parse_notice"]

_SHARE = 0.5
_SYNTAX = re.compile(r"^(?:SyntaxError|IndentationError|TabError)\b|\bnull bytes\b", re.MULTILINE)
_UNKNOWN = (
    "their texts show no common cause; see the prompt that the model is given and what is read from its "
    "answers: codesample tasks show"
)


def does_not_parse(verdict: Verdict) -> bool:
    """Whether a program failed since it is no Python, as its verdict tells."""
    return verdict.status is Status.ERROR and bool(_SYNTAX.search(verdict.detail))


def parse_notice(
    judged: Iterable[tuple[Candidate, Verdict]],
    *,
    prompt: Mapping[str, Any],
    recorded: bool = False,
    unread: Sequence[str] = (),
) -> str | None:
    """Say that more than half of a run's programs do not parse, with the likeliest cause; None otherwise.

    Args:
        judged: Candidates with their verdicts.
        prompt: `Manifest.prompt` of the run.
        recorded: Whether samples of other origin were judged.
        unread: From `notice_unread_answers`; said where no cause stands out.
    """
    pairs = [pair for pair in judged if pair[1].status is not Status.HARNESS_ERROR]
    broken = [pair for pair in pairs if does_not_parse(pair[1])]
    if len(broken) <= _SHARE * len(pairs):
        return None
    first = broken[0][1]
    example = f"{first.task_id}, candidate {first.index}: {first.detail.strip().splitlines()[-1]}"
    form = "chat" if prompt.get("style") == "chat" else "recorded" if recorded else "base"
    why = _why([candidate for candidate, _ in broken], form) or "; ".join(unread) or _UNKNOWN
    return (
        f"{len(broken)} of {len(pairs)} programs are no Python ({len(broken) / len(pairs):.0%}), such as "
        f"{example}; {why}"
    )


def _why(candidates: Sequence[Candidate], form: str) -> str:
    """Name the cause that most of these candidates show, each counted for its first one, or ""."""
    counts = [0] * len(CAUSES)
    for candidate in candidates:
        found = next((at for at, cause in enumerate(CAUSES) if cause.holds(candidate)), None)
        if found is not None:
            counts[found] += 1
    most = max(range(len(CAUSES)), key=counts.__getitem__)
    if 2 * counts[most] <= len(candidates):
        return ""
    cause = CAUSES[most]
    return f"{counts[most]} of these {cause.words}: {getattr(cause.remedy, form)}"
