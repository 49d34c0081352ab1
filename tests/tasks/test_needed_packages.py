from __future__ import annotations

import pytest

from codesample.tasks.needed_packages import needed_packages, writes_files


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("import os, json\nfrom collections.abc import Mapping", ()),
        ("import numpy as np\nimport numpy.random", ("numpy",)),
        ("def f():\n    from bs4 import BeautifulSoup", ("bs4",)),
        ("from . import x\nfrom .y import z", ()),
        ("from sklearn.cluster import KMeans\nimport scipy", ("scipy", "sklearn.cluster")),
        ("import matplotlib", ("matplotlib", "matplotlib.pyplot")),
        ("import seaborn", ("matplotlib.pyplot", "seaborn")),
        ("import pandas\npandas.Series([1]).plot()", ("matplotlib.pyplot", "pandas")),
        ("import pandas\npandas.read_excel('x')", ("openpyxl", "pandas")),
        ("import pandas\nplot = pandas.Series", ("pandas",)),
        ("axes.plot()", ()),
        ("import imp, cgi, telnetlib", ()),
    ],
)
def test_packages_are_read_off_imports_and_off_what_is_known_of_them(
    text: str, needed: tuple[str, ...]
) -> None:
    assert needed_packages(text) == needed


def test_what_texts_need_together_is_sorted_and_named_once() -> None:
    assert needed_packages("import pandas", "import pandas, numpy") == ("numpy", "pandas")


def test_no_python_is_refused() -> None:
    with pytest.raises(SyntaxError):
        needed_packages("import")


@pytest.mark.parametrize(
    ("text", "keeps"),
    [
        ("with open('x') as file: pass", True),
        ("import tempfile", True),
        ("plt.savefig('x.png')", True),
        ("frame.to_csv(path)", True),
        ("sqlite3.connect('x')", True),
        ("Voronoi(points)", True),
        ("opened = reopen(x)", False),
        ("return sorted(x)", False),
    ],
)
def test_files_are_told_from_the_text(text: str, keeps: bool) -> None:
    assert writes_files("x = 1", text) is keeps
