"""Grades what models wrote: all programs of a batch are with the judge before the first is waited for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from codesample.errors import ParameterError
from codesample.evaluation.health_check import check_references
from codesample.evaluation.options import RunOptions
from codesample.execution.judge import Judge
from codesample.records import Status, Verdict
from codesample.rewards.asked import Source, answer_text, is_conversation
from codesample.rewards.graded import Graded, Weights
from codesample.rewards.process_judge import give_back, judge_for
from codesample.rewards.reward_job import Job, Sample, job_of

__all__ = ["Grader"]

_TRIES = 2
"""How often a program is judged at most, where the harness fails on it."""

_log = logging.getLogger("codesample.rewards")


class Grader:
    """What all rewards have in common; made anew from its settings where it is unpickled.

    Args:
        source: Finds what samples were asked for.
        weights: What outcomes are worth.
        run: How programs are run.

    Raises:
        ParameterError: `run` asks for a run folder, of which there is none.
    """

    def __init__(self, source: Source, weights: Weights, run: RunOptions) -> None:
        if run.out is not None or run.resume:
            raise ParameterError("run: out and resume belong to run folders; rewards keep none")
        self._source, self._weights, self._run = source, weights, run
        self._tried = run.skip_health_check
        self._told: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        # whether references pass is to be seen in each process that judges
        return {**self.__dict__, "_tried": self._run.skip_health_check}

    def grade(self, samples: Sequence[Sample]) -> list[Graded]:
        """Return a grade for each sample, in their order.

        Raises:
            IsolationError: programs are kept apart less than asked for; names the remedy.
            ExecutionError: the judge as a whole failed, or no reference passes here.
            CodesampleError: a sample that names no problem, before any program is run.
        """
        jobs = self._jobs(samples)
        for _ in range(_TRIES):
            for job in self._submitted(jobs):
                assert job.future is not None
                job.verdict = job.future.result()
        return self._graded(jobs)

    async def grade_async(self, samples: Sequence[Sample]) -> list[Graded]:
        """Do what `grade` does, while the event loop goes on."""
        jobs = self._jobs(samples)
        for _ in range(_TRIES):
            submitted = await asyncio.to_thread(self._submitted, jobs)
            futures = [asyncio.wrap_future(job.future) for job in submitted if job.future is not None]
            for job, verdict in zip(submitted, await asyncio.gather(*futures), strict=True):
                job.verdict = verdict
        return self._graded(jobs)

    def close(self) -> None:
        """Give the judge back, which ends where no other reward uses it; another use reopens it."""
        give_back(self)

    def _jobs(self, samples: Sequence[Sample]) -> list[Job]:
        asked = [
            self._source.asked(each.row, each.prompt, conversation=is_conversation(each.completion))
            for each in samples
        ]
        texts = [answer_text(each.completion) for each in samples]
        for task_id, why in {each.problem.task_id: each.unfit for each in asked if each.unfit}.items():
            if task_id not in self._told:
                self._told.add(task_id)
                _log.warning("%s: not judged: %s", task_id, why)
        return [job_of(*each) for each in zip(range(len(asked)), asked, texts, strict=True)]

    def _submitted(self, jobs: Sequence[Job]) -> list[Job]:
        """Hand over all programs that wait, and return their jobs."""
        waiting = [job for job in jobs if job.waits]
        judge = self._judge() if waiting else None
        for job in waiting:
            assert judge is not None
            try:
                job.future = judge.submit(job.program)
            except ParameterError as error:
                job.settle(Status.HARNESS_ERROR, f"its tests cannot be run: {error}")
        return [job for job in waiting if not job.settled]

    def _judge(self) -> Judge:
        judge = judge_for(self._run, self)
        for chosen in () if self._tried else self._source.chosen_sets:
            for notice in check_references(chosen, judge).notices:
                _log.warning("%s: %s", chosen.task.name, notice)
        self._tried = True
        return judge

    def _graded(self, jobs: Sequence[Job]) -> list[Graded]:
        verdicts = [self._counted(job.verdict) for job in jobs if job.verdict is not None]
        return [self._weights.graded(verdict, job.rule) for job, verdict in zip(jobs, verdicts, strict=True)]

    def _counted(self, verdict: Verdict) -> Verdict:
        """Take for no pass what its judge says could have been faked, where that was not accepted."""
        if not verdict.passed or verdict.integrity != "weak" or self._run.integrity == "any":
            return verdict
        why = "it passed tests that ran beside it; accept that by run=RunOptions(integrity='any')"
        return replace(verdict, status=Status.HARNESS_ERROR, detail=why, checks=())
