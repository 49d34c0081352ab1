"""Options that several commands share, with their help."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codesample.cli.completions import model_words, reranker_words, run_words, task_words
from codesample.errors import ParameterError
from codesample.evaluation.problem_choice import parse_limit
from codesample.records import SamplingParams
from codesample.records.fields import check_settings, setting

if TYPE_CHECKING:
    from codesample.evaluation.problem_set import ProblemSet

__all__ = [
    "AgainK",
    "AgainRerankerSpecs",
    "CountOptions",
    "DataFile",
    "Device",
    "Dtype",
    "Greedy",
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
    "ShownOptions",
    "TaskFile",
    "TaskName",
    "TaskNames",
    "TaskOption",
    "TaskSetOptions",
    "Workers",
    "greedily",
    "numbers",
    "source_of",
    "task_of",
]

# without a blank, and ending as texts and sources do
_FILE_NAME = re.compile(r"\S+\.(py|txt|md)")


def _limit() -> Any:
    return setting(
        None,
        "Only the first N problems, or those from one place to another, such as 11-20.",
        metavar="N|N-M",
    )


def _ids() -> Any:
    return setting(
        (),
        "Only these problems: ids, their numbers, ranges of numbers or patterns, with commas; repeatable.",
        metavar="3,10-19,ID",
    )


@dataclass(frozen=True, slots=True)
class ProblemOptions:
    """Which problems of which data.

    Attributes:
        task_file: Problems of one's own, instead of a named task.
        data: The task's data in their published form, instead of the hub's copy.
        limit: Only the first problems, or a range of places.
        ids: Only these problems.
    """

    task_file: Path | None = setting(
        None, "Problems of your own, one JSON object per line, instead of a named task."
    )
    data: Path | None = setting(None, "The task's data in their published form, instead of the hub's copy.")
    limit: str | None = _limit()
    ids: tuple[str, ...] = _ids()

    def __post_init__(self) -> None:
        check_settings(self)
        parse_limit(self.limit)

    def task(self, name: str | None) -> str | Path:
        """Return the task that was named or the file of problems; raises as `task_of`."""
        return task_of(name, self.task_file)


@dataclass(frozen=True, slots=True)
class TaskSetOptions:
    """Which problems of which data, of several tasks.

    Attributes:
        task_files: Problems of one's own, instead of named tasks.
        data: A task's data in their published form: a file where there is one task, else TASK=FILE.
        limit, ids: As in `ProblemOptions`, of every task.
    """

    task_files: tuple[Path, ...] = setting(
        (),
        "Problems of your own, one JSON object per line, instead of a named task; repeatable.",
        flag="--task-file",
        metavar="<path>",
        parse=Path,
    )
    data: tuple[str, ...] = setting(
        (),
        "The task's data in their published form, instead of the hub's copy; TASK=FILE, repeatable, where "
        "there are several tasks.",
        metavar="<path>",
    )
    limit: str | None = _limit()
    ids: tuple[str, ...] = _ids()

    def __post_init__(self) -> None:
        check_settings(self)
        parse_limit(self.limit)

    def named(self, words: Sequence[str]) -> list[str | Path]:
        """Return the tasks that were named, or the files of problems, in their order.

        Raises:
            ParameterError: there are none, or both.
        """
        names = [name for word in words for name in word.split(",") if name]
        for number in (name for name in names if name.replace(".", "", 1).isdecimal()):
            raise ParameterError(
                f"task {number!r}: a number is no task; several values of one option have commas between: "
                "--k 1,10 or --temperature 0.2,0.8"
            )
        files = list(dict.fromkeys(self.task_files))
        if not names or not files:
            return [*dict.fromkeys(names), *files] or [task_of(None, None)]
        return [task_of(", ".join(names), files[0])]

    def read(self, words: Sequence[str]) -> list[ProblemSet]:
        """Read the problems that are meant of every task.

        Raises:
            ParameterError: no task, or data of none of them.
            CodesampleError: as `read_problems`.
        """
        from codesample.evaluation.problem_set import read_problems

        tasks = self.named(words)
        data = self._data(tasks)
        return [
            read_problems(each, data=data.get(str(each)), limit=self.limit, ids=self.ids or None)
            for each in tasks
        ]

    def _data(self, tasks: Sequence[str | Path]) -> dict[str, Path]:
        """Return the data file of each task that one was given for."""
        if len(tasks) == 1 and len(self.data) == 1:
            return {str(tasks[0]): Path(self.data[0].removeprefix(f"{tasks[0]}="))}
        found: dict[str, Path] = {}
        for word in self.data:
            name, equals, file = word.partition("=")
            if not equals or not file or name not in tasks:
                raise ParameterError(
                    f"--data {word}: expected TASK=FILE, with one of the tasks {', '.join(map(str, tasks))}"
                )
            if found.setdefault(name, Path(file)) != Path(file):
                raise ParameterError(f"--data {word}: {name} has its data from {found[name]} already")
        return found


@dataclass(frozen=True, slots=True)
class ShownOptions:
    """What an evaluation shows: only what would be done, or its results as plain JSON."""

    dry_run: bool = setting(
        False, "Say what would be done, and show the first prompt; load and write nothing."
    )
    json: bool = setting(False, "Print JSON to stdout, and nothing else there.")


@dataclass(frozen=True, slots=True)
class CountOptions:
    """How many candidates are drawn at most, and counted.

    Attributes:
        greedy: Whether one is, of the likeliest tokens.
        k: The k of pass@k, as `numbers` reads them.
    """

    greedy: bool = setting(False, "One candidate per problem, of the likeliest tokens (temperature 0).")
    k: str | None = setting(None, "The k of pass@k; default: 1,5,10 up to n.", metavar="1,5,10")


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


def greedily(
    context: typer.Context, n: int, params: Sequence[SamplingParams]
) -> tuple[int, tuple[SamplingParams, ...]]:
    """Return what --greedy stands for: one candidate, and the parameters at temperature 0.

    Args:
        context: Says which options were typed.
        n, params: As typed, or their defaults.

    Raises:
        ParameterError: --n or --temperature was typed and says otherwise.
    """
    typed = {"--n": f"{n}" if n != 1 else "", "--temperature": ""}
    typed["--temperature"] = " ".join(f"{each.temperature:g}" for each in params if each.temperature)
    for option, said in typed.items():
        source = context.get_parameter_source(option.removeprefix("--"))
        if said and source is not None and source.name != "DEFAULT":
            raise ParameterError(
                f"--greedy draws one candidate per problem at temperature 0, and {option} {said} says "
                "otherwise; leave one of the two out"
            )
    return 1, tuple(dict.fromkeys(replace(each, temperature=0.0) for each in params))


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
        ids = ",".join(problems.ids) or None
        for option, given in (("--data", problems.data), ("--limit", problems.limit), ("--ids", ids)):
            if given is not None:
                raise ParameterError(f"{option} {given}: belongs to a task; name one by --task, or drop it")
    if prompt is not None:
        if _FILE_NAME.fullmatch(prompt):
            raise ParameterError(
                f"PROMPT {prompt} is a text to continue, and looks like the name of a file; give "
                f"--prompt-file {prompt}"
            )
        return prompt
    if prompt_file is None:
        return read_problems(
            problems.task(task), data=problems.data, limit=problems.limit, ids=problems.ids or None
        )
    try:
        return prompt_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{prompt_file}: cannot be read as text: {error}") from error


TaskNames = Annotated[
    list[str] | None,
    typer.Argument(
        help="One or several; see `codesample list tasks`.", metavar="TASK...", autocompletion=task_words
    ),
]
TaskName = Annotated[
    str | None, typer.Argument(help="See `codesample list tasks`.", metavar="TASK", autocompletion=task_words)
]
TaskOption = Annotated[
    str | None, typer.Option("--task", help="See `codesample list tasks`.", autocompletion=task_words)
]
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

# for benchmarks; other commands take these from records, see codesample/cli/records.py
Model = Annotated[
    str, typer.Option(help="tiny (built in), a folder, or a hub id.", autocompletion=model_words)
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Dtype = Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Sandbox workers; default: one per usable core.")]

N = Annotated[int, typer.Option("--n", "-n", help="Candidates per problem.")]
Greedy = Annotated[
    bool, typer.Option("--greedy", help="One candidate per problem, of the likeliest tokens (temperature 0).")
]

K = Annotated[
    str | None, typer.Option("--k", metavar="1,5,10", help="The k of pass@k; default: 1,5,10 up to n.")
]
RerankerSpecs = Annotated[
    list[str],
    typer.Option(
        "--reranker",
        "-r",
        autocompletion=reranker_words,
        help="A name, FILE.py:NAME, or several: 'a > b', 'a | b', '0.5*z(a) + rank(b)'; repeatable.",
    ),
]
NoRerankerSpecs = Annotated[
    list[str],
    typer.Option(
        "--reranker",
        "-r",
        autocompletion=reranker_words,
        help="Rerank the samples too, by a name or FILE.py:NAME; repeatable.",
    ),
]
AgainRerankerSpecs = Annotated[
    list[str],
    typer.Option(
        "--reranker",
        "-r",
        autocompletion=reranker_words,
        help="A name, FILE.py:NAME, or several: 'a > b'; repeatable. Default: eval's, if the run allows.",
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
RunFolderArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run folder.", autocompletion=run_words)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout, and nothing else there.")]
