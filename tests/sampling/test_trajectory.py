"""What is told of every token drawn agrees with the candidate, and goes on to the token that ended it."""

from __future__ import annotations

import pytest

from codesample import Candidate, Sampler, SamplingParams
from codesample.sampling.prompts import Prompt
from codesample.sampling.trajectory import Trajectory

EOS = 2
PROMPT = 'def double(x):\n    """Return twice x."""\n'


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    return Sampler("tiny")


def drawn(sampler: Sampler, params: SamplingParams, limit: int) -> list[tuple[Candidate, Trajectory]]:
    told: dict[int, Trajectory] = {}
    ids = tuple(sampler.checkpoint.encode(PROMPT))
    stream = sampler.stream_prompts(
        [Prompt("p", ids, tuple(range(8)), limit)],
        params,
        told=lambda each: told.__setitem__(each.index, each),
    )
    pairs = [(candidate, told[candidate.index]) for candidate in stream]
    assert len(pairs) == len(told) == 8
    assert all((each.task_id, each.prompt_ids) == ("p", ids) for each in told.values())
    return pairs


@pytest.mark.parametrize("confidence", [False, True])
@pytest.mark.parametrize("stop", [(), ("x",), ("\n",)])
def test_it_begins_as_the_candidate_and_holds_what_ended_it(
    sampler: Sampler, stop: tuple[str, ...], confidence: bool
) -> None:
    params = SamplingParams(temperature=1.0, top_p=1.0, stop=stop, confidence=confidence)
    for candidate, each in drawn(sampler, params, 20):
        kept = len(candidate.token_ids or ())
        assert each.token_ids[:kept] == candidate.token_ids
        assert each.logprobs[:kept] == candidate.logprobs
        assert each.sampled_logprobs[:kept] == candidate.sampled_logprobs
        assert 0 < len(each.token_ids) == len(each.logprobs) == len(each.sampled_logprobs) <= 21
        assert (each.token_ids[-1] == EOS) == (candidate.finish_reason == "eos")
        assert EOS not in each.token_ids[:-1]
        if candidate.finish_reason != "stop":
            assert len(each.token_ids) - kept == (candidate.finish_reason == "eos")
        else:
            text = sampler.checkpoint.tokenizer.decode(each.token_ids, skip_special_tokens=True)
            assert text.startswith(candidate.completion + stop[0])


def test_a_limit_ends_it_with_the_candidates_last_token(sampler: Sampler) -> None:
    for candidate, each in drawn(sampler, SamplingParams(), 3):
        assert candidate.finish_reason == "length"
        assert each.token_ids == candidate.token_ids
