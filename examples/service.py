r"""Best-of-n behind one HTTP route.

    pip install "codesample[examples]"
    MODEL=tiny uvicorn --app-dir examples service:app
    curl localhost:8000/best --json '{"n": 32, "entry_point": "total", "prompt":
        "def total(numbers: list[int]) -> int:\n    \"\"\"Return the sum.\n\n    total([1, 2]) -> 3\n    \"\"\"\n"}'

One model and one sandbox serve all requests. Programs that a model wrote run in the sandbox alone.
"""  # noqa: E501

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel, Field

import codesample
from codesample.errors import ParameterError
from codesample.tasks.examples import prompt_examples


class Asked(BaseModel):
    """What is asked for: a prompt to continue, and the function that it begins."""

    prompt: str = Field(max_length=20_000)
    entry_point: str | None = None
    n: int = Field(16, ge=1, le=128)
    seed: int = 0


class Answer(BaseModel):
    """The program that was chosen, and what speaks for it."""

    program: str | None
    why: str
    examples_passed: bool | None
    drawn: int
    notes: list[str]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the model and open the sandbox once."""
    with codesample.Executor() as app.state.judge:
        app.state.sampler = codesample.Sampler(os.environ.get("MODEL", "tiny"))
        yield


app = FastAPI(title="best of n", lifespan=lifespan)


# a plain function: it is run in a thread, and the loop goes on serving
@app.post("/best")
def best(asked: Asked, request: Request) -> Answer:
    """Draw up to n programs, stop at one that gets the prompt's examples right, and return the best."""
    state = request.app.state
    shown = prompt_examples(asked.prompt, asked.entry_point) if asked.entry_point else ()
    try:
        found = codesample.best_of_n(
            state.sampler,
            asked.prompt,
            n=asked.n,
            entry_point=asked.entry_point,
            reranker="public_examples > mean_logprob",
            params=codesample.SamplingParams(seed=asked.seed),
            until=codesample.passed if shown else None,
            judge=state.judge,
        )
    except ParameterError as error:
        raise HTTPException(422, str(error)) from error
    return Answer(
        program=found.best.program,
        why=found.why,
        examples_passed=found.examples_passed,
        drawn=len(found.candidates),
        notes=[*found.notes, *found.failures],
    )
