"""Times of calls on one device."""

import time
from contextlib import nullcontext

import pytest
import torch

from codesample.bench import timing
from codesample.bench.timing import clock_of, copy_rate, median_time, now

CPU = torch.device("cpu")


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_the_median_call_counts_and_the_first_does_not():
    waits = iter([0.1, 0.002, 0.002, 0.05])
    assert 0.002 <= median_time([lambda: time.sleep(next(waits))], CPU, repeats=3) < 0.04


@pytest.mark.usefixtures("two_threads")
def test_every_call_has_its_turn_in_every_round():
    seen = []
    median_time([lambda: seen.append("a"), lambda: seen.append("b")], CPU, repeats=2)
    assert seen == ["a", "b"] * 3


def test_the_clock_of_one_thread_is_the_processor_time(two_threads):
    assert clock_of(CPU) == "perf_counter"
    torch.set_num_threads(1)
    assert clock_of(CPU) == "process_time"
    assert clock_of(torch.device("cuda")) == "CUDA events"


def test_a_copy_counts_what_is_read_and_written(monkeypatch):
    monkeypatch.setattr(timing, "_COPY_BYTES", 1 << 20)
    monkeypatch.setattr(timing, "median_time", lambda calls, device, repeats: 0.5)
    assert copy_rate(CPU) == 2 * (1 << 16) / 0.5


def test_now_moves_on():
    begun = now(CPU)
    time.sleep(0.002)
    assert now(CPU) - begun >= 0.002


def test_a_capture_that_fails_leaves_the_stream_as_it_was(monkeypatch):
    done, calls = [], iter([None, RuntimeError("operation not permitted when stream is capturing")])

    def call():
        if error := next(calls):
            raise error

    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: "the stream before")
    monkeypatch.setattr(torch.cuda, "set_stream", done.append)
    with pytest.raises(RuntimeError, match="not permitted"):
        median_time([call], torch.device("cuda"), repeats=1)
    assert done == ["the stream before"]
