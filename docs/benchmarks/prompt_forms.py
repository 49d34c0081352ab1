"""What the form of the prompt and the way of reading answers make of one model's figure: rows and a table.

    python docs/benchmarks/prompt_forms.py RUN... --data HumanEval.jsonl.gz [--answers NAME=FILE...]

Each RUN is a folder of `codesample eval humaneval --greedy`, in whatever form. Its raw texts are read in
each of the ways below, and each program is judged by the task's own tests. FILE holds samples of another
tool's, judged as they stand. Prints a table and writes prompt_forms.jsonl beside this file.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from codesample.evaluation.execute_samples import execute_samples
from codesample.evaluation.options import RunOptions
from codesample.evaluation.problem_set import problems_of_run
from codesample.records import Problem
from codesample.runs import RunFolder
from codesample.tasks.registry import load_task

HERE = Path(__file__).parent
_FENCE = re.compile(r"^```[^\n]*\n(.*?)(?:^```|\Z)", re.DOTALL | re.MULTILINE)

Reading = Callable[[Problem, str], str]


def as_it_stands(problem: Problem, text: str) -> str:
    """Run the text itself."""
    return text


def behind_the_prompt(problem: Problem, text: str) -> str:
    """Run prompt and text, as for a model that continues."""
    return problem.prompt + text


def first_fence(problem: Problem, text: str) -> str:
    """Take what the first fence holds, or all of a text without one."""
    found = _FENCE.search(text)
    return found[1] if found else text


def last_fence(problem: Problem, text: str) -> str:
    """Take what the last fence holds, or all of a text without one."""
    return next((found[1] for found in reversed([*_FENCE.finditer(text)])), text)


def between_the_last_two_marks(problem: Problem, text: str) -> str:
    """Take the lines between the last two fence lines; nothing where there are not two."""
    lines = text.split("\n")
    marks = [at for at, line in enumerate(lines) if line.startswith("```")]
    return "\n".join(lines[marks[-2] + 1 : marks[-1]]) if len(marks) > 1 else ""


READINGS: dict[str, Reading] = {
    "as it stands": as_it_stands,
    "behind the prompt": behind_the_prompt,
    "first fence": first_fence,
    "last fence": last_fence,
    "between the last two marks": between_the_last_two_marks,
}


def rows_of(run: Path, data: Path) -> Iterator[dict[str, Any]]:
    """Judge the texts of one run in every way of reading them."""
    with RunFolder.open(run) as folder:
        chosen = problems_of_run(folder, data=data)
        candidates = list(folder.samples())
        manifest = folder.manifest
    texts = {each.task_id: each.completion for each in candidates}
    problems = chosen.by_id
    prefill = manifest.prompt.get("prefill") or ""
    ways: dict[str, Reading] = {
        **READINGS,
        "codesample": lambda problem, text: chosen.prompt_form.read(problem, text).program,
    }
    if manifest.prompt["style"] == "base":
        # no answer, so no fence to look for
        ways = {name: ways[name] for name in ("as it stands", "behind the prompt", "codesample")}
    for name, read in ways.items():
        # a reader of fences needs the one that the prompt opened
        begun = prefill if name not in ("codesample", "behind the prompt", "as it stands") else ""
        programs = {key: read(problems[key], begun + text) for key, text in texts.items()}
        passed, total, statuses = judged(programs, data)
        yield {
            "form": manifest.prompt["style"] + (", prefill" if prefill else ""),
            "version": manifest.prompt.get("version", ""),
            "read": name,
            "passed": passed,
            "problems": total,
            "statuses": statuses,
            "tokens": sum(len(each.token_ids or ()) for each in candidates),
            "max_new_tokens": manifest.params.max_new_tokens,
        }


def rows_of_others(name: str, file: Path, data: Path) -> Iterator[dict[str, Any]]:
    """Judge samples of another tool's as they stand."""
    programs = {row["task_id"]: row["solution"] for row in map(json.loads, file.open(encoding="utf-8"))}
    passed, total, statuses = judged(programs, data)
    yield {"form": name, "read": "its own", "passed": passed, "problems": total, "statuses": statuses}


def judged(programs: dict[str, str], data: Path) -> tuple[int, int, dict[str, int]]:
    """Return how many programs pass, how many there are, and their verdicts by status."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "programs.jsonl")
        lines = [json.dumps({"task_id": key, "solution": text}) + "\n" for key, text in programs.items()]
        file.write_text("".join(lines), encoding="utf-8")
        run = RunOptions(out=Path(folder, "run"))
        report = execute_samples(file, load_task("humaneval", data=data), run=run)
    return report.statuses.get("passed", 0), len(programs), dict(report.statuses)


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| prompt | answers read | passed | share |", "|---|---|---|---|"]
    for row in rows:
        share = row["passed"] / row["problems"]
        lines.append(
            f"| {row['form']} | {row['read']} | {row['passed']} of {row['problems']} | {share:.3f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Judge, print the table, and write the rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--answers", action="append", default=[], metavar="NAME=FILE")
    given = parser.parse_args()
    rows = [row for run in given.runs for row in rows_of(run, given.data)]
    for answers in given.answers:
        name, _, file = answers.partition("=")
        rows += rows_of_others(name, Path(file), given.data)
    (HERE / "prompt_forms.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
    )
    print(table(rows))


if __name__ == "__main__":
    main()
