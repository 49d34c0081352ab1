"""Writes the candidates of a run, or of any file that is read, in another tool's form."""

from __future__ import annotations

import ast
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from codesample.errors import RunFolderError
from codesample.evaluation.execute_samples import read_recorded
from codesample.evaluation.problem_set import ProblemSet, problems_of_run
from codesample.foreign import Writing, Written, check_export, write_samples
from codesample.records import Candidate, Origin, Problem, Verdict
from codesample.runs import Key, RunFolder
from codesample.tasks.contract import Task

__all__ = ["export_samples"]


def export_samples(
    source: Path,
    form: str,
    out: Path,
    *,
    task: str | Path | Task | None = None,
    data: Path | None = None,
    extract: bool = False,
) -> int:
    """Write samples so that another tool's own scorer reads them.

    Verdicts of a run go with them where the form has room for some, and so does what the file that they were
    read from said besides.

    Args:
        source: A run folder, or samples of any origin.
        form: One of `codesample.foreign.EXPORTS`.
        out: The new file; for "evalplus" a folder of programs where it has no ending, for "inspect" an
            archive where it ends in `.eval`, packed where it ends in `.gz`, and standard output where it is
            "-".
        task: Of which the samples are; a run folder knows its own, unless that was handed over.
        data: The task's data, as for `evaluate`.
        extract: As for `execute_samples`.

    Returns: how many samples were written.

    Raises:
        UnknownNameError, ParameterError: no such form; there is something at `out`, or it cannot be written.
        CodesampleError: as `execute_samples`, as far as it concerns samples and problems.
    """
    check_export(form, out)
    run = _opened(source)
    if run is not None:
        chosen = problems_of_run(run, task=task if isinstance(task, Task) else None, data=data)
        model, origins, verdicts = run.manifest.model, run.origins(), run.verdicts()
        candidates = list(run.samples())
    else:
        chosen, file, found = read_recorded(source, task, data=data, extract=extract)
        model, verdicts = file.name, {}
        origins = {(each.task_id, each.index): each for each in found.origins}
        candidates = found.candidates
    writing = Writing(chosen.task.name, model, _grouped(chosen, candidates, origins, verdicts))
    write_samples(form, out, writing)
    return sum(len(written) for _, written in writing.problems)


def _opened(source: Path) -> RunFolder | None:
    """Open the run in a folder; None where there is none."""
    with suppress(RunFolderError):
        return RunFolder.open(source)
    return None


def _grouped(
    chosen: ProblemSet,
    candidates: list[Candidate],
    origins: dict[Key, Origin],
    verdicts: dict[Key, Verdict],
) -> list[tuple[Problem, list[Written]]]:
    found: dict[str, list[Written]] = {}
    # what a run was limited to has its place among all problems
    every = replace(chosen, problems=tuple(chosen.task.problems()))
    for candidate, program in every.assembled(candidates):
        key = (candidate.task_id, candidate.index)
        whole = replace(candidate, program=program)
        completion = _completion(every, whole)
        found.setdefault(candidate.task_id, []).append(
            Written(whole, completion, verdicts.get(key), origins.get(key))
        )
    return [
        (problem, sorted(found.get(problem.task_id, []), key=lambda each: each.candidate.index))
        for problem in every.problems
    ]


def _completion(chosen: ProblemSet, candidate: Candidate) -> str:
    """Return the text of which the task makes a candidate's program, or one that defines the same."""
    task, problem = chosen.task, chosen.by_id[candidate.task_id]
    program = candidate.program or ""
    if task.program(problem, candidate.completion) == program:
        return candidate.completion
    if task.program(problem, program) == program:
        return program
    if program.startswith(problem.prompt):
        return program[len(problem.prompt) :]
    # a whole program behind the prompt defines everything anew, once the function begun there has a body
    lead = "\n" if _parses(problem.prompt) else "    pass\n\n"
    return lead + _without_future(program)


def _without_future(program: str) -> str:
    """Leave out what may stand at a program's beginning alone; what Python 3.11 reads, it reads without."""
    with suppress(SyntaxError, ValueError, RecursionError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lines = program.splitlines(keepends=True)
        for each in ast.parse(program).body:
            if isinstance(each, ast.ImportFrom) and each.module == "__future__" and each.end_lineno:
                for number in range(each.lineno - 1, each.end_lineno):
                    lines[number] = "\n"
        return "".join(lines)
    return program


def _parses(text: str) -> bool:
    with suppress(SyntaxError, ValueError, RecursionError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ast.parse(text)
        return True
    return False
