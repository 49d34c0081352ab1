"""The notebook runs from its first cell to its last, and holds no outputs that could be out of date."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs the development packages: pip install .[dev]")
NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "notebook.ipynb"


@pytest.fixture(scope="module")
def kept() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_is_kept_without_outputs_and_counts(kept: Any) -> None:
    nbformat.validate(kept)
    cells = [cell for cell in kept.cells if cell.cell_type == "code"]
    assert cells
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)
    assert set(kept.metadata.kernelspec) == {"display_name", "language", "name"}


@pytest.mark.slow
def test_runs_and_shows_what_it_says(kept: Any, tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient", reason="needs the development packages: pip install .[dev]")
    pytest.importorskip("ipykernel", reason="needs the extra 'examples': pip install .[examples]")
    done = nbclient.NotebookClient(
        kept, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = [shown_by(cell) for cell in done.cells if cell.cell_type == "code"]
    text = "\n".join(shown)
    assert re.search(r"public_examples 2 is the highest of 16.* mean_logprob -\d", text)
    # a reranker that was written in a cell stands beside the built-in ones
    assert re.search(r"surprise +\d\.\d{3}|surprise \d\.\d{3}", text)
    assert "<table" in "".join(str(out) for cell in done.cells for out in cell.get("outputs", []))


def shown_by(cell: Any) -> str:
    texts = []
    for out in cell.outputs:
        assert out.output_type != "error", out
        texts.append(out.get("text", "") or out.get("data", {}).get("text/plain", ""))
    return "".join(texts)
