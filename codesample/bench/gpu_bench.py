"""One command for one card: environment, correctness, then the cells in order of worth until time is up."""

from __future__ import annotations

import gc
import platform
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import torch

from codesample.bench.gpu_cells import GpuCell
from codesample.bench.gpu_clock import Clock
from codesample.bench.gpu_environment import gpu_environment
from codesample.bench.gpu_plan import GpuPlan, gpu_plan, rehearsal_plan
from codesample.bench.gpu_rows import RowFolder
from codesample.bench.gpu_summary import summary_files
from codesample.bench.gpu_watch import Watch
from codesample.bench.measurements import Measurement, reason_of
from codesample.errors import ParameterError
from codesample.sampling.devices import device_of

__all__ = ["measure_gpu", "plan_for"]

_CUT_OFF = "an earlier call ended before this did"
_NOT_CHECKED = "nothing is timed where a check failed or had no time"


def plan_for(device: str, *, rehearse: bool) -> GpuPlan:
    """Return what is done: on a GPU, or in small on the CPU.

    Raises:
        ParameterError: no rehearsal was asked for, and there is no such GPU.
    """
    if rehearse:
        return rehearsal_plan()
    if not torch.cuda.is_available():
        raise ParameterError(
            f"torch {torch.__version__} sees no CUDA device here; on a CPU --rehearse goes through all of it"
        )
    found = device_of(device)
    if found.type != "cuda":
        raise ParameterError(f"device = {device!r}: expected cuda or cuda:N; a CPU takes --rehearse")
    card = torch.device("cuda", found.index or 0)
    # graphs and events go to the current one
    torch.cuda.set_device(card)
    return gpu_plan(card)


def measure_gpu(plan: GpuPlan, folder: RowFolder, clock: Clock) -> Iterator[Measurement]:
    """Yield rows as they are known, each on disk already, with a summary of all of them beside it.

    A cell that fails is a row with its reason, and the next one is tried, unless the device answers no more.
    One that never ends takes the process with it. Cells that the folder holds are left out, so that a second
    call goes on where the first one ended; what that one was at when it was killed comes last, and no third
    time.

    Raises:
        ParameterError: the folder holds rows of something else.
    """
    run = _Run(plan, folder, clock)
    environment = run.marked(gpu_environment(plan.device))
    folder.expect_same(environment)
    yield run.keep(environment)
    if begun := run.watch.left():
        yield run.keep(run.cut_off(begun))
    sound = True
    for row in run.checks():
        sound = sound and row["passed"] is True
        yield row
    cells = plan.cells(environment["copy_bytes_per_second"]) if not run.lost else ()
    for cell in sorted(cells, key=lambda each: folder.cut_off(each.identity)):
        if folder.has(cell.identity):
            continue
        if sound:
            yield from run.cell(cell)
        else:
            yield run.keep(cell.identity | {"refused": _NOT_CHECKED, "no_time": True})
        if run.lost:
            break
    if run.lost:
        yield run.keep({"kind": "end", "refused": f"the device answers no more: {run.lost}"})


@dataclass
class _Run:
    plan: GpuPlan
    folder: RowFolder
    clock: Clock
    lost: str = ""

    def __post_init__(self) -> None:
        self.watch = Watch(self.folder.path)

    def cut_off(self, begun: Measurement) -> Measurement:
        """Say of what an earlier call did not live to end that it comes once more; a check always does."""
        if begun["kind"] == "check":
            return {"kind": "end", "refused": f"{_CUT_OFF}: {begun.get('what')}"}
        again = {} if self.folder.cut_off(begun) else {"no_time": True}
        return begun | {"refused": _CUT_OFF, "cut_off": True} | again

    def marked(self, row: Measurement) -> Measurement:
        """Say in a row of a rehearsal that it is one, and how it was computed."""
        row = {**row, "rehearsal": self.plan.rehearsal}
        if self.plan.rehearsal:
            row["device"] = f"CPU ({platform.machine()})"
            if row.get("impl") == "triton":
                row["impl"] = "triton, interpreted"
        return row

    def keep(self, row: Measurement) -> Measurement:
        row = self.marked(row)
        self.folder.add(row)
        # the row is kept; what is wrong with the page is seen at the end, when all is measured
        with suppress(Exception):
            self.folder.replace(summary_files(self.folder.rows))
        return row

    def checks(self) -> Iterator[Measurement]:
        for check in self.plan.checks:
            row: Measurement = {"kind": "check", "what": check.what}
            if late := self._lack_of_time("check", check.seconds):
                yield self.keep(row | {"passed": None} | late)
                continue
            begun = self.clock.now()
            try:
                with self.watch.over(row, self._patience("check", check.seconds)):
                    wrong = check.wrong()
                    self._wait()
            except Exception as error:
                wrong = reason_of(error)
            took = self.clock.now() - begun
            self.clock.learn("check", check.seconds, took)
            self._tidy()
            said = {"reason": wrong} if wrong else {}
            yield self.keep(row | {"passed": not wrong, "took_seconds": round(took, 2)} | said)
            if self.lost:
                return

    def cell(self, cell: GpuCell) -> Iterator[Measurement]:
        kind = cell.identity["kind"]
        if late := self._lack_of_time(kind, cell.seconds):
            yield self.keep(cell.identity | late)
            return
        begun, failed, figures = self.clock.now(), "", False
        try:
            for found in self._watched(cell):
                took, figures = self.clock.now() - begun, figures or "refused" not in found
                yield self.keep(found | cell.identity | {"took_seconds": round(took, 2)})
        except Exception as error:
            failed = reason_of(error)
        took = self.clock.now() - begun
        # one that is refused at once does not make the next of its kind any quicker
        if figures or took > cell.seconds:
            self.clock.learn(kind, cell.seconds, took)
        self._tidy()
        if failed:
            yield self.keep(cell.identity | {"refused": failed, "took_seconds": round(took, 2)})

    def _watched(self, cell: GpuCell) -> Iterator[Measurement]:
        """Yield the rows of a cell; each may take as long as all of it."""
        rows = iter(cell.measure())
        while True:
            with self.watch.over(cell.identity, self._patience(cell.identity["kind"], cell.seconds)):
                found = next(rows, None)
                self._wait()
            if found is None:
                return
            yield found

    def _patience(self, kind: str, seconds: float) -> float | None:
        # a processor only takes its time
        return None if self.plan.rehearsal else self.clock.patience(self.clock.expected(kind, seconds))

    def _lack_of_time(self, kind: str, seconds: float) -> Measurement:
        expected, left = self.clock.expected(kind, seconds), self.clock.left
        if expected <= left:
            return {}
        said = f"no time: should take {expected:.0f} s, {max(0.0, left):.0f} s were left"
        return {"refused": said, "no_time": True}

    def _wait(self) -> None:
        """Let all end that the device was given, for what does not is seen by whoever waits for it."""
        if self.plan.device.type == "cuda":
            torch.cuda.synchronize(self.plan.device)

    def _tidy(self) -> None:
        """Give back what a cell took, and see whether the device still answers."""
        if self.plan.device.type != "cuda":
            return
        gc.collect()
        try:
            # a capture that failed may have left its own stream behind
            torch.cuda.set_stream(torch.cuda.default_stream(self.plan.device))
            torch.cuda.synchronize(self.plan.device)
            torch.cuda.empty_cache()
        except RuntimeError as error:
            self.lost = reason_of(error)
