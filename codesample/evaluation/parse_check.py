"""Says it where most programs of a run are no Python, why that is, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from codesample.records import Candidate, FinishReason, Status, Verdict

__all__ = ["does_not_parse", "parse_notice"]

_SHARE = 0.5
_SYNTAX = re.compile(r"^(?:SyntaxError|IndentationError|TabError)\b|\bnull bytes\b", re.MULTILINE)
_MARK = re.compile(r"<\|[a-z_]+\|>|</s>|<｜[^｜]+｜>|<end_of_turn>|<eos>")
_THOUGHT = re.compile(r"<(?:think|thinking|reasoning)>|◁think▷")
_FENCE = re.compile(r"^\s*(?:```|~~~)", re.MULTILINE)


class _Cause(NamedTuple):
    """What a text shows that keeps a program from being Python, in words and with a remedy by form."""

    holds: Callable[[Candidate], bool]
    words: str
    base: str
    chat: str


_READ_BASE = "put problems as messages: --prompt chat, and --extract for samples of other tools"
_LONGER = "raise --max-new-tokens"
_CAUSES = (
    _Cause(
        lambda each: bool(_THOUGHT.search(each.completion)) and each.finish_reason is FinishReason.LENGTH,
        "end at the limit of tokens while the model still thinks",
        _LONGER,
        _LONGER,
    ),
    _Cause(
        lambda each: each.finish_reason is FinishReason.LENGTH,
        "end at the limit of tokens",
        _LONGER,
        _LONGER,
    ),
    _Cause(lambda each: bool(_THOUGHT.search(each.completion)), "hold thinking", _READ_BASE, _READ_BASE),
    _Cause(
        lambda each: bool(_FENCE.search(each.completion)),
        "hold Markdown fences",
        _READ_BASE,
        "look at one in samples.jsonl: its rule and spans say what was taken",
    ),
    _Cause(
        lambda each: bool(_MARK.search(each.completion)),
        "hold marks that end a text or a turn",
        "name the mark with --stop, or --extract for samples of other tools",
        "name the mark with --stop",
    ),
)


def does_not_parse(verdict: Verdict) -> bool:
    """Whether a program failed since it is no Python, as its verdict tells."""
    return verdict.status is Status.ERROR and bool(_SYNTAX.search(verdict.detail))


def parse_notice(judged: Iterable[tuple[Candidate, Verdict]], *, prompt: Mapping[str, Any]) -> str | None:
    """Say that more than half of a run's programs do not parse, with the likeliest cause; None otherwise.

    Args:
        judged: Candidates with their verdicts.
        prompt: `Manifest.prompt` of the run.
    """
    pairs = [pair for pair in judged if pair[1].status is not Status.HARNESS_ERROR]
    broken = [pair for pair in pairs if does_not_parse(pair[1])]
    if len(broken) <= _SHARE * len(pairs):
        return None
    chat = prompt.get("style") == "chat"
    first = broken[0][1]
    example = f"{first.task_id}, candidate {first.index}: {first.detail.strip().splitlines()[-1]}"
    return (
        f"{len(broken)} of {len(pairs)} programs are no Python ({len(broken) / len(pairs):.0%}), such as "
        f"{example}; {_why([candidate for candidate, _ in broken], chat=chat)}"
    )


def _why(candidates: Sequence[Candidate], *, chat: bool) -> str:
    """Name the cause that most of these candidates show, each counted for its first one."""
    counts = [0] * len(_CAUSES)
    for candidate in candidates:
        found = next((at for at, cause in enumerate(_CAUSES) if cause.holds(candidate)), None)
        if found is not None:
            counts[found] += 1
    most = max(range(len(_CAUSES)), key=counts.__getitem__)
    if 2 * counts[most] <= len(candidates):
        return (
            "their texts show no common cause; see the prompt that the model is given and what is read from "
            "its answers: codesample tasks show"
        )
    cause = _CAUSES[most]
    return f"{counts[most]} of these {cause.words}: {cause.chat if chat else cause.base}"
