"""The check of the kernels before anything is timed: right code passes it, and planted faults do not."""

import pytest
import torch

from codesample.bench.kernel_checks import SMALL, kernel_checks, schedule_checks
from codesample.testing.attention import DecodeInputs

CPU = torch.device("cpu")


def kernels(impl="torch", dtypes=(torch.float32,)):
    return list(kernel_checks(SMALL, impl=impl, device=CPU, dtypes=dtypes, seconds=1.0))


def test_right_kernels_pass():
    checks = kernels(dtypes=(torch.float16, torch.float32))
    assert [check.wrong() for check in checks] == [None, None]
    assert "float16" in checks[0].what


def test_the_other_schedules_are_checked_too():
    checks = list(schedule_checks(SMALL, impl="torch", device=CPU, dtypes=(torch.float32,), seconds=1.0))
    assert [check.wrong() for check in checks] == [None, None]
    assert "stream-k" in checks[0].what
    assert "fixed" in checks[1].what


@pytest.mark.parametrize("part", ["out", "lse"])
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (lambda x: x * 1.001, "error"),
        (lambda x: x.index_fill(0, torch.tensor([2]), float("nan")), "not finite"),
    ],
)
def test_a_wrong_result_is_found_in_both_parts(monkeypatch, part, fault, told):
    run = DecodeInputs.run

    def spoilt(self, impl, **rest):
        got = run(self, impl, **rest)
        return got if impl == "reference" else got._replace(**{part: fault(getattr(got, part))})

    monkeypatch.setattr(DecodeInputs, "run", spoilt)
    (check,) = kernels()
    assert check.wrong().startswith(f"{part}: ")
    assert told in check.wrong()


def test_a_race_that_moves_the_last_bits_is_found(monkeypatch):
    run, calls = DecodeInputs.run, []

    def racing(self, impl, **rest):
        got = run(self, impl, **rest)
        calls.append(impl)
        return got._replace(out=got.out * (1 + 1e-7 * (calls.count("torch") == 3)))

    monkeypatch.setattr(DecodeInputs, "run", racing)
    assert kernels()[0].wrong() == "a repeated call gives other bits"
