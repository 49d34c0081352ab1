"""The page of all tasks says what the tasks are, and every task says enough for it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from page_writers import page_writer

from codesample.tasks.contract import Task

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    return page_writer("write_tasks")


@pytest.fixture(scope="module")
def tasks(writer: ModuleType) -> list[Task]:
    return list(writer.own_tasks())


def test_the_page_is_what_the_tasks_say(writer: ModuleType, tasks: list[Task]) -> None:
    assert (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8") == writer.page(tasks), "make map"


def test_every_task_of_the_project_is_there_under_its_name(tasks: list[Task]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [task.name for task in tasks] == sorted(project["entry-points"]["codesample.tasks"])


def test_every_task_says_what_is_asked_what_judges_and_what_goes_wrong(tasks: list[Task]) -> None:
    for task in tasks:
        facts = task.facts
        assert facts.summary.endswith("."), task.name
        assert facts.prompt, task.name
        assert facts.tests, task.name
        assert facts.traps, task.name
        assert facts.limits, task.name


def test_the_page_shows_the_chat_form_of_every_task(writer: ModuleType, tasks: list[Task]) -> None:
    _, _, forms = writer.page(tasks).partition("## Chat forms\n")
    for task in tasks:
        _, _, behind = forms.partition(f"### {task.chat_form.version}\n")
        of_version = behind.partition("\n### ")[0]
        assert writer.chat_text(task).strip() in of_version, task.name
        assert f"`{task.name}`" in of_version, task.name


def test_a_task_that_says_nothing_of_itself_has_a_section_too(writer: ModuleType) -> None:
    task = Task("plain", "1", "A paper", ("\n```",), 8, load=list)
    section = writer.section(task)
    for part in ("## plain", "as the file has", "A paper", "`` \\n``` ``", "(#complete-1)"):
        assert part in section


def test_writing_the_page_loads_no_torch_and_reads_no_data() -> None:
    code = (
        "import runpy, sys; made = runpy.run_path('docs/write_tasks.py');"
        "made['page'](list(made['own_tasks']()));"
        "odd = {'torch', 'transformers', 'datasets'} & sys.modules.keys(); assert not odd, odd"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
