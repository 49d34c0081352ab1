"""What is asked of a benchmark, as the command line offers it; importing this loads no library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codesample.errors import UnknownNameError
from codesample.records.fields import check_settings, setting

if TYPE_CHECKING:
    import torch

__all__ = ["AttentionOptions", "DecodeOptions", "PolicyOptions", "RivalOptions", "dtype_on", "expect_known"]


def dtype_on(device: torch.device, name: str | None) -> torch.dtype:
    """Return the dtype of that name; None and "auto" are bf16 on a GPU and fp32 on a CPU.

    Raises:
        ParameterError: there is none.
    """
    from codesample.sampling.devices import dtype_of

    usual = "bfloat16" if device.type == "cuda" else "float32"
    return dtype_of(usual if name in (None, "auto") else name)


def expect_known(kind: str, names: Iterable[str], known: Mapping[str, object]) -> None:
    """Refuse names that nothing has.

    Raises:
        UnknownNameError: the first of them.
    """
    for name in names:
        if name not in known:
            raise UnknownNameError(kind, name, known, f"Known: {', '.join(known)}")


def _positive(value: int | None) -> bool:
    return value is None or value >= 1


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """Which decoding is measured, and how.

    Attributes:
        shapes, workloads, methods: Names; none means the usual ones.
        repeats: Timed runs of each job; medians are kept.
        jobs, steps: Whether whole jobs and single steps are measured.
        device: "auto" takes CUDA when there is one.
        dtype: Of the checkpoints, see `dtype_on`.
        threads: Of torch; None leaves them as they are.

    Raises:
        ParameterError: `repeats` or `threads` below 1.
    """

    shapes: tuple[str, ...] = setting((), "Shape of the random checkpoint; repeatable.", flag="--shape")
    workloads: tuple[str, ...] = setting((), "Prompts, n and length; repeatable.", flag="--workload")
    methods: tuple[str, ...] = setting((), "Way of sampling; repeatable.", flag="--method")
    repeats: int = setting(
        1, "Timed runs of each; the median is kept.", expected="at least 1", holds=_positive
    )
    jobs: bool = setting(True, "Measure whole jobs.", flag="--jobs/--no-jobs")
    steps: bool = setting(True, "Measure single decode steps.", flag="--steps/--no-steps")
    device: str = setting("auto", "auto, cpu, cuda, cuda:1, ...")
    dtype: str = setting("auto", "auto, float32, bfloat16 or float16; auto is bfloat16 on CUDA.")
    threads: int | None = setting(
        None, "Threads of torch; default: its own.", expected="at least 1", holds=_positive
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, slots=True)
class AttentionOptions:
    """How attention is measured.

    Attributes:
        impl: Implementation under test, see `bifurcated_decode`.
        repeats: Timed rounds; the median is kept.
        device: "auto" takes CUDA when there is one.
        dtype: See `dtype_on`.

    Raises:
        ParameterError: `repeats` below 1.
    """

    impl: str = setting("auto", "auto, torch, triton or reference.")
    repeats: int = setting(20, "Timed rounds; the median is kept.", expected="at least 1", holds=_positive)
    device: str = setting("auto", "auto, cpu, cuda, cuda:1, ...")
    dtype: str | None = setting(None, "Default: bfloat16 on CUDA, float32 on a CPU.")

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, slots=True)
class RivalOptions:
    """Which rivals are measured, and on what.

    Attributes:
        rivals: Names of `RIVALS`.
        rivals_folder: Where `docs/benchmarks/set_up_rivals.py` has put them.
        rival_model: Folder of the checkpoint that it was told of.
        precisions: Of the rivals; none means all of each.
        prompt_tokens, candidates: Cells: all pairs.
        new: Tokens of each candidate.

    Raises:
        ParameterError: `new` too small to tell a step from.
    """

    rivals: tuple[str, ...] = setting((), "Other engine, beside this one; repeatable.", flag="--rival")
    rivals_folder: Path = setting(Path("rivals"), "Where set_up_rivals.py has put them.")
    rival_model: str = setting("", "Folder of the checkpoint that they were made of.")
    precisions: tuple[str, ...] = setting((), "Precision of a rival; repeatable.", flag="--precision")
    prompt_tokens: str = setting("166", "Tokens of the prompt: 166,2048,...")
    candidates: str = setting("1,8,32,64", "Candidates of the prompt.")
    new: int = setting(18, "Tokens of each candidate.", expected="at least 4", holds=lambda value: value >= 4)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, slots=True)
class PolicyOptions:
    """Which policies are measured, and how.

    Attributes:
        model: See `load_checkpoint`.
        policies: As `Policy.parse` reads them; none means the usual ones. Their guards do not hold here.
        contexts: Tokens of the prompts.
        n: Candidates of the one prompt.
        steps: Of a pass; whole multiples of `refresh` weigh steps as a long text would.
        repeats: Timed passes of each, in turns; the median is kept.
        device, dtype: Of the model.

    Raises:
        ParameterError: a number below 1.
    """

    model: str = setting("tiny", "A built-in name, a folder or a hub id.")
    policies: tuple[str, ...] = setting((), "A policy; repeatable.", flag="--policy")
    contexts: tuple[int, ...] = setting(
        (150, 400),
        "Tokens of the prompt; repeatable.",
        expected="numbers of at least 1",
        holds=lambda value: all(each >= 1 for each in value),
        flag="--context",
        metavar="TOKENS",
        parse=int,
    )
    n: int = setting(32, "Candidates of the one prompt.", expected="at least 1", holds=_positive, flag="--n")
    steps: int = setting(24, "Steps of a pass.", expected="at least 2", holds=lambda value: value >= 2)
    repeats: int = setting(
        3, "Timed passes of each; the median is kept.", expected="at least 1", holds=_positive
    )
    device: str = setting("auto", "auto, cpu, cuda, cuda:1, ...")
    dtype: str = setting("auto", "auto, float32, bfloat16 or float16.")

    def __post_init__(self) -> None:
        check_settings(self)
