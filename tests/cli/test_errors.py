"""How refusals and interruptions end a command."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from codesample.cli.errors import Commands, resumable, resume_command
from codesample.errors import ParameterError
from codesample.reports.progress import RunProgress


class Kind(StrEnum):
    TASKS = "tasks"
    MODELS = "models"


def application(raised: BaseException) -> typer.Typer:
    app = typer.Typer(cls=Commands, pretty_exceptions_enable=False)

    @app.command()
    def fail() -> None:
        raise raised

    @app.command()
    def other(number: int) -> None:
        typer.echo(number)

    return app


def test_a_refusal_is_one_line_and_exit_code_2() -> None:
    done = CliRunner().invoke(application(ParameterError("n = 0: expected at least 1")), ["fail"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "error: n = 0: expected at least 1\n"


def test_an_interruption_is_exit_code_130() -> None:
    assert CliRunner().invoke(application(KeyboardInterrupt()), ["fail"]).exit_code == 130


def test_a_mistake_of_our_own_keeps_its_traceback() -> None:
    done = CliRunner().invoke(application(ZeroDivisionError("ours")), ["fail"])
    assert isinstance(done.exception, ZeroDivisionError)


@pytest.mark.parametrize("words", [["bogus"], ["fail", "--bogus"], ["other", "three"], ["other"]])
def test_a_wrong_call_is_one_line_that_names_the_help(words: list[str]) -> None:
    done = CliRunner().invoke(application(ZeroDivisionError()), words)
    assert (done.exit_code, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert line.endswith("--help")


def test_a_word_that_is_none_of_those_there_are_is_answered_by_those() -> None:
    app = application(ZeroDivisionError())

    @app.command()
    def which(kind: Kind) -> None:
        typer.echo(kind)

    done = CliRunner().invoke(app, ["which", "nothing"])
    assert (done.exit_code, done.stdout) == (2, "")
    reason = "Invalid value for 'kind': 'nothing' is not one of 'tasks', 'models'"
    assert done.stderr.startswith(f"error: {reason}. Help: ")


@pytest.mark.parametrize(
    ("words", "added"),
    [
        (["eval", "mini"], ["--out", "runs/a b", "--resume"]),
        (["eval", "mini", "--out", "runs/a b"], ["--resume"]),
        (["eval", "mini", "--out=runs/a b", "--resume"], []),
    ],
)
def test_the_advice_repeats_the_call_and_adds_what_resuming_needs(words: list[str], added: list[str]) -> None:
    advice = resume_command(words, Path("runs/a b"))
    assert shlex.split(advice) == ["codesample", *words, *added]


@pytest.mark.parametrize(
    ("stop", "code"), [(KeyboardInterrupt(), 130), (ParameterError("the disk is full"), 2)]
)
def test_a_run_that_ends_early_says_how_to_go_on(
    stop: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = RunProgress()
    progress.run = Path("runs/x")
    with pytest.raises(typer.Exit) as ended, resumable(["eval", "mini"], progress):
        raise stop
    assert ended.value.exit_code == code
    assert "go on with: codesample eval mini --out runs/x --resume" in capsys.readouterr().err


def test_before_there_is_a_run_folder_the_refusal_passes_through() -> None:
    with pytest.raises(ParameterError), resumable(["eval"], RunProgress()):
        raise ParameterError("k = 9")
