"""Writes docs/models.md from the table of model families that the tests hold codesample to.

    python docs/write_models.py

No model is made for it: `tests/sampling/test_model_families.py` proves what the table says.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "models.md"
MATMUL = ROOT / "docs" / "benchmarks" / "matmul_cpu.jsonl"
MATMUL_PASS = ROOT / "docs" / "benchmarks" / "matmul_pass.jsonl"
TABLE = ROOT / "tests" / "sampling" / "helpers" / "model_families.py"
HEAD = """# The models

Written by `docs/write_models.py` from the table of families in `tests/sampling/helpers/model_families.py`;
`make map` writes it anew. Each row is a test: a small model of that family with random weights, in float64,
with prompts longer than its windows. Its candidates' tokens and log-probabilities are those of `generate` of
transformers, greedily and sampled; `make test-transformers` holds the oldest and the newest transformers that
are tried to it.

The table is no list of what is allowed: every checkpoint is looked at when it is loaded, whatever its family.

- **Shared**: a prompt's keys and values are stored once and read once for all of its candidates.
- **Ordinary**: the model runs its own attention, with a cache for each candidate: the same candidates,
  slower. The log says why, and so do `Sampler.describe()` and the record of a run, as `notice`.
- **Refused**: a `ModelError` at load.

## How the path is found

1. The logits of a text must not change with what follows it. Where they do, nothing can be sampled token by
   token, and the model is refused.
2. The reference is the model's eager attention, which defines it. Where another one gives something else,
   as SDPA of some versions does for soft caps, the model's own passes use eager attention too, and the log
   says so.
3. Layers of other kinds than attention over all or over recent tokens take the ordinary path, and so do
   settings of the configuration whose names speak of attention in words that nothing here knows.
4. Each layer must call its attention function with nothing but scale, window, soft cap and sinks. Its mask is
   asked about positions up to two million: it must be that of all earlier tokens, or of the window.
5. A prefill and decode steps over the shared store must give the reference's logits, past windows and chunks
   of up to 256 tokens.
6. On the ordinary path, steps over the model's own cache must give what a pass over all tokens gives; else
   all tokens are read again in each step.

Where rotary frequencies depend on the longest text of a pass (long context of Phi-3, dynamic scaling), a
prompt that may grow past the switch takes the ordinary path by itself. Phi-3 then computes its keys anew, as
its own `generate` does; that of transformers 5.17 loses the prompt there, and is no reference.
"""
SECTIONS = {
    "shared": ("## Shared", ("family", "`model_type`", "besides plain attention")),
    "ordinary": ("## Ordinary", ("family", "`model_type`", "because", "what it is")),
    "refused": ("## Refused", ("family", "`model_type`", "because")),
}
ALSO_REFUSED = """
Refused as well, before any of this: models with an encoder (T5, BART), classifiers and other heads, and
checkpoints with code of their own unless it is allowed; see [the tutorial](tutorial.md).
"""
WAYS = {
    "plain": "float32, torch's",
    "arranged": "float32, copies in 32 bits",
    "float32": "float32, copies in 16 bits",
    "bfloat16": "bfloat16 (without its instructions)",
    "int8": "int8",
}
_INSTRUCTIONS = "AMX"
# as in docs/benchmarks/matmul.py
_LAST = 512
_HELD_WAYS = {"plain": "none, torch's own products", "arranged": "float32, 32 bits"}
_SERVED_WAYS = ("float32", "bfloat16", "int8")
_SMALL = "-small"
NUMBERS = """
## In which numbers a CPU multiplies

A model on a CPU is held in float32, and decode steps multiply with a second copy of its linear weights.
`--cpu-matmul`, or `Sampler(step=...)`, says in which numbers; stored keys and values, norms, softmax, the
choice of tokens and given texts that are read stay float32.

- `float32`: all products and sums. Where the checkpoint was stored in 16 bits, so are the copies. They
  lose less than float32's sums do, and each step reads half as much. Weights that were trained in float32
  have copies in 32 bits.
- `bfloat16`: inputs and weights of the layers are rounded to it, sums are float32, and a product is rounded
  once more. The head, between whose logits the last digits decide, has weights and inputs of 16 bits as whole
  numbers, multiplied as halves of 8 with exact sums: logits are off by 0.0005 on average. A processor with
  the instructions (AVX-512 BF16, AMX) does two to five times as many of these products; on others the same
  roundings are made around products in float32, which is no faster, and the head is in float32.
- `int8`: weights of 8 bits, scaled per channel, and inputs of 8 bits, scaled per row; where a processor would
  add two such products in 16 bits, weights have 7. Sums are exact, so that a candidate's products do not
  depend on what it is drawn beside.
- `auto`, the default: bfloat16 where the checkpoint is stored in it, the dtype was left to its default and
  the processor has the instructions, so that no weight is rounded but the head's, to 16 bits; else float32,
  also once weights are changed to numbers that bfloat16 does not hold.

Where layers multiply in bfloat16 or in 8 bits and the processor multiplies tiles of bfloat16 (AMX),
attention to 512 keys of a prompt or more does so, too, with sums in float32: that of a prompt's pass of 64
tokens or more to what stands before it, and that of a step to the prompt as soon as candidates have 64
queries for a head of keys, as ten have where seven query heads share one. Their own tokens are attended to
in float32. So are prompts where scores have a soft cap, in passes of layers with a window or sinks, and
under policies that choose keys, divide steps or run prompts in their own way. Behind 8,192 tokens attention
of 32 such candidates takes half the time of float32, narrowing the keys included
([rows](benchmarks/attention.md#in-bfloat16-on-a-cpu)). In these numbers a candidate may say something else
when another number of them is drawn, or when its prompt was stored by an earlier call, of which the last
token alone is run then: a difference in the last digit of a sum is enough for another rounding, and a few
dozen tokens for another token. In float32 neither is seen. A call that finds its prompt stored and is
repeated gives the same candidates.

Only plain linear layers have copies: the projections of GPT-2, experts that one tensor holds, and quantised
layers multiply as they are, whatever is asked for. So does all of a model on the ordinary path, for which
`bfloat16` and `int8` are refused. A prompt that may grow past a switch of rotary frequencies takes that path
by itself, and is multiplied in the same 8 or 16 bits as the others; in float32 it is with the weights
themselves.

{model}. Times are of {n} candidates of one prompt on {threads} threads of an AVX2
server ([rows](benchmarks/matmul_cpu.jsonl), made by `docs/benchmarks/matmul.py`); speed is beside copies in
32 bits. Differences are those of log-probabilities from float64's, over {tokens} tokens of HumanEval's
prompts and references, and the divergence that of Kullback and Leibler, in nats:

| matrices in | one step | speed | mean difference | largest | mean divergence | same likeliest |
|---|---|---|---|---|---|---|
"""

SERVED = """
With instructions for products in bfloat16 and in 8 bits, on {threads} threads of another processor
({device}): in milliseconds one step, and its products alone, one weight after the
other, which is the least that a step can take. Speed is beside float32 with copies in 16 bits, measured in
turn with the others:

| candidates | float32: step, products | bfloat16 | int8 | speed of bfloat16 | of int8 |
|---|---|---|---|---|---|
"""
PAGES = """
Where Linux has huge pages, copies are moved to them once weights are packed, unless they are turned off
(`never` in `/sys/kernel/mm/transparent_hugepage/enabled`) or memory is interleaved: a step then looks up some
hundred pages in place of some hundred thousand, and a virtual processor looks up each of those places again.
It takes three times as long as packing at most, here three seconds, and before Linux 6.1 the kernel moves
them in its own time. Milliseconds of a step without it and with it, in turn; on a busier host the difference
was up to a third:

| candidates | float32 | bfloat16 | int8 |
|---|---|---|---|
"""
SERVED_SAID = """
What is said there differs from float64's by:

| matrices in | mean difference | largest | mean divergence | same likeliest |
|---|---|---|---|---|
"""

MEMORY = """
The most memory that a process takes which loads the model and draws {n} candidates of HumanEval's first
problem; "float32, 32 bits" keeps copies of weights as they are, in place of 16 bits with all their digits:

| copies in | MiB |
|---|---|
"""

FAR_SAID = """
And behind {tokens:,} tokens of such texts, one behind the other, of whose last {last} each is compared,
{compared:,} in all, and for which attention multiplies in bfloat16 too:

| matrices in | mean difference | largest | mean divergence | same likeliest |
|---|---|---|---|---|
"""

SOLVED = """
What that does to the problems of HumanEval that the model solves, set beside its own run in float32 by
`codesample compare` ([rows](benchmarks/matmul_pass.jsonl)). Runs are those of `codesample eval humaneval
--prompt base --max-new-tokens 256 --dtype float32 --cpu-matmul WAY --greedy`, and of the same with `--n 16`,
of 83 problems with `--shard 1/6` to `3/6` and of 28 with `1/6`. On AVX2, for want of its instructions,
products were rounded to bfloat16:

| matrices in | on | candidates | problems | pass@1 | in float32 | difference, 95 % | won, lost |
|---|---|---|---|---|---|---|---|
"""


def families() -> tuple[Any, ...]:
    """Return the table."""
    return tuple(_table().FAMILIES)


def page(table: tuple[Any, ...]) -> str:
    """Return the page."""
    parts = [HEAD]
    for path, (heading, columns) in SECTIONS.items():
        parts.append(f"\n{heading}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n")
        parts += [f"| {' | '.join(_cells(each))} |\n" for each in table if each.path == path]
    return "".join([*parts, ALSO_REFUSED, *_numbers(_rows(MATMUL)), SOLVED, *_solved(_rows(MATMUL_PASS))])


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _numbers(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what the last measurements say of the numbers that a CPU multiplies in."""
    served = [row for row in rows if _INSTRUCTIONS in row["device"]]
    rows = [row for row in rows if row not in served]
    timed, compared = ([row for row in rows if key in row][-1] for key in ("step_ms", "against_float64"))
    against = compared["against_float64"]
    yield NUMBERS.format(
        model=compared["model"],
        n=timed["n"],
        threads=timed["threads"],
        tokens=f"{against['int8']['tokens']:,}",
    )
    for way, name in WAYS.items():
        it, step, times = against[way], timed["step_ms"].get(way), timed["times_arranged"].get(way)
        speed = f"{step:.0f} ms | {times:.2f}" if step else "not timed |"
        yield (
            f"| {name} | {speed} | {it['change_mean']:.2g} | {it['change_largest']:.2g} "
            f"| {it['divergence_mean']:.2g} | {100 * it['same_likeliest']:.1f} % |\n"
        )

    yield from _served(served)


def _served(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what they say on a processor with instructions, the last row for each number of candidates."""
    timed = {row["n"]: row for row in rows if "step_ms" in row}
    last = [*timed.values()][-1]
    yield SERVED.format(threads=last["threads"], device=last["device"])
    for n, row in sorted(timed.items()):
        step, products, times = row["step_ms"], row["products_ms"], row["times_float32"]
        cells = [f"{step[way]:.0f}, {products[way]:.0f}" for way in _SERVED_WAYS]
        speeds = [f"{times[way]:.2f}" for way in _SERVED_WAYS[1:]]
        yield f"| {n} | {' | '.join([*cells, *speeds])} |\n"
    yield PAGES
    for n, row in sorted(timed.items()):
        step = row["step_ms"]
        cells = [f"{step[way + _SMALL]:.0f}, {step[way]:.0f}" for way in _SERVED_WAYS if way + _SMALL in step]
        if cells:
            yield f"| {n} | {' | '.join(cells)} |\n"
    held = [row for row in rows if "peak_mib" in row][-1]
    yield MEMORY.format(n=held["n"])
    yield from (f"| {_HELD_WAYS.get(way, way)} | {mib:,} |\n" for way, mib in held["peak_mib"].items())
    yield SERVED_SAID
    compared = [row for row in rows if "against_float64" in row]
    yield from _against([row for row in compared if "tokens" not in row][-1])
    far = [row for row in compared if "tokens" in row][-1]
    total = far["against_float64"]["int8"]["tokens"]
    yield FAR_SAID.format(last=_LAST, tokens=far["tokens"], compared=total)
    yield from _against(far)


def _against(row: dict[str, Any]) -> Iterator[str]:
    for way in _SERVED_WAYS:
        it = row["against_float64"][way]
        yield (
            f"| {way} | {it['change_mean']:.2g} | {it['change_largest']:.2g} "
            f"| {it['divergence_mean']:.2g} | {100 * it['same_likeliest']:.1f} % |\n"
        )


def _solved(rows: list[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield (
            f"| {row['matmul']} | {row['on']} | {row['candidates']} | {row['problems']} "
            f"| {row['pass@1']:.3f} | {row['in_float32']:.3f} | {row['difference']:+.3f} "
            f"({row['low']:+.3f} to {row['high']:+.3f}) | {row['won']}, {row['lost']} |\n"
        )


def _cells(family: Any) -> Iterator[str]:
    yield family.name
    yield f"`{family.model_type}`"
    if family.path != "shared":
        yield family.because
    if family.path != "refused":
        yield family.note


def _table() -> ModuleType:
    spec = importlib.util.spec_from_file_location("model_families", TABLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    PAGE.write_text(page(families()), encoding="utf-8")
