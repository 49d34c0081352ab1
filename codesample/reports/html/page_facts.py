"""What a page says in words and figures: what was run, how, with which result, and what speaks against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from codesample.evaluation.curves import Curve
from codesample.evaluation.headline import form_text
from codesample.evaluation.intervals import Estimate
from codesample.evaluation.picks import Pick
from codesample.evaluation.policy_facts import policy_line
from codesample.evaluation.report import Report, Seconds
from codesample.evaluation.run_contents import RunContents
from codesample.records.counted import counted
from codesample.reports.html.page_index import Picks

__all__ = [
    "Figure",
    "Tile",
    "about",
    "figures",
    "first_reranker",
    "how_made",
    "notices",
    "size_text",
    "tiles",
]


# below this, one decimal shows nothing
_LEAST_SECONDS = 0.05


class Figure(NamedTuple):
    """A row of the table of figures; `no_gap` says why there is no gap closed, where that is to be said."""

    name: str
    estimate: Estimate
    gap: float | None = None
    gap_interval: Estimate | None = None
    no_gap: str = ""
    best: bool = False


class Tile(NamedTuple):
    """A figure that is read first; `link` leads to what it counts."""

    name: str
    value: str
    note: str
    strong: bool = False
    link: str = ""


def size_text(contents: RunContents) -> str:
    """Return how much there is: "107 problems × 32 candidates"."""
    counts = [len(pool.candidates) for pool in contents.pools]
    each = str(counts[0]) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    return f"{counted(len(counts), 'problem')} × {each} candidate{'' if each == '1' else 's'}"


def how_made(contents: RunContents) -> list[str]:
    """Return how the candidates came to be, in a few words each."""
    manifest = contents.manifest
    if "samples" in manifest.settings:
        return ["recorded samples"]
    params = manifest.params
    drawn = "greedy" if params.temperature == 0 else f"temperature {params.temperature:g}"
    return [f"prompts {form_text(manifest.prompt)}", drawn, f"seed {params.seed}"]


def notices(contents: RunContents) -> list[str]:
    """Return what weakens the figures or is missing from them, a sentence each."""
    said = list(contents.report.notices) if contents.report is not None else []
    if contents.report is not None:
        said += _doubts(contents.report)
    if contents.report is None:
        said.insert(0, "this run has no results yet; the figures are those of the candidates judged so far")
    if contents.unjudged:
        said.append(f"not on this page, for want of a verdict: {counted(contents.unjudged, 'candidate')}")
    pending = len(contents.chosen.problems) - len(contents.pools)
    if pending and contents.report is None:
        said.append(
            f"without any verdict yet: {counted(pending, 'problem')} of {len(contents.chosen.problems)}"
        )
    if contents.report is not None and contents.report.isolation in ("none", "limited"):
        said.append(f"programs were run at isolation {contents.report.isolation!r}, weaker than confined")
    return said


def _doubts(report: Report) -> list[str]:
    """Say what the figures of rerankers alone do not tell; what several have in common in one sentence."""
    by_kind: dict[str, list[tuple[str, str]]] = {}
    for name, chosen in report.rerankers.items():
        for kind, text in chosen.doubts(name, report.problems).items():
            by_kind.setdefault(kind, []).append((name, text))
    said = [text for kind in ("below", "undecided") for _, text in by_kind.get(kind, [])]
    silent = by_kind.get("abstained", [])
    if len(silent) > 1:
        counts = ((name, report.rerankers[name].abstained * report.problems) for name, _ in silent)
        listed = ", ".join(f"{name} on {count:.0f}" for name, count in counts)
        of = counted(report.problems, "problem")
        return [*said, f"Some rerankers gave no scores, and choose at random there: {listed}, of {of}"]
    return [*said, *(text for _, text in silent)]


def first_reranker(contents: RunContents, picks: Picks) -> str | None:
    """Return the reranker whose choices pass most often, the first of equals; None where there is none."""
    if not picks:
        return None
    counted = contents.report.rerankers if contents.report is not None else {}

    def figure(name: str) -> float:
        if name in counted:
            return counted[name].best_of_n.value
        return sum(each.share for each in picks[name] if each is not None)

    names = [name for name in picks if name in counted] or list(picks)
    return max(names, key=figure)


def tiles(
    random: Estimate,
    oracle: Estimate,
    best: Figure | None,
    chosen: Sequence[Pick | None],
    *,
    n: str,
) -> list[Tile]:
    """Return the figures that are read first.

    Args:
        random, oracle: Of choosing one of n candidates.
        best: Of the reranker with the highest figure, marked where that is above random; None where nothing
            has scored the run.
        chosen: What that one chooses, by problem.
    """
    made = [Tile("at random (pass@1)", _percent(random.value), _between(random))]
    if best is not None and best.best:
        said = f"{_between(best.estimate)}, {best.name}"
        made.append(Tile("best reranker", _percent(best.estimate.value), said, strong=True))
    made.append(Tile(f"oracle (pass@{n})", _percent(oracle.value), _between(oracle)))
    if best is not None and not best.best:
        why = f"none is above random, {best.name} comes nearest"
        if oracle.value <= random.value:
            why = "a random choice passes wherever one could"
        made.append(Tile("rerankers", "no gain", why))
    if best is not None and best.best:
        gap = "no gap" if best.gap is None else _percent(best.gap)
        between = (
            _between(best.gap_interval) if best.gap_interval is not None else "between random and oracle"
        )
        made.append(Tile("gap closed", gap, between))
    if best is not None:
        made.append(_lost(best, chosen))
    return made


def _lost(best: Figure, chosen: Sequence[Pick | None]) -> Tile:
    """Return how many problems a reranker is expected to lose, of those on which a candidate passes."""
    able = [each for each in chosen if each is not None and each.passing is not None]
    expected = sum(1 - each.share for each in able)
    lost = sum(each.share == 0 for each in able)
    ties = sum(0 < each.share < 1 for each in able)
    note = f"of {len(able)} that it could win"
    if ties:
        note += f": {lost} for sure, and its share of {ties} that it leaves to ties"
    name = "problems it loses" if best.best else "problems that one loses"
    return Tile(name, f"{expected:.3g}", note, link="#lost")


def figures(
    contents: RunContents,
    passes: Curve,
    random: Curve,
    best_of: Mapping[str, Curve],
    gaps: Mapping[str, Estimate | None],
    best: str | None,
) -> list[Figure]:
    """Return the table of figures: pass@k, random, every reranker from the best on, and the oracle."""
    by_k = {point.k: point.estimate for point in passes.points}
    wanted = contents.report.pass_at_k if contents.report is not None else {1: by_k[1]}
    rows = [Figure(f"pass@{k}", estimate) for k, estimate in wanted.items()]
    for name, part in (contents.report.parts if contents.report is not None else {}).items():
        rows += [Figure(f"pass@{k} on {name}", estimate) for k, estimate in part.items()]
    if contents.report is not None and contents.report.greedy is not None:
        greedy = contents.report.greedy
        rows.append(Figure(f"greedy (pass@1 of {greedy.run})", greedy.pass_at_1))
    chance = random.points[-1].estimate
    rows.append(Figure("one at random", chance, 0.0))
    found = [_of_reranker(contents, name, curve, gaps.get(name)) for name, curve in best_of.items()]
    found = [row._replace(best=row.name == best and row.estimate.value > chance.value) for row in found]
    rows += sorted(found, key=lambda row: -row.estimate.value)
    last = passes.points[-1]
    rows.append(Figure(f"oracle (pass@{last.k})", last.estimate, 1.0))
    return rows


def _of_reranker(contents: RunContents, name: str, curve: Curve, gap: Estimate | None) -> Figure:
    known = contents.report.rerankers.get(name) if contents.report is not None else None
    estimate = known.best_of_n if known is not None else curve.points[-1].estimate
    gap = known.gap_closed if known is not None else gap
    return Figure(name, estimate, None if gap is None else gap.value, gap, "no gap")


def about(contents: RunContents) -> Iterator[tuple[str, str]]:
    """Yield what is to be known of a run, name by name."""
    manifest, report = contents.manifest, contents.report
    yield "task", f"{manifest.task}, version {manifest.task_version}"
    yield "model", _model(manifest.model, manifest.sessions)
    if "samples" not in manifest.settings:
        yield "prompts", form_text(manifest.prompt)
        params = manifest.params
        chosen = [f"temperature {params.temperature:g}", f"top-p {params.top_p:g}"]
        chosen += [f"top-k {params.top_k}"] if params.top_k else []
        if params.max_new_tokens is not None:
            chosen.append(f"at most {counted(params.max_new_tokens, 'token')}")
        chosen.append(f"seed {params.seed}")
        yield "sampling", ", ".join(chosen)
    yield "data", manifest.data_hash[:16]
    verdicts = Counter(str(each.status) for pool in contents.pools for each in pool.verdicts)
    yield "verdicts", ", ".join(f"{count:,} {status}" for status, count in sorted(verdicts.items()))
    if report is not None:
        yield from _of_report(report)
    for session in manifest.sessions[-1:]:
        versions = session.get("versions", {})
        yield "versions", ", ".join(f"{name} {versions[name]}" for name in versions if versions[name])
        if started := session.get("started"):
            yield "last session", str(started)
    yield "run folder", str(contents.path)


def _of_report(report: Report) -> Iterator[tuple[str, str]]:
    integrity = ", ".join(f"{each.verdicts:,} {name}" for name, each in report.integrity.items())
    yield "isolation", f"{report.isolation}{f'; integrity {integrity}' if integrity else ''}"
    if report.strict:
        yield "strict", "passes that a program could have faked count in no figure"
    yield "engine", report.engine.reproducibility
    if report.policy:
        yield "policy", policy_line(report.policy)
    health = report.health
    parts = [
        counted(health.timeouts, "time-out"),
        f"{health.retried} run twice",
        f"{health.harness_errors} harness errors",
    ]
    if health.references_tried:
        parts.insert(0, f"{health.references_passed} of {health.references_tried} references pass")
    if health.load is not None:
        parts.append(f"load {health.load:.1f} on {health.processors} cores")
    yield "health", ", ".join(parts)
    if report.rules and set(report.rules) != {"continuation"}:
        yield "answers read by", ", ".join(f"{count:,} {rule}" for rule, count in report.rules.items())
    seconds = report.seconds
    spent = [f"{name} {each:.1f} s" for name, each in _spent(seconds) if each >= _LEAST_SECONDS]
    yield "time", ", ".join([*spent, f"{seconds.total:.1f} s in all"])
    speed = f", {report.tokens_per_second:,.0f} a second" if report.tokens_per_second else ""
    yield "tokens", f"{report.tokens:,}{speed}"
    if report.theirs is not None:
        theirs = report.theirs
        yield "their verdicts", f"{theirs.agree:,} of {theirs.compared:,} agree with those of {theirs.form}"


def _spent(seconds: Seconds) -> list[tuple[str, float]]:
    return [("sampling", seconds.sampling), ("execution", seconds.execution)]


def _model(name: str, sessions: Sequence[Mapping[str, Any]]) -> str:
    loaded = sessions[-1].get("model", {}) if sessions else {}
    parts = [name, *(str(loaded[each]) for each in ("revision", "architecture", "dtype") if loaded.get(each))]
    if loaded.get("parameters"):
        parts.append(f"{loaded['parameters'] / 1e6:,.0f} million parameters")
    return ", ".join(parts)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %".replace("-", "−")


def _between(estimate: Estimate) -> str:
    return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f} %".replace("-", "−")
