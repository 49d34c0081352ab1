"""One command for one card: what stops timing, what does not, and that it all ends in time."""

import json
from functools import partial

import pytest
import torch

from codesample.bench import gpu_bench, gpu_watch, timing
from codesample.bench.gpu_bench import measure_gpu, plan_for
from codesample.bench.gpu_cells import GpuCell
from codesample.bench.gpu_clock import Clock
from codesample.bench.gpu_plan import GpuPlan
from codesample.bench.gpu_rows import RowFolder
from codesample.bench.kernel_checks import Check
from codesample.errors import ParameterError

CARD = {"kind": "environment", "device": "a card", "copy_bytes_per_second": 4e12}


class Bench:
    """A plan of cells that take known times of a clock that stands otherwise."""

    def __init__(self, tmp_path):
        self.path, self.time, self.done = tmp_path, 0.0, []

    def check(self, what="sound", seconds=2.0, wrong=None):
        return Check(what, seconds, lambda: self._pass(what, seconds, wrong))

    def cell(self, rows, seconds=10.0, takes=None, found=None, kind="step"):
        identity = {"kind": kind, "model": "m", "rows": rows, "context": 8}
        return GpuCell(identity, seconds, lambda: [self._pass(rows, takes or seconds, found or {"x": rows})])

    def _pass(self, name, takes, found):
        self.time += takes
        self.done.append(name)
        if isinstance(found, Exception):
            raise found
        return found

    def run(self, cells, checks=(), seconds=1000.0, rehearsal=False, device="cpu"):
        plan = GpuPlan(torch.device(device), rehearsal, checks, lambda ceiling: iter(cells))
        clock = Clock(seconds, now=lambda: self.time, begun=self.time)
        return list(measure_gpu(plan, RowFolder(self.path), clock))

    @property
    def kept(self):
        return [json.loads(line) for line in (self.path / "rows.jsonl").read_text().splitlines()]

    @property
    def summary(self):
        return json.loads((self.path / "summary.json").read_text())


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_bench, "gpu_environment", lambda device: dict(CARD))
    return Bench(tmp_path)


def test_environment_comes_first_then_checks_then_cells(bench):
    rows = bench.run([bench.cell(1), bench.cell(2)], [bench.check("a"), bench.check("b")])
    assert [row["kind"] for row in rows] == ["environment", "check", "check", "step", "step"]
    assert bench.done == ["a", "b", 1, 2]
    assert [(row["x"], row["took_seconds"]) for row in rows[3:]] == [(1, 10.0), (2, 10.0)]
    assert bench.kept == rows
    assert bench.summary["measured"] == 2


def test_every_row_and_a_summary_are_on_disk_before_the_next_one_is_begun(bench):
    seen = []

    def look():
        seen.append((len(bench.kept), bench.summary["measured"]))
        return [{"x": 1}]

    cells = [GpuCell({"kind": "step", "rows": i}, 1.0, look) for i in range(3)]
    bench.run(cells, [bench.check()])
    assert seen == [(2, 0), (3, 1), (4, 2)]


@pytest.mark.parametrize("wrong", ["error 0.1", RuntimeError("no kernel image\nis available")])
def test_nothing_is_timed_after_a_failed_check(bench, wrong):
    checks = [bench.check("bad", wrong=wrong), bench.check("good")]
    rows = bench.run([bench.cell(1), bench.cell(2)], checks)
    assert bench.done == ["bad", "good"]
    assert [row["passed"] for row in rows[1:3]] == [False, True]
    assert rows[1]["reason"] in ("error 0.1", "RuntimeError: no kernel image")
    assert all("nothing is timed" in row["refused"] and "x" not in row for row in rows[3:])
    assert bench.summary["checks"]["failed"][0]["what"] == "bad"


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 64 GiB"), KeyError("x")]
)
@pytest.mark.parametrize("kind", ["attention", "schedule", "step", "sampler step", "profile", "job"])
def test_a_cell_that_fails_is_a_row_and_the_next_one_is_tried(bench, error, kind):
    rows = bench.run([bench.cell(1, found=error, kind=kind), bench.cell(2)])
    assert rows[1]["refused"].startswith(type(error).__name__)
    assert rows[2]["x"] == 2
    assert [each["rows"] for each in bench.summary["left_out"]] == [1]
    assert type(error).__name__ in (bench.path / "summary.md").read_text()


def test_measuring_goes_on_where_a_page_cannot_be_made(bench, monkeypatch):
    def broken(rows):
        raise KeyError("own")

    monkeypatch.setattr(gpu_bench, "summary_files", broken)
    bench.run([bench.cell(1), bench.cell(2)])
    assert [row.get("x") for row in bench.kept] == [None, 1, 2]


def test_rows_of_a_cell_that_fails_later_are_kept(bench):
    def measure():
        yield {"method": "a", "x": 1}
        raise MemoryError

    rows = bench.run([GpuCell({"kind": "job", "model": "m"}, 1.0, measure)])
    assert [row.get("x", row.get("refused")) for row in rows[1:]] == [1, "MemoryError"]


def test_without_time_nothing_is_begun(bench):
    rows = bench.run([bench.cell(1)], [bench.check()], seconds=0.6)
    assert bench.done == []
    assert rows[1]["passed"] is None
    assert rows[1]["refused"] == "no time: should take 2 s, 0 s were left"
    assert "nothing is timed" in rows[2]["refused"]


def test_a_cell_that_would_not_end_in_time_is_left_out_and_a_shorter_one_is_not(bench):
    cells = [bench.cell(1, 10), bench.cell(2, 40, kind="job"), bench.cell(3, 5, kind="profile")]
    rows = bench.run(cells, seconds=30)
    assert bench.done == [1, 3]
    assert rows[2]["refused"] == "no time: should take 40 s, 17 s were left"
    assert bench.time <= 30


def test_cells_that_take_longer_than_thought_make_the_next_of_their_kind_longer(bench):
    cells = [bench.cell(1, 10, takes=30), bench.cell(2, 10), bench.cell(3, 10, kind="job")]
    rows = bench.run(cells, seconds=60)
    assert rows[2]["refused"] == "no time: should take 30 s, 27 s were left"
    assert bench.done == [1, 3]


@pytest.mark.parametrize("found", [KeyError("x"), {"refused": "needs 90 GB"}])
def test_a_cell_that_fails_at_once_makes_the_next_of_its_kind_no_quicker(bench, found):
    rows = bench.run([bench.cell(1, 10, takes=0.1, found=found), bench.cell(2, 10)], seconds=11)
    assert rows[2]["refused"] == "no time: should take 10 s, 8 s were left"


def test_a_second_call_goes_on_where_the_first_one_ended(bench):
    def cells():
        return [bench.cell(1), bench.cell(2, found=KeyError("x")), bench.cell(3), bench.cell(4)]

    bench.run(cells(), [bench.check()], seconds=30)
    assert bench.done == ["sound", 1, 2]
    rows = bench.run(cells(), [bench.check()], seconds=100)
    assert bench.done[3:] == ["sound", 3, 4]
    assert [row["kind"] for row in rows] == ["environment", "check", "step", "step"]
    assert (bench.summary["measured"], len(bench.summary["left_out"])) == (3, 1)


def killed_at(bench, what):
    """Leave what a call leaves that is killed while it does something."""
    (bench.path / "begun.json").write_text(json.dumps(what))


def test_what_a_call_was_killed_at_comes_last_and_no_third_time(bench):
    def cells():
        return [bench.cell(1), bench.cell(2), bench.cell(3)]

    bench.run([bench.cell(1)], [bench.check()])
    killed_at(bench, cells()[1].identity)
    rows = bench.run(cells(), [bench.check()])
    assert rows[1]["refused"] == "an earlier call ended before this did"
    assert bench.done == ["sound", 1, "sound", 3, 2]
    assert not [each for each in bench.summary["left_out"] if each["rows"] == 2]

    def hanging():
        return [*cells()[:2], bench.cell(4), bench.cell(5)]

    killed_at(bench, hanging()[2].identity)
    bench.run([], [bench.check()])
    killed_at(bench, hanging()[2].identity)
    bench.done.clear()
    bench.run(hanging(), [bench.check()])
    assert bench.done == ["sound", 5]
    assert [each["rows"] for each in bench.summary["left_out"]] == [4]


def test_a_check_that_a_call_was_killed_at_is_told_and_made_anew(bench):
    bench.run([])
    killed_at(bench, {"kind": "check", "what": "bad"})
    rows = bench.run([bench.cell(1)], [bench.check("bad")])
    assert (rows[1]["kind"], rows[1]["refused"]) == ("end", "an earlier call ended before this did: bad")
    assert bench.done == ["bad", 1]
    assert rows[2]["passed"]


@pytest.mark.parametrize("rehearsal", [True, False])
def test_a_cell_is_waited_for_and_noted_while_it_runs(bench, monkeypatch, rehearsal):
    waited, noted = [], []
    monkeypatch.setattr(gpu_watch.faulthandler, "dump_traceback_later", lambda s, **_: waited.append(s))

    def measure():
        for i in range(2):
            noted.append(json.loads((bench.path / "begun.json").read_text()))
            yield {"method": i}

    cell = GpuCell({"kind": "job", "model": "m", "rows": 1, "context": 8}, 50.0, measure)
    bench.run([cell], [bench.check(seconds=2.0)], seconds=1000, rehearsal=rehearsal)
    # of a rehearsal nothing hangs but on a busy machine
    assert waited == ([] if rehearsal else [60.0, *[200.0] * 3])
    assert noted == [cell.identity] * 2
    assert not (bench.path / "begun.json").exists()


def test_a_second_call_on_another_card_is_refused_before_anything_runs(bench, monkeypatch):
    bench.run([bench.cell(1)])
    before = bench.kept
    monkeypatch.setattr(gpu_bench, "gpu_environment", lambda device: CARD | {"device": "another"})
    with pytest.raises(ParameterError, match="'another'; name another folder"):
        bench.run([bench.cell(2)], [bench.check()])
    assert bench.kept == before
    assert bench.done == [1]


class Driver:
    """Stands in for torch.cuda; answers until it is lost."""

    def __init__(self, monkeypatch):
        self.lost, self.calls = False, []
        for name in ("set_stream", "default_stream", "empty_cache", "synchronize"):
            monkeypatch.setattr(torch.cuda, name, partial(self.call, name))

    def call(self, name, *_):
        self.calls.append(name)
        if self.lost:
            raise RuntimeError("CUDA error: an illegal memory access was encountered\nand advice")


def test_memory_is_given_back_after_every_cell(bench, monkeypatch):
    driver = Driver(monkeypatch)
    bench.run([bench.cell(1, found=torch.OutOfMemoryError("x")), bench.cell(2)], device="cuda")
    assert driver.calls.count("empty_cache") == 2


def test_a_device_that_answers_no_more_ends_the_call_and_the_next_call_skips_the_culprit(bench, monkeypatch):
    driver = Driver(monkeypatch)

    def cells():
        def lose():
            driver.lost = True
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

        bad = GpuCell({"kind": "step", "model": "m", "rows": 2, "context": 8}, 1.0, lose)
        return [bench.cell(1), bad, bench.cell(3)]

    rows = bench.run(cells(), device="cuda")
    assert bench.done == [1]
    assert [row["kind"] for row in rows] == ["environment", "step", "step", "end"]
    assert rows[-1]["refused"] == (
        "the device answers no more: RuntimeError: CUDA error: an illegal memory access was encountered"
    )
    driver.lost = False
    bench.run(cells(), device="cuda")
    assert bench.done == [1, 3]


def test_a_device_that_a_check_has_lost_is_told_too(bench, monkeypatch):
    driver = Driver(monkeypatch)
    driver.lost = True
    rows = bench.run([bench.cell(1)], [bench.check(), bench.check("more")], device="cuda")
    assert bench.done == ["sound"]
    assert rows[-1]["kind"] == "end"


def test_without_a_gpu_only_a_rehearsal_goes_on(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ParameterError, match="sees no CUDA device here; on a CPU --rehearse goes") as refused:
        plan_for("cuda", rehearse=False)
    assert "\n" not in str(refused.value)
    assert plan_for("cuda", rehearse=True).device.type == "cpu"


def test_a_device_that_is_no_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ParameterError, match="device = 'cpu': expected cuda or cuda:N"):
        plan_for("cpu", rehearse=False)
    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert plan_for("cuda:1", rehearse=False).device == torch.device("cuda", 1)
    assert chosen == [torch.device("cuda", 1)]


def test_all_of_it_runs_on_a_cpu_and_says_so_in_every_row(tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "_COPY_BYTES", 1 << 22)
    rows = list(measure_gpu(plan_for("cuda", rehearse=True), RowFolder(tmp_path), Clock(120)))
    assert not [row for row in rows if "refused" in row]
    assert all(row["passed"] for row in rows if row["kind"] == "check")
    kinds = [
        "environment",
        *["check"] * 8,
        *["attention"] * 2,
        *["schedule"] * 3,
        "step",
        "sampler step",
        "profile",
        "job",
        "job",
    ]
    assert [row["kind"] for row in rows] == kinds
    assert all(row["rehearsal"] is True and row["device"].startswith("CPU") for row in rows)
    assert {row["impl"] for row in rows if "impl" in row} == {"torch", "auto"}
    page = (tmp_path / "summary.md").read_text()
    assert page.startswith("# Rehearsal: CPU")
    assert "by schedule" in page
    assert "Beside the bars" not in page
