"""The door of the public surface: whatever is exported refuses an alien value of each argument by name."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import codesample
from codesample.errors import CodesampleError, ParameterError

# Names of which nothing is called by users with arguments of their own, and why.
NOT_CALLED = {
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
    "Outcome(value)": "whatever a program returned",
    "Reranker.with_parameters(values)": "parameters of the reranker's own, which it refuses",
    "Sampler.sample(changes)": "fields of `SamplingParams`, which refuses them",
    "Sampler(tokenizer)": "transformers has no one class of tokenizers",
    "reranker(name)": "a text, or the function that it stands on",
}


class Alien:
    """Is of no type that anything takes."""

    def __repr__(self) -> str:
        return "an alien"


def calls() -> Iterator[tuple[str, Callable[..., Any], bool]]:
    """Yield every call of the public surface with its name, and whether it is a method."""
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


@pytest.mark.parametrize(("call", "is_method", "parameter"), arguments())
def test_an_alien_argument_is_refused_by_name(
    call: Callable[..., Any], is_method: bool, parameter: inspect.Parameter
) -> None:
    name = "other" if parameter.kind is parameter.VAR_KEYWORD else parameter.name
    with pytest.raises(ParameterError) as refused:
        # what is of a wrong type is told before what is missing
        call(*[None] * is_method, **{name: Alien()})
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
            call(*[None] * is_method, qx=1)


def test_nothing_is_left_out_that_is_not_there() -> None:
    known = {f"{name}({each})" for name, call, _ in calls() for each in inspect.signature(call).parameters}
    assert ANYTHING.keys() <= known
    assert (NOT_CALLED.keys() | METHODS_NOT_CALLED.keys()) <= set(codesample.__all__)
