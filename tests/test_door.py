"""The door of the public surface: whatever is exported refuses an alien value of each argument by name."""

from __future__ import annotations

import asyncio
import enum
import importlib
import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import codesample
from codesample.errors import CodesampleError, ParameterError

# Names of which nothing is called by users with arguments of their own, and why.
NOT_CALLED = {
    "AsyncStream": "made by `AsyncSampler`",
    "Isolation": "what the sandbox found out",
    "Mechanism": "what the sandbox found out",
    "Observer": "a run calls it, with what it has found out",
    "bifurcated_generate": "called by transformers, with arguments that it has checked",
}
METHODS_NOT_CALLED = {
    "RunProgress": "an `Observer`",
}
# Arguments that may be anything, and why.
ANYTHING = {
    "Artefacts.put(value)": "plain JSON data of any shape",
    **{
        f"AsyncSampler.{name}(changes)": "fields of `SamplingParams`, which refuses them"
        for name in ("sample", "stream", "stream_text")
    },
    "Outcome(value)": "whatever a program returned",
    "Reranker.with_parameters(values)": "parameters of the reranker's own, which it refuses",
    "Sampler.sample(changes)": "fields of `SamplingParams`, which refuses them",
    "Sampler(model)": "objects of many libraries, of which those that are no model are told by their kind",
    "Sampler(tokenizer)": "transformers has no one class of tokenizers",
    "generate(model)": "refuses by name what is no model, and what is around one",
    "generate(others)": "arguments of transformers, which refuses those that it does not know",
    "generate(streamer)": "whatever has put and end",
    "generate(tokenizer)": "transformers has no one class of tokenizers",
    "reranker(name)": "a text, or the function that it stands on",
}


TASKS = (
    "apps",
    "bigcodebench",
    "classeval",
    "code_contests",
    "cruxeval",
    "evalplus",
    "humaneval",
    "livecodebench",
    "mbpp",
    "mini",
    "registry",
)
PARTS = (
    *(f"codesample.tasks.{name}" for name in TASKS),
    *(f"codesample.testing.{name}" for name in ("engines", "judges", "policies", "rerankers", "tasks")),
    "codesample.policies.registry",
    "codesample.rewards",
    "codesample.execution.caller.run_all",
    "codesample.extraction.extract",
)


class Alien:
    """Is of no type that anything takes."""

    def __repr__(self) -> str:
        return "an alien"


def calls_of_parts() -> Iterator[tuple[str, Callable[..., Any], bool]]:
    """Yield the functions that modules export for users beside the names at the top."""
    for name in PARTS:
        module = importlib.import_module(name)
        for each in module.__all__:
            thing = getattr(module, each)
            if inspect.isfunction(thing) and inspect.signature(thing).parameters:
                yield f"{each}", thing, False


def calls() -> Iterator[tuple[str, Callable[..., Any], bool]]:
    """Yield every call of the public surface with its name, and whether it is a method."""
    yield from calls_of_parts()
    for name in codesample.__all__:
        thing = getattr(codesample, name)
        if name in NOT_CALLED:
            continue
        if not isinstance(thing, type):
            yield name, thing, False
        elif not issubclass(thing, enum.Enum | CodesampleError) and not getattr(thing, "_is_protocol", False):
            yield from calls_of_class(name, thing)


def calls_of_class(name: str, kind: type[Any]) -> Iterator[tuple[str, Callable[..., Any], bool]]:
    yield name, kind, False
    fields = getattr(kind, "__dataclass_fields__", {})
    for method, written in inspect.getmembers_static(kind):
        ours = any(method in vars(base) for base in kind.__mro__ if base.__module__.startswith("codesample"))
        if method.startswith("_") or method in fields or not ours or name in METHODS_NOT_CALLED:
            continue
        if isinstance(written, classmethod | staticmethod):
            yield f"{name}.{method}", getattr(kind, method), False
        elif inspect.isfunction(written):
            yield f"{name}.{method}", written, True


def arguments() -> Iterator[Any]:
    for name, call, is_method in calls():
        parameters = list(inspect.signature(call).parameters.values())[is_method:]
        for each in parameters:
            where = f"{name}({each.name})"
            if where not in ANYTHING:
                yield pytest.param(call, is_method, each, id=where)


def finish(result: Any) -> None:
    """Have a coroutine do what it was called for."""
    if inspect.iscoroutine(result):
        asyncio.run(result)


@pytest.mark.parametrize(("call", "is_method", "parameter"), list(arguments()))
def test_an_alien_argument_is_refused_by_name(
    call: Callable[..., Any], is_method: bool, parameter: inspect.Parameter
) -> None:
    name = "other" if parameter.kind is parameter.VAR_KEYWORD else parameter.name
    with pytest.raises(ParameterError) as refused:
        # what is of a wrong type is told before what is missing
        finish(call(*[None] * is_method, **{name: Alien()}))
    said = str(refused.value)
    assert said.startswith(f"{name} = an alien (Alien): expected ")
    assert "\n" not in said


@pytest.mark.parametrize(("name", "call", "is_method"), [pytest.param(*each, id=each[0]) for each in calls()])
def test_an_unknown_argument_is_refused_by_name(name: str, call: Callable[..., Any], is_method: bool) -> None:
    parameters = inspect.signature(call).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return
    if len(parameters) > is_method:
        with pytest.raises(ParameterError, match=f"{name} has no argument 'qx'; it takes: "):
            finish(call(*[None] * is_method, qx=1))


class Named(os.PathLike[str]):
    """A path of another library."""

    def __fspath__(self) -> str:
        return "nowhere/run"


@pytest.fixture(scope="module")
def tiny() -> codesample.Sampler:
    return codesample.Sampler("tiny")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.sample("x", seed=None), "seed = None: expected a whole number"),
        (lambda s: s.sample("x", temperature="0.8"), "temperature = '0.8': expected a number"),
        (lambda s: s.sample("x", temperature="0.8"), "(text given; write 0.8)"),
        (lambda s: s.sample("x", temperature=float("nan")), "temperature = nan: expected a number"),
        (lambda s: s.sample("x", temprature=1), "unknown sampling parameter 'temprature'; did you mean 'tem"),
        (
            lambda s: s.sample(["a", "b"]),
            "prompt = ['a', 'b']: expected one prompt (text or messages); for se",
        ),
        (lambda s: s.sample("x", "3"), "n = '3': expected a whole number (text given; write 3)"),
        (lambda s: s.sample("x", 2.5), "n = 2.5: expected a whole number"),
        (lambda s: s.sample("x", True), "n = True: expected a whole number"),
        (lambda s: s.sample(), "Sampler.sample: prompt is missing; it takes: prompt, n, params"),
        (lambda s: s.stream("x", codesample.SamplingParams()), "requests = 'x': expected a list of Requests"),
        (lambda s: s.stream(["x"], codesample.SamplingParams()), "requests[0] = 'x': expected a Request"),
        (lambda s: s.stream([], {"seed": 1}), "params = {'seed': 1}: expected SamplingParams"),
        (
            lambda s: codesample.Sampler("tiny", memory_fraction="0.5"),
            "memory_fraction = '0.5': expected a num",
        ),
        (lambda s: codesample.Sampler(None), "the model is builtins.NoneType; expected a name, a folder, or"),
        (lambda s: codesample.evaluate(None), "task = None: expected a text, a path, a Task or a ProblemSet"),
        (lambda s: codesample.evaluate("mini", n="3"), "n = '3': expected a whole number"),
        (lambda s: codesample.evaluate("mini", k=(1, 1.5)), "k[1] = 1.5: expected a whole number"),
        (
            lambda s: codesample.evaluate("mini", rerankers=3),
            "rerankers = 3: expected a text, a Reranker or a",
        ),
        (lambda s: codesample.evaluate("mini", rerankers=[3]), "rerankers[0] = 3: expected a text or a Rera"),
        (lambda s: codesample.evaluate("mini", rerankers=[len]), "decorate it with @codesample.reranker"),
        (
            lambda s: codesample.evaluate("mini", temperature=0.5),
            "evaluate has no argument 'temperature'; it",
        ),
        (lambda s: codesample.evaluate("mini", rerankes="x"), "did you mean 'rerankers'?"),
        (
            lambda s: codesample.evaluate("mini", "tiny"),
            "evaluate: 2 arguments without a name; expected 1 at",
        ),
        (
            lambda s: codesample.evaluate("mini", run={"workers": 2}),
            "run = {'workers': 2}: expected RunOptions",
        ),
        (
            lambda s: codesample.evaluate("mini", observer=codesample.Observer),
            "the class given; make one of it",
        ),
        (lambda s: codesample.evaluate("mini", model=codesample.Sampler), "Sampler"),
        (lambda s: codesample.best_of_n(s.checkpoint.model, "x"), "wrap it: codesample.Sampler(model, token"),
        (lambda s: codesample.best_of_n(object(), "x"), "expected a text, a path, ModelOptions or an Engine"),
        (
            lambda s: codesample.best_of_n("tiny", "x", examples=["f(1)"]),
            "examples[0] = 'f(1)': expected a ca",
        ),
        (lambda s: codesample.best_of_n("tiny", "x", judge=s), "expected a Judge or None"),
        (lambda s: codesample.RunOptions(out=3), "out = 3: expected a path or None"),
        (lambda s: codesample.Limits(cpu_seconds="x"), "cpu_seconds = 'x': expected a number"),
        (
            lambda s: codesample.Limits(cpu_seconds=float("inf")),
            "cpu_seconds = inf: expected a finite number",
        ),
        (lambda s: codesample.Executor(workers="2"), "workers = '2': expected a whole number or None"),
        (lambda s: codesample.read_run(None), "folder = None: expected a text or a path"),
    ],
)
def test_what_people_get_wrong_is_said_by_name(
    call: Callable[[codesample.Sampler], Any], message: str, tiny: codesample.Sampler
) -> None:
    with pytest.raises(ParameterError) as refused:
        call(tiny)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_nearly_is_of_the_type_is_taken(tiny: codesample.Sampler) -> None:
    prompt = "def f(x):\n"
    plain = tiny.sample(prompt, 2, max_new_tokens=4, seed=3, stop=("\n\n",))
    nearly: dict[str, Any] = {"max_new_tokens": torch.tensor(4), "seed": np.int64(3), "stop": "\n\n"}
    near = tiny.sample(prompt, np.int32(2), temperature=np.float64(0.8), **nearly)  # type: ignore[arg-type]
    requests = [codesample.Request("prompt", prompt, [0, 1])]  # type: ignore[arg-type]
    params = codesample.SamplingParams(max_new_tokens=4, seed=3, stop=["\n\n"])  # type: ignore[arg-type]
    streamed = sorted(tiny.stream(requests, params), key=lambda each: each.index)
    assert len({tuple(each.token_ids for each in drawn) for drawn in (plain, near, streamed)}) == 1
    assert codesample.RunOptions(out=Named()).out == Path("nowhere/run")  # type: ignore[arg-type]
    assert len(codesample.read_problems("mini", limit="5").problems) == 5


def test_nothing_is_left_out_that_is_not_there() -> None:
    known = {f"{name}({each})" for name, call, _ in calls() for each in inspect.signature(call).parameters}
    assert ANYTHING.keys() <= known
    assert (NOT_CALLED.keys() | METHODS_NOT_CALLED.keys()) <= set(codesample.__all__)
