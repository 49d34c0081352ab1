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

from codesample.cli.foreign_options import advice
from codesample.cli.output import say
from codesample.cli.process import INTERRUPTED, REFUSED
from codesample.errors import CodesampleError
from codesample.sampling.sharded.rank_environment import launcher

if TYPE_CHECKING:
    from codesample.reports.progress import RunProgress

__all__ = ["Commands", "resumable", "resume_command"]

# what the library that reads values for typer puts before a reason of typer's own
_READERS_WORDS = ": Value error, "

# what a value that was typed is expected to be, by how that library refuses it
_EXPECTED = {
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number that is not that long",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
}

_EXTRA = "several values of an option have commas between, such as --k 1,10, or repeat the option"


class Commands(TyperGroup):
    """A group whose commands report refusals without a traceback; `ctx.obj` holds the words of the call."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        """Make the context as usual, and remember `args`."""
        words = tuple(args)
        with _one_line(words, info_name or "codesample"):
            context = super().make_context(info_name, args, *rest, **extra)
        if context.obj is None:
            context.obj = words
        return context

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a refusal becomes its message and exit code 2, Ctrl-C exit code 130."""
        words = ctx.obj or ()
        below = next((word for word in words if word in self.commands), "")
        with _one_line(words, f"{ctx.command_path} {below}".rstrip()):
            return super().invoke(ctx)


@contextmanager
def _one_line(words: Sequence[str], path: str) -> Iterator[None]:
    """Turn a refusal of the call `words` into a line; `path` is its command, where the refusal names none."""
    try:
        yield
    except CodesampleError as error:
        say(f"error: {error}")
        raise typer.Exit(REFUSED) from None
    except TyperException as error:
        page = getattr(getattr(error, "ctx", None), "command_path", path)
        reason = _reason(error, words).removesuffix(".")
        say(f"error: {reason}{'' if reason.endswith('?') else '.'} Help: {page} --help")
        raise typer.Exit(REFUSED) from None
    except KeyboardInterrupt:
        say("interrupted")
        raise typer.Exit(INTERRUPTED) from None


def _reason(error: TyperException, words: Sequence[str]) -> str:
    """Say in our words, on one line, why a call cannot be read."""
    message = " ".join(error.format_message().split()).replace(_READERS_WORDS, ": ")
    if option := getattr(error, "option_name", None):
        return _about_option(error, option, message, words)
    faults: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    name = getattr(getattr(error, "param", None), "name", None)
    if name and faults and (expected := _EXPECTED.get(faults[0]["type"])):
        return f"{name} = {faults[0]['input']!r}: expected {expected.format(**faults[0].get('ctx', {}))}"
    if message.startswith("Got unexpected extra argument"):
        return f"{message}; {_EXTRA}"
    return message


def _about_option(error: TyperException, option: str, message: str, words: Sequence[str]) -> str:
    if "requires" in message:
        return f"{option}: expected a value behind it"
    if "does not take" in message:
        return f"{option}: takes no value; it is said by its name alone"
    command = getattr(getattr(error, "ctx", None), "command", None)
    offered = {name for each in getattr(command, "params", ()) for name in each.opts}
    said = advice(option, offered=offered, words=words)
    return f"no such option: {option}; {said}" if said else f"no such option: {option}"


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
    return f"{launcher()} {shlex.join(kept)}"
