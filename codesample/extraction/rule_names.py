"""The names of what led from an answer to its program, for records and reports."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["describe_rules", "rule_of"]

# where the program was found
_PLACES = {
    "fence": "a block between fences",
    "half fence": "a block of which the answer holds one fence only: cut off, or opened before it",
    "prefill": "what goes on in the fence that the prefill opened",
    "tags": "between tags such as [PYTHON] or <code>",
    "inline": "code within a line of prose",
    "whole": "the answer's own text, outside of any markup",
    "value": "the value or call that the answer states",
    "empty": "the answer holds nothing; the program is the prompt alone",
    "thinking": "the answer ends before its thinking does; the program is the prompt alone",
}

# what was done with it, in the order in which a rule names them
_STEPS = {
    "session": "prompts and outputs of an interpreter were taken away",
    "continuation": "it continues the prompt's signature",
    "method": "the function is a method of a class; a last line makes it reachable by its name",
    "joined": "what it needs was taken from other parts of the answer",
    "cut": "lines that are not Python were left out",
    "trimmed": "statements that the name asked for does not need were left out",
    "nameless": "it does not define the name asked for, and is kept as it stands",
    "unparsed": "no part of it is Python, and it is kept as it stands",
}

_RULES = MappingProxyType(_PLACES | _STEPS)


def describe_rules() -> Mapping[str, str]:
    """Return what each part of a rule's name means; a rule is a place, then steps, joined by "+"."""
    return _RULES


def rule_of(place: str, *steps: str) -> str:
    """Return the rule's name, such as "fence+cut", for a place and steps in any order."""
    assert place in _PLACES, place
    assert _STEPS.keys() >= set(steps), steps
    return "+".join([place, *(step for step in _STEPS if step in steps)])
