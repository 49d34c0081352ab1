"""A model that is none: it writes asserts, letters and numbers by a hash of what it is given."""

from __future__ import annotations

import ast
import hashlib
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

from codesample.records import (
    CallExample,
    Candidate,
    CodeTests,
    FinishReason,
    Prompt,
    PublicView,
    SamplingParams,
)
from codesample.rerankers.context import CheckRunner, OutputRunner
from codesample.rerankers.made_once import Assert, GeneratedTests, Outputs, Passes

__all__ = ["StandInBehaviour", "StandInModel"]

_DEFINED = re.compile(r"\bdef (\w+)\(")
_ANSWERS = ("A", "B", "Yes", "No", "7", "3 out of 10", "[[A]]", "1, 2, 0", "I cannot say.", "")


class StandInModel:
    """Writes and reads text without a network, weights or time; equal calls give equal texts.

    Args:
        name: Another name writes other texts.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = f"stand-in {name or ''}".rstrip()

    def generate_all(
        self,
        asked: Sequence[tuple[str, Prompt]],
        *,
        n: int,
        params: SamplingParams,
        finished: Callable[[int], None] | None = None,
    ) -> list[list[Candidate]]:
        """Return asserts about a function that a prompt defines, or answers in a word or none."""
        return [[self._written(prompt, index, key) for index in range(n)] for key, prompt in asked]

    def logprobs(self, given: Sequence[tuple[Prompt, str]]) -> list[tuple[float, ...]]:
        """Return a number between -4 and 0 for each word, by the words and the prompt before it."""
        return [self._read(prompt, text) for prompt, text in given]

    def _written(self, prompt: Prompt, index: int, key: str) -> Candidate:
        rng = self._rng(prompt, index)
        names = _DEFINED.findall(_text(prompt))
        if names and rng.random() < 0.5:
            lines = [f"assert {names[-1]}({rng.randint(0, 3)}) == {rng.randint(0, 3)}" for _ in range(4)]
            text = "\n".join(lines) + "\n"
        else:
            text = rng.choice(_ANSWERS)
        ids = tuple(range(len(text.split())))
        logprobs = tuple(round(rng.uniform(-2.0, 0.0), 3) for _ in ids)
        return Candidate(key, index, text, token_ids=ids, logprobs=logprobs, finish_reason=FinishReason.EOS)

    def _read(self, prompt: Prompt, text: str) -> tuple[float, ...]:
        rng = self._rng(prompt, text)
        return tuple(round(rng.uniform(-4.0, 0.0), 3) for _ in text.split())

    def _rng(self, prompt: Prompt, more: object) -> random.Random:
        spelt = f"{self.name}\n{more!r}\n{_text(prompt)}".encode("utf-8", "surrogatepass")
        return random.Random(hashlib.sha256(spelt).digest())


def _text(prompt: Prompt) -> str:
    return prompt if isinstance(prompt, str) else "\n".join(each.content for each in prompt)


class StandInBehaviour:
    """Tests that the stand-in wrote of one problem, and what programs do on them, by whoever runs programs.

    Args:
        view: The problem; one that names no function has neither tests nor inputs.
        checks: Judges statements.
        outputs: Calls programs.
    """

    def __init__(self, view: PublicView, checks: CheckRunner, outputs: OutputRunner) -> None:
        self._view, self._run, self._call = view, checks, outputs
        self._tests = GeneratedTests()
        if view.entry_point is not None:
            self._tests = _tests_of(view, view.entry_point)

    def tests(self) -> GeneratedTests:
        """Return three asserts of the function, right or wrong."""
        return self._tests

    def outputs(self, programs: Sequence[str]) -> Outputs:
        """Return what the function returns on the calls of the asserts."""
        name, inputs = self._view.entry_point, self._tests.inputs
        if name is None or not inputs:
            return Outputs((), ((),) * len(programs))
        arguments = [_arguments(each) for each in inputs]
        return Outputs(inputs, tuple(self._call.outputs(programs, name, arguments)))

    def passes(self, programs: Sequence[str]) -> Passes:
        """Return which asserts hold."""
        asserts = self._tests.asserts
        if not asserts:
            return Passes((), ((),) * len(programs))
        statements = CodeTests(checks=tuple(each.statement for each in asserts))
        return Passes(asserts, tuple(self._run.check(programs, statements)))


def _tests_of(view: PublicView, name: str) -> GeneratedTests:
    given = [each for each in view.examples if isinstance(each, CallExample)]
    pairs = [(each.call, each.expected) for each in given] + [(f"{name}([])", "[]"), (f"{name}('a')", "1")]
    asserts = tuple(
        Assert(f"assert {call} == {expected}", call, expected, written)
        for written, (call, expected) in enumerate(pairs[-3:], start=1)
    )
    return GeneratedTests(asserts, tuple(each.call for each in asserts if each.call is not None))


def _arguments(call: str) -> tuple[Any, ...]:
    match ast.parse(call, mode="eval").body:
        case ast.Call(args=arguments):
            return tuple(ast.literal_eval(each) for each in arguments)
    return ()
