"""What one request of a run is: some candidates of one prompt, sent, and read once the answer is whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from codesample.engines.candidate_seeds import candidate_seed
from codesample.records import Candidate, Prompt, Request, SamplingParams
from codesample.servers.answer import read_answer
from codesample.servers.body import PATHS, prompt_fields
from codesample.servers.harvest import candidate_from
from codesample.servers.refusals import BrokenAnswerError, RefusedError
from codesample.servers.server_facts import ServerFacts
from codesample.servers.transport import Session

__all__ = ["Job", "JobRefusedError", "Terms", "begun", "jobs_of", "send"]


class Job(NamedTuple):
    """One request: some candidates of one prompt."""

    task_id: str
    prompt: Prompt
    indices: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.task_id}, candidate {self.indices[0]}"


class Terms(NamedTuple):
    """What every request of a call says besides its prompt and seed, and what is made of the answers."""

    model: str
    fields: Mapping[str, Any]
    params: SamplingParams
    facts: ServerFacts


class JobRefusedError(Exception):
    """A request that the server will not do."""

    def __init__(self, job: Job, refusal: RefusedError) -> None:
        super().__init__(str(refusal))
        self.job = job


def jobs_of(requests: Sequence[Request], *, size: int) -> list[Job]:
    """Return the requests of a call, that of the longest prompt first: where one is too long, it is that."""
    jobs = [
        Job(request.task_id, request.prompt, request.indices[at : at + size])
        for request in requests
        for at in range(0, len(request.indices), size)
    ]
    if jobs:
        longest = max(range(len(jobs)), key=lambda number: _length(jobs[number].prompt))
        jobs.insert(0, jobs.pop(longest))
    return jobs


def begun(prompt: Prompt) -> bool:
    """Whether a prompt is messages that end with the beginning of an answer."""
    return not isinstance(prompt, str) and prompt[-1].role == "assistant"


async def send(session: Session, job: Job, terms: Terms) -> list[Candidate]:
    """Return the candidates of a request.

    Raises:
        JobRefusedError: the server will not do it.
        ModelError: as `Session.post`.
    """
    facts, wanted = terms.facts, len(job.indices)
    body = {"model": terms.model, **prompt_fields(job.prompt), **terms.fields}
    if facts.seed != "refused":
        body["seed"] = candidate_seed(terms.params.seed, job.task_id, job.indices[0], bits=facts.seed_bits)
    if wanted > 1:
        body["n"] = wanted

    def read(content: dict[str, Any]) -> list[Candidate]:
        answer = read_answer(content)
        if len(answer.choices) != wanted:
            raise BrokenAnswerError(f"{len(answer.choices)} choices came, {wanted} were asked for")
        return [
            candidate_from(
                choice, job.task_id, index, terms.params, facts, usage=None if number else answer.usage
            )
            for number, (index, choice) in enumerate(zip(job.indices, answer.choices, strict=True))
        ]

    try:
        return await session.post(PATHS[facts.api], body, read)
    except RefusedError as refusal:
        raise JobRefusedError(job, refusal) from None


def _length(prompt: Prompt) -> int:
    return len(prompt) if isinstance(prompt, str) else sum(len(each.content) for each in prompt)
