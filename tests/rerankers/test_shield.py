"""What a scorer does to the process ends with it."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import RerankerError
from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Job, Reranker
from codesample.rerankers.shield import Shield


def state() -> Any:
    filters = list(warnings.filters)
    return (
        os._exit,
        os.getcwd(),
        dict(os.environ),
        sys.stdin,
        sys.stdout,
        sys.stderr,
        filters,
        sys.getrecursionlimit(),
    )


def leaves(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    os.environ.pop("PATH", None)
    os.environ["CODESAMPLE_LEFT"] = "1"
    sys.stdout.close()
    sys.stderr = sys.stdin = None  # type: ignore[assignment]
    warnings.simplefilter("error")
    sys.setrecursionlimit(4321)


@pytest.mark.parametrize("ends", ["returns", "raises", "exits", "ends the process"])
def test_everything_is_what_it_was(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context, tmp_path: Path, ends: str
) -> None:
    def scorer(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        leaves(tmp_path)
        if ends == "raises":
            raise ValueError("x")
        if ends == "exits":
            sys.exit("enough")
        if ends == "ends the process":
            os._exit(3)
        return [0.0] * len(candidates)

    before = state()
    if ends == "returns":
        assert Reranker("r", scorer).score(view, candidates, ctx) == [0.0] * 5
    else:
        with pytest.raises(
            RerankerError,
            match=r"raised ValueError: x|called sys\.exit\(enough\)|called os\._exit\(3\) \(.*py:\d+\)",
        ):
            Reranker("r", scorer).score(view, candidates, ctx)
    assert state() == before
    print("still open", file=sys.stdout)


@pytest.mark.parametrize("concurrent", [False, True])
def test_everything_is_what_it_was_behind_a_scorer_that_is_awaited(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context, tmp_path: Path, concurrent: bool
) -> None:
    async def scorer(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        leaves(tmp_path)
        return [0.0] * len(candidates)

    before = state()
    if concurrent:
        results = Reranker("r", scorer).score_all([Job(view, candidates, ctx)] * 3)
        assert [scores for _, scores in results] == [[0.0] * 5] * 3
    else:
        Reranker("r", scorer).score(view, candidates, ctx)
    assert state() == before


def test_what_a_scorer_prints_goes_where_it_would_have_gone(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    def talking(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        print("to stdout", flush=True)
        print("to stderr", file=sys.stderr)
        assert sys.stdout.encoding
        assert sys.stdout.writable()
        sys.stdout.close()
        with pytest.raises(ValueError, match="closed"):
            print("lost")
        return [0.0] * len(candidates)

    Reranker("r", talking).score(view, candidates, ctx)
    print("after")
    assert capsys.readouterr() == ("to stdout\nafter\n", "to stderr\n")


@pytest.mark.parametrize("others", [False, True])
def test_descriptors_that_a_scorer_closes_are_open_again(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context, tmp_path: Path, others: bool
) -> None:
    def closing(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        os.closerange(0, 3)
        if others:
            for number in range(3):
                assert os.open(tmp_path / f"{number}", os.O_CREAT | os.O_RDWR) == number
        return [0.0] * len(candidates)

    before = [(each.st_dev, each.st_ino) for each in map(os.fstat, range(3))]
    for _ in range(2):
        Reranker("r", closing).score(view, candidates, ctx)
        assert [(each.st_dev, each.st_ino) for each in map(os.fstat, range(3))] == before


def test_no_descriptor_is_left_open(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> None:
    before = os.listdir("/dev/fd")
    Reranker("r", lambda view, candidates, ctx: [0.0] * len(candidates)).score(view, candidates, ctx)
    assert os.listdir("/dev/fd") == before


def test_children_of_a_scorer_end_as_they_like(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    def forking(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        if not (child := os.fork()):
            os._exit(7)
        return [float(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))] * len(candidates)

    assert Reranker("r", forking).score(view, candidates, ctx) == [7.0] * 5


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("ends", ["returns", "raises", "exits"])
def test_a_forked_process_never_comes_back(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context, ends: str, awaited: bool
) -> None:
    def forking(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        if os.fork() == 0 and ends != "returns":
            raise ValueError("x") if ends == "raises" else SystemExit(0)
        return [0.0] * len(candidates)

    async def later(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        return forking(view, candidates, ctx)

    process = os.getpid()
    try:
        with pytest.raises(RerankerError, match=r"problem '.*': forked a process that came back .*py:\d+\)"):
            Reranker("r", later if awaited else forking).score(view, candidates, ctx)
    finally:
        # no second run of all the tests behind this one
        if os.getpid() != process:
            os.kill(os.getpid(), signal.SIGKILL)


def test_a_folder_that_is_gone_is_no_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    shield = Shield()
    os.chdir(tmp_path)
    folder.rmdir()
    shield.put_back()
    assert Path.cwd() == tmp_path


def test_streams_stay_lent_while_others_are_being_scored() -> None:
    before = state()
    shield = Shield()
    shield.raise_()
    os.environ["CODESAMPLE_LEFT"] = "1"
    sys.stdout.close()
    shield.mend()
    assert "CODESAMPLE_LEFT" not in os.environ
    assert not sys.stdout.closed
    assert sys.stdout is not before[3]
    shield.put_back()
    assert state() == before
