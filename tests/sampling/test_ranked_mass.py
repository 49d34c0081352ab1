import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.sampling.ranked_mass import WHOLE, RankedMass, as_units


def by_definition(values, units, target):
    """Index, mass up to it and what lies up to it, for one row, by sorting."""
    order = sorted(range(len(values)), key=lambda i: (-values[i].item(), i))
    upto = 0
    for at, i in enumerate(order):
        upto += int(units[i])
        if upto > target:
            return i, upto, set(order[: at + 1])
    raise AssertionError("the target is not below the whole mass")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([torch.float32, torch.float64]),
    st.sampled_from([1, 2, 65, 700]),
    st.sampled_from([0.01, 1.0, 30.0]),
    st.integers(0, 10**6),
    st.booleans(),
    st.floats(0, 1, exclude_max=True),
)
def test_finds_what_sorting_finds(dtype, count, spread, seed, coarse, part):
    torch.manual_seed(seed)
    values = torch.randn(4, count, dtype=dtype) * spread
    if coarse:
        values = (values * 2).round() / 2
    if count > 2:
        values[:, ::3] = float("-inf")
        values[0, 1:] = 0
    units = as_units(values.softmax(-1))
    ranked = RankedMass(values, units)
    assert torch.equal(ranked.total, units.sum(-1))
    target = torch.minimum((ranked.total.double() * part).long(), ranked.total - 1)
    place = ranked.reached(target)
    for row in range(4):
        index, upto, kept = by_definition(values[row], units[row], int(target[row]))
        assert (place.where[row], place.upto[row]) == (index, upto)
        assert set(place.kept[row].nonzero()[:, 0].tolist()) == kept


def test_a_share_ends_at_the_first_value_that_makes_it_up():
    values = torch.tensor([[0.25, 0.5, 0.125, 0.125]]).log()
    ranked = RankedMass(values, as_units(values.exp()))
    for part, index in ((0.01, 1), (0.5, 1), (0.5001, 0), (0.75, 0), (0.76, 2), (0.9, 3), (1.0, 3)):
        assert ranked.share(part).where.item() == index, part


def test_a_target_beyond_the_mass_leads_to_the_last_value_that_has_any():
    values = torch.tensor([[0.5, float("-inf"), 0.25, 0.25]]).log()
    values[0, 1] = float("-inf")
    place = RankedMass(values, as_units(values.exp())).reached(torch.tensor([2 * WHOLE]))
    assert place.where.item() == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_of_equal_values_are_walked_by_index(dtype):
    values = torch.full((1, 5000), -7.5, dtype=dtype)
    ranked = RankedMass(values, torch.ones(1, 5000, dtype=torch.int64))
    assert [ranked.reached(torch.tensor([at])).where.item() for at in (0, 1, 4999)] == [0, 1, 4999]
