"""A reward function for OpenRLHF: `reward_func` of the file that `--reward.remote_url` names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codesample.errors import ParameterError
from codesample.evaluation.options import RunOptions
from codesample.records import Status
from codesample.records.validation import validated
from codesample.rewards.graded import Weights, metrics_of
from codesample.rewards.grader import Grader
from codesample.rewards.ground_truths import expect_judged, row_of
from codesample.rewards.made_grader import make_grader
from codesample.rewards.reward_job import Sample
from codesample.rewards.task_source import TaskLike
from codesample.tasks.prompt_form import Style

__all__ = ["OpenRlhfReward", "for_openrlhf"]

# end and padding tokens of known models, which stand in the text that OpenRLHF hands over
_END = re.compile(
    r"(?:<\|[\w\s.-]{1,40}\|>|<｜[\w\s▁.-]{1,40}｜>|</?s>|<pad>|<eos>|<end_of_turn>|<turn\|>|\[PAD\])\Z"
)
_LONGEST_END = 50
# by how many characters a prompt is known where decoding has changed its beginning
_TAIL = 60


class OpenRlhfReward:
    """A `reward_func` of OpenRLHF; made by `for_openrlhf`. Any thread may call it; it can be pickled."""

    def __init__(self, grader: Grader, ends: Sequence[str]) -> None:
        self._grader, self._ends = grader, tuple(ends)

    def __call__(
        self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any], *others: Any, **more: Any
    ) -> dict[str, Any]:
        """Return rewards of a batch, in its order.

        Args:
            queries: Prompts with what the model wrote behind them, special tokens and all.
            prompts: The prompts alone.
            labels: Each row's label: a task id, or the fields of a problem as a dict or as JSON.
            *others, **more: Whatever else OpenRLHF hands over; not read.

        Returns: `rewards` and `scores`, [B] float32 tensors: the rewards, and 1 or 0 for passed, by which
            prompts are filtered; `extra_logs`, by name a [B] float32 tensor each.

        Raises:
            ExecutionError: the harness failed on a program, twice: no reward would be true of it.
            ParameterError: a query that does not begin with its prompt, or lists of different lengths.
        """
        import torch

        if not len(queries) == len(prompts) == len(labels):
            raise ParameterError(
                f"{len(queries)} queries, {len(prompts)} prompts, {len(labels)} labels; expected one each"
            )
        samples = [
            Sample(self._written(query, prompt), row_of(label), prompt)
            for query, prompt, label in zip(queries, prompts, labels, strict=True)
        ]
        grades = expect_judged(self._grader.grade(samples))
        passed = [float(each.status is Status.PASSED) for each in grades]
        each_alone = [metrics_of([each]) for each in grades]
        names = ("passed", "checks_passed", "timeouts", "no_program")
        return {
            "rewards": torch.tensor([each.reward for each in grades], dtype=torch.float32),
            "scores": torch.tensor(passed, dtype=torch.float32),
            "extra_logs": {
                name: torch.tensor([each[name] for each in each_alone], dtype=torch.float32) for name in names
            },
        }

    def close(self) -> None:
        """End the processes that run programs, unless another reward uses them; a call restarts them."""
        self._grader.close()

    def _written(self, query: str, prompt: str) -> str:
        """Return what the model wrote: what stands behind the prompt, without the tokens that end it."""
        at = query.find(prompt)
        if at < 0:
            # decoding may have changed the prompt's beginning, or cut it off, but not its end
            at = query.rfind(tail := prompt[-_TAIL:])
            prompt = tail
        if at < 0 or not prompt:
            raise ParameterError(
                f"a query does not hold its prompt: {query[:80]!r}..., prompt {prompt[:80]!r}...; give "
                "prompts as they are tokenised"
            )
        written = query[at + len(prompt) :]
        for end in self._ends:
            written = written.split(end, 1)[0]
        return _without_ends(written)


def _without_ends(text: str) -> str:
    kept = text
    while found := _END.search(kept.rstrip()[-_LONGEST_END:]):
        kept = kept.rstrip()[: -len(found.group())]
    return kept


@validated
def for_openrlhf(
    task: TaskLike | None = None,
    *,
    data: Path | None = None,
    columns: Mapping[str, str] | None = None,
    style: Style | None = None,
    partial: bool = False,
    no_program: float = 0.0,
    ends: tuple[str, ...] = (),
    run: RunOptions | None = None,
) -> OpenRlhfReward:
    """Return a `reward_func` for OpenRLHF, in a file that `--reward.remote_url` names.

        reward_func = rewards.for_openrlhf("mbpp_train")

    Rewards are those of `for_trl`, but a failure of the harness raises: OpenRLHF knows no reward of None.

    Args:
        task, data, columns, style, partial, no_program, run: As for `for_trl`; labels take the place of
            columns.
        ends: Texts of tokens that end an answer, beside those of known models, which are taken off.

    Raises:
        CodesampleError: as `for_trl`.
    """
    if "" in ends:
        raise ParameterError("ends holds an empty text, which would end every answer at once")
    weights = Weights(partial=partial, no_program=no_program)
    grader = make_grader(task, data=data, columns=columns, style=style, weights=weights, run=run)
    return OpenRlhfReward(grader, ends)
