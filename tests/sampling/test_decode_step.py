from types import SimpleNamespace

import pytest
import torch
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode

from codesample.kernels.bifurcated_decode import DecodeBatch, Segment, prepare_batch
from codesample.records import SamplingParams
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.decode_step import DecodeStep
from codesample.sampling.prompts import Prompt
from codesample.sampling.token_sampler import TokenSampler
from codesample.testing.models import VOCABULARY, byte_tokenizer


def forward(input_ids, **_):
    """Logits that depend on the last token alone."""
    table = torch.linspace(-1, 1, VOCABULARY)
    return SimpleNamespace(logits=(input_ids[..., None] * table).sin())


def make_step(limits, *, params=None, ahead=True):
    model = SimpleNamespace(
        device=torch.device("cpu"),
        config=SimpleNamespace(get_text_config=lambda: SimpleNamespace(vocab_size=VOCABULARY)),
    )
    eos = frozenset({257})
    checkpoint = Checkpoint(
        name="x", model=model, tokenizer=byte_tokenizer(), eos_ids=eos, max_positions=None
    )
    token_sampler = TokenSampler(checkpoint, params or SamplingParams())
    prompts = [Prompt("p", (1, 2), (i,), limit) for i, limit in enumerate(limits)]
    rows = [token_sampler.begin_rows(prompt, prompt.indices)[0] for prompt in prompts]
    for row in rows:
        row.push(65, -1.0, -1.0)
    batch = DecodeBatch.build(
        [Segment(0, 2, 0, len(rows), 0)], slots=range(len(rows)), own_starts=[2] * len(rows)
    )
    return DecodeStep(forward, token_sampler, [], prepare_batch(batch, "cpu"), rows, ahead=ahead)


@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(),
        SamplingParams(temperature=0),
        SamplingParams(top_k=7, min_p=0.01),
        SamplingParams(typical_p=0.8, top_p=1.0),
        SamplingParams(logit_bias=((5, 2.0),)),
    ],
)
@pytest.mark.parametrize("wide", [False, True])
def test_a_step_that_runs_ahead_asks_the_host_nothing(params, wide):
    """Fake tensors hold no values, so whatever would read one fails."""
    step = make_step([9, 9, 9], params=params)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert step._run(wide).shape == (3, 3)


def test_a_step_that_does_not_run_ahead_may_ask():
    step = make_step([9], ahead=False)
    with FakeTensorMode(allow_non_fake_inputs=True), pytest.raises(DynamicOutputShapeException):
        step._run(wide=False)


def test_a_row_at_its_limit_stands_still_and_others_go_on():
    step = make_step([2, 9])
    drawn = [step.launch().read() for _ in range(4)]
    assert len({tokens[0] for tokens in drawn}) == 1
    assert len({tokens[1] for tokens in drawn}) > 1


def test_an_unsettled_row_waits_for_a_wide_step(monkeypatch):
    flat = SamplingParams(temperature=100, top_p=0.9)
    monkeypatch.setattr("codesample.sampling.decode_step._NARROW", 1)
    step = make_step([9], params=flat)
    assert [step.launch().read()[0][0] for _ in range(2)] == [-1, -1]
    (settled,) = step.launch(wide=True).read()
    assert settled == make_step([9], params=flat, ahead=False).launch().read()[0]
