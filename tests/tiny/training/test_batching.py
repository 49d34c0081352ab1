"""Batches cover the data, and weigh what is to be learnt."""

from __future__ import annotations

from itertools import islice

import torch

from codesample.tiny.training.batching import PROMPT_WEIGHT, Encoded, batches


def test_an_epoch_holds_every_function_once():
    data = [Encoded([i + 10] * (5 + i % 7), 3) for i in range(50)]
    seen: list[int] = []
    stream = batches(data, tokens=40, seed=1)
    while len(seen) < len(data):
        ids, _ = next(stream)
        assert ids.numel() <= 40
        seen += ids[:, 0].tolist()
    assert sorted(seen) == [i + 10 for i in range(50)]


def test_weights_favour_the_body_and_leave_out_bos_and_padding():
    ids, weights = next(batches([Encoded([1, 7, 8, 9, 2], 3), Encoded([1, 7, 2], 2)], tokens=100, seed=0))
    by_length = {int((row != 0).sum()): weight for row, weight in zip(ids, weights, strict=True)}
    assert torch.equal(by_length[5], torch.tensor([0, PROMPT_WEIGHT, PROMPT_WEIGHT, 1, 1]))
    assert torch.equal(by_length[3], torch.tensor([0, PROMPT_WEIGHT, 1, 0, 0]))


def test_a_function_longer_than_a_batch_is_a_batch_alone():
    stream = batches([Encoded([1] * 9, 1), Encoded([1], 0)], tokens=4, seed=0)
    sizes = [tuple(ids.shape) for ids, _ in islice(stream, 2)]
    assert sorted(sizes) == [(1, 1), (1, 9)]
