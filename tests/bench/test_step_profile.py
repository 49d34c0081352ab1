"""Which kernels a step is made of."""

from types import SimpleNamespace

import torch

from codesample.bench import memory_use, step_profile
from codesample.bench.step_profile import profile_step


def profiled():
    return profile_step(
        "tiny",
        rows=2,
        context=9,
        own=3,
        device=torch.device("cpu"),
        dtype=torch.float32,
        impl="torch",
    )


def test_the_largest_come_first_with_their_calls_per_step():
    found = profiled()
    times = [kernel["us_per_step"] for kernel in found["kernels"]]
    assert times == sorted(times, reverse=True)
    assert found["us_per_step"] >= sum(times) * 0.999
    (products,) = [kernel for kernel in found["kernels"] if kernel["name"] == "aten::mm"]
    # four of each of three layers, and the head
    assert products["calls_per_step"] == 13


def test_on_a_gpu_kernels_count_and_what_launched_them_does_not():
    def event(kind, us):
        return SimpleNamespace(
            key=f"{kind} kernel" + "x" * 200,
            device_type=SimpleNamespace(name=kind),
            self_device_time_total=us,
            self_cpu_time_total=77.0,
            count=10,
        )

    events = [event("CPU", 50.0), event("CUDA", 20.0), event("CUDA", 0.0), event("CUDA", 30.0)]
    found = step_profile._kernels(events, on_gpu=True)
    assert [(kernel["us_per_step"], kernel["calls_per_step"]) for kernel in found] == [(6.0, 2.0), (4.0, 2.0)]
    assert all(len(kernel["name"]) == 80 for kernel in found)


def test_a_profiler_that_sees_nothing_is_told(monkeypatch):
    monkeypatch.setattr(step_profile, "_kernels", lambda *_, **__: [])
    assert profiled() == {"refused": "the profiler saw no kernel"}


def test_a_model_that_does_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr(memory_use, "free_memory", lambda device: 1000)
    assert profiled()["refused"].endswith("0.0 GB are free")
