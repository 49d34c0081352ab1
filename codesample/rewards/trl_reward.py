"""A reward function for trainers of TRL: GRPO, RLOO and whatever else takes `reward_funcs`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from codesample.errors import ParameterError
from codesample.evaluation.options import RunOptions
from codesample.records import Status
from codesample.records.validation import validated
from codesample.rewards.graded import Graded, Weights, metrics_of
from codesample.rewards.grader import Grader
from codesample.rewards.made_grader import make_grader
from codesample.rewards.reward_job import Sample
from codesample.rewards.task_source import TaskLike
from codesample.tasks.prompt_form import Style

__all__ = ["AsyncTrlReward", "TrlReward", "for_trl"]

_log = logging.getLogger("codesample.rewards")


class TrlReward:
    """A reward function of TRL; made by `for_trl`.

    May be called from several threads, pickled, and used in forked processes.

    Args:
        grader: Grades samples.
        name: Of its figures in the trainer's log.
    """

    def __init__(self, grader: Grader, name: str) -> None:
        self._grader = grader
        self.__name__ = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.__name__!r})"

    def __call__(
        self,
        prompts: Sequence[Any] | None = None,
        completions: Sequence[Any] = (),
        *,
        log_metric: Callable[[str, float], None] | None = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        **columns: Any,
    ) -> Any:
        """Return a reward per completion, in their order.

        Args:
            prompts: What the model was given, texts or conversations.
            completions: Texts, or lists of messages.
            log_metric, log_extra: Of TRL: get shares of outcomes, and each program's status.
            **columns: Of the data set, a value per completion each; what else TRL hands over is not read.

        Returns: floats, and None where the harness failed: such a completion has no part in the training.

        Raises:
            CodesampleError: a row that names no problem, or a judge that cannot work here.
        """
        grades = self._grader.grade(_samples(prompts, completions, columns))
        return self._told(grades, log_metric, log_extra)

    def close(self) -> None:
        """End the processes that run programs, unless another reward uses them; a call restarts them."""
        self._grader.close()

    def _told(
        self,
        grades: Sequence[Graded],
        log_metric: Callable[[str, float], None] | None,
        log_extra: Callable[[str, list[Any]], None] | None,
    ) -> list[float | None]:
        lost = [each for each in grades if each.status is Status.HARNESS_ERROR]
        if lost:
            _log.warning("%d of %d programs were not judged: %s", len(lost), len(grades), lost[0].detail)
        if log_metric is not None:
            for name, value in metrics_of(grades).items():
                log_metric(f"{self.__name__}/{name}", value)
        if log_extra is not None and grades:
            log_extra(f"{self.__name__}/status", [str(each.status) for each in grades])
        return [each.reward for each in grades]


class AsyncTrlReward(TrlReward):
    """The same as an async function, of which TRL runs several at once."""

    async def __call__(
        self,
        prompts: Sequence[Any] | None = None,
        completions: Sequence[Any] = (),
        *,
        log_metric: Callable[[str, float], None] | None = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """See `TrlReward`."""
        grades = await self._grader.grade_async(_samples(prompts, completions, columns))
        return self._told(grades, log_metric, log_extra)


@validated
def for_trl(
    task: TaskLike | None = None,
    *,
    data: Path | None = None,
    columns: Mapping[str, str] | None = None,
    style: Style | None = None,
    partial: bool = False,
    no_program: float = 0.0,
    asynchronous: bool = False,
    name: str | None = None,
    run: RunOptions | None = None,
) -> TrlReward:
    """Return a reward function for `reward_funcs` of TRL: 1.0 for programs that pass, 0.0 for others.

    A program that runs into a limit fails. Where the harness fails, after a second try, the reward is None.
    All programs of a batch run at once, confined, in processes that are kept between batches; where several
    processes of a training share the machine (`LOCAL_WORLD_SIZE`), they share its cores.

    Args:
        task: Whose problems the rows name in their column `task_id`: a name, a file of problems, a task,
            several of these, or problems. None: the rows hold their tests themselves, in columns named as the
            fields of `--task-file`: `test`, Python that calls the program, or a list of statements, each a
            check of its own; or `io`, pairs of input and output; with `entry_point`, `time_limit` and so on.
        data: The data of a named task, in their published form.
        columns: By field, which column it is, where its name is another: {"test": "asserts"}.
        style: "base": completions continue the task's prompt. "chat": they are answers, in which the program
            is looked for. None: chat for messages, and for prompts that are not the base form's own.
        partial: Whether failing programs earn the share of checks that they passed.
        no_program: What answers without any program earn; at most 0.
        asynchronous: Whether the function is to be async.
        name: Of the reward in the log. Default: "codesample", with "_partial" where that was asked for.
        run: How programs are run: `workers`, `imports`, `judge`, `allow_weak_isolation` where this machine
            confines too little. `integrity="any"` accepts tests that run beside the program, which can then
            fake a pass; without it such problems are not judged.

    Raises:
        UnknownNameError, DataError, HubUnavailableError, TaskError: the task cannot be had.
        ParameterError: values that do not go together, or no problem of the task can be judged here.
    """
    if name == "":
        raise ParameterError("name = '': expected a text, or None for 'codesample'")
    weights = Weights(partial=partial, no_program=no_program)
    grader = make_grader(task, data=data, columns=columns, style=style, weights=weights, run=run)
    kind = AsyncTrlReward if asynchronous else TrlReward
    return kind(grader, name or ("codesample_partial" if partial else "codesample"))


def _samples(
    prompts: Sequence[Any] | None, completions: Sequence[Any], columns: Mapping[str, Any]
) -> list[Sample]:
    count = len(completions)
    if prompts is not None and len(prompts) != count:
        raise ParameterError(f"{len(prompts)} prompts for {count} completions; expected one each")
    # what TRL adds besides columns, such as its state, is no list of values per sample
    per_sample = {
        name: values
        for name, values in columns.items()
        if hasattr(values, "__getitem__") and not isinstance(values, str | Mapping) and _size(values) == count
    }
    return [
        Sample(
            completion,
            {name: values[at] for name, values in per_sample.items()},
            None if prompts is None else prompts[at],
        )
        for at, completion in enumerate(completions)
    ]


def _size(values: Any) -> int | None:
    # an array of one value has none
    try:
        return len(values)
    except TypeError:
        return None
