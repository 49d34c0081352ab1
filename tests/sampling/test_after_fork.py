"""A process that was forked from one that has sampled samples, or says what to do, and never hangs."""

import subprocess
import sys

import pytest

# two threads: with one, torch has none that could be missing in the child
BEGIN = """
import os, signal, sys, torch
torch.set_num_threads(2)
import codesample
from codesample.testing.models import byte_tokenizer, random_model

def sample(sampler):
    return [c.token_ids for c in sampler.sample("def f(x):", n=8, max_new_tokens=6)]

def in_child(what):
    child = os.fork()
    if not child:
        # a child that hangs is ended by the alarm, and its status tells
        signal.alarm(60)
        try:
            what()
        except codesample.CodesampleError as error:
            print(type(error).__name__, error, flush=True)
        except BaseException as error:
            print("unexpected", type(error), error, flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, status

model = random_model("llama", seed=1).double()
sampler = codesample.Sampler(model, tokenizer=byte_tokenizer())
expected = sample(sampler)
"""


def run(program):
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


@pytest.mark.slow
def test_a_sampler_on_a_cpu_goes_on_and_says_that_it_has_one_thread():
    said, log = run(
        """
def child():
    print(sample(sampler) == expected, torch.get_num_threads(), flush=True)
    other = codesample.Sampler(model, tokenizer=byte_tokenizer())
    print(sample(other) == expected, flush=True)

in_child(child)
print(sample(sampler) == expected, torch.get_num_threads())
"""
    )
    assert said == ["True 1", "True", "True 2"]
    assert log.count("this process was forked") == 1


@pytest.mark.slow
def test_a_fork_in_the_middle_of_a_threads_step_and_a_services_thread_are_refused():
    said, _ = run(
        """
import threading
inside, done = threading.Event(), threading.Event()

def waiting(ids, scores):
    inside.set()
    done.wait(60)
    return scores

request = [codesample.Request("p", "x", (0,))]
params = codesample.SamplingParams(max_new_tokens=2)
thread = threading.Thread(target=lambda: list(sampler.stream(request, params, processors=[waiting])))
thread.start()
inside.wait()
served = codesample.AsyncSampler(sampler)

def child():
    import asyncio
    try:
        asyncio.run(served.sample("x"))
    except codesample.CodesampleError as error:
        print(error, flush=True)
    sample(sampler)

in_child(child)
done.set()
thread.join()
"""
    )
    assert len(said) == 2
    assert said[0].startswith("this AsyncSampler was made in another process")
    assert said[1].startswith("ModelError this process was forked while another thread was sampling")
    assert all('"spawn"' in line for line in said)


def test_on_a_gpu_a_fork_is_refused(monkeypatch):
    from types import SimpleNamespace

    import torch

    from codesample.errors import ModelError
    from codesample.sampling import after_fork

    home = after_fork.OwnProcess()
    home.settle(SimpleNamespace(device=torch.device("cuda:0")))
    monkeypatch.setattr(after_fork.os, "getpid", lambda: -1)
    with pytest.raises(ModelError, match=r'cuda:0 cannot follow a fork.*"spawn"'):
        home.settle(SimpleNamespace(device=torch.device("cuda:0")))
