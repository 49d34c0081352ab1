import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode

from codesample.kernels.bifurcated_decode import DecodeBatch, Segment, prepare_batch
from codesample.records import SamplingParams
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.decode_step import DecodeStep, _capture_stream
from codesample.sampling.prompts import Prompt
from codesample.sampling.token_sampler import TokenSampler
from codesample.testing.models import VOCABULARY, byte_tokenizer


def forward(input_ids, **_):
    """Logits that depend on the last token alone."""
    table = torch.linspace(-1, 1, VOCABULARY)
    return SimpleNamespace(logits=(input_ids[..., None] * table).sin())


def make_step(limits, *, params=None, ahead=True, uncaptured=None):
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
    prepared = prepare_batch(batch, "cpu")
    return DecodeStep(forward, token_sampler, [], prepared, rows, ahead=ahead, uncaptured=uncaptured)


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


class Machine:
    """Stands in for torch.cuda with several devices, and notes on which of them what is done."""

    def __init__(self):
        self.current, self.done, self.refuses = 0, [], False

    @contextmanager
    def device(self, device):
        before, self.current = self.current, device.index
        yield
        self.current = before

    @contextmanager
    def graph(self, graph, *, pool, stream, capture_error_mode):
        assert capture_error_mode == "thread_local"
        self.done.append(("captured", self.current, stream.device.index))
        if self.refuses:
            raise RuntimeError("operation not permitted when stream is capturing")
        yield

    def stand_in(self, monkeypatch):
        machine = self

        class Graph:
            def replay(self):
                machine.done.append(("replayed", machine.current))

        class Stream:
            def __init__(self, device):
                self.device = device

        for name, value in {
            "device": self.device,
            "graph": self.graph,
            "CUDAGraph": Graph,
            "Stream": Stream,
            "current_stream": lambda device: Stream(device),
            "set_stream": lambda stream: machine.done.append(("back on", stream.device.index)),
            "graph_pool_handle": object,
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)
        _capture_stream.cache_clear()
        return machine


def test_two_devices_of_one_process_capture_each_on_a_stream_of_its_own(monkeypatch):
    machine = Machine().stand_in(monkeypatch)
    steps = {}
    for index in (0, 1):
        steps[index] = make_step([9, 9])
        # what it computes stays on the CPU; what it captures is noted
        steps[index]._device = torch.device("cuda", index)
    for _ in range(3):
        for step in steps.values():
            step.launch()
    assert machine.done == [
        *(("captured", 0, 0), ("replayed", 0), ("captured", 1, 1), ("replayed", 1)),
        *(("replayed", 0), ("replayed", 1)),
    ]
    assert machine.current == 0
    streams = [_capture_stream(torch.device("cuda", index), threading.get_ident()) for index in (0, 1, 0)]
    assert streams[0] is streams[2]
    assert streams[0] is not streams[1]
    _capture_stream.cache_clear()


def on_gpu(step, index=0):
    """What it computes stays on the CPU; what it captures is noted."""
    step._device = torch.device("cuda", index)
    return step


def test_a_capture_that_failed_is_tried_again_by_no_other_batch_size(monkeypatch, caplog):
    machine = Machine().stand_in(monkeypatch)
    machine.refuses = True
    uncaptured = set()
    for rows in (2, 3, 5):
        step = on_gpu(make_step([9] * rows, uncaptured=uncaptured))
        drawn = [[token for token, _ in step.launch().read()] for _ in range(4)]
        plain = make_step([9] * rows)
        assert drawn == [[token for token, _ in plain.launch().read()] for _ in range(4)]
    assert machine.done == [("captured", 0, 0), ("back on", 0)]
    assert len(caplog.records) == 1
    other = on_gpu(make_step([9], params=SamplingParams(temperature=0.3), uncaptured=uncaptured))
    machine.refuses = False
    for _ in range(3):
        other.launch()
    assert machine.done[2:] == [("captured", 0, 0), ("replayed", 0), ("replayed", 0)]
    _capture_stream.cache_clear()


def test_steps_draw_the_same_whether_they_run_ahead_or_not():
    # a row that has ended stands still in one and not in the other
    params = SamplingParams(temperature=3, top_p=1, banned_tokens=(257,))
    drawn = []
    for ahead in (True, False):
        step = make_step([99, 99, 99], params=params, ahead=ahead)
        # random numbers are drawn several steps at a time
        drawn.append([[token for token, _ in step.launch().read()] for _ in range(40)])
    assert drawn[0] == drawn[1]
    assert len({tuple(tokens) for tokens in drawn[0]}) > 20
