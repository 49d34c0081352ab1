import doctest

from codesample.sampling import groups


def test_the_worked_example_is_true():
    found = doctest.testmod(groups)
    assert found.attempted > 10
    assert found.failed == 0
