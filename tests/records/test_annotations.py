"""Annotations are read when needed, and nothing is imported for them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codesample.records.annotations import Elsewhere, resolved

MODULE = """
from __future__ import annotations
from typing import TYPE_CHECKING
from codesample.records.validation import validated

if TYPE_CHECKING:
    from collections import OrderedDict as Ordered
    from far_away.heavy import Tensor

@validated
def takes(
    tensor: Tensor | None = None, ordered: Ordered[str, int] | None = None, late: Late | int = 0
) -> None: ...

@validated
def unknown(thing: Nowhere, other: Broken[) -> None: ...
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "far_away").mkdir()
    (tmp_path / "far_away" / "__init__.py").write_text("")
    (tmp_path / "far_away" / "heavy.py").write_text("class Tensor: ...\n")
    (tmp_path / "annotated.py").write_text(MODULE.replace("Broken[", "'Broken['"))
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("annotated", "far_away", "far_away.heavy"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import annotated  # type: ignore[import-not-found]

    yield annotated
    for name in ("annotated", "far_away", "far_away.heavy"):
        sys.modules.pop(name, None)


def test_a_type_for_type_checkers_alone_is_known_without_its_import(written: Any) -> None:
    from collections import OrderedDict

    written.takes(ordered=OrderedDict(a=1))
    with pytest.raises(TypeError, match="tensor = 3: expected a Tensor or None"):
        written.takes(3)
    assert "far_away.heavy" not in sys.modules
    from far_away.heavy import Tensor  # type: ignore[import-not-found]

    written.takes(Tensor())
    with pytest.raises(TypeError, match="tensor = 3: expected a Tensor or None"):
        written.takes(3)


def test_what_cannot_be_read_takes_everything(written: Any) -> None:
    written.unknown(3, None)
    written.takes(late="a name that is defined nowhere may be anything")
    assert resolved("Broken[", {}) is Any
    assert issubclass(resolved("Nowhere", {}), Elsewhere)


def test_checking_a_record_imports_no_typing_machinery_of_others() -> None:
    code = (
        "import json, sys\nfrom codesample import Candidate, Request, SamplingParams\n"
        "SamplingParams(seed=3)\nCandidate('a', 0, 'x')\nRequest('a', 'b', (0,))\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "transformers", "difflib", "asyncio"}.intersection(json.loads(done.stdout))
