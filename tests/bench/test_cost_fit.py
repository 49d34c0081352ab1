"""Rates are found again in rows that the cost model itself has made, and not where rows do not hold them."""

import random
from dataclasses import replace

import pytest

from codesample.bench.cost_fit import FEWEST, fit_costs
from codesample.bench.cost_fit_results import cost_fit_tables
from codesample.bench.launch_rows import timed_calls
from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode.cost import HOPPER, estimate

CARD = replace(HOPPER, memory=2.7e12, cache=5.1e12, launch=4.2e-6)
LONG = [
    (model, n, context)
    for model in ("7b-mha", "mistral-7b")
    for n in (8, 32, 128)
    for context in (8192, 32768)
]
SHORT = [("mistral-7b", n, context) for n in (32, 64, 128) for context in (128, 256, 512)]


@pytest.fixture
def measured(launch_row):
    """Return what makes rows that a machine of these rates would give, each off by some share."""

    def made(cells, machine, *, shared=True, noise=0.0):
        rng, rows = random.Random(0), []
        for model, n, context in cells:
            row = launch_row(1.0, shared=shared, model=model, rows=n, context=context)
            (call,) = timed_calls([row])
            found = estimate(call.batch, call.shape, call.own_tokens, machine)
            seconds = (found.shared if shared else found.single) * (1 + noise * rng.uniform(-1, 1))
            rows.append(launch_row(seconds, shared=shared, model=model, rows=n, context=context))
        return rows

    return made


def fitted(rows, shipped=HOPPER):
    return fit_costs(timed_calls(rows), shipped)


def test_the_rates_of_a_machine_are_recovered_and_nothing_is_off(measured):
    found = fitted([*measured(LONG, CARD), *measured(SHORT, CARD, shared=False)])
    for rate in found.rates:
        assert rate.fitted == pytest.approx(getattr(CARD, rate.name), rel=1e-6)
        assert rate.shipped == getattr(HOPPER, rate.name)
    assert found.machine == replace(CARD, **{rate.name: rate.fitted for rate in found.rates})
    for each in found.calls:
        assert each.fitted == pytest.approx(each.call.seconds, rel=1e-6)
        assert abs(each.shipped / each.call.seconds - 1) > 0.05


def test_noise_moves_them_by_no_more_than_their_errors_say(measured):
    noisy = [*measured(LONG, CARD, noise=0.05), *measured(SHORT, CARD, shared=False, noise=0.05)]
    for rate in fitted(noisy).rates:
        true = getattr(CARD, rate.name)
        assert 0 < rate.error < 0.2 * true
        assert abs(rate.fitted - true) < 4 * rate.error


def test_a_rate_that_no_call_depends_on_stays_as_shipped_and_says_so(measured):
    found = fitted(measured(LONG, CARD))
    memory, launch, cache = found.rates
    assert memory.fitted == pytest.approx(CARD.memory)
    assert launch.fitted == pytest.approx(CARD.launch)
    assert (cache.fitted, cache.why) == (None, "no call reads what it is the rate of")
    assert found.machine.cache == HOPPER.cache


def test_calls_that_are_too_alike_tell_no_launch_cost(measured):
    found = fitted(measured([("7b-mha", 32, 8192)] * FEWEST, CARD, noise=0.01))
    memory, launch, _ = found.rates
    assert memory.fitted is not None
    assert (launch.fitted, launch.why) == (None, "the calls are too alike to tell it from the others")


def test_a_cost_below_zero_is_no_rate(measured):
    # calls that take less than their bytes leave nothing for launches
    rows = measured(LONG, replace(CARD, launch=0.0))
    for row in rows:
        seconds = row["launches"]["seconds"]
        seconds["join_kernel"] = max(1e-9, seconds["join_kernel"] - 1e-6)
    found = fitted(rows)
    assert found.rates[1].why == "it comes out below zero"
    assert found.machine.launch == HOPPER.launch


def test_too_few_calls_are_refused(measured):
    with pytest.raises(ParameterError, match=f"{FEWEST - 1} timed calls .* at least {FEWEST}"):
        fitted(measured(LONG[: FEWEST - 1], CARD))


def test_calls_that_wait_for_few_programs_are_left_out(measured):
    few = measured([("mistral-7b", 1, context) for context in (8192, 16384)], CARD, shared=False)
    found = fitted([*measured(LONG, CARD), *few])
    assert len(found.calls) == len(LONG)
    assert found.unfit == {"few programs run, and another rate decides": 2}


def test_tables_state_rates_and_how_far_off_the_model_is_with_either(measured):
    shown = cost_fit_tables(fitted(measured(LONG, CARD)))
    assert "| memory, TB/s | 4.3 | 2.7 |" in shown
    assert "| L2 cache, TB/s | 7 | - | - | no call reads what it is the rate of |" in shown
    assert "| fitted | 0.0% | 0.0% |" in shown
    assert shown.count("\n| 7b-mha | 32 |") == 2
    assert f"Fitted to {len(LONG)} calls: `Machine(memory=2.7e+12, cache=7e+12," in shown
