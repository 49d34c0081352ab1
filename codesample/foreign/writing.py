"""Writes candidates in another tool's form, so that the tool's own scorer reads them."""

from __future__ import annotations

import gzip
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from codesample.errors import ParameterError, UnknownNameError
from codesample.foreign.bigcode_form import write_bigcode
from codesample.foreign.contract import Writing
from codesample.foreign.document import STANDARD_INPUT
from codesample.foreign.evalplus_form import write_evalplus, write_evalplus_folder
from codesample.foreign.human_eval_form import write_human_eval
from codesample.foreign.inspect_form import write_inspect, write_inspect_archive
from codesample.foreign.livecodebench_form import write_livecodebench
from codesample.foreign.lm_eval_form import write_lm_eval

__all__ = ["EXPORTS", "check_export", "write_samples"]

_WRITERS: Mapping[str, Callable[[Writing], Iterator[str]]] = {
    "humaneval": write_human_eval,
    "evalplus": write_evalplus,
    "bigcode": write_bigcode,
    "lm-eval": write_lm_eval,
    "inspect": write_inspect,
    "livecodebench": write_livecodebench,
}

EXPORTS = tuple(_WRITERS)
"""Names of the forms that can be written."""


def check_export(form: str, out: Path) -> None:
    """Refuse what could not be written.

    Raises:
        UnknownNameError: no such form.
        ParameterError: there is something at `out` already.
    """
    if form not in _WRITERS:
        raise UnknownNameError("form", form, EXPORTS, hint=f"Expected one of {', '.join(EXPORTS)}")
    if out != STANDARD_INPUT and (out.exists() or out.is_symlink()):
        raise ParameterError(f"{out}: exists already; choose another name")


def write_samples(form: str, out: Path, writing: Writing) -> None:
    """Write a file, packed where its name ends in `.gz`, or what else the form is by the name of `out`.

    EvalPlus' form is a folder of programs where `out` has no ending; inspect's is an archive where it ends
    in `.eval`. "-" is standard output. What is written appears whole or not at all.

    Raises:
        UnknownNameError, ParameterError: as `check_export`, it cannot be written, or names of problems make
            no folders.
    """
    check_export(form, out)
    try:
        if out == STANDARD_INPUT:
            sys.stdout.writelines(_WRITERS[form](writing))
        elif form == "evalplus" and not out.suffix:
            _write_folder(out, writing)
        elif form == "inspect" and out.suffix == ".eval":
            _write_file(out, iter([write_inspect_archive(writing)]))
        else:
            texts = (text.encode("utf-8", "surrogatepass") for text in _WRITERS[form](writing))
            _write_file(out, texts)
    except OSError as error:
        raise ParameterError(f"{out}: cannot be written: {error.strerror or error}") from error


def _write_file(out: Path, parts: Iterator[bytes]) -> None:
    partial = out.with_name(f".{out.name}.partial")
    try:
        with partial.open("xb") as file:
            if out.suffix == ".gz":
                with gzip.GzipFile(fileobj=file, mode="wb", filename="") as packed:
                    packed.writelines(parts)
            else:
                file.writelines(parts)
        partial.rename(out)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _write_folder(out: Path, writing: Writing) -> None:
    files = list(write_evalplus_folder(writing))
    partial = out.with_name(f".{out.name}.partial")
    partial.mkdir()
    try:
        for name, text in files:
            (partial / name).parent.mkdir(exist_ok=True)
            (partial / name).write_bytes(text.encode("utf-8", "surrogatepass"))
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
