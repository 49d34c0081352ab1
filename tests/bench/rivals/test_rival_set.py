"""What each precision of a rival is set beside."""

import pytest

from codesample.bench.rivals import rival_set
from codesample.bench.rivals.rival_set import RIVALS, own_precision, own_side


@pytest.mark.parametrize("has_bf16", [True, False])
def test_equal_precisions_are_compared_and_narrower_ones_with_the_fastest(has_bf16, monkeypatch):
    monkeypatch.setattr(rival_set, "multiplies_in_bf16", lambda: has_bf16)
    found = {(name, each): own_precision(each) for name, rival in RIVALS.items() for each in rival.models}
    sixteen = {key for key in found if key[1] in ("bfloat16", "BF16")}
    assert {found[key] for key in sixteen} == {"bfloat16" if has_bf16 else "int8"}
    assert {own for key, own in found.items() if key not in sixteen and key[1] != "float32"} == {"int8"}
    assert {own for key, own in found.items() if key[1] == "float32"} == {"float32"}
    for name, step in {"float32": "auto", "bfloat16": "bfloat16", "int8": "int8"}.items():
        assert own_side(name, model="m", threads=1).command[-2:] == (step, "1")
