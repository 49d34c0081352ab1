"""What is asked of an engine: prompts, which candidates of them, and how tokens are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from codesample.records.fields import check_settings, setting
from codesample.records.message import Prompt, prompt_from
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["DEFAULT_NEW_TOKENS", "Request", "SamplingParams"]

DEFAULT_NEW_TOKENS = 512
"""Most tokens of a candidate where neither the caller nor a task says otherwise."""

_INFINITE = float("inf")
# beyond these a float32 overflows, and every token looks alike
_SMALL, _LARGE = 1e-5, 1e30


def _tokens(help_text: str) -> Any:
    """The declaration of a tuple of tokens, empty by default."""
    return setting(
        (),
        help_text,
        expected="a tuple of tokens, each at least 0",
        holds=lambda value: all(token >= 0 for token in value),
        metavar="TOKEN",
        parse=int,
    )


def _bias(word: str) -> tuple[int, float]:
    token, amount = word.split("=")
    return int(token), float(amount)


@validated
@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How tokens are chosen. Defaults are those of the pass@k literature for small n (T 0.8, top-p 0.95).

    Each field is said once, here: its check, its option on the command line and its place in a run's record
    come from its declaration.

    Attributes:
        temperature: Divides the logits; 0 means greedy. 0, or from 1e-5 on.
        top_p: Keep the smallest set of tokens whose probability reaches this; 1 keeps all. Range (0, 1].
        top_k: Keep the k likeliest tokens; 0 keeps all.
        min_p: Keep tokens with at least this share of the likeliest token's probability. Range [0, 1).
        typical_p: Keep the tokens whose surprise is closest to the expected one, up to this probability
            (arXiv:2202.00666), before the other filters; 1 keeps all. Range (0, 1].
        repetition_penalty: Divides positive and multiplies negative logits of tokens that the prompt or
            the candidate holds (arXiv:1909.05858); 1 changes nothing. Range [1e-5, 1e5].
        frequency_penalty: Subtracted from a token's logit for each time the candidate holds it.
        logit_bias: (token, amount) pairs added to logits, or a mapping of tokens to amounts.
        allowed_tokens: The only tokens that may come; () allows all.
        banned_tokens: Tokens that may not come.
        max_new_tokens: Upper limit per candidate, in tokens; None means the task's, or 512 without a task.
        stop: Strings that end a candidate, in any collection, besides the task's own; the text is cut before
            the first of them. Words of `codesample.stops` stand for what no string can say.
        confidence: Whether candidates say how sure the model was at each token (`Candidate.certainties` and
            `Candidate.confidences`); changes nothing that is drawn.
        seed: Which random streams are drawn from. With (problem id, index, position) it settles every draw.

    Raises:
        ParameterError: a value outside its range.
    """

    temperature: float = setting(
        0.8,
        "0 is greedy.",
        expected="a number of at least 0 (0 is greedy; else at least 1e-5)",
        holds=lambda value: value == 0 or _SMALL <= value < _INFINITE,
    )
    top_p: float = setting(
        0.95,
        "Keep the likeliest tokens up to this probability; 1 keeps all.",
        expected="a number in (0, 1]",
        holds=lambda value: 0 < value <= 1,
    )
    top_k: int = setting(
        0,
        "Keep this many of the likeliest tokens; 0 keeps all.",
        expected="a whole number of at least 0 (0 keeps all tokens)",
        holds=lambda value: value >= 0,
    )
    min_p: float = setting(
        0.0,
        "Keep tokens with this share of the likeliest one's probability.",
        expected="a number in [0, 1)",
        holds=lambda value: 0 <= value < 1,
    )
    typical_p: float = setting(
        1.0,
        "Keep the most typical tokens up to this; 1 keeps all.",
        expected="a number in (0, 1]",
        holds=lambda value: 0 < value <= 1,
    )
    repetition_penalty: float = setting(
        1.0,
        "Above 1 holds back tokens that came already.",
        expected="a number above 0, from 1e-5 to 1e5",
        holds=lambda value: _SMALL <= value <= 1 / _SMALL,
    )
    frequency_penalty: float = setting(
        0.0,
        "Taken from a token's logit for each time it came.",
        expected="a finite number, up to 1e30 in size",
        holds=lambda value: abs(value) <= _LARGE,
    )
    logit_bias: tuple[tuple[int, float], ...] = setting(
        (),
        "Add to a token's logit; repeatable.",
        expected="(token, amount) pairs or a mapping: tokens of at least 0, amounts up to 1e30 in size",
        holds=lambda value: all(token >= 0 and abs(by) <= _LARGE for token, by in value),
        metavar="TOKEN=AMOUNT",
        parse=_bias,
    )
    allowed_tokens: tuple[int, ...] = _tokens(
        "A token that may come, and none but those named so; repeatable."
    )
    banned_tokens: tuple[int, ...] = _tokens("A token that may not come; repeatable.")
    max_new_tokens: int | None = setting(
        None,
        "Tokens per candidate; default: the task's, or 512.",
        expected="a whole number of at least 1, or None for the task's limit",
        holds=lambda value: value is None or value >= 1,
    )
    stop: tuple[str, ...] = setting(
        (),
        "Ends a candidate, besides the task's own; repeatable. python:function: where its function ends.",
        expected="a tuple of non-empty strings",
        holds=lambda value: all(value),
    )
    confidence: bool = setting(
        False,
        "Record how sure the model was at each token, for rerankers that ask.",
    )
    seed: int = setting(
        0,
        "With problem, index and position it settles every draw.",
        expected="a whole number of 64 bits",
        holds=lambda value: -(2**63) <= value < 2**63,
    )

    __repr__ = one_line

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def token_limit(self) -> int:
        """Most tokens of a candidate, with the default filled in."""
        return DEFAULT_NEW_TOKENS if self.max_new_tokens is None else self.max_new_tokens

    def settled(
        self, *, stop: Sequence[str] = (), max_new_tokens: int = DEFAULT_NEW_TOKENS
    ) -> SamplingParams:
        """Return these parameters with nothing left open.

        Args:
            stop: What ends a candidate of the task; comes before the caller's own.
            max_new_tokens: The task's limit, for where the caller names none.
        """
        limit = max_new_tokens if self.max_new_tokens is None else self.max_new_tokens
        return replace(self, stop=tuple(dict.fromkeys((*stop, *self.stop))), max_new_tokens=limit)


@validated
@dataclass(frozen=True, slots=True)
class Request:
    """Ask for candidates `indices` of one prompt; index i names the same candidate in every run.

    Attributes:
        task_id: Names the prompt; part of the key of every random draw.
        prompt: A text, tokenised with the checkpoint's tokenizer, special tokens as it adds them; or messages
            (`Message`s or mappings with `role` and `content`), put through the checkpoint's chat template. A
            last message of the assistant's is the beginning of the answer, which candidates go on with.
        indices: Which candidates, each at least 0, no repeats; usually range(n).

    Raises:
        ParameterError: the prompt is neither.
    """

    task_id: str
    prompt: Prompt
    indices: tuple[int, ...]

    __repr__ = one_line

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt", prompt_from(self.prompt))
