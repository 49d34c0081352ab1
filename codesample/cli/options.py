"""Options that several commands share, with their help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codesample.errors import ParameterError
from codesample.records.fields import check_settings, setting

if TYPE_CHECKING:
    from codesample.evaluation.problem_set import ProblemSet

__all__ = [
    "AgainK",
    "AgainRerankerSpecs",
    "DataFile",
    "Device",
    "DryRun",
    "Dtype",
    "Json",
    "K",
    "Limit",
    "Model",
    "MovedData",
    "N",
    "NoRerankerSpecs",
    "ProblemOptions",
    "RecountIntegrity",
    "RerankerSpecs",
    "RunFolderArgument",
    "TaskFile",
    "TaskName",
    "TaskOption",
    "Workers",
    "numbers",
    "source_of",
    "task_of",
]


@dataclass(frozen=True, slots=True)
class ProblemOptions:
    """Which problems of which data.

    Attributes:
        task_file: Problems of one's own, instead of a named task.
        data: The task's data in their published form, instead of the hub's copy.
        limit: Only the first problems.
    """

    task_file: Path | None = setting(
        None, "Problems of your own, one JSON object per line, instead of a named task."
    )
    data: Path | None = setting(None, "The task's data in their published form, instead of the hub's copy.")
    limit: int | None = setting(
        None,
        "Only the first problems of the task.",
        expected="at least 1",
        holds=lambda value: value is None or value >= 1,
    )

    def __post_init__(self) -> None:
        check_settings(self)

    def task(self, name: str | None) -> str | Path:
        """Return the task that was named or the file of problems; raises as `task_of`."""
        return task_of(name, self.task_file)


def numbers(text: str | None, option: str = "--k") -> tuple[int, ...] | None:
    """Read "1,5,10"; None stays None.

    Raises:
        ParameterError: not whole numbers with commas between.
    """
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ParameterError(
            f"{option} {text}: expected whole numbers with commas between, such as 1,5,10"
        ) from None


def task_of(name: str | None, file: Path | None) -> str | Path:
    """Return the task that was named or the file of problems, of which exactly one is given.

    Raises:
        ParameterError: both or neither.
    """
    if name is None and file is None:
        raise ParameterError("no task; name one (list them: codesample list tasks) or give --task-file FILE")
    if name is not None and file is not None:
        raise ParameterError(f"task {name!r} and --task-file {file}: expected one of the two")
    return name if name is not None else Path(str(file))


def source_of(
    prompt: str | None,
    prompt_file: Path | None,
    task: str | None,
    problems: ProblemOptions,
) -> str | ProblemSet:
    """Return the prompt, the text of the file, or the task, of which exactly one is given.

    Raises:
        ParameterError: none or several of them, data or a limit without a task, or the file cannot be
            read as UTF-8.
        CodesampleError: as `read_problems`.
    """
    from codesample.evaluation.problem_set import read_problems

    if sum(given is not None for given in (prompt, prompt_file, task, problems.task_file)) != 1:
        raise ParameterError("expected exactly one of PROMPT, --prompt-file, --task and --task-file")
    if prompt is not None or prompt_file is not None:
        for option, given in (("--data", problems.data), ("--limit", problems.limit)):
            if given is not None:
                raise ParameterError(f"{option} {given}: belongs to a task; name one by --task, or drop it")
    if prompt is not None:
        return prompt
    if prompt_file is None:
        return read_problems(problems.task(task), data=problems.data, limit=problems.limit)
    try:
        return prompt_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{prompt_file}: cannot be read as text: {error}") from error


TaskName = Annotated[str | None, typer.Argument(help="See `codesample list tasks`.", metavar="TASK")]
TaskOption = Annotated[str | None, typer.Option("--task", help="See `codesample list tasks`.")]
TaskFile = Annotated[
    Path | None, typer.Option(help="Problems of your own, one JSON object per line, instead of a named task.")
]
DataFile = Annotated[
    Path | None, typer.Option(help="The task's data in their published form, instead of the hub's copy.")
]
MovedData = Annotated[
    Path | None, typer.Option("--data", help="The problems' file, where it is not where the run found it.")
]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first problems of the task.")]

# for benchmarks; other commands take these from the records, see codesample/cli/records.py
Model = Annotated[str, typer.Option(help="tiny (built in), a folder, or a hub id.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Dtype = Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Sandbox workers; default: one per usable core.")]

N = Annotated[int, typer.Option("--n", "-n", help="Candidates per problem.")]

K = Annotated[
    str | None, typer.Option("--k", metavar="1,5,10", help="The k of pass@k; default: 1,5,10 up to n.")
]
RerankerSpecs = Annotated[
    list[str],
    typer.Option(
        "--reranker",
        "-r",
        help="A name, FILE.py:NAME, or several with commas (later ones settle ties); repeatable.",
    ),
]
NoRerankerSpecs = Annotated[
    list[str],
    typer.Option("--reranker", "-r", help="Rerank the samples too, by a name or FILE.py:NAME; repeatable."),
]
AgainRerankerSpecs = Annotated[
    list[str],
    typer.Option(
        "--reranker",
        "-r",
        help="A name, FILE.py:NAME, or several with commas; repeatable. Default: eval's, if the run allows.",
    ),
]
AgainK = Annotated[
    str | None, typer.Option("--k", metavar="1,5,10", help="The k of pass@k; default: the run's own.")
]
RecountIntegrity = Annotated[
    str | None,
    typer.Option(
        "--integrity",
        metavar="any|strict",
        help="Count anew; with strict, weak passes count as not judged. Default: as the run was counted.",
    ),
]
RunFolderArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Say what would be done, and show the first prompt; load and write nothing."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout, and nothing else there.")]
