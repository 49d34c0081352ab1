"""A promise without a test, and a test that is nowhere, are found however they are written."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_tests import missing_tests, promises

HEAD = "Text.\n\n| promise | test in `tests/parts/` |\n|---|---|\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {
        "tests/parts/test_a.py": "def test_one(): pass\ndef helper(): pass\n",
        "tests/parts/test_b.py": "def test_two(): pass\n",
        "tests/parts/corpus.txt": "",
        "tests/test_c.py": "def test_three(): pass\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("cell", "missing"),
    [
        ("`test_a.py::test_one`, `test_b.py::test_two`", []),
        ("`test_a.py`, `corpus.txt`, `tests/test_c.py`", []),
        ("`test_three` and the tests below it", []),
        ("`test_a.py::test_one`, `::test_two`", ["::test_two"]),
        ("`test_b.py::test_one`", ["test_b.py::test_one"]),
        ("`test_c.py`", ["test_c.py"]),
        ("`test_thre`", ["test_thre"]),
        ("`::test_one`", ["::test_one"]),
        ("somewhere", ["no test: it holds"]),
    ],
)
def test_what_a_promise_names_is_looked_for(cell: str, missing: list[str], root: Path) -> None:
    assert missing_tests(f"{HEAD}| it holds | {cell} |\n", root) == missing


def test_every_row_of_every_table_is_read() -> None:
    page = HEAD + "| a | `x` |\n| b | `y`, `z` |\n\n| what | how |\n|---|---|\n| c | d |\n\n"
    page += "| promise | test |\n|---|---|\n| e | `f` |\nText."
    assert promises(page) == [("a", "tests/parts", ["x"]), ("b", "tests/parts", ["y", "z"]), ("e", "", ["f"])]
