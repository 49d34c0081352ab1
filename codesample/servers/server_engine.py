"""The engine over a server that speaks OpenAI's protocol: a request for each candidate, with its own seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from codesample.engines.contract import Progress, Reproducibility
from codesample.engines.model_options import ModelOptions
from codesample.errors import ModelError, ParameterError
from codesample.records import Candidate, Request, SamplingParams
from codesample.records.validation import validated
from codesample.servers.address import address_of
from codesample.servers.asking import Asking
from codesample.servers.body import drawn_fields
from codesample.servers.demands import expect_continued, expect_honoured, expect_taken, stops_taken
from codesample.servers.dispatch import gathered, in_loop
from codesample.servers.jobs import Job, JobRefusedError, Terms, begun, jobs_of, send
from codesample.servers.probe import probe
from codesample.servers.server_facts import ServerFacts
from codesample.servers.transport import Patience, Session, Transport

__all__ = ["ServerEngine"]


# by the endpoint that is asked, what to say of prompts of the other kind
_OTHERS = {
    "chat": "its chat endpoint, which takes no text; choose --api completions, or --prompt chat",
    "completions": "its completions endpoint, which takes no messages; choose --api chat, or --prompt base",
}


@validated
class ServerEngine:
    """A model behind vLLM, SGLang, llama.cpp's server, `transformers serve` or a hosted service.

    Once made, it has asked the server some twenty short questions; `facts` says what they showed. Threads may
    share it.

    Args:
        model: As the server knows it.
        options: Where it is and how it is asked: `ModelOptions.base_url` and what follows it there. Default:
            the server of OPENAI_BASE_URL.

    Attributes:
        name: "openai:" with the model.
        abilities: "chat" by the chat endpoint, which takes messages and no text; "logprobs" where the server
            gives the model's own.
        reproducibility: Exact where seeds are honoured whatever else is under way; "seeded" with several
            choices for each request, or where seeds hold for one request at a time and no more are sent;
            else none.
        facts: What the probe saw.

    Raises:
        ParameterError: no address, no key where one was named, an option that is not a server's, several
            choices for each request of a server that does not give them, or httpx2 is not installed.
        ModelError: the server does not answer, or not for this model.
    """

    def __init__(self, model: str, options: ModelOptions | None = None) -> None:
        asked = options or ModelOptions(f"openai:{model}")
        self.name = f"openai:{model}"
        self._model, self._options = model, asked
        address = address_of(asked.base_url, asked.api_key_env)
        patience = Patience(timeout=asked.request_timeout, retries=asked.max_retries)
        self._transport = Transport(address, patience)
        self._checked: dict[tuple[SamplingParams, bool], Terms] = {}
        self.facts: ServerFacts = in_loop(self._probed)
        if asked.choices_per_request > 1 and self.facts.choices != "honoured":
            raise ParameterError(
                f"choices_per_request = {asked.choices_per_request}: {self.name}: several choices of one "
                f"request are {self.facts.choices}; leave it out, for one request for each candidate"
            )
        self.abilities = self.facts.abilities
        self.reproducibility: Reproducibility = self.facts.reproducibility(
            max_requests=asked.max_requests, choices_per_request=asked.choices_per_request
        )

    async def _probed(self) -> ServerFacts:
        async with self._transport.session(at_once=8) as session:
            facts = await probe(session, self._model, self._options.api)
        return facts.after(self._transport.sent)

    def stream(
        self, requests: Sequence[Request], params: SamplingParams, *, progress: Progress | None = None
    ) -> Iterator[Candidate]:
        """Yield every candidate once it is whole; see `codesample.engines.contract.Engine`.

        The candidate of the longest prompt comes first: where it is refused, nothing has been drawn.

        Raises:
            ParameterError: a request or parameter that the server cannot honour, before any candidate.
            ModelError: the server failed for good, or refused a later request.
        """
        self._expect_askable(requests)
        expect_taken(params, self.facts, name=self.name, max_requests=self._options.max_requests)
        return self._stream(requests, params, progress)

    def describe(self) -> dict[str, Any]:
        """Return which server it is, how it is asked, and what the probe saw; no key."""
        return {
            "name": self.name,
            "base_url": self._transport.address.url,
            "api": self.facts.api,
            "max_requests": self._options.max_requests,
            "choices_per_request": self._options.choices_per_request,
            "server": self.facts.as_json(),
        }

    def _expect_askable(self, requests: Sequence[Request]) -> None:
        for request in requests:
            if len(set(request.indices)) < len(request.indices) or min(request.indices, default=0) < 0:
                raise ParameterError(f"{request.task_id}: indices must differ and be at least 0")
            if isinstance(request.prompt, str) == (self.facts.api == "chat"):
                raise ParameterError(f"{request.task_id}: {self.name} is asked by {_OTHERS[self.facts.api]}")

    def _stream(
        self, requests: Sequence[Request], params: SamplingParams, progress: Progress | None
    ) -> Iterator[Candidate]:
        if not (jobs := jobs_of(requests, size=self._options.choices_per_request)):
            return
        terms = self._terms(params, any(begun(each.prompt) for each in requests))

        async def work(session: Session, job: Job) -> tuple[Job, list[Candidate]]:
            return job, await send(session, job, terms)

        at_once = min(self._options.max_requests, len(jobs))
        found = gathered(jobs, lambda: self._transport.session(at_once=at_once), work, at_once=at_once)
        try:
            for each in self._released(found, jobs[0]):
                if progress is not None:
                    progress(each.tokens_drawn)
                yield each
        finally:
            found.close()

    def _released(self, found: Iterator[tuple[Job, list[Candidate]]], first: Job) -> Iterator[Candidate]:
        """Yield candidates as they come, once the first request is answered; none where it is refused."""
        held: list[Candidate] = []
        waiting = True
        try:
            for job, candidates in found:
                held += candidates
                waiting = waiting and job is not first
                while held and not waiting:
                    yield held.pop(0)
        except JobRefusedError as refusal:
            said = f"{refusal.job}: {self.name} refuses it: {refusal}"
            if refusal.job is first:
                raise ParameterError(said) from None
            yield from held
            raise ModelError(f"{said}; what was drawn is kept") from None
        except ModelError:
            yield from held
            raise

    def _terms(self, params: SamplingParams, begins_answers: bool) -> Terms:
        """Return what a call's requests say, once the server has shown that it heeds it."""
        key = (params, begins_answers)
        if key not in self._checked:
            self._checked[key] = in_loop(lambda: self._agreed(*key))
        return self._checked[key]

    async def _agreed(self, params: SamplingParams, begins_answers: bool) -> Terms:
        async with self._transport.session(at_once=1) as session:
            asking = Asking(session, self._model, self.facts.api)
            await expect_honoured(params, self.facts, asking, name=self.name)
            if begins_answers:
                await expect_continued(self.facts, asking, name=self.name)
            stops = await stops_taken(params.stop, self.facts, asking)
        fields = drawn_fields(params, self.facts, stops=stops)
        return Terms(self._model, fields, params, self.facts)
