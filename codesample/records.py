"""The frozen records that cross a boundary between parts of the toolkit.

Data flows one way: a task makes `Problem`s, sampling turns their prompts into `Candidate`s, execution
turns programs and `Tests` into `Verdict`s, a reranker turns a `PublicView` and candidates into scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from codesample.errors import ParameterError

__all__ = [
    "Candidate",
    "Example",
    "FinishReason",
    "Problem",
    "PublicView",
    "Request",
    "SamplingParams",
    "Status",
    "Tests",
    "Verdict",
]


@dataclass(frozen=True, slots=True)
class Example:
    """An input and its output as the prompt shows them: two Python expressions."""

    call: str
    expected: str


@dataclass(frozen=True, slots=True)
class Tests:
    """How programs of one problem are judged. Trusted: it never reaches a candidate's process.

    Either `source` (and `checks`) or `inputs` with `reference` is set.

    Attributes:
        source: Python that ends normally exactly when the program is right; it calls `entry_point`
            and any other name the program defines.
        entry_point: Name the program must define; None for data sets that do not state one.
        stub: Trusted definitions that stand before the program in the prompt, such as HumanEval's helpers.
        checks: Statements run one after another after `source`, each judged on its own; all must hold.
        inputs: Argument lists for `entry_point`; each result must equal what `reference` returns, plain
            data of built-in types.
        reference: Trusted source that defines `entry_point`; with `inputs` only.
        atol: Absolute tolerance of numbers in compared results; 0 means exact, but for a float or a list
            or tuple of floats, which get 1e-6. With `inputs` only.
        time_limit: CPU seconds for the whole program, or None for the executor's default.
        memory: Bytes of private memory for the program, or None for the executor's default.
        imports: Modules of the caller's installation that the program may import, beside those that the
            executor grants to all.
        oracle: Trusted source that defines `accept(arguments, result, expected) -> bool`, used in place
            of equality; with `inputs` only. `expected` is what `reference` returned.
        io: (standard input, expected standard output) pairs for a program that is a script; each is
            run in a process of its own. Stands alone, without `source` or `inputs`.
        mode: "split" runs the tests in another process than the program. "in_process" runs `source`
            and `checks` beside it: for tests that cannot be split, such as those of in-place changes,
            and for tests that are not trusted. The verdict's integrity is then "weak".
    """

    # pytest would collect a class of this name
    __test__ = False

    source: str = ""
    entry_point: str | None = None
    stub: str = ""
    checks: tuple[str, ...] = ()
    inputs: tuple[tuple[Any, ...], ...] | None = None
    reference: str | None = None
    atol: float = 0.0
    time_limit: float | None = None
    memory: int | None = None
    imports: tuple[str, ...] = ()
    oracle: str | None = None
    io: tuple[tuple[str, str], ...] = ()
    mode: Literal["split", "in_process"] = "split"


@dataclass(frozen=True, slots=True)
class Problem:
    """One item of a task.

    Attributes:
        task_id: Unique within the task, such as "HumanEval/0".
        prompt: The whole text given to the model, `header` included, not stripped.
        tests: Hidden tests; they grade and are seen by nothing else.
        header: Leading part of `prompt` that other problems of the task share, or "".
        description: The prompt without its header; what a person would read.
        entry_point: Name of the function asked for, if the task states one.
        examples: Public examples: input/output pairs that the prompt itself shows.
        reference: A completion (in the form a model would give it) that passes, if the data set has one.
        metadata: Facts for reports, such as {"tier": "compose"}; must be plain JSON data.
    """

    task_id: str
    prompt: str
    tests: Tests
    header: str = ""
    description: str = ""
    entry_point: str | None = None
    examples: tuple[Example, ...] = ()
    reference: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PublicView:
    """What a reranker may know of a problem: an allow-list that holds no hidden test and no reference."""

    task: str
    task_id: str
    prompt: str
    description: str
    entry_point: str | None
    examples: tuple[Example, ...]

    @classmethod
    def of(cls, task: str, problem: Problem) -> PublicView:
        """Build the view of `problem` by copying the allowed fields, each by name."""
        return cls(
            task=task,
            task_id=problem.task_id,
            prompt=problem.prompt,
            description=problem.description,
            entry_point=problem.entry_point,
            examples=problem.examples,
        )


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


class FinishReason(StrEnum):
    """Why a candidate ended."""

    STOP = "stop"
    EOS = "eos"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One sampled continuation.

    Attributes:
        task_id: Of the prompt.
        index: Which candidate of that prompt, from 0.
        completion: Text, cut before the stop string.
        token_ids: Tokens that produced `completion`, without what was cut and without EOS.
        logprobs: Natural log-probability of each of `token_ids` under the model's own distribution
            (temperature 1, nothing truncated); None where the source of the sample kept none.
        sampled_logprobs: The same under the distribution drawn from (tempered and truncated).
        finish_reason: Why it ended.
        stop: The stop string found, if any.
        program: The text that is run; filled in by the task, None before.
    """

    task_id: str
    index: int
    completion: str
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    sampled_logprobs: tuple[float, ...] | None = None
    finish_reason: FinishReason | None = None
    stop: str | None = None
    program: str | None = None


class Status(StrEnum):
    """Outcome of one program. Only HARNESS_ERROR says nothing about the program."""

    PASSED = "passed"
    WRONG = "wrong"
    ERROR = "error"
    CPU_TIMEOUT = "cpu_timeout"
    WALL_TIMEOUT = "wall_timeout"
    MEMORY = "memory"
    OUTPUT_LIMIT = "output_limit"
    CRASHED = "crashed"
    UNSUPPORTED_VALUE = "unsupported_value"
    HARNESS_ERROR = "harness_error"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of running one program against hidden tests.

    Attributes:
        task_id, index: Which candidate.
        status: See `Status`.
        cpu_seconds: User plus system time of the program's process.
        wall_seconds: Wall time less the time spent waiting for a core.
        peak_memory: Peak resident set in bytes; None where it could not be read.
        detail: First lines of the traceback or the limit that was hit; never trusted.
        checks: Result of each of `Tests.checks`, in order; () where the tests have none.
        integrity: "split", "io" or "weak" (tests ran beside the program).
    """

    task_id: str
    index: int
    status: Status
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    peak_memory: int | None = None
    detail: str = ""
    checks: tuple[bool, ...] = ()
    integrity: str = "split"

    @property
    def passed(self) -> bool:
        """Whether every hidden test held."""
        return self.status is Status.PASSED
