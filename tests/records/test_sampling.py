"""Sampling parameters: refused outside their range, whole wherever they travel."""

from __future__ import annotations

from typing import Any

import pytest

from codesample.errors import ParameterError
from codesample.records import SamplingParams

BAD: list[tuple[str, Any]] = [
    ("temperature", -0.1),
    ("temperature", float("inf")),
    ("temperature", float("nan")),
    ("temperature", None),
    ("temperature", "0.8"),
    ("top_p", 0.0),
    ("top_p", 1.01),
    ("top_k", -1),
    ("min_p", 1.0),
    ("typical_p", 0.0),
    ("repetition_penalty", 0.0),
    ("repetition_penalty", float("inf")),
    ("frequency_penalty", float("inf")),
    ("logit_bias", ((-1, 2.0),)),
    ("logit_bias", ((1, float("inf")),)),
    ("logit_bias", (1, 2.0)),
    ("allowed_tokens", (-1,)),
    ("banned_tokens", {3}),
    ("banned_tokens", [3.5]),
    ("max_new_tokens", 0),
    ("stop", ("",)),
    ("stop", b"END"),
    ("stop", ""),
    ("seed", 2**63),
    ("seed", None),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=lambda value: repr(value))
def test_a_value_outside_its_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=rf"^{name}(\[0\])? = .*: expected "):
        SamplingParams(**{name: value})


def test_collections_are_taken_as_callers_have_them() -> None:
    found = SamplingParams(
        logit_bias={7: -1.5, 3: 2},  # type: ignore[arg-type]
        stop={"END", "\ndef"},  # type: ignore[arg-type]
    )
    assert found == SamplingParams(logit_bias=((7, -1.5), (3, 2)), stop=("\ndef", "END"))
    assert hash(found) == hash(SamplingParams(logit_bias=((7, -1.5), (3, 2)), stop=("\ndef", "END")))
    lines = (line.strip() for line in ("END ", " class"))
    assert SamplingParams(stop=lines).stop == ("END", "class")  # type: ignore[arg-type]


def test_settled_parameters_leave_nothing_open() -> None:
    mine = SamplingParams(stop=("END", "\ndef"))
    task = mine.settled(stop=("\nclass", "\ndef"), max_new_tokens=256)
    assert (task.stop, task.max_new_tokens) == (("\nclass", "\ndef", "END"), 256)
    assert SamplingParams(max_new_tokens=7).settled(max_new_tokens=256).max_new_tokens == 7
    assert mine.settled().max_new_tokens == mine.token_limit == 512
