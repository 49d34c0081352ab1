from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from codesample import plugins
from codesample.errors import ParameterError, RerankerError, UnknownNameError
from codesample.rerankers.logprob import mean_logprob
from codesample.rerankers.registry import GROUP, load_reranker, reranker_names

FILE = """
from codesample import reranker

@reranker
def shortest(view, candidates, ctx):
    return [-len(candidate.completion) for candidate in candidates]

def plain(view, candidates, ctx):
    return []
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_idea.py"
    path.write_text(FILE)
    return path


def _install(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    entries = [EntryPoint(name.rstrip("_"), value, GROUP) for name, value in values.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries if group == GROUP else [])


def test_the_built_in_ones_are_installed_like_any_other() -> None:
    assert {"mean_logprob", "sum_logprob", "public_examples"} <= set(reranker_names())
    assert load_reranker("mean_logprob") is mean_logprob
    for name in reranker_names():
        assert load_reranker(name).name == name


def test_listing_imports_no_reranker() -> None:
    code = (
        "import sys; from codesample.rerankers.registry import reranker_names; assert reranker_names()\n"
        "assert 'codesample.rerankers.logprob' not in sys.modules; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_object_is_taken_as_it_is() -> None:
    assert load_reranker(mean_logprob) is mean_logprob


def test_a_function_in_a_file_is_loaded(file: Path) -> None:
    assert load_reranker(f"{file}:shortest").name == "shortest"


def test_a_module_and_a_name_are_loaded() -> None:
    assert load_reranker("codesample.rerankers.logprob:mean_logprob") is mean_logprob


def test_commas_order_by_the_first_then_by_the_second(file: Path) -> None:
    made = load_reranker(f"public_examples, mean_logprob,{file}:shortest")
    assert made.name == "public_examples,mean_logprob,shortest"
    with pytest.raises(ParameterError, match="different rerankers"):
        load_reranker("mean_logprob,mean_logprob")


@pytest.mark.parametrize(
    ("spec", "near"), [("mean_logprb", "mean_logprob"), ("public_exmples,mean_logprob", "public_examples")]
)
def test_an_unknown_name_suggests_a_near_one(spec: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean '{near}'"):
        load_reranker(spec)


@pytest.mark.parametrize(("spec", "place"), [("", 0), (",", 0), ("mean_logprob,", 13)])
def test_where_a_name_is_missing_the_place_is_shown(spec: str, place: int) -> None:
    with pytest.raises(ParameterError, match="expected a reranker, such as mean_logprob") as caught:
        load_reranker(spec)
    assert str(caught.value).splitlines()[1:] == [f"  {spec}", f"  {' ' * place}^"]


def test_an_expression_is_loaded_with_files_and_parameters(file: Path, tmp_path: Path) -> None:
    (tmp_path / "more.py").write_text(
        "from codesample import reranker\n@reranker\ndef by(view, candidates, ctx, *, power: float = 1.0):\n"
        "    return [len(each.completion) ** power for each in candidates]\n"
    )
    made = load_reranker(
        f"public_examples | -2*z({file}:shortest) + rank({tmp_path}/more.py:by(power=2)) > sum_logprob"
    )
    assert made.name == "public_examples | -2*z(shortest) + rank(by(power=2.0)),sum_logprob"
    assert (made.needs, made.independent) == ({"public_examples", "logprobs"}, False)
    assert [part.name for part in made.parts] == [
        "public_examples",
        "-2*z(shortest) + rank(by(power=2.0)),sum_logprob",
    ]
    assert (
        load_reranker("public_examples > mean_logprob").name
        == load_reranker("public_examples,mean_logprob").name
    )


def test_parameters_are_checked_by_name_and_type(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="'mean_logprob' has no parameter 'window'; it takes: none"):
        load_reranker("mean_logprob(window=3)")
    with pytest.raises(ParameterError, match="has no parameter 'window'"):
        load_reranker(f"{file}:shortest(window=3)")


def test_a_path_with_signs_of_expressions_is_taken_as_it_is_or_quoted(tmp_path: Path) -> None:
    folder = tmp_path / "my ideas (new), a+b"
    folder.mkdir()
    (folder / "my_idea.py").write_text(FILE)
    spec = f"{folder}/my_idea.py:shortest"
    assert load_reranker(spec).name == "shortest"
    assert load_reranker(f'mean_logprob > "{spec}"').name == "mean_logprob,shortest"
    with pytest.raises(UnknownNameError, match="unknown reranker 'shorter'"):
        load_reranker(f"{folder}/my_idea.py:shorter")


def test_a_missing_name_in_a_file_lists_what_it_defines(file: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown reranker 'shortst'; did you mean 'shortest'"):
        load_reranker(f"{file}:shortst")


def test_an_undecorated_function_is_refused_with_the_remedy(file: Path) -> None:
    with pytest.raises(RerankerError, match=r"my_idea\.py:plain is function, .*@codesample\.reranker"):
        load_reranker(f"{file}:plain")
    with pytest.raises(RerankerError, match=r"decorate the function"):
        load_reranker(lambda view, candidates, ctx: [])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("def broken(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("import not_a_module_xyz", "not_a_module_xyz"),
    ],
)
def test_a_broken_file_is_named_with_its_error(tmp_path: Path, source: str, complaint: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(source)
    with pytest.raises(RerankerError, match=rf"broken\.py could not be loaded: .*{complaint}"):
        load_reranker(f"{path}:score")


def test_a_missing_file_or_module_is_named(tmp_path: Path) -> None:
    with pytest.raises(RerankerError, match=r"absent\.py: no such file"):
        load_reranker(f"{tmp_path / 'absent.py'}:score")
    with pytest.raises(RerankerError, match="module 'not_a_module_xyz' could not be imported"):
        load_reranker("not_a_module_xyz:score")


def test_a_file_is_read_anew_each_time(file: Path) -> None:
    first = load_reranker(f"{file}:shortest")
    file.write_text(FILE.replace("def shortest", "def longest"))
    assert load_reranker(f"{file}:longest") is not first


def test_a_reranker_of_an_installed_package_is_found(tmp_path: Path) -> None:
    (tmp_path / "their_package.py").write_text(FILE)
    metadata = tmp_path / "their_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[codesample.rerankers]\nshortest = their_package:shortest\nbroken = their_package:absent\n"
    )
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from codesample.rerankers.registry import load_reranker, reranker_names\n"
        "assert {'broken', 'mean_logprob', 'shortest'} <= set(reranker_names())\n"
        "assert 'their_package' not in sys.modules\n"
        "assert load_reranker('shortest').name == 'shortest'\n"
        "try: load_reranker('broken')\n"
        "except Exception as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "reranker 'broken' (their_package:absent, installed by their-package)" in done.stdout


def test_a_broken_plug_in_is_reported_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, theirs="not_a_module_xyz:score", number="math:pi")
    assert reranker_names() == ["number", "theirs"]
    with pytest.raises(
        RerankerError, match=r"reranker 'theirs' \(not_a_module_xyz:score, .*could not be loaded"
    ):
        load_reranker("theirs")
    with pytest.raises(RerankerError, match=r"'number' \(math:pi\) is float, expected a reranker"):
        load_reranker("number")


def test_two_owners_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, mine="a:b", mine_="c:d")
    with pytest.raises(RerankerError, match=r"two installed rerankers are called 'mine': a:b and c:d"):
        reranker_names()


def test_one_owner_listed_twice_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, mine="a:b", mine_="a:b")
    assert reranker_names() == ["mine"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("avg(mean_logprob)", "unknown reranker 'avg'"),
        ("0.5*Z(mean_logprob) + rank(codet)", "unknown reranker 'Z'; did you mean 'z'?"),
        ("RANK(codet)", "unknown reranker 'RANK'; did you mean 'rank'?"),
        ("ranks(codet)", "unknown reranker 'ranks'; did you mean 'rank'?"),
        ("mean_logprobs(codet)", "unknown reranker 'mean_logprobs'; did you mean 'mean_logprob'?"),
    ],
)
def test_an_unknown_word_with_a_reranker_in_brackets_is_called_so(spec: str, said: str) -> None:
    with pytest.raises(UnknownNameError, match=re.escape(said)) as caught:
        load_reranker(spec)
    assert "z(...) and rank(...) alone take a reranker" in str(caught.value)


def test_a_known_reranker_with_another_in_brackets_is_told_what_it_takes() -> None:
    with pytest.raises(ParameterError, match="expected a parameter of mean_logprob, such as window=16"):
        load_reranker("mean_logprob(codet)")
