"""Our sampler beside rivals, cell by cell: both have their turn in every round, each in its own process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, product
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from codesample.bench.machine import machine
from codesample.bench.measurements import Measurement
from codesample.bench.rivals.rival_process import RefusedError, RivalProcess
from codesample.bench.rivals.rival_set import RIVALS, own_precision, own_side
from codesample.bench.rounds import Rounds
from codesample.bench.settings import RivalOptions, expect_known
from codesample.errors import ParameterError

__all__ = ["measure_rivals", "rival_table"]

# what the steps between take is known from the difference
_SHORT = 2
# greedy tokens that both are compared by, before anything is timed
_CHECKED = 12
"""Tokens of a greedy continuation."""

_CELL = ("rival", "model", "precision", "own_precision", "prompt", "n")
_FIGURES = ("step_ms", "own_step_ms", "ratio", "range", "load")


class _Cell(NamedTuple):
    prompt: list[int]
    n: int


def measure_rivals(
    options: RivalOptions, *, repeats: int = 1, threads: int | None = None
) -> Iterator[Measurement]:
    """Yield a row for each rival, precision and cell, or why there is none.

    A step is the time of a long draw less that of a short one, so that the prompt's share falls out; the
    ratio is the rival's step over this sampler's, the median over rounds, in each of which both draw in turn.
    Nothing is timed of a rival that in float32 continues the prompt greedily with other tokens.

    Raises:
        UnknownNameError: no such rival.
        ParameterError: no checkpoint is named, or numbers cannot be read.
    """
    expect_known("rival", options.rivals, RIVALS)
    offered = dict.fromkeys(each for name in options.rivals for each in RIVALS[name].models)
    expect_known("precision", options.precisions, offered)
    if not options.rival_model:
        raise ParameterError("rivals need the checkpoint that they were made of: --rival-model FOLDER")
    cells = _cells(options)
    count = threads or os.cpu_count() or 1
    return chain.from_iterable(
        _pair(name, precision, cells, options, repeats=repeats, threads=count)
        for name in options.rivals
        for precision in RIVALS[name].models
        if not options.precisions or precision in options.precisions
    )


def rival_table(rows: Sequence[Measurement]) -> str:
    """Return the rows as a table; a ratio above 1 is by how much this sampler is faster."""
    from codesample.bench.tables import not_shown, table

    def line(row: Measurement) -> list[object]:
        cell = [row.get(name, "") for name in _CELL]
        if "refused" in row:
            return [*cell, *not_shown(row["refused"], len(_FIGURES))]
        ranged = row | {"range": f"{row['ratio_low']} to {row['ratio_high']}"}
        return [*cell, *(ranged[name] for name in _FIGURES)]

    return table((*_CELL, *_FIGURES), map(line, rows))


def _pair(
    name: str, precision: str, cells: Sequence[_Cell], options: RivalOptions, *, repeats: int, threads: int
) -> Iterator[Measurement]:
    own = own_precision(precision)
    facts: Measurement = {
        "kind": "rival",
        "rival": name,
        "precision": precision,
        "own_precision": own,
        "model": Path(options.rival_model).absolute().name,
        "threads": threads,
    }
    sides = (
        own_side(own, model=options.rival_model, threads=threads),
        RIVALS[name].side(name, precision, place=options.rivals_folder / name, threads=threads),
    )
    with ExitStack() as stack:
        try:
            ours, theirs = (
                stack.enter_context(RivalProcess(side, who=who))
                for side, who in zip(sides, ("this sampler: ", ""), strict=True)
            )
            # both may be made of the same libraries, in other versions
            facts |= {"versions": theirs.facts, "own_versions": ours.facts}
            facts |= _compared(ours, theirs, cells[0].prompt, exact=precision == "float32")
        except RefusedError as error:
            yield facts | machine(("device", "date")) | {"refused": str(error)}
            return
        for cell in cells:
            yield facts | _measured(ours, theirs, cell, new=options.new, repeats=repeats)


def _compared(ours: RivalProcess, theirs: RivalProcess, prompt: Sequence[int], *, exact: bool) -> Measurement:
    """Return how many greedy tokens are the same from the first on.

    Raises:
        RefusedError: not all, where they should be.
    """
    drawn = [each.draw(prompt, n=1, new=_CHECKED, greedy=True)["tokens"][0] for each in (ours, theirs)]
    alike = next((i for i, (a, b) in enumerate(zip(*drawn, strict=True)) if a != b), _CHECKED)
    if exact and alike < _CHECKED:
        raise RefusedError(
            f"greedy token {alike} of {_CHECKED} is {drawn[1][alike]} instead of {drawn[0][alike]}"
        )
    return {"greedy_alike": f"{alike} of {_CHECKED}"}


def _measured(
    ours: RivalProcess, theirs: RivalProcess, cell: _Cell, *, new: int, repeats: int
) -> Measurement:
    sides, steps, jobs = {"own": ours, "rival": theirs}, Rounds(), Rounds()
    facts: Measurement = {"prompt": len(cell.prompt), "n": cell.n, "new": new, "rounds": repeats}
    distinct = {}
    try:
        for seed in range(repeats):
            for name, side in sides.items():
                short, long = (
                    side.draw(cell.prompt, n=cell.n, new=size, seed=seed) for size in (_SHORT, new)
                )
                steps.add(name, (long["seconds"] - short["seconds"]) / (new - _SHORT))
                jobs.add(name, long["seconds"])
                distinct[name] = len({tuple(row) for row in long["tokens"]})
    except RefusedError as error:
        return facts | machine(("device", "date", "load")) | {"refused": str(error)}
    job = jobs.medians()
    facts |= {
        "job_seconds": round(job["rival"], 2),
        "own_job_seconds": round(job["own"], 2),
        "distinct": distinct["rival"],
        "own_distinct": distinct["own"],
        **machine(("device", "cores", "load", "date", "commit")),
    }
    if min(chain.from_iterable(steps.seconds.values())) <= 0:
        return facts | {"refused": "a long draw took no longer than a short one: too much else runs here"}
    step, ratios = steps.medians(), steps.ratios("own")["rival"]
    return facts | {
        "step_ms": round(1e3 * step["rival"], 1),
        "own_step_ms": round(1e3 * step["own"], 1),
        "ratio": round(median(ratios), 2),
        "ratio_low": round(ratios[0], 2),
        "ratio_high": round(ratios[-1], 2),
    }


def _cells(options: RivalOptions) -> list[_Cell]:
    from transformers import AutoTokenizer

    lengths = _numbers("prompt_tokens", options.prompt_tokens)
    counts = _numbers("candidates", options.candidates)
    if not Path(options.rival_model).is_dir():
        raise ParameterError(f"rival_model = {options.rival_model!r}: expected the folder of a checkpoint")
    text = "".join(
        path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parents[1].glob("*.py"))
    )
    reader: Any = AutoTokenizer
    try:
        ids = reader.from_pretrained(options.rival_model)(text)["input_ids"]
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ParameterError(
            f"rival_model = {options.rival_model!r}: no tokenizer of it: {reason}"
        ) from error
    if max(lengths) > len(ids):
        raise ParameterError(f"prompt_tokens = {max(lengths)}: expected at most {len(ids)}")
    return [_Cell(ids[:length], n) for length, n in product(lengths, counts)]


def _numbers(name: str, text: str) -> list[int]:
    try:
        found = [int(each) for each in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise ParameterError(f"{name} = {text!r}: expected whole numbers above 0, with commas between")
    return found
