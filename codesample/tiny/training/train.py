"""Trains the built-in model: `python -m codesample.tiny.training.train --out DIR --steps N --seed S`.

Corpus, tokenizer, initial weights and the order of the batches follow from the seed; with the same number of
workers on the same kind of processor the weights are equal bit for bit.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from codesample.tiny.training.batching import batches, encode
from codesample.tiny.training.corpus import generate
from codesample.tiny.training.parallel import average_gradients, rank, run_workers, world_size
from codesample.tiny.training.tokenizer import train_tokenizer

__all__ = ["Asked", "CurvePoint", "TrainOptions", "Trained", "build_model", "main", "parse", "save", "train"]

_REPORT_EVERY = 100
_KEEP_EVERY = 1000
_RECORD = "training.json"


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Everything that settles a training run.

    Attributes:
        functions: Size of the corpus.
        steps: Optimizer steps.
        seed: Settles corpus, initial weights and order.
        batch_tokens: Tokens per step, padding included, shared evenly among the workers.
        vocabulary: Tokens of the tokenizer.
        tokenizer_functions: How many functions, the first of the corpus, the tokenizer is trained on.
        learning_rate: Peak, reached after `warmup` steps and followed by a cosine down to a fiftieth of it.
        warmup: Steps of linear increase.
        weight_decay: Of the matrices; vectors have none.
        mix: What the corpus holds how often; a name of `MIXES`.
        workers: Processes of one thread each; part of what makes a run repeatable.
    """

    functions: int = 50_000
    steps: int = 4000
    seed: int = 0
    batch_tokens: int = 2048
    vocabulary: int = 1536
    tokenizer_functions: int = 10_000
    learning_rate: float = 3e-3
    warmup: int = 200
    weight_decay: float = 0.05
    workers: int = 2
    mix: str = "broad"


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Mean loss per body token (natural logarithm) over the steps since the last point; seconds so far."""

    step: int
    loss: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Trained:
    """Result of a run: what `save` writes; `earlier` holds the records of the runs it went on from."""

    model: LlamaForCausalLM
    tokenizer: PreTrainedTokenizerFast
    options: TrainOptions
    corpus_tokens: int
    body_tokens: int
    curve: list[CurvePoint]
    earlier: list[dict[str, Any]]


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Build the untrained network: 4 layers of width 256, 8 query and 2 key heads, tied embeddings."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=640,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.03,
    )
    return LlamaForCausalLM(config)


def train(
    options: TrainOptions, *, start: Path | None = None, keep: Callable[[Trained], None] | None = None
) -> Trained:
    """Generate the corpus, train the tokenizer on its beginning and the model on all of it.

    Args:
        options: What settles the run.
        start: Checkpoint whose tokenizer and weights to go on from; none trains both from nothing.
        keep: Called with the state of things every thousand steps, for instance to save them.

    Returns:
        The trained model; every worker returns the same weights.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(options.seed)
    functions = list(generate(options.functions, seed=options.seed, mix=options.mix))
    if start is None:
        texts = [f.prompt + f.body for f in functions[: options.tokenizer_functions]]
        tokenizer = train_tokenizer(texts, vocabulary=options.vocabulary)
        model = build_model(tokenizer)
    else:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(start)
        model = LlamaForCausalLM.from_pretrained(start)
    data = encode(functions, tokenizer)
    tokens, counted = sum(len(d.ids) for d in data), sum(len(d.ids) - d.start for d in data)
    model.train()
    if rank() == 0:
        print(f"{len(data)} functions, {tokens} tokens, {counted} of bodies", flush=True)
    every = batches(data, tokens=options.batch_tokens // world_size(), seed=options.seed)
    stream = islice(every, rank(), None, world_size())
    trained = Trained(model, tokenizer, options, tokens, counted, [], _records(start))
    for point in _optimise(model, stream, options):
        trained.curve.append(point)
        if keep and point.step % _KEEP_EVERY == 0:
            keep(trained)
    model.eval()
    return trained


def _optimise(
    model: LlamaForCausalLM, stream: Iterator[tuple[torch.Tensor, torch.Tensor]], options: TrainOptions
) -> Iterator[CurvePoint]:
    optimizer = _optimizer(model, options)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, options))
    losses: list[float] = []
    started = time.monotonic()
    for step in range(1, options.steps + 1):
        loss, body_loss = _losses(model, *next(stream))
        loss.backward()
        average_gradients(list(model.parameters()))
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(body_loss.item())
        if step % _REPORT_EVERY == 0 or step == options.steps:
            point = CurvePoint(step, sum(losses) / len(losses), time.monotonic() - started)
            if rank() == 0:
                print(f"step {step} loss {point.loss:.4f} after {point.seconds:.0f} s", flush=True)
            losses.clear()
            yield point


def _optimizer(model: LlamaForCausalLM, options: TrainOptions) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    groups = [
        {"params": matrices, "weight_decay": options.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=options.learning_rate, betas=(0.9, 0.98))


def _rate(step: int, options: TrainOptions) -> float:
    """Share of the peak learning rate at a step, counted from 0."""
    if step < options.warmup:
        return (step + 1) / options.warmup
    progress = min(1.0, (step - options.warmup) / max(1, options.steps - options.warmup))
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress))


def _losses(
    model: LlamaForCausalLM, ids: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weighted mean loss, to be minimised, and the mean over the body tokens, to be reported."""
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    targets, weight = ids[:, 1:], weights[:, 1:]
    counted = weight > 0
    each = nn.functional.cross_entropy(model.lm_head(hidden[counted]), targets[counted], reduction="none")
    weight = weight[counted]
    return (each * weight).sum() / weight.sum(), each.detach()[weight == 1].mean()


def save(folder: Path, trained: Trained) -> None:
    """Write a checkpoint that `from_pretrained` reads, and `training.json`: options, sizes and loss curve.

    Weights are stored in half precision and declared as single precision: they take half the room and are
    computed with in single precision.
    """
    model, tokenizer = trained.model, trained.tokenizer
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    copy.deepcopy(model).half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config = folder / "config.json"
    settings = json.loads(config.read_text(encoding="utf-8"))
    settings["dtype"] = "float32"
    config.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    run = {
        "options": asdict(trained.options),
        "corpus_tokens": trained.corpus_tokens,
        "body_tokens": trained.body_tokens,
        "loss_curve": [asdict(point) for point in trained.curve],
    }
    record = {"parameters": model.num_parameters(), "runs": [*trained.earlier, run]}
    (folder / _RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _records(start: Path | None) -> list[dict[str, Any]]:
    if start is None:
        return []
    return list(json.loads((start / _RECORD).read_text(encoding="utf-8"))["runs"])


class Asked(NamedTuple):
    """What the command line asks for: where to write, what to go on from, and the run."""

    out: Path
    start: Path | None
    options: TrainOptions


def parse(words: Sequence[str] | None = None) -> Asked:
    """Read the words of the command line, by default those of this process."""
    parser = argparse.ArgumentParser(
        prog="python -m codesample.tiny.training.train", description="Train the built-in model."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint and training.json")
    parser.add_argument(
        "--start", type=Path, help="checkpoint to go on from, with a fresh learning-rate schedule"
    )
    settings = {
        "steps": "optimizer steps",
        "seed": "settles corpus, initial weights and order",
        "functions": "size of the corpus",
        "learning_rate": "its peak",
        "mix": "what the corpus holds how often, broad or plain",
        "workers": "processes of one thread each",
    }
    for name, text in settings.items():
        default = getattr(TrainOptions(), name)
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=type(default), default=default, help=f"{text} (%(default)s)")
    chosen = vars(parser.parse_args(words))
    return Asked(chosen.pop("out"), chosen.pop("start"), replace(TrainOptions(), **chosen))


def main() -> None:
    """Train as the command line says, and save."""
    asked = parse()
    run_workers(partial(_train_and_save, *asked), count=asked.options.workers)


def _train_and_save(folder: Path, start: Path | None, options: TrainOptions) -> None:
    def keep(trained: Trained) -> None:
        if rank() == 0:
            save(folder, trained)

    keep(train(options, start=start, keep=keep))


if __name__ == "__main__":
    main()
