import torch
from hypothesis import given
from hypothesis import strategies as st

from codesample.sampling.random_streams import row_key, uniforms

KEYS = st.integers(-(2**63), 2**63 - 1)
POSITIONS = st.integers(0, 2**31)


def draw(key, position):
    return uniforms(torch.tensor([key]), torch.tensor([position]))[0].item()


@given(KEYS, POSITIONS)
def test_numbers_lie_in_the_unit_interval_and_repeat(key, position):
    value = draw(key, position)
    assert 0 <= value < 1
    assert value == draw(key, position)


@given(st.lists(st.tuples(KEYS, POSITIONS), min_size=1, max_size=20))
def test_a_row_draws_the_same_alone_as_in_a_batch(rows):
    keys, positions = (torch.tensor(column) for column in zip(*rows, strict=True))
    assert uniforms(keys, positions).tolist() == [draw(*row) for row in rows]


def test_matches_splitmix64_in_unsigned_arithmetic():
    def expected(key, position):
        mask = 2**64 - 1
        z = (key + (position + 1) * 0x9E3779B97F4A7C15) & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return ((z ^ (z >> 31)) >> 11) * 2.0**-53

    for key in (0, 1, -1, 2**63 - 1, -(2**63), 1234567890123456789):
        for position in (0, 1, 77, 2**20):
            assert draw(key, position) == expected(key, position)


def test_every_part_of_the_name_changes_the_key():
    base = row_key(0, "HumanEval/0", 0)
    assert base not in {
        row_key(1, "HumanEval/0", 0),
        row_key(0, "HumanEval/00", 0),
        row_key(0, "HumanEval/0", 1),
    }
    # without a separator these two names would be one
    assert row_key(1, "2", 3) != row_key(12, "", 3)


def test_numbers_are_spread_evenly_over_rows_and_over_positions():
    bins = 64
    keys = torch.tensor([row_key(0, "p", i) for i in range(6400)])
    over_rows = uniforms(keys, torch.zeros_like(keys))
    over_positions = uniforms(keys[:1].expand(6400), torch.arange(6400))
    for sample in (over_rows, over_positions):
        counts = torch.histc(sample, bins, 0, 1)
        chi2 = ((counts - 100) ** 2 / 100).sum().item()
        # 63 degrees of freedom: beyond 120 has probability 2e-5
        assert chi2 < 120
