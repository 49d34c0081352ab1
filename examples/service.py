r"""Best-of-n behind one HTTP route, as a stream of lines.

    pip install "codesample[examples]"
    MODEL=tiny uvicorn --app-dir examples service:app
    curl -N localhost:8000/best --json '{"n": 32, "entry_point": "total", "prompt":
        "def total(numbers: list[int]) -> int:\n    \"\"\"Return the sum.\n\n    total([1, 2]) -> 3\n    \"\"\"\n"}'

One model serves all requests in one running batch; programs that it wrote run in the sandbox alone. Who hangs
up, or whose deadline passes, frees the rows of the request before the model's next step.
"""  # noqa: E501

import json
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

import codesample
from codesample.errors import CodesampleError
from codesample.tasks.examples import prompt_examples


class Asked(BaseModel):
    """A prompt to continue, the function that it begins, and how long that may take, in seconds."""

    prompt: str = Field(max_length=20_000)
    entry_point: str | None = None
    n: int = Field(16, ge=1, le=128)
    seed: int = 0
    max_new_tokens: int = Field(512, ge=1, le=4096)
    deadline: float | None = None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the model and open the sandbox once."""
    with codesample.Executor() as app.state.judge:
        async with codesample.AsyncSampler(os.getenv("MODEL", "tiny"), max_waiting=256) as app.state.sampler:
            yield


app = FastAPI(title="best of n", lifespan=lifespan)


@app.post("/best")
async def best(asked: Asked, request: Request) -> StreamingResponse:
    """Draw up to n programs, stop at one that gets the prompt's examples right; each event is a line."""
    return StreamingResponse(lines(asked, request.app.state), media_type="application/x-ndjson")


async def lines(asked: Asked, state: Any) -> AsyncIterator[str]:
    """Write each event as a line of JSON; an error is the last one."""
    try:
        shown = prompt_examples(asked.prompt, asked.entry_point) if asked.entry_point else ()
        events = codesample.stream_best_of_n(
            state.sampler,
            **asked.model_dump(include={"prompt", "n", "entry_point", "deadline"}),
            reranker="public_examples > mean_logprob",
            params=codesample.SamplingParams(seed=asked.seed, max_new_tokens=asked.max_new_tokens),
            until=codesample.passed if shown else None,
            judge=state.judge,
        )
        async with aclosing(events):
            async for event in events:
                match event:
                    case codesample.CandidateDrawn(candidate):
                        line = {"drawn": candidate.index, "text": candidate.completion}
                    case codesample.CandidateJudged(candidate, good):
                        line = {"judged": candidate.index, "good": good}
                    case chosen:
                        said = {name: getattr(chosen, name) for name in ("why", "examples_passed", "notes")}
                        line = {"chosen": chosen.best.index, "program": chosen.best.program, **said}
                yield json.dumps(line) + "\n"
    except CodesampleError as error:
        yield json.dumps({"error": type(error).__name__, "message": str(error)}) + "\n"
