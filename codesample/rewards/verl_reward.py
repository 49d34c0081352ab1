"""A reward function for verl: `compute_score` of its reward managers, one sample or a batch at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from codesample.errors import ParameterError
from codesample.evaluation.options import RunOptions
from codesample.records import Status
from codesample.records.validation import validated
from codesample.rewards.graded import Graded, Weights
from codesample.rewards.grader import Grader
from codesample.rewards.ground_truths import expect_judged, row_of
from codesample.rewards.made_grader import make_grader
from codesample.rewards.reward_job import Sample
from codesample.rewards.task_source import TaskLike
from codesample.tasks.prompt_form import Style

__all__ = ["VerlReward", "for_verl"]

_TIME_OUTS = (Status.CPU_TIMEOUT, Status.WALL_TIMEOUT)
Score = dict[str, float]


class VerlReward:
    """A `compute_score` of verl; made by `for_verl`. Any thread may call it; it can be pickled."""

    def __init__(self, grader: Grader) -> None:
        self._grader = grader

    def __call__(
        self,
        data_source: Any = None,
        solution_str: str | None = None,
        ground_truth: Any = None,
        extra_info: Any = None,
        *,
        solution_strs: Sequence[str] | None = None,
        ground_truths: Sequence[Any] | None = None,
        extra_infos: Sequence[Any] | None = None,
        **others: Any,
    ) -> Score | list[Score]:
        """Return the score of one solution; of several, in their order, as the `batch` manager asks for them.

        Args:
            solution_str: What the model wrote.
            ground_truth, extra_info: The row's. The problem is `extra_info["task_id"]`, or else the ground
                truth: a task id, or the fields of a problem as a dict or as JSON.
            solution_strs, ground_truths, extra_infos: The same for a batch.
            data_source, **others: Whatever else verl hands over; not read.

        Returns: `score`, and for the log `passed`, `checks_passed`, `timeout` and `program_found`.

        Raises:
            ExecutionError: the harness failed on a program, twice: no score would be true of it.
            CodesampleError: as `Grader.grade`.
        """
        if solution_strs is not None:
            samples = _batch(solution_strs, ground_truths, extra_infos)
            return [_score(each) for each in expect_judged(self._grader.grade(samples))]
        if solution_str is None:
            raise ParameterError("no solution_str; verl calls with it, or with solution_strs for a batch")
        samples = [_sample(solution_str, ground_truth, extra_info)]
        return _score(expect_judged(self._grader.grade(samples))[0])

    async def score_async(self, solution_str: str, ground_truth: Any = None, extra_info: Any = None) -> Score:
        """Return the score of one solution while the event loop goes on; raises as a call does."""
        samples = [_sample(solution_str, ground_truth, extra_info)]
        return _score(expect_judged(await self._grader.grade_async(samples))[0])

    def close(self) -> None:
        """End the processes that run programs, unless another reward uses them; a call restarts them."""
        self._grader.close()


@validated
def for_verl(
    task: TaskLike | None = None,
    *,
    data: Path | None = None,
    columns: Mapping[str, str] | None = None,
    style: Style = "chat",
    partial: bool = False,
    no_program: float = 0.0,
    asynchronous: bool = False,
    run: RunOptions | None = None,
) -> VerlReward | Callable[..., Awaitable[Score]]:
    """Return a `compute_score` for verl, in a file that `reward.custom_reward_function.path` names.

        compute_score = rewards.for_verl("mbpp_train")

    Rewards are those of `for_trl`, but a failure of the harness raises: verl knows no score of None.

    Args:
        task, data, columns, partial, no_program, run: As for `for_trl`; rows are `rewards.dataset`'s, or
            hold a problem's fields as their ground truth.
        style: verl puts prompts through the chat template and does not hand them on, so: "chat".
        asynchronous: Whether to return an async function, of which verl's reward loop runs any number at
            once; one that is called has a thread of the loop's pool for itself.

    Raises:
        CodesampleError: as `for_trl`.
    """
    weights = Weights(partial=partial, no_program=no_program)
    reward = VerlReward(make_grader(task, data=data, columns=columns, style=style, weights=weights, run=run))
    if not asynchronous:
        return reward

    # verl looks for a function that is async by itself
    async def compute_score(
        data_source: Any, solution_str: str, ground_truth: Any, extra_info: Any = None, **others: Any
    ) -> Score:
        return await reward.score_async(solution_str, ground_truth, extra_info)

    return compute_score


def _score(grade: Graded) -> Score:
    assert grade.reward is not None
    return {
        "score": grade.reward,
        "passed": float(grade.status is Status.PASSED),
        "checks_passed": grade.share,
        "timeout": float(grade.status in _TIME_OUTS),
        "program_found": float(grade.found),
    }


def _sample(solution: str, truth: Any, extra_info: Any) -> Sample:
    return Sample(solution, row_of(truth, extra_info))


def _batch(
    solutions: Sequence[str], truths: Sequence[Any] | None, extra_infos: Sequence[Any] | None
) -> list[Sample]:
    count = len(solutions)
    truths = [None] * count if truths is None else truths
    extra_infos = [None] * count if extra_infos is None else extra_infos
    if not count == len(truths) == len(extra_infos):
        raise ParameterError(
            f"{count} solutions, {len(truths)} ground truths, {len(extra_infos)} extra_infos; "
            "expected one each"
        )
    return [_sample(*each) for each in zip(solutions, truths, extra_infos, strict=True)]
