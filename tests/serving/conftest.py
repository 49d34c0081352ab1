import asyncio

import pytest
import torch

from codesample.sampling import Sampler
from codesample.serving.async_sampler import AsyncSampler
from codesample.testing.models import byte_tokenizer, random_model

# seconds after which a test that waits for ever is told apart from one that is slow
PATIENCE = 120


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def plain():
    """A sampler of a model in float64, where rounding cannot move a draw."""
    return Sampler(random_model("llama", seed=1).double(), tokenizer=byte_tokenizer())


@pytest.fixture
def served(plain):
    sampler = AsyncSampler(plain)
    yield sampler
    sampler.close()
    sampler._thread.join(PATIENCE)


@pytest.fixture(scope="session")
def run():
    """Run a coroutine function, and fail where it does not come to an end."""

    def run_it(main, *args):
        async def limited():
            return await asyncio.wait_for(main(*args), PATIENCE)

        return asyncio.run(limited())

    return run_it


@pytest.fixture
def steps(plain, monkeypatch):
    """The number of rows of each decode step, in their order."""
    model, rows = plain.checkpoint.model, []
    forward = type(model).forward

    def counted(module, input_ids=None, **kwargs):
        if module is model and input_ids.shape[1] == 1:
            rows.append(len(input_ids))
        return forward(module, input_ids=input_ids, **kwargs)

    monkeypatch.setattr(type(model), "forward", counted)
    return rows
