import doctest

from codesample.kernels.bifurcated_decode import step_views


def test_the_worked_example_of_row_ranges_is_true():
    found = doctest.testmod(step_views)
    assert found.attempted == 2
    assert found.failed == 0
