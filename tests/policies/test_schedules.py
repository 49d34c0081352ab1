"""How a step is divided, as a policy says it."""

import pytest

from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import FixedSplits, StreamK
from codesample.policies.axes import axis_choice, expect_compatible
from codesample.policies.registry import expect_policy
from codesample.records import Policy


@pytest.mark.parametrize(
    ("text", "division"),
    [
        ("schedule=stream-k", StreamK()),
        ("schedule=stream-k(workers=132)", StreamK(132)),
        ("schedule=fixed", FixedSplits(1024)),
        ("schedule=fixed(keys=256)", FixedSplits(256)),
        ("quest(keep=0.2), schedule=stream-k(workers=1)", StreamK(1)),
    ],
)
def test_kernels_are_told_what_was_written(text: str, division: object) -> None:
    policy = Policy.parse(text)
    assert Policy.parse(str(policy)) == policy
    assert axis_choice(policy, "schedule").division == division


def test_the_default_leaves_it_to_the_kernels() -> None:
    assert axis_choice("quest(keep=0.2)", "schedule") is None
    assert axis_choice("schedule=auto", "schedule") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schedule=stream-k(workers=-1)", r"schedule = 'stream-k': workers .*-1"),
        ("schedule=stream-k(workers=4097)", "from 1 to 4096, or 0 for as many as fill the device"),
        ("schedule=stream-k(keys=64)", "has no parameter 'keys'"),
        ("schedule=fixed(keys=100)", r"schedule = 'fixed': keys .*100.*multiple of 64"),
        ("schedule=fixed(keys=0)", "multiple of 64"),
        ("schedule=split", "'split' is not built"),
        ("quest(keep=0.2), schedule=fixed", "'quest' lets them choose keys together"),
    ],
)
def test_what_cannot_be_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        expect_policy(text)


def test_fixed_splits_stand_beside_other_axes() -> None:
    expect_compatible(Policy.parse("schedule=fixed"))
    expect_compatible(Policy.parse("quest(keep=0.2), schedule=stream-k"))
