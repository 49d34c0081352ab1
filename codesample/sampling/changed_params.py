"""Sampling parameters with fields changed by name."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from codesample.errors import ParameterError
from codesample.records import SamplingParams

__all__ = ["changed_params"]


def changed_params(params: SamplingParams, changes: dict[str, Any]) -> SamplingParams:
    """Return parameters with fields changed by name; a stop may be a text or a list.

    Raises:
        ParameterError: an unknown name, or a value outside its range.
    """
    known = SamplingParams.__dataclass_fields__
    unknown = sorted(set(changes) - set(known))
    if unknown:
        near = get_close_matches(unknown[0], known, n=1)
        said = f"did you mean {near[0]!r}? Known are" if near else "expected one of"
        raise ParameterError(f"unknown sampling parameter {unknown[0]!r}; {said} {', '.join(known)}")
    return replace(params, **changes)
