"""Turns functions of the corpus into training batches: one function per row, like lengths together."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerFast

from codesample.tiny.training.corpus import Function

__all__ = ["PROMPT_WEIGHT", "Encoded", "batches", "encode"]

PROMPT_WEIGHT = 0.1
"""Weight of a prompt token in the loss; a token of the body has weight 1, padding 0."""

_WINDOW = 4096


@dataclass(frozen=True, slots=True)
class Encoded:
    """One function as tokens: BOS, prompt, body, EOS; the body begins at `start`."""

    ids: list[int]
    start: int


def encode(functions: Sequence[Function], tokenizer: PreTrainedTokenizerFast) -> list[Encoded]:
    """Tokenise functions; prompt and body apart, which gives the same tokens as together."""
    prompts = tokenizer([f.prompt for f in functions])["input_ids"]
    bodies = tokenizer([f.body for f in functions], add_special_tokens=False)["input_ids"]
    return [Encoded([*p, *b, tokenizer.eos_token_id], len(p)) for p, b in zip(prompts, bodies, strict=True)]


def batches(
    data: Sequence[Encoded], *, tokens: int, seed: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (ids [B, T] int64, weights [B, T] float32) for ever; every epoch in an order of its own.

    Attention needs no mask: the padding is on the right and has no weight in the loss.

    Args:
        data: Functions as tokens.
        tokens: Most tokens of a batch, padding included; a longer function is a batch alone.
        seed: Settles the order.
    """
    rng = random.Random(seed)
    while True:
        order = list(range(len(data)))
        rng.shuffle(order)
        groups: list[list[int]] = []
        # sorting a window at a time keeps padding low and still mixes what meets in a batch
        for at in range(0, len(order), _WINDOW):
            groups += _group(sorted(order[at : at + _WINDOW], key=lambda i: len(data[i].ids)), data, tokens)
        rng.shuffle(groups)
        for group in groups:
            yield _collate([data[i] for i in group])


def _group(order: Sequence[int], data: Sequence[Encoded], tokens: int) -> list[list[int]]:
    groups: list[list[int]] = [[]]
    for index in order:
        if groups[-1] and len(data[index].ids) * (len(groups[-1]) + 1) > tokens:
            groups.append([])
        groups[-1].append(index)
    return groups


def _collate(rows: Sequence[Encoded]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(r.ids) for r in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    weights = torch.zeros(len(rows), width)
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)] = torch.tensor(row.ids)
        weights[i, 1 : row.start] = PROMPT_WEIGHT
        weights[i, row.start : len(row.ids)] = 1.0
    return ids, weights
