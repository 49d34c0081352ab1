"""Options that several commands share, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AllowWeakIsolation",
    "DataFile",
    "Device",
    "Dtype",
    "Json",
    "K",
    "Limit",
    "MaxNewTokens",
    "MaxRows",
    "MemoryFraction",
    "MinP",
    "Model",
    "N",
    "RerankerSpecs",
    "Resume",
    "Revision",
    "RunOut",
    "Seed",
    "TaskFile",
    "TaskName",
    "Temperature",
    "TopK",
    "TopP",
    "Workers",
    "numbers",
]


def numbers(text: str) -> tuple[int, ...]:
    """Read "1,5,10".

    Raises:
        typer.BadParameter: not whole numbers with commas between.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r}: expected whole numbers with commas between, such as 1,5,10"
        ) from None


TaskName = Annotated[str | None, typer.Argument(help="See `codesample list tasks`.", metavar="TASK")]
TaskFile = Annotated[
    Path | None, typer.Option(help="Problems of your own, one JSON object per line, instead of a named task.")
]
DataFile = Annotated[
    Path | None, typer.Option(help="The task's data in their published form, instead of the hub's copy.")
]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first problems of the task.")]

Model = Annotated[str, typer.Option(help="tiny (built in), a folder, or a hub id.")]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit of a hub id.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Dtype = Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")]
MaxRows = Annotated[
    int | None, typer.Option(min=1, help="Most candidates decoded together; default: memory decides.")
]
MemoryFraction = Annotated[float, typer.Option(help="Share of the free memory for key/value stores.")]

N = Annotated[int, typer.Option("--n", "-n", help="Candidates per problem.")]
Temperature = Annotated[float, typer.Option(help="0 is greedy.")]
TopP = Annotated[float, typer.Option(help="Keep the likeliest tokens up to this probability; 1 keeps all.")]
TopK = Annotated[int, typer.Option(help="Keep this many of the likeliest tokens; 0 keeps all.")]
MinP = Annotated[float, typer.Option(help="Keep tokens with this share of the likeliest one's probability.")]
MaxNewTokens = Annotated[int | None, typer.Option(help="Tokens per candidate; default: the task's.")]
Seed = Annotated[int, typer.Option(help="With problem, index and position it settles every draw.")]

K = Annotated[
    tuple[int, ...] | None,
    typer.Option("--k", parser=numbers, metavar="1,5,10", help="The k of pass@k; default: 1,5,10 up to n."),
]
RerankerSpecs = Annotated[
    list[str],
    typer.Option(
        "--reranker",
        "-r",
        help="A name, FILE.py:NAME, or several with commas (later ones settle ties); repeatable.",
    ),
]
RunOut = Annotated[Path | None, typer.Option("--out", help="Run folder; default: a new one under runs/.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Sandbox workers; default: one per usable core.")]
AllowWeakIsolation = Annotated[
    str | None,
    typer.Option(metavar="LEVEL", help="Run even where the sandbox only reaches LEVEL: limited or none."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout, and nothing else there.")]
