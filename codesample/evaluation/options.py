"""What an evaluation can be asked to do; the defaults of the library and of the command line are these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codesample.errors import MetricError, ParameterError
from codesample.evaluation.shard import Shard
from codesample.evaluation.test_options import TestOptions
from codesample.execution.judge import Judge
from codesample.records import SamplingParams
from codesample.records.fields import check_settings, setting
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = [
    "DEFAULT_K",
    "DEFAULT_N",
    "DEFAULT_RERANKERS",
    "INTEGRITIES",
    "MOST_DRAWN",
    "STYLES",
    "PromptOptions",
    "RunOptions",
    "choose_k",
    "expect_drawable",
    "greedy_n",
]

DEFAULT_N = 32
"""Candidates per problem."""

MOST_DRAWN = 100_000
"""Candidates per problem at most: ten times as many as the longest published runs draw."""

DEFAULT_K = (1, 5, 10)
"""The k of pass@k; those above n are left out where the caller named none."""

INTEGRITIES = ("any", "strict")
"""Ways to count verdicts; see `RunOptions.integrity`."""

DEFAULT_RERANKERS = ("mean_logprob", "public_examples", "public_examples,mean_logprob")


STYLES = ("auto", "base", "chat")
"""Ways to put problems to a model; see `PromptOptions.style`."""


@validated
@dataclass(frozen=True, slots=True)
class PromptOptions:
    """How problems are put to the model.

    Attributes:
        style: "base": the task's prompt as a text to continue. "chat": a turn of the user's, through the
            model's chat template. "auto": chat where the model has such a template, else base.
        system: A system turn before it.
        prefill: Whether the beginning of the answer, an opened code fence, is given to the model too.

    Raises:
        ParameterError: an unknown style, or a system turn or prefill for the base form.
    """

    style: str = setting(
        "auto",
        "How problems are put to the model; auto: chat where it has a chat template.",
        expected="'auto', 'base' or 'chat'",
        holds=lambda value: value in STYLES,
        flag="--prompt",
        metavar="auto|base|chat",
    )
    system: str | None = setting(None, "A system turn before each problem; chat only.")
    prefill: bool = setting(False, "Begin the model's answers with an opened code fence; chat only.")

    __repr__ = one_line

    def __post_init__(self) -> None:
        check_settings(self)
        if self.style == "base" and (self.system is not None or self.prefill):
            name = "system" if self.system is not None else "prefill"
            raise ParameterError(f"{name} belongs to the chat form; leave it out, or ask for --prompt chat")

    @property
    def said(self) -> bool:
        """Whether the form was said, so that nothing is left to the model or to the run in hand."""
        return self.style != "auto" or self.chat_only

    @property
    def chat_only(self) -> bool:
        """Whether something was asked for that only the chat form has."""
        return self.style == "chat" or self.system is not None or self.prefill


@validated
@dataclass(frozen=True, slots=True)
class RunOptions:
    """Where a run is kept and how its programs are run.

    Attributes:
        out: Run folder; None makes one under `runs/`.
        resume: Go on with the run in `out`; n may grow, the rest must agree.
        shard: "3/8": only every eighth problem, from the third on, of those that are chosen; such runs, one
            in each folder, are made one by `merge_runs`.
        workers: Sandbox workers; None takes one per usable core.
        allow_weak_isolation: Level to be content with, "limited" or "none", where the sandbox reaches no
            more; None insists on "confined".
        imports: Modules of this installation that programs may import, beside those that their tests name;
            one of them may be several with commas between.
        integrity: "strict" counts a pass of integrity "weak" as not judged; None means "any", or what a run
            was counted by before.
        cache: Whether verdicts that cannot change are taken from, and kept in, the user's cache folder. The
            environment variable CODESAMPLE_CACHE names another folder, or "off". A judge of one's own has no
            part in it.
        skip_health_check: Start without trying a few references first; a run with none that passes is
            refused otherwise.
        judge: Judges the programs, in place of an `Executor` of this run's own; it stays open.
        tests: What is made for rerankers that compare what programs do. None takes what the run in hand was
            made with, or the defaults.
        ray: A Ray cluster on whose nodes the model samples and programs are judged: "HOST:PORT" of its head,
            or "auto" for the one that this machine is a node of. An engine that is open already, and one
            that asks a server, stay here. `workers` then counts for each node. See docs/cluster.md.
        ray_gpus: GPUs of each sampling actor, where the cluster has any.

    Raises:
        ParameterError: `resume` without `out`, a shard that is none, `imports` or `ray` beside a `judge`, or
            a value outside its range.
    """

    out: Path | None = setting(None, "Run folder; default: a new one under runs/.")
    resume: bool = setting(False, "Go on with the run in --out.")
    shard: str | None = setting(
        None,
        "Only every N-th problem, from the K-th on; `codesample merge` makes one run of all shards.",
        metavar="K/N",
    )
    workers: int | None = setting(
        None,
        "Sandbox workers; default: one per usable core.",
        expected="at least 1, or None for one per core",
        holds=lambda value: value is None or value >= 1,
    )
    allow_weak_isolation: str | None = setting(
        None,
        "Run even where the sandbox only reaches LEVEL: limited or none.",
        metavar="LEVEL",
    )
    imports: tuple[str, ...] = setting(
        (),
        "A module that programs may import, or several with commas; repeatable.",
        metavar="MODULE",
    )
    integrity: str | None = setting(
        None,
        "With strict, a pass that its program could have faked (integrity weak) counts as not judged.",
        expected="'any', 'strict' or None",
        holds=lambda value: value in (None, *INTEGRITIES),
        metavar="any|strict",
    )
    cache: bool = setting(
        True,
        "Take verdicts that cannot change from earlier runs on this machine.",
        flag="--cache/--no-cache",
    )
    skip_health_check: bool = setting(False, "Start without trying a few reference solutions first.")
    judge: Judge | None = setting(
        None,
        "Judges the programs.",
        expected="a judge, such as an Executor, or None for one of the run's own",
        holds=lambda value: value is None or isinstance(value, Judge),
        flag=None,
    )
    tests: TestOptions | None = setting(
        None,
        "What is made for rerankers that compare what programs do.",
        expected="TestOptions, or None for what the run was made with",
        flag=None,
    )
    ray: str | None = setting(
        None,
        "Sample and judge on the nodes of a Ray cluster.",
        expected="HOST:PORT of a cluster's head, auto, or None",
        holds=lambda value: value is None or bool(value),
        metavar="ADDRESS|auto",
    )
    ray_gpus: float = setting(
        1.0,
        "GPUs of each sampling actor on a Ray cluster that has any.",
        expected="above 0",
        holds=lambda value: 0 < value < float("inf"),
    )

    __repr__ = one_line

    def __post_init__(self) -> None:
        if isinstance(self.out, str):
            object.__setattr__(self, "out", Path(self.out))
        check_settings(self)
        self._spread_imports()
        if self.ray is not None and self.judge is not None:
            raise ParameterError(f"ray = {self.ray!r} beside a judge of your own: expected one of the two")
        if self.shard is not None:
            object.__setattr__(self, "shard", str(Shard.parse(self.shard)))
        if self.resume and self.out is None:
            raise ParameterError(
                "resume without a run folder; name the one to go on with: --out RUN --resume"
            )

    def _spread_imports(self) -> None:
        names = tuple(dict.fromkeys(name for given in self.imports for name in given.split(",")))
        for name in names:
            if not all(part.isidentifier() for part in name.split(".")):
                raise ParameterError(f"imports {name!r}: expected the name of a module, such as numpy")
        object.__setattr__(self, "imports", names)
        if names and self.judge is not None:
            raise ParameterError(
                f"imports {', '.join(names)}: a judge of your own grants modules by its own limits, "
                "such as Executor(limits=Limits(imports=(...)))"
            )


def expect_drawable(n: int) -> None:
    """Refuse a number of candidates that is none.

    Raises:
        ParameterError: not a whole number of at least 1, or more than `MOST_DRAWN`.
    """
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ParameterError(f"n = {n!r}: expected at least 1 candidate per problem")
    if n > MOST_DRAWN:
        raise ParameterError(f"n = {n}: expected at most {MOST_DRAWN:,} candidates per problem")


def greedy_n(n: int, params: SamplingParams | None) -> tuple[int, str]:
    """Return how many candidates of a prompt to draw, and a sentence where that is not n.

    At temperature 0 all candidates of a prompt are equal, so one says all that n of them would.

    Raises:
        ParameterError: n is below 1.
    """
    expect_drawable(n)
    if n == 1 or params is None or params.temperature > 0:
        return n, ""
    return 1, f"temperature 0: one candidate of each prompt is drawn, for all {n} would be equal"


def choose_k(k: int | Sequence[int] | None, n: int) -> tuple[int, ...]:
    """Return the k to report, ascending; `DEFAULT_K` as far as `n` allows where none is named.

    Raises:
        ParameterError: n is below 1, or a k is no whole number.
        MetricError: a k is below 1 or above n, for which pass@k is not defined.
    """
    expect_drawable(n)
    if k is None:
        return tuple(value for value in DEFAULT_K if value <= n)
    values = (k,) if isinstance(k, int | float | str) else tuple(k)
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ParameterError(f"k = {value!r}: expected whole numbers, such as 1 or (1, 10)")
        if not 1 <= value <= n:
            raise MetricError(f"k = {value} with n = {n}: pass@k needs 1 <= k <= n; sample more or lower k")
    return tuple(sorted(set(values))) or choose_k(None, n)
