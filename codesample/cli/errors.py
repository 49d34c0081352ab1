"""Turns what the toolkit refuses into one line on stderr and an exit code."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from codesample.cli.output import say
from codesample.cli.process import INTERRUPTED, REFUSED
from codesample.errors import CodesampleError

if TYPE_CHECKING:
    from codesample.reports.progress import RunProgress

__all__ = ["Commands", "resumable", "resume_command"]

# what the library that reads values for typer puts before a reason of typer's own
_READERS_WORDS = ": Value error, "


class Commands(TyperGroup):
    """A group whose commands report refusals without a traceback; `ctx.obj` holds the words of the call."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        """Make the context as usual, and remember `args`."""
        words = tuple(args)
        with _one_line():
            context = super().make_context(info_name, args, *rest, **extra)
        if context.obj is None:
            context.obj = words
        return context

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a refusal becomes its message and exit code 2, Ctrl-C exit code 130."""
        with _one_line():
            return super().invoke(ctx)


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except CodesampleError as error:
        say(f"error: {error}")
        raise typer.Exit(REFUSED) from None
    except TyperException as error:
        page = getattr(getattr(error, "ctx", None), "command_path", "codesample")
        message = " ".join(error.format_message().split()).replace(_READERS_WORDS, ": ")
        say(f"error: {message.removesuffix('.')}. Help: {page} --help")
        raise typer.Exit(REFUSED) from None
    except KeyboardInterrupt:
        say("interrupted")
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def resumable(words: Sequence[str], progress: RunProgress) -> Iterator[None]:
    """Say how to go on when a run ends early, once there is a run folder to go on with."""
    try:
        yield
    except (CodesampleError, KeyboardInterrupt) as stop:
        if progress.run is None:
            raise
        say(f"error: {stop}" if isinstance(stop, CodesampleError) else "interrupted")
        say(f"everything finished is kept in {progress.run}")
        say(f"go on with: {resume_command(words, progress.run)}")
        raise typer.Exit(REFUSED if isinstance(stop, CodesampleError) else INTERRUPTED) from None


def resume_command(words: Sequence[str], run: Path) -> str:
    """Return the command line that continues the run started with `words` (without the program's name)."""
    kept = list(words)
    if not any(word == "--out" or word.startswith("--out=") for word in kept):
        kept += ["--out", str(run)]
    if "--resume" not in kept:
        kept.append("--resume")
    return shlex.join(["codesample", *kept])
