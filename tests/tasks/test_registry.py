from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

import pytest

from codesample import plugins
from codesample.errors import DataError, TaskError, UnknownNameError
from codesample.reports import inventory
from codesample.tasks.registry import load_task, load_task_file, task_names


def test_every_listed_task_loads_without_reading_data(tmp_path: Path) -> None:
    for name in task_names():
        task = load_task(name, data=tmp_path / "absent.jsonl")
        assert task.name == name
        assert task.version
        assert task.source
        assert task.stop
        assert task.max_new_tokens > 0


def test_an_unknown_name_suggests_a_near_one() -> None:
    with pytest.raises(UnknownNameError, match="unknown task 'humanevl'; did you mean 'humaneval'"):
        load_task("humanevl")
    with pytest.raises(UnknownNameError, match="codesample list tasks"):
        load_task("")


def test_a_missing_data_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.jsonl: there is no such file"):
        load_task("humaneval", data=tmp_path / "absent.jsonl").problems()


def test_a_task_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.jsonl: there is no such file"):
        load_task_file(tmp_path / "absent.jsonl")


def test_listing_and_reading_files_import_no_heavy_package() -> None:
    code = (
        "import sys; from codesample.tasks.registry import load_task, task_names\n"
        "[load_task(name) for name in task_names()]\n"
        "assert not {'torch', 'transformers', 'datasets', 'evaluate', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


MINE = """
from codesample.records import CodeTests, Problem
from codesample.tasks.contract import Task

def mine(data=None):
    source = "asserts" if data is None else data.name
    problem = Problem(task_id="mine/0", prompt="Do.", tests=CodeTests(source="assert f(1)"))
    return Task("mine", "1", source, (), 8, load=lambda: [problem])

finished = mine()
number = 3

def broken(data):
    raise KeyError("column")

def empty(data):
    return None
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_tasks.py"
    path.write_text(MINE)
    return path


def test_a_file_gives_a_task_or_a_function_that_makes_one(file: Path) -> None:
    assert [problem.task_id for problem in load_task(f"{file}:mine").problems()] == ["mine/0"]
    assert load_task(f"{file}:mine", data=Path("a/b.jsonl")).source == "b.jsonl"
    assert load_task(f"{file}:finished").name == "mine"


def test_a_module_gives_a_task_too() -> None:
    assert load_task("codesample.tasks.mini:mini").fingerprint() == load_task("mini").fingerprint()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("number", "is int, expected a Task or a function"),
        ("broken", "could not be made: KeyError: 'column'"),
        ("empty", "made NoneType, expected a Task"),
    ],
)
def test_what_makes_no_task_is_refused_by_name(file: Path, name: str, complaint: str) -> None:
    with pytest.raises(TaskError, match=rf"task '.*my_tasks\.py:{name}' {complaint}"):
        load_task(f"{file}:{name}")


def test_a_finished_task_takes_no_data(file: Path) -> None:
    with pytest.raises(TaskError, match=r"reads no data file \(x\.jsonl given\); leave it out"):
        load_task(f"{file}:finished", data=Path("x.jsonl"))


def test_what_cannot_be_loaded_from_a_file_is_named(tmp_path: Path, file: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown task 'mime'; did you mean 'mine'\?.* defines: "):
        load_task(f"{file}:mime")
    with pytest.raises(TaskError, match=r"absent\.py: no such file; expected FILE\.py:NAME"):
        load_task(f"{tmp_path / 'absent.py'}:mine")
    (tmp_path / "torn.py").write_text("def f(:")
    with pytest.raises(TaskError, match=r"torn\.py could not be loaded: SyntaxError"):
        load_task(f"{tmp_path / 'torn.py'}:mine")


def test_built_in_tasks_come_through_the_entry_points() -> None:
    installed = {entry.name: entry for entry in entry_points(group="codesample.tasks")}
    assert {"humaneval", "humaneval_plus", "mbpp", "mbpp_plus", "mbpp_sanitized", "mini"} <= set(installed)
    assert set(task_names()) == set(installed)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("no_such_module:task", "could not be loaded: ModuleNotFoundError"),
        ("codesample.tasks.mini:absent", "could not be loaded: AttributeError"),
        ("math:pi", "is float, expected a Task or a function"),
    ],
)
def test_a_plugin_that_fails_is_named_and_the_others_are_listed(
    monkeypatch: pytest.MonkeyPatch, value: str, complaint: str
) -> None:
    planted = [EntryPoint("planted", value, "codesample.tasks"), *entry_points(group="codesample.tasks")]
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: planted)
    assert {"planted", "mini"} <= set(task_names())
    with pytest.raises(TaskError, match=f"task 'planted' .*{complaint}"):
        load_task("planted")
    (line,) = (text for name, text in inventory.tasks() if name == "planted")
    assert line.startswith("cannot be loaded: task 'planted' ")


def test_a_task_of_others_that_is_called_like_ours_reads_what_it_likes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = EntryPoint("humaneval_mine", "codesample_example.task:warmup", "codesample.tasks")
    made: list[Path] = []
    module = ModuleType("codesample_example.task")
    module.warmup = lambda data: made.append(data) or load_task("mini")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "codesample_example", ModuleType("codesample_example"))
    monkeypatch.setitem(sys.modules, "codesample_example.task", module)
    planted = [own, *entry_points(group="codesample.tasks")]
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: planted)
    path = tmp_path / "mine.jsonl"
    path.write_text('{"task_id": "Mine/0", "prompt": "p", "test": "assert f(1)"}\n')
    load_task("humaneval_mine", data=path)
    assert made == [path]
    with pytest.raises(DataError, match="is no data of humaneval; it looks like a task file"):
        load_task("humaneval", data=path)


def test_two_tasks_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = [EntryPoint("mini", value, "codesample.tasks") for value in ("a:b", "c:d")]
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: planted)
    with pytest.raises(TaskError, match="two installed tasks are called 'mini': a:b and c:d"):
        task_names()
