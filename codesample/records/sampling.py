"""What is asked of an engine: prompts, which candidates of them, and how tokens are chosen."""

from __future__ import annotations

from dataclasses import dataclass

from codesample.errors import ParameterError

__all__ = ["Request", "SamplingParams"]


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How tokens are chosen. Defaults are those of the pass@k literature for small n (T 0.8, top-p 0.95).

    Attributes:
        temperature: Divides the logits; 0 means greedy. Range [0, inf).
        top_p: Keep the smallest set of tokens whose probability reaches this; 1 keeps all. Range (0, 1].
        top_k: Keep the k likeliest tokens; 0 keeps all.
        min_p: Keep tokens with at least this share of the likeliest token's probability. Range [0, 1).
        typical_p: Keep the tokens whose surprise is closest to the expected one, up to this probability
            (arXiv:2202.00666), before the other filters; 1 keeps all. Range (0, 1].
        repetition_penalty: Divides positive and multiplies negative logits of tokens that the prompt or
            the candidate holds (arXiv:1909.05858); 1 changes nothing. Range (0, inf).
        frequency_penalty: Subtracted from a token's logit for each time the candidate holds it.
        logit_bias: (token, amount) pairs added to logits.
        allowed_tokens: The only tokens that may come; () allows all.
        banned_tokens: Tokens that may not come.
        max_new_tokens: Upper limit per candidate, in tokens.
        stop: Strings that end a candidate; the text is cut before the first of them.
        seed: Which random streams are drawn from. With (problem id, index, position) it settles every draw.

    Raises:
        ParameterError: a value outside its range.
    """

    temperature: float = 0.8
    top_p: float = 0.95
    top_k: int = 0
    min_p: float = 0.0
    typical_p: float = 1.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    allowed_tokens: tuple[int, ...] = ()
    banned_tokens: tuple[int, ...] = ()
    max_new_tokens: int = 512
    stop: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        def need(ok: bool, name: str, expected: str) -> None:
            if not ok:
                raise ParameterError(f"{name} = {getattr(self, name)!r}: expected {expected}")

        need(0 <= self.temperature < float("inf"), "temperature", "a number of at least 0 (0 is greedy)")
        need(0 < self.top_p <= 1, "top_p", "a number in (0, 1]")
        need(self.top_k >= 0, "top_k", "an integer of at least 0 (0 keeps all tokens)")
        need(0 <= self.min_p < 1, "min_p", "a number in [0, 1)")
        need(0 < self.typical_p <= 1, "typical_p", "a number in (0, 1]")
        need(0 < self.repetition_penalty < float("inf"), "repetition_penalty", "a number above 0")
        need(abs(self.frequency_penalty) < float("inf"), "frequency_penalty", "a finite number")
        need(self.max_new_tokens >= 1, "max_new_tokens", "an integer of at least 1")
        need(isinstance(self.stop, tuple) and all(self.stop), "stop", "a tuple of non-empty strings")
        need(-(2**63) <= self.seed < 2**63, "seed", "a 64-bit integer")


@dataclass(frozen=True, slots=True)
class Request:
    """Ask for candidates `indices` of one prompt; index i names the same candidate in every run.

    Attributes:
        task_id: Names the prompt; part of the key of every random draw.
        prompt: Text; tokenised with the checkpoint's tokenizer, special tokens as it adds them.
        indices: Which candidates, each at least 0, no repeats; usually range(n).
    """

    task_id: str
    prompt: str
    indices: tuple[int, ...]
