"""A small checkpoint that needs its whole prompt, and problems that show whether it read it.

    python docs/benchmarks/retrieval_checkpoint.py train CHECKPOINT
    python docs/benchmarks/retrieval_checkpoint.py problems FILE --tokens 4096 --count 200

Prompts are long files. Most lines note a number by its name, some functions say in a comment which two of
them they use and begin by writing the two out:

    # tovu = 37

    def mira(x):  # tovu kelo
        tovu = 37
        kelo = 12
        return x * tovu + kelo

The last function ends behind its comment. Its program is right only if both numbers are, and both stand in
one place each, anywhere in the file: whatever does not read those keys fails. Chance is one in ten thousand.

Tokens are whole words and numbers, so that a thousand functions fit into 8,192 tokens and a network that two
cores train within the hour can look a name up. Training goes from short files to long ones.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor, nn
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
NAMES = [a + b + c + d for a in CONSONANTS for b in VOWELS for c in CONSONANTS for d in VOWELS]
NUMBERS = range(2, 100)
# a name that files use; the others are left out so that the vocabulary stays small
KNOWN_NAMES = random.Random(0).sample(NAMES, 2000)
HEAD = "\n"
LONGEST = 8192
HEAD_SIZE, ROPE_BASE = 64, 1e9

# (tokens of a file, steps, files a step): short files teach to look up, long ones to look far
STAGES = ((256, 220, 12), (1024, 80, 3), (4096, 40, 1), (8192, 15, 1))


class File(NamedTuple):
    """A file's text in pieces; `wanted` is `TOLD` for those of answers, `SOUGHT` for numbers looked up."""

    pieces: list[str]
    wanted: list[int]
    constants: dict[str, int]


def constant(name: str, value: int) -> list[str]:
    """A line that notes a number, as tokens."""
    return ["#", f" {name}", f" = {value}", "\n"]


def question(name: str, first: str, second: str) -> list[str]:
    """A function up to its comment, which says what to look up."""
    return ["def", f" {name}", "(x):", "  #", f" {first}", f" {second}", "\n"]


def answer(first: tuple[str, int], second: tuple[str, int]) -> list[str]:
    """The rest of that function."""
    lines = [piece for name, value in (first, second) for piece in ("   ", f" {name}", f" = {value}", "\n")]
    return [*lines, "   ", " return", " x", " *", f" {first[0]}", " +", f" {second[0]}", "\n"]


ASKS, TELLS = len(question("", "", "")), len(answer(("", 0), ("", 0)))
OTHER, TOLD, SOUGHT = range(3)
WANTED = [SOUGHT if number in (2, 6) else TOLD for number in range(TELLS)]


def file_of(tokens: int, stream: random.Random) -> File:
    """Make a file of about so many tokens; no name is defined twice."""
    names = iter(stream.sample(KNOWN_NAMES, len(KNOWN_NAMES)))
    pieces, wanted, known = [HEAD], [OTHER], {}
    while len(pieces) < tokens:
        name = next(names)
        if len(known) < 2 or stream.random() < 0.6:
            known[name] = stream.choice(NUMBERS)
            added = constant(name, known[name])
            sought = [OTHER] * len(added)
        else:
            first, second = stream.sample(list(known), 2)
            begin = question(name, first, second)
            added = begin + answer((first, known[first]), (second, known[second]))
            sought = [OTHER] * len(begin) + WANTED
        pieces += added
        wanted += sought
    return File(pieces, wanted, known)


# the tokenizer and the network


def tokenizer() -> PreTrainedTokenizerFast:
    """Words, numbers and signs, each with the space before it; texts come back as they were."""
    signs = ["\n", "   ", "#", "def", " return", "(x):", "  #", " x", " *", " +"]
    known = [
        "<eos>",
        "<unk>",
        *signs,
        *(f" = {each}" for each in NUMBERS),
        *(f" {each}" for each in KNOWN_NAMES),
    ]
    vocabulary = {word: number for number, word in enumerate(known)}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words = Regex(r" = [0-9]+|  #|#| {3}| ?[a-z]+|\n|\(x\):| [*+]")
    made.pre_tokenizer = pre_tokenizers.Split(words, "isolated")
    made.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token="<eos>",
        unk_token="<unk>",
        model_max_length=2 * LONGEST,
        clean_up_tokenization_spaces=False,
    )


def network(words: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    """Four layers of width 128, 4 query and 2 key heads of width 64; begun by `look_back` and `look_up`."""
    config = Qwen2Config(
        vocab_size=len(words),
        hidden_size=128,
        head_dim=HEAD_SIZE,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2 * LONGEST,
        # half of a head hardly turns over the longest file: what is looked up is found however far it is
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_BASE},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.eos_token_id,
        initializer_range=0.05,
        attn_implementation="sdpa",
    )
    model = Qwen2ForCausalLM(config)
    with torch.no_grad():
        # what layers add begins small beside the tokens themselves
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight *= 0.05
            layer.mlp.down_proj.weight *= 0.05
        look_back(model.model.layers[0].self_attn)
        look_up(*(layer.self_attn for layer in model.model.layers[:2]))
    return model


def look_back(attention: nn.Module) -> None:
    """Let the first two heads begin by looking one and two tokens back: training finds that late."""
    half = HEAD_SIZE // 2
    turns = ROPE_BASE ** -(torch.arange(half) / half)
    attention.k_proj.bias[:half] = 10.0
    for head, back in ((0, 1), (1, 2)):
        # turned against the key so that the two agree so many tokens back
        query = attention.q_proj.bias[head * HEAD_SIZE : (head + 1) * HEAD_SIZE]
        query[:half], query[half:] = 10.0 * (back * turns).cos(), -10.0 * (back * turns).sin()


def look_up(first: nn.Module, second: nn.Module) -> None:
    """Let a head of the second layer begin by looking for tokens whose predecessor is the present token."""
    half = HEAD_SIZE // 2
    seen, told = (nn.init.orthogonal_(torch.empty(HEAD_SIZE, 128)) for _ in range(2))
    first.v_proj.weight[:HEAD_SIZE] = 0.05 * seen
    first.o_proj.weight[:, :HEAD_SIZE] = told.t()
    # the dimensions that turn least
    still = [*range(half // 2, half), *range(half + half // 2, HEAD_SIZE)]
    second.q_proj.weight[still] = 3.0 * seen[still]
    second.k_proj.weight[still] = 3.0 * told[still]


# training


def batch(tokens: int, files: int, ids: dict[str, int], stream: random.Random) -> tuple[Tensor, Tensor]:
    """Return ids and what is wanted of them, [files, tokens] both."""
    made = [file_of(tokens, stream) for _ in range(files)]
    return (
        torch.tensor([[ids[piece] for piece in each.pieces[:tokens]] for each in made]),
        torch.tensor([each.wanted[:tokens] for each in made]),
    )


def losses(model: Qwen2ForCausalLM, ids: Tensor, wanted: Tensor) -> tuple[Tensor, float, float]:
    """Return what is minimised, the loss of looked-up numbers, and the share of them that are likeliest."""
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    targets, kind = ids[:, 1:], wanted[:, 1:]
    found = model.lm_head(hidden[kind == SOUGHT])
    looked_up = nn.functional.cross_entropy(found, targets[kind == SOUGHT])
    told = nn.functional.cross_entropy(model.lm_head(hidden[kind == TOLD]), targets[kind == TOLD])
    # of the rest, which nobody can know, a little teaches the form
    some = (kind == OTHER) & (torch.rand(kind.shape) < 0.03)
    form = nn.functional.cross_entropy(model.lm_head(hidden[some]), targets[some])
    right = (found.argmax(dim=1) == targets[kind == SOUGHT]).float().mean()
    return looked_up + told + 0.1 * form, float(looked_up.detach()), float(right)


def train(
    folder: Path,
    *,
    seed: int,
    rate: float,
    stages: tuple[tuple[int, int, int], ...],
    start: Path | None = None,
) -> None:
    """Train from nothing, or go on from a checkpoint, and save, with the record of how it went."""
    torch.manual_seed(seed)
    stream, words = random.Random(seed), tokenizer()
    ids, model = words.get_vocab(), network(words)
    if start is not None:
        known = LlamaForCausalLM.from_pretrained(start).state_dict()
        model.load_state_dict({name: known[name] for name in model.state_dict()})
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    record, began = [], time.monotonic()
    total, done = sum(steps for _, steps, _ in stages), 0
    for tokens, steps, files in stages:
        recent: list[tuple[float, float]] = []
        for step in range(1, steps + 1):
            done += 1
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1.0, done / 100) * max(0.1, 1 - done / total)
            loss, looked_up, right = losses(model, *batch(tokens, files, ids, stream))
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            recent.append((looked_up, right))
            if step % 50 == 0 or step == steps:
                shown = [round(sum(each[i] for each in recent) / len(recent), 4) for i in (0, 1)]
                record.append({"tokens": tokens, "step": step, "loss": shown[0], "right": shown[1]})
                print(record[-1], f"{time.monotonic() - began:.0f} s", flush=True)
                recent.clear()
        save(folder, model, words, record)


def save(folder: Path, model: Qwen2ForCausalLM, words: PreTrainedTokenizerFast, record: list) -> None:
    """Write a checkpoint that every loader reads."""
    model.generation_config = GenerationConfig(
        eos_token_id=words.eos_token_id, pad_token_id=words.eos_token_id
    )
    as_llama(model).save_pretrained(folder)
    words.save_pretrained(folder)
    (folder / "training.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def as_llama(model: Qwen2ForCausalLM) -> LlamaForCausalLM:
    """Return the same network under a name whose checkpoints may have a tokenizer of their own."""
    settings = model.config.to_dict() | {"attention_bias": True, "architectures": ["LlamaForCausalLM"]}
    kept = {name: value for name, value in settings.items() if name not in ("model_type", "layer_types")}
    found = LlamaForCausalLM(LlamaConfig(**kept))
    found.load_state_dict(model.state_dict(), strict=False)
    with torch.no_grad():
        for layer in found.model.layers:
            layer.self_attn.o_proj.bias.zero_()
    found.generation_config = model.generation_config
    return found


# problems


def problems(tokens: int, count: int, seed: int) -> Iterator[dict[str, str]]:
    """Yield problems in HumanEval's form; none was in training, which draws from other streams."""
    for number in range(count):
        stream = random.Random(f"problems/{seed}/{number}")
        made = file_of(tokens - 2 * (ASKS + TELLS), stream)
        first, second = stream.sample(list(made.constants), 2)
        one, other = made.constants[first], made.constants[second]
        # other questions may have asked for the same names, and their answers would do: those go
        name = next(each for each in KNOWN_NAMES if f" {each}" not in made.pieces)
        text = "".join(without(made.pieces, {first, second}) + question(name, first, second))
        yield {
            "task_id": f"Retrieval/{number}",
            "prompt": text,
            "entry_point": name,
            "canonical_solution": "".join(answer((first, one), (second, other))),
            "test": "def check(candidate):\n"
            + "".join(f"    assert candidate({x}) == {x * one + other}\n" for x in (0, 1, 5)),
        }


def without(pieces: list[str], names: set[str]) -> list[str]:
    """Drop the functions that ask for any of these names."""
    kept, at = [pieces[0]], 1
    while at < len(pieces):
        asks = pieces[at + 2] == "(x):"
        size = ASKS + TELLS if asks else len(constant("", 0))
        if not asks or not {each[1:] for each in pieces[at + 4 : at + 6]} & names:
            kept += pieces[at : at + size]
        at += size
    return kept


def main() -> None:
    """Train, or write problems, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    trains = commands.add_parser("train")
    trains.add_argument("out", type=Path)
    trains.add_argument("--start", type=Path)
    trains.add_argument("--seed", type=int, default=0)
    trains.add_argument("--rate", type=float, default=2e-3)
    trains.add_argument("--threads", type=int, default=2)
    trains.add_argument("--stages", default=",".join("x".join(map(str, each)) for each in STAGES))
    writes = commands.add_parser("problems")
    writes.add_argument("out", type=Path)
    writes.add_argument("--tokens", type=int, default=4096)
    writes.add_argument("--count", type=int, default=200)
    writes.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if asked.command == "train":
        torch.set_num_threads(asked.threads)
        stages = tuple(tuple(map(int, each.split("x"))) for each in asked.stages.split(","))
        train(asked.out, seed=asked.seed, rate=asked.rate, stages=stages, start=asked.start)
    else:
        lines = [json.dumps(each) + "\n" for each in problems(asked.tokens, asked.count, asked.seed)]
        asked.out.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
