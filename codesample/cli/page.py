"""What `codesample report --html` does: write the page of a run and say where it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from codesample.cli.output import emit_json, show_plain
from codesample.errors import ParameterError

__all__ = ["write"]


def write(
    run: Path,
    file: Path | None,
    *,
    integrity: str | None,
    greedy: Path | None,
    data: Path | None,
    json: bool,
) -> None:
    """Write the page of a run.

    Args:
        run: Its folder.
        file: Where; None for report.html in the folder.
        integrity, data: As for `recount_run`; None takes the run's own.
        greedy: A run of temperature 0, shown beside.
        json: Whether to say where the page is as JSON.

    Raises:
        ParameterError: a table of runs, a greedy run beside one without results, or as `write_page`.
        CodesampleError: as `read_run` and `with_greedy`.
    """
    from codesample.evaluation.greedy import with_greedy
    from codesample.evaluation.reranking import recount_run
    from codesample.evaluation.run_contents import read_run
    from codesample.reports.html import write_page
    from codesample.runs.table import holds_table, read_table

    if holds_table(run):
        names = ", ".join(str(run / each.folder) for each in read_table(run))
        raise ParameterError(f"{run}: holds a table of runs; a page shows one of them: {names}")
    contents = read_run(run, data=data)
    if integrity is not None:
        pools = [replace(pool, strict=integrity == "strict") for pool in contents.pools]
        contents = replace(contents, pools=pools, report=recount_run(run, integrity=integrity, data=data))
    if greedy is not None:
        if contents.report is None:
            raise ParameterError(f"{run}: has no results yet that --greedy could stand beside; finish it")
        beside = with_greedy(contents.report, contents, read_run(greedy, data=data))
        contents = replace(contents, report=beside)
    written = write_page(contents, file or run / "report.html")
    if json:
        emit_json({"page": str(written)})
    else:
        size = written.stat().st_size / 1e6
        show_plain(f"page        {written} ({size:.1f} MB); open it in a browser, no network is needed\n")
