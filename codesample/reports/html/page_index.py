"""What a page knows at once of every problem; the rest of one is read when it is looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from codesample.evaluation.abstaining import silent_members, why_abstained
from codesample.evaluation.closer_look import check_at, failed_checks
from codesample.evaluation.members import (
    MembersGave,
    decided_by,
    is_ranked,
    keeps_some,
    left_out_by,
    members_of,
)
from codesample.evaluation.naming import explained
from codesample.evaluation.picks import Pick
from codesample.evaluation.scoring import Pool, Scores
from codesample.records import Problem, Status, Tests, Verdict
from codesample.reports.html.problem_parts import Once
from codesample.runs import MemberScores

__all__ = ["LETTERS", "Picks", "page_index", "scores_column", "title_of"]

LETTERS = {
    Status.PASSED: "p",
    Status.WRONG: "w",
    Status.ERROR: "e",
    Status.CPU_TIMEOUT: "t",
    Status.WALL_TIMEOUT: "t",
    Status.MEMORY: "m",
    Status.OUTPUT_LIMIT: "o",
    Status.CRASHED: "c",
    Status.UNSUPPORTED_VALUE: "u",
    Status.HARNESS_ERROR: "h",
}
"""A letter by status, in the page's data; a pass that does not count is "k"."""

Picks = Mapping[str, Sequence[Pick | None]]
"""By reranker, what it puts first of each problem."""

_LONGEST_TITLE = 110
_LONGEST_REASON = 200
_LONGEST_STATEMENT = 160
# how a verdict's detail begins the statement of the tests that failed
_STATEMENT = re.compile(r"^(?:(?:line \d+ of )?(?:the tests|check \d+)): (.+)$", re.MULTILINE)


def page_index(
    gathered: Sequence[Pool],
    scores: Mapping[str, Scores],
    picks: Picks,
    best: str | None,
    *,
    members: Mapping[str, MemberScores] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return plain JSON data: names of rerankers, and of each problem its verdicts, groups and choices.

    Args:
        gathered: The problems.
        scores: By reranker.
        picks: What they put first, by reranker, in the order of the problems.
        best: The reranker that is shown first.
        members: As `RunContents.members`.
    """
    names = list(picks)
    reasons = Once[str]()
    problems = []
    for number, pool in enumerate(gathered):
        programs = Once[tuple[str | None, Status]]()
        rows = {name: column[pool.problem.task_id] for name, column in scores.items()}
        gave = {name: each.get(pool.problem.task_id) for name, each in members.items()}
        chosen = [
            _choice(pool, name, picks[name][number], rows, reasons, gave=gave.get(name)) for name in names
        ]
        problems.append(
            {
                "id": pool.problem.task_id,
                "title": title_of(pool.problem),
                "verdicts": "".join(_letter(each, pool.strict) for each in pool.verdicts),
                "groups": [
                    programs.place((candidate.program, verdict.status))
                    for candidate, verdict in zip(pool.candidates, pool.verdicts, strict=True)
                ],
                "picks": chosen,
                "left": [_left_out(name, gave.get(name) or {}) for name in names],
                **_indices(pool),
            }
        )
    return {
        "rerankers": names,
        "ranked": [is_ranked(name) for name in names],
        "words": [explained(name) for name in names],
        "narrowing": [keeps_some(name) for name in names],
        "members": [[_member(each, names) for each in members_of(name)] for name in names],
        "best": None if best is None else names.index(best),
        "reasons": reasons.values,
        "problems": problems,
    }


def scores_column(gathered: Sequence[Pool], column: Scores) -> list[list[float | None]]:
    """Return one reranker's scores by problem, to seven digits."""
    return [[_digits(each) for each in column[pool.problem.task_id]] for pool in gathered]


def title_of(problem: Problem) -> str:
    """Return a line that tells problems apart: the first sentence of what a person would read."""
    text = problem.description or problem.prompt
    if problem.entry_point:
        # helpers may stand before what is asked for
        defined = re.search(rf"^\s*(async\s+)?def\s+{re.escape(problem.entry_point)}\b", text, re.MULTILINE)
        text = text[defined.start() :] if defined else text
    inside = re.search(r'("""|\'\'\')["\'\s]*(.*?)(?:\1|\n\s*\n|>>>|\Z)', text, re.DOTALL)
    words = " ".join((inside[2] if inside and inside[2].strip() else text).split())
    return words if len(words) <= _LONGEST_TITLE else f"{words[: _LONGEST_TITLE - 1]}…"


def _letter(verdict: Verdict, strict: bool) -> str:
    weak = strict and verdict.passed and verdict.integrity == "weak"
    return "k" if weak else LETTERS[verdict.status]


def _indices(pool: Pool) -> dict[str, Any]:
    """Return the candidates' indices where they are not 0, 1, 2 and so on."""
    indices = [each.index for each in pool.candidates]
    return {} if indices == list(range(len(indices))) else {"indices": indices}


def _choice(
    pool: Pool,
    name: str,
    pick: Pick | None,
    rows: Mapping[str, Sequence[float | None]],
    reasons: Once[str],
    *,
    gave: MembersGave | None,
) -> list[Any] | None:
    if pick is None:
        return None
    verdict = pool.verdicts[pick.shown]
    decided = None
    if pick.passing is not None and not pick.passed:
        decided = decided_by(name, rows, pick.shown, pick.passing, gave=gave)
    known = gave or {each: dict(enumerate(row)) for each, row in rows.items()}
    return [
        round(pick.share, 6),
        len(pick.indices),
        pick.shown,
        _digits(pick.score),
        pick.passing,
        _digits(pick.passing_score),
        pick.rank,
        None if verdict.passed else reasons.place(_reason(verdict)),
        None if pick.score is not None else reasons.place(why_abstained(name, pool.problem)),
        decided
        and [
            decided.member,
            decided.scores and [_digits(each) for each in decided.scores],
            decided.kept[-1:],
        ],
        None
        if not gave or pick.passing is None
        else _gave(name, gave, (pick.shown, pick.passing), of=len(pool.candidates)),
        [[each, reasons.place(why)] for each, why in silent_members(name, known, pool.problem)],
        None if verdict.passed else _failed(pool.problem.tests, verdict, reasons),
    ]


def _gave(name: str, gave: MembersGave, pair: tuple[int, int], *, of: int) -> list[list[Any]]:
    """Return what the members of a composition gave two candidates; False where one was not asked.

    Each with how many candidates it was asked about, None where these were all.
    """
    return [
        [
            each,
            *(_digits(gave[each][at]) if at in gave[each] else False for at in pair),
            len(gave[each]) if len(gave[each]) < of else None,
        ]
        for each in members_of(name)
        if each in gave
    ]


def _left_out(name: str, gave: MembersGave) -> list[tuple[str, list[int]]]:
    """Return the filters of a composition, with the positions that each left out."""
    found: dict[str, list[int]] = {}
    for at, by in left_out_by(name, gave).items():
        found.setdefault(by, []).append(at)
    return list(found.items())


def _failed(tests: Tests, verdict: Verdict, reasons: Once[str]) -> list[Any]:
    """Return the statement that failed, or the first such check, and how many checks do not hold of all."""
    failed = failed_checks(tests, verdict)
    named = _STATEMENT.search(verdict.detail)
    text = named[1] if named else check_at(tests, failed[0]).whole if failed else ""
    line = " ".join(text.split())
    if len(line) > _LONGEST_STATEMENT:
        line = f"{line[: _LONGEST_STATEMENT - 1]}…"
    return [reasons.place(line), len(failed), tests.check_count]


def _member(name: str, rerankers: Sequence[str]) -> list[Any]:
    """Return a member's name, and its number among those whose scores the page has."""
    return [name, rerankers.index(name) if name in rerankers else None]


def _reason(verdict: Verdict) -> str:
    """Return why a candidate fails, in a line: the last of its traceback, or the limit that it hit."""
    lines = verdict.detail.strip().splitlines()
    last = lines[-1].strip().rstrip(":") if lines else ""
    return last[:_LONGEST_REASON]


def _digits(score: float | None) -> float | None:
    return None if score is None else float(f"{score:.7g}")
