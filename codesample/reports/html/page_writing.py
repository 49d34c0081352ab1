"""Makes the page of a run and writes it: one file that needs no network, opened by any browser since 2023.

What is seen at once (figures, charts, words) is plain HTML. Problems stand in the file as compressed data,
one block each, and a block is unpacked when it is looked at, so that a page of tens of thousands of
candidates opens as fast as a small one. A policy in the page forbids every request, every script but its own,
by its hash, and scripts that make markup of text.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from codesample.errors import ParameterError, RunFolderError
from codesample.evaluation.curves import (
    Curve,
    best_of_n_curves,
    calibrations,
    gaps_closed,
    pass_at_k_curve,
    random_curve,
    score_distributions,
    separations,
)
from codesample.evaluation.environment import versions
from codesample.evaluation.headline import shard_text
from codesample.evaluation.members import keeps_some
from codesample.evaluation.picks import pick_of
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.score_quality import Calibration, ScoreDistribution, Separation
from codesample.records import Prompt
from codesample.records.counted import counted
from codesample.reports.html import page_facts
from codesample.reports.html.drawing import ENDS_ONLY, SIGNS, Series, series_of
from codesample.reports.html.figure_charts import cost_chart, curves_chart, gaps_chart
from codesample.reports.html.packing import packed
from codesample.reports.html.page_index import Picks, page_index, scores_column
from codesample.reports.html.page_tables import page_tables
from codesample.reports.html.palette import DARK, LIGHT
from codesample.reports.html.problem_parts import fitting, problem_part
from codesample.reports.html.score_charts import calibration_chart, distribution_chart
from codesample.runs.files import replace_file

__all__ = ["page_of", "write_page"]

_SCRIPTS = (
    "basics.js",
    "texts.js",
    "programs.js",
    "problems.js",
    "lost.js",
    "heat.js",
    "problem.js",
    "main.js",
)
_MARK = 'name="generator" content="codesample'
# tokens with a number each, of all candidates of a page: some megabytes
_MOST_TOKENS = 3_000_000
_CURVES_SHOWN = 6


class _ByReranker(NamedTuple):
    """The charts of one reranker's scores, with what is to be said below them."""

    distribution: Any
    calibration: Any
    separation: str
    error: str


def page_of(contents: RunContents, *, now: datetime | None = None) -> str:
    """Return the page of a run, finished or not, as HTML.

    Args:
        contents: The run.
        now: What the page says of when it was made; default: now.

    Raises:
        ParameterError: a library of the extra `html` is missing.
    """
    picks: Picks = {
        name: [pick_of(pool, column[pool.problem.task_id]) for pool in contents.pools]
        for name, column in contents.scores.items()
    }
    best = page_facts.first_reranker(contents, picks)
    script, style = _script(), _style()
    environment = _environment()
    first = contents.pools[0]
    figures = _figures(contents, picks, best)
    facts = {
        "task": contents.manifest.task,
        # a model of a folder goes by the folder's name; where it is, the page says elsewhere
        "model": Path(contents.manifest.model).name or contents.manifest.model
        if contents.manifest.model.startswith(("/", "."))
        else contents.manifest.model,
        "size": page_facts.size_text(contents),
        "how": page_facts.how_made(contents),
        "problems": shard_text(contents.manifest.shard)
        + counted(sum(bool(pool.graded) for pool in contents.pools), "problem"),
        "run": str(contents.path),
        "written": (now or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC"),
    }
    page: str = environment.get_template("page.html.j2").render(
        title=f"{facts['task']} by {facts['model']}",
        generator=" ".join(filter(None, ("codesample", versions()["codesample"]))),
        policy=_policy(script, style),
        style=_markup(style),
        script=_markup(script),
        facts=facts,
        rerankers=list(picks),
        best=best,
        above_random=any(row.best for row in figures["figures"]),
        notices=page_facts.notices(contents),
        about=list(page_facts.about(contents)),
        example_link=f"{first.problem.task_id}/{first.candidates[0].index}",
        data=_data(contents, picks, best),
        **figures,
    )
    return page


def write_page(contents: RunContents, file: Path) -> Path:
    """Write the page of a run to a file and return where it is; a page of ours that is there is replaced.

    Raises:
        ParameterError: the file is there and is no such page, or it cannot be written.
        ParameterError: a library of the extra `html` is missing.
    """
    _expect_ours(file)
    try:
        replace_file(file, page_of(contents))
    except RunFolderError as error:
        raise ParameterError(str(error).replace("another folder", "another file")) from error
    return file


def _expect_ours(file: Path) -> None:
    """Refuse to replace what is no page of ours; raises ParameterError."""
    try:
        with file.open("rb") as opened:
            begin = opened.read(400).decode("utf-8", "replace")
    except FileNotFoundError:
        if not file.parent.is_dir():
            raise ParameterError(f"{file}: there is no folder {file.parent}; make it first") from None
        return
    except OSError as error:
        raise ParameterError(f"{file}: cannot be written: {error.strerror}; choose another file") from error
    if _MARK not in begin:
        raise ParameterError(f"{file}: is there and is no page of codesample; choose another file")


def _data(contents: RunContents, picks: Picks, best: str | None) -> dict[str, Any]:
    """Return the blocks of data of a page, each packed."""
    return {
        "index": packed(page_index(contents.pools, contents.scores, picks, best, members=contents.members)),
        "scores": [packed(scores_column(contents.pools, column)) for column in contents.scores.values()],
        "problems": list(_parts(contents, picks)),
    }


def _parts(contents: RunContents, picks: Picks) -> Iterator[str]:
    """Yield every problem, packed; one at a time is in memory as it stands."""
    each = _MOST_TOKENS // len(contents.pools)
    recorded = "samples" in contents.manifest.settings
    for number, pool in enumerate(contents.pools):
        picked = [column[number] for column in picks.values()]
        first = {at for one in picked if one for at in (one.shown, one.passing) if at is not None}
        prompt: Prompt | None = None if recorded else contents.chosen.prompt_form.ask(pool.problem)
        shown = fitting(pool, each, first)
        yield packed(problem_part(pool, prompt, contents.origins, with_tokens=shown))


def _figures(contents: RunContents, picks: Picks, best: str | None) -> dict[str, Any]:
    """Return tiles, table and charts; a run without any grade has none."""
    if not any(pool.graded for pool in contents.pools):
        empty: dict[str, Any] = dict.fromkeys(
            ("tiles", "figures", "curve_rows", "curve_sizes", "extra_tables"), ()
        )
        return {**empty, "charts": None}
    passes, random = pass_at_k_curve(contents), random_curve(contents)
    curves, gaps = best_of_n_curves(contents), gaps_closed(contents)
    rows = page_facts.figures(contents, passes, random, curves, gaps, best)
    own = next((row for row in rows if row.name == best), None)
    last = passes.points[-1]
    names = {"pass@k (oracle)": passes, "random": random, **curves}
    sizes = sorted({point.k for curve in (random, *curves.values()) for point in curve.points})
    return {
        "tiles": page_facts.tiles(
            random.points[-1].estimate, last.estimate, own, picks[best] if best else (), n=str(last.k)
        ),
        "figures": rows,
        "charts": _charts(contents, passes, random, curves, gaps),
        "curve_sizes": sizes,
        "curve_rows": [{"name": name, "figures": _at(curve, sizes)} for name, curve in names.items()],
        "extra_tables": list(page_tables(contents)),
    }


def _at(curve: Curve, sizes: Sequence[int]) -> list[float | None]:
    known = {point.k: point.estimate.value for point in curve.points}
    return [known.get(size) for size in sizes]


def _charts(
    contents: RunContents,
    passes: Curve,
    random: Curve,
    curves: Mapping[str, Curve],
    gaps: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the charts by what they show."""
    (only,) = series_of(["pass@k"])
    made: dict[str, Any] = {"best": None, "passes": _markup(curves_chart({only: passes}, of="pass@k", x="k"))}
    if not curves:
        return made
    by_value = sorted(curves, key=lambda name: -curves[name].points[-1].estimate.value)
    series = series_of(by_value)
    bounds = series_of(["oracle", "random"])
    bounds = [
        each._replace(colour="var(--muted)", shape="", dash=dash)
        for each, dash in zip(bounds, ((), (4, 4)), strict=True)
    ]
    sizes = {point.k for point in random.points}
    oracle = Curve("oracle", tuple(point for point in passes.points if point.k in sizes))
    drawn = {bounds[0]: oracle, bounds[1]: random, **{each: curves[each.name] for each in series}}
    made["best"] = {
        "svg": _markup(curves_chart(drawn, of="best-of-n", x="n", whole=False)),
        "series": [*bounds, *(_as_drawn(each, curves[each.name]) for each in series)],
        "shown": {"oracle", "random", *by_value[:_CURVES_SHOWN]},
    }
    made["gaps"] = _markup(gaps_chart(gaps))
    taken = contents.report.rerankers if contents.report is not None else {}
    costs = {
        name: (each.cost.seconds, each.gap_closed.value)
        for name, each in taken.items()
        if each.cost is not None and each.gap_closed is not None
    }
    made["cost"] = _cost(costs, series) if costs else None
    made["by_reranker"] = list(_by_reranker(contents))
    return made


def _as_drawn(series: Series, curve: Curve) -> Series:
    return series._replace(dash=ENDS_ONLY) if curve.note else series


def _cost(costs: Mapping[str, tuple[float, float]], series: Sequence[Series]) -> dict[str, Any]:
    """Return the chart of gain and cost with its key, and what it lacks, in words."""
    lacking = [each.name for each in series if each.name not in costs]
    missing = f" Missing, for what they took is not known: {'; '.join(lacking)}." if lacking else ""
    known = [each for each in series if each.name in costs]
    return {"svg": _markup(cost_chart(costs, known)), "series": known, "signs": SIGNS, "missing": missing}


def _by_reranker(contents: RunContents) -> Iterator[_ByReranker]:
    distributions, parted, calibrated = (
        score_distributions(contents),
        separations(contents),
        calibrations(contents),
    )
    for name in contents.scores:
        yield _ByReranker(
            _markup(distribution_chart(name, distributions[name])),
            _markup(calibration_chart(name, calibrated[name])),
            _separation(name, parted[name], distributions[name]),
            _error(name, calibrated[name]),
        )


def _separation(name: str, found: Separation, scores: ScoreDistribution) -> str:
    if found.within is None:
        return "No problem has candidates of both kinds."
    unscored = scores.abstained_passing + scores.abstained_failing
    what = "left out or without a score" if keeps_some(name) else "without a score"
    counted = f"candidate {what} counts" if unscored == 1 else f"candidates {what} count"
    silent = f" {unscored:,} {counted} as last; no bar shows them." if unscored else ""
    return (
        f"Within a problem, a passing candidate outranks a failing one in {100 * found.within:.1f} % of "
        f"pairs; 50 % would say nothing.{silent}"
    )


def _error(name: str, found: Calibration) -> str:
    one = found.abstained == 1
    left_out = f" or {'was' if one else 'were'} left out" if keeps_some(name) else ""
    have = f"{found.abstained:,} candidate{' has' if one else 's have'} no score{left_out}."
    abstained = f" {have}" if found.abstained else ""
    if found.error is None:
        return f"Share of candidates that pass, by their score; about equally many at each point.{abstained}"
    off = f"they are off by {found.error:.2f}"
    return f"Were scores chances, points would lie on the dashed line; {off}.{abstained}"


def _environment() -> Any:
    try:
        import jinja2
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise ParameterError(
            f"a page needs {error.name}, which is not installed: pip install 'codesample[html]'"
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("page")),
        autoescape=True,
        finalize=_seen,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["breakable"] = _breakable
    return environment


def _breakable(text: str) -> Any:
    """Return text whose lines may end behind the commas and low lines of a reranker's name."""
    from markupsafe import escape

    parts = re.split(r"(?<=[,_|])(?=\S)", _seen(text))
    return _markup("<wbr>").join(map(escape, parts))


def _seen(value: Any) -> Any:
    """Return text without what cannot be seen or stored, such as controls and half surrogates, as numbers."""
    if not isinstance(value, str) or hasattr(value, "__html__") or value.isprintable():
        return value
    return "".join(char if char.isprintable() or char == "\n" else f"<U+{ord(char):04X}>" for char in value)


def _markup(text: str) -> Any:
    """Return text of ours that is markup, style or script already."""
    from markupsafe import Markup

    return Markup(text)


def _script() -> str:
    folder = Path(__file__).with_name("page")
    parts = [(folder / name).read_text(encoding="utf-8") for name in _SCRIPTS]
    return "\n".join(['(() => {\n"use strict";', *parts, "})();"])


def _style() -> str:
    return str(_environment().get_template("style.css.j2").render(light=LIGHT, dark=DARK))


def _policy(script: str, style: str) -> str:
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
