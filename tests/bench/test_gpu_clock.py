"""Time that is left, and expectations that learn."""

from codesample.bench.gpu_clock import Clock


def test_what_is_left_leaves_time_to_end():
    at = [100.0]
    clock = Clock(60, now=lambda: at[0], begun=90.0)
    assert clock.left == 47.0
    at[0] = 160.0
    assert clock.left < 0


def test_patience_ends_soon_after_the_time_is_up():
    at = [0.0]
    clock = Clock(600, now=lambda: at[0], begun=0.0)
    assert clock.patience(2) == 60
    assert clock.patience(50) == 200
    at[0] = 560.0
    assert clock.patience(50) == 70
    at[0] = 900.0
    assert clock.patience(50) == 33


def test_each_kind_is_expected_to_go_on_as_it_went_last():
    clock = Clock(60)
    assert clock.expected("step", 10) == 10
    clock.learn("step", 10, took=30)
    assert clock.expected("step", 20) == 60
    assert clock.expected("job", 20) == 20
    clock.learn("step", 10, took=1)
    # one quick cell promises little of the next
    assert clock.expected("step", 20) == 10
