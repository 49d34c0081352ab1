"""What blocks of a prompt read: an anchor and themselves, and its end everything."""

from __future__ import annotations

import pytest
import torch

from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import ScoreOptions
from codesample.policies.prefill.prefill_policy import PrefillAsk
from codesample.policies.prefill.star import Star


def seen(policy: Star, tokens: int, *, cuts: tuple[int, ...] = ()) -> torch.Tensor:
    """Return which keys each token reads, [tokens, tokens], of passes that are cut there."""
    found = torch.zeros(tokens, tokens, dtype=torch.bool)
    for begin, end in zip((0, *cuts), (*cuts, tokens), strict=True):
        queries, keys = torch.zeros(2, end - begin, 4), torch.zeros(1, end, 4)
        for first, last, own, earlier in policy.begin().stretches(
            PrefillAsk(0, 0, queries, keys, tokens, ScoreOptions())
        ):
            for at in range(first, last):
                found[at, own : at + 1] = True
                if earlier is not None:
                    found[at, earlier[0]] = True
    return found


@pytest.mark.parametrize("cuts", [(), (7, 19), (10, 20, 30), tuple(range(1, 40))])
def test_blocks_read_the_anchor_and_themselves(cuts: tuple[int, ...]) -> None:
    got = seen(Star(block=10, anchor=4, tail=3, guard=0), 40, cuts=cuts)
    for at in range(40):
        for key in range(40):
            near = key // 10 == at // 10 or key < 4 or at >= 37
            assert got[at, key] == (key <= at and near), (at, key)


def test_by_default_there_are_four_blocks_and_the_first_is_the_anchor() -> None:
    got = seen(Star(tail=1, guard=0), 41)
    layout = Star().layout(41)
    assert (layout.block, layout.anchor) == (11, 11)
    # the second block reads the first, and so all before it
    assert torch.equal(got[:22], torch.ones(41, 41, dtype=torch.bool).tril()[:22])
    assert got[25].nonzero().flatten().tolist() == [*range(11), 22, 23, 24, 25]
    assert got[40].all()


@pytest.mark.parametrize("block", [20, 25, 40, 100])
def test_two_blocks_with_the_first_as_anchor_leave_nothing_out(block: int) -> None:
    assert torch.equal(
        seen(Star(block=block, guard=0, tail=1), 40), torch.ones(40, 40, dtype=torch.bool).tril()
    )


@pytest.mark.parametrize("given", [{"block": -1}, {"tail": 0}, {"anchor": 0.5}, {"guard": -1}])
def test_values_outside_their_range_are_refused(given: dict) -> None:
    with pytest.raises(ParameterError, match=f"{next(iter(given))} = "):
        Star(**given)


def test_sizes_past_the_end_of_a_run_are_the_run() -> None:
    far = 1 << 50
    whole = seen(Star(block=20, anchor=40, tail=3, guard=0), 40)
    assert torch.equal(seen(Star(block=20, anchor=far, tail=3, guard=0), 40), whole)
    assert torch.equal(seen(Star(block=far, tail=3, guard=0), 40), torch.ones(40, 40).tril().bool())
