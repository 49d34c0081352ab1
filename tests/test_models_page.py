"""The page of models says what the table of families says, and every detour has its reason there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from page_writers import page_writer

ROOT = Path(__file__).resolve().parents[1]


def test_the_page_is_what_the_table_says() -> None:
    writer = page_writer("write_models")
    assert (ROOT / "docs" / "models.md").read_text(encoding="utf-8") == writer.page(writer.families()), (
        "make map"
    )


def test_every_family_has_a_row_and_every_detour_a_reason() -> None:
    writer = page_writer("write_models")
    table = writer.families()
    text = writer.page(table)
    assert len({family.name for family in table}) == len(table)
    for family in table:
        assert f"| {family.name} | `{family.model_type}` |" in text
        assert family.path == "shared" or family.because, family.name


def test_writing_the_page_loads_neither_torch_nor_transformers() -> None:
    code = (
        "import runpy, sys; made = runpy.run_path('docs/write_models.py'); made['page'](made['families']());"
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
