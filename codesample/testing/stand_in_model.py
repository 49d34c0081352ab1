"""A model that is none: it writes asserts, letters and numbers by a hash of what it is given."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Sequence

from codesample.records import Candidate, FinishReason, Prompt, SamplingParams

__all__ = ["StandInModel"]

_DEFINED = re.compile(r"\bdef (\w+)\(")
_ANSWERS = ("A", "B", "Yes", "No", "7", "3 out of 10", "[[A]]", "1, 2, 0", "I cannot say.", "")


class StandInModel:
    """Writes and reads text without a network, weights or time; equal calls give equal texts.

    Args:
        name: Another name writes other texts.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = f"stand-in {name or ''}".rstrip()

    def generate(self, prompt: Prompt, *, n: int, params: SamplingParams, key: str) -> list[Candidate]:
        """Return asserts about a function that the prompt defines, or an answer in a word or none."""
        return [self._written(prompt, index, key) for index in range(n)]

    def generate_all(
        self,
        asked: Sequence[tuple[str, Prompt]],
        *,
        n: int,
        params: SamplingParams,
        finished: Callable[[int], None] | None = None,
    ) -> list[list[Candidate]]:
        """Return `generate` of each prompt."""
        return [self.generate(prompt, n=n, params=params, key=key) for key, prompt in asked]

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
