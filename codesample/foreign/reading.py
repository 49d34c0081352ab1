"""Recognises by its content what a user gives as samples, and reads it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath

from codesample.errors import DataError
from codesample.foreign import (
    bigcode_form,
    cruxeval_form,
    evalplus_form,
    human_eval_form,
    inspect_form,
    livecodebench_form,
    lm_eval_form,
)
from codesample.foreign.contract import Form, Sample
from codesample.foreign.document import STANDARD_INPUT, Document, open_document, unpacked
from codesample.foreign.problem_names import data_set_of
from codesample.records.counted import counted

__all__ = ["SampleFile", "describe", "open_samples"]

# the first that a document is of counts: the more is asked of it, the earlier it stands
_FORMS = (
    inspect_form.FORM,
    lm_eval_form.FORM,
    livecodebench_form.FORM,
    evalplus_form.FOLDER,
    evalplus_form.RESULTS,
    bigcode_form.FORM,
    cruxeval_form.FORM,
    human_eval_form.RUN_FORM,
    evalplus_form.LINES,
    human_eval_form.FORM,
)
_KNOWN = (
    "samples of human-eval, EvalPlus, bigcode-evaluation-harness, lm-evaluation-harness (--log_samples), "
    "inspect, LiveCodeBench, CRUXEval, or of a run"
)
_ENDINGS = (".jsonl", ".json", ".jsonl.gz", ".json.gz", ".parquet", ".eval", ".zip")
_RUN = ("run.json", "samples.jsonl")
_MOST_TRIED = 64


class SampleFile:
    """Samples that were made elsewhere, in whichever form. Made by `open_samples`.

    Attributes:
        path: As it was given.
        form: Name of the tool whose form this is.
        notices: What is left out, and why; complete once the samples were read.
    """

    def __init__(self, path: Path, document: Document, form: Form) -> None:
        self.path = path
        self.form = form.name
        self.notices = document.notices
        self._document, self._form = document, form

    @property
    def name(self) -> str:
        """The file's name, with that of the folder where the folder was given."""
        return "stdin" if self.path == STANDARD_INPUT else self.path.resolve().name

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return self._document.digest

    def samples(self, *, plus: bool = False) -> Iterator[Sample]:
        """Read the samples.

        Args:
            plus: Whether verdicts of the larger set of tests are wanted, where a tool gives two.

        Raises:
            DataError: one is malformed; names its place.
        """
        return self._form.read(self._document, plus)

    def data_set(self, tasks: Collection[str]) -> str:
        """Say which data set the samples are of, and which of the `tasks` judges them; "" if unknown."""
        first = next(iter(self.samples()), None)
        if first is None:
            return ""
        if not first.by_position:
            return data_set_of(first.task, None, tasks)
        return data_set_of(None, first.size, tasks)

    def figures(self, *, plus: bool = False) -> Mapping[str, float]:
        """Return the tool's own figures over all samples, by name, such as "pass@1"."""
        return self._form.figures(self._document, plus)


def open_samples(path: Path) -> SampleFile:
    """Recognise samples by their content.

    Args:
        path: A file, also packed, a folder, an archive, a run folder, or "-" for standard input.

    Raises:
        DataError: there is no such thing, it cannot be read, or holds no samples of a known form; says what
            it holds instead.
    """
    document = open_document(path)
    found = _recognised(document)
    if found is None and document.members is not None:
        return _among(path, document)
    if found is None:
        if not document.text.strip() and document.path is None:
            raise DataError(f"{document.name}: holds no samples; it is empty")
        raise DataError(f"{document.name}: {_what_else(document)}")
    return SampleFile(path, document, found)


def describe(path: Path) -> str | None:
    """Say in a few words what samples a path leads to; None where it leads to none."""
    try:
        file = open_samples(path)
        count = sum(1 for _ in file.samples())
    except DataError:
        return None
    return f"{counted(count, 'sample')} in the form of {file.form}"


def _recognised(document: Document) -> Form | None:
    return next((form for form in _FORMS if form.holds(document)), None)


def _among(path: Path, outer: Document) -> SampleFile:
    """Take the one file of a folder or an archive that holds samples.

    Raises:
        DataError: none does, or several do; names some of them.
    """
    members = outer.members
    assert members is not None
    names = [name for name in members.names if name.endswith(_ENDINGS)]
    if set(_RUN) <= set(names):
        # a run of our own keeps much beside its samples
        names = [_RUN[1]]
    found: list[tuple[str, Document, Form]] = []
    # what lies nearest comes first
    for name in sorted(names, key=lambda name: (name.count("/"), name))[:_MOST_TRIED]:
        document = _member(path, outer, name)
        if document is not None and (form := _recognised(document)) is not None:
            found.append((name, document, form))
    if len(found) > 1:
        listed = ", ".join(name for name, _, _ in found[:5]) + (", ..." if len(found) > 5 else "")
        raise DataError(f"{path}: holds {len(found)} files of samples; name one of them: {listed}")
    if not found:
        held = ", ".join(members.names[:5]) + (", ..." if len(members.names) > 5 else "")
        raise DataError(
            f"{path}: no file in it holds samples (it holds {held or 'nothing'}); expected {_KNOWN}"
        )
    ((_, document, form),) = found
    document.notices[:0] = outer.notices
    return SampleFile(path, document, form)


def _member(path: Path, outer: Document, name: str) -> Document | None:
    """Open a file of a folder or an archive; None where it cannot be read."""
    members = outer.members
    assert members is not None
    try:
        if path.is_dir():
            document = open_document(path / name)
        else:
            document = unpacked(members.read(name), str(PurePosixPath(outer.name, name)))
    except DataError:
        return None
    document.beside = (members, name)
    return document


def _what_else(document: Document) -> str:
    """Say what a document holds that is no samples, and what to give in its place."""
    value, first = document.value, document.first
    if bigcode_form.is_figures(value):
        return "holds figures of bigcode-evaluation-harness; give the generations that they are of"
    if lm_eval_form.is_figures(value):
        return (
            "holds figures of lm-evaluation-harness; give the samples_TASK_DATE.jsonl beside it, which "
            "--log_samples writes"
        )
    if inspect_form.is_log_without_samples(value):
        return "is the header of an inspect log, without samples; give the whole log"
    if {"task_id", "index", "status"} <= first.keys():
        return "holds verdicts of a run; give the run folder, or its samples.jsonl"
    if "task_id" in first and ("prompt" in first or "text" in first):
        return (
            "holds problems, not samples of them: neither 'completion' nor 'solution'; give it with --data "
            "where they are a known task's, else with --task-file"
        )
    if fault := document.fault():
        return f"{fault.removeprefix(document.name).lstrip(':')}; expected {_KNOWN}".lstrip()
    if first:
        if "task_id" in first or not first.keys().isdisjoint({"completion", "solution"}):
            missing = "'completion' nor 'solution'" if "task_id" in first else "'task_id'"
            word = "neither" if "task_id" in first else "no"
            return f"an item holds {word} {missing}; fields present: {', '.join(sorted(first))}"
        return f"no known form of samples: objects with {', '.join(sorted(first)[:8])}; expected {_KNOWN}"
    kind = type(value).__name__
    return f"no known form of samples: holds {kind}; expected {_KNOWN}"
