"""One problem of a run: what was asked, and its different programs with verdicts, scores and picks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rich.text import Text

from codesample.evaluation.closer_look import ProgramGroup, asked_of, check_at, grouped, taken_of
from codesample.evaluation.environment import engine_facts
from codesample.evaluation.headline import form_text
from codesample.evaluation.members import is_ranked
from codesample.evaluation.picks import Pick, order_of, pick_of, places
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool
from codesample.records import CallExample, ScriptExample, Status, Tests
from codesample.records.counted import counted
from codesample.reports.choice_reason import choice_reason, left_out_text, score_text
from codesample.reports.page_lines import Surface, code_lines, cut, labelled
from codesample.reports.status_marks import STYLES, mark, status_bar

__all__ = ["check_lines", "problem_page"]

# lines of a program on this page, checks, indices of a program and of a tie that are shown; lines of the
# prompt that are repeated
_CODE_LINES, _CHECKS, _INDICES, _TIED, _REPEATED = 12, 5, 24, 5, 3
_CHARACTERS = 300


def problem_page(
    contents: RunContents,
    pool: Pool,
    surface: Surface,
    *,
    statuses: Collection[Status] = (),
    first: int = 1,
    last: int = 40,
    tests: bool = True,
) -> Iterator[Text]:
    """Yield the page line by line.

    Args:
        statuses: Only programs with one of these verdicts; () for all.
        first, last: Which of the different programs are shown, by their places from 1.
        tests: Whether hidden tests and the reference are.
    """
    return _Page(contents, pool, surface).lines(statuses, first, last, tests=tests)


def check_lines(
    tests: Tests, positions: Sequence[int], surface: Surface, *, most: int = _CHECKS
) -> Iterator[Text]:
    """Yield some checks of hidden tests, and how many more there are."""
    for at in positions[:most]:
        check = check_at(tests, at)
        part = f" ({check.part})" if check.part else ""
        if check.expected:
            yield from labelled(f"  {check.number}{part}", "input", surface)
            yield from code_lines(cut(check.text, _CHARACTERS), surface, python=False, most=_CODE_LINES)
            yield from labelled("", "must print", surface)
            yield from code_lines(cut(check.expected, _CHARACTERS), surface, python=False, most=_CODE_LINES)
            continue
        yield Text(f"  {check.number}{part}", style="dim")
        yield from code_lines(cut(check.text, _CHARACTERS), surface, most=_CODE_LINES)
    if len(positions) > most:
        yield Text(f"  ... {len(positions) - most:,} more; all with --json", style="dim")


@dataclass(frozen=True, slots=True)
class _Column:
    """A reranker's scores of all candidates, their places, and the indices of those that it puts first.

    `left_out` says of positions why they have no score, "" where nothing is known.
    """

    name: str
    scores: Sequence[float | None]
    places: Sequence[tuple[int, int]]
    first: frozenset[int]
    left_out: Callable[[Sequence[int]], str]

    def said_of(self, positions: Sequence[int], indices: Sequence[int]) -> str:
        """Say what candidates with one program got; equal programs can have different scores."""
        best = min(self.places[at][0] for at in positions)
        worst = max(self.places[at][1] for at in positions)
        where = f"place {best}" if best == worst else f"places {best}-{worst}"
        picked = "" if self.first.isdisjoint(indices) else " <- first choice"
        return f"{self.name} {self._scores_of(positions)}{where}{picked}"

    def _scores_of(self, positions: Sequence[int]) -> str:
        """Say the scores, but where they are places themselves."""
        scores = sorted(map(order_of, {self.scores[at] for at in positions}))
        (lowest, low), (_, high) = scores[0], scores[-1]
        if is_ranked(self.name):
            return "" if lowest else f"{self.left_out(positions) or 'abstains'}, "
        first, last = score_text(low if lowest else None), score_text(high if scores[-1][0] else None)
        return f"{first if first == last else f'{first} to {last}'}, "


@dataclass(frozen=True, slots=True)
class _Page:
    contents: RunContents
    pool: Pool
    surface: Surface

    def lines(self, statuses: Collection[Status], first: int, last: int, *, tests: bool) -> Iterator[Text]:
        yield from self._head()
        yield Text("")
        yield from self._prompt()
        yield Text("")
        yield from self._picks()
        yield Text("")
        yield from self._programs(statuses, first, last)
        if tests:
            yield Text("")
            yield from self._hidden()

    def _head(self) -> Iterator[Text]:
        manifest, pool, surface = self.contents.manifest, self.pool, self.surface
        counts = Counter(each.status for each in pool.verdicts)
        said = ", ".join(f"{counts[each]} {each}".replace("_", " ") for each in Status if counts[each])
        candidates = f"{counted(len(pool.candidates), 'candidate')} of {manifest.model}"
        title = f"{pool.problem.task_id} of {manifest.task}: {candidates}"
        yield Text(surface.line(title), style="bold")
        bar = status_bar(counts, width=surface.width - 2, plain=surface.plain)
        yield Text.assemble("  ", bar)
        yield Text(f"  {said}")

    def _prompt(self) -> Iterator[Text]:
        surface, problem = self.surface, self.pool.problem
        asked = asked_of(self.contents, problem)
        if engine_facts(self.contents.manifest.sessions).recorded:
            yield from labelled(
                "prompt", "the task's own; what recorded samples were asked is not known", surface
            )
        else:
            yield from labelled("prompt", form_text(self.contents.manifest.prompt), surface)
        if isinstance(asked, str):
            yield from code_lines(asked, surface)
        else:
            for each in asked:
                yield Text(f"  {surface.line(each.role)}:", style="bold")
                yield from code_lines(each.content, surface, python=False)
        if problem.examples:
            yield from labelled("examples", str(len(problem.examples)), surface)
        for example in problem.examples:
            if isinstance(example, CallExample):
                yield from code_lines(f"{example.call} == {example.expected}", surface)
            elif isinstance(example, ScriptExample):
                text = f"{example.input.rstrip()}\n-> {example.output.strip()}"
                yield from code_lines(text, surface, python=False, most=_CODE_LINES)

    def _picks(self) -> Iterator[Text]:
        if not self.contents.scores:
            yield from labelled("picks", "no reranker has scored these candidates", self.surface)
        for number, (name, pick) in enumerate(self._chosen().items()):
            style = "" if pick is None else STYLES[Status.PASSED if pick.passed else Status.WRONG]
            text = f"{name}: {self._pick_text(name, pick)}"
            yield from labelled("picks" if number == 0 else "", text, self.surface, style)

    def _chosen(self) -> Mapping[str, Pick | None]:
        name = self.pool.problem.task_id
        return {each: pick_of(self.pool, column[name]) for each, column in self.contents.scores.items()}

    def _pick_text(self, name: str, pick: Pick | None) -> str:
        if pick is None:
            return "nothing, for no candidate is graded"
        tied = len(pick.indices)
        sign = mark(Status.PASSED if pick.passed else Status.WRONG, plain=self.surface.plain)
        why = choice_reason(self.contents, self.pool, name, pick)
        if tied == 1:
            said = f"candidate {pick.indices[0]}, which {'passes' if pick.passed else 'fails'}"
            return f"{sign} {said}{why}"
        passing = f"{pick.passed} pass" if pick.passed > 1 else "1 passes"
        if 0 < pick.passed < tied:
            sign, every = "~", f"of which {passing}"
        else:
            every = "all of which pass" if pick.passed else "none of which passes"
        if tied == len(self.pool.graded):
            return f"{sign} any of all {tied}, {every}{why}"
        return f"{sign} one of the {tied} that tie ({_indices(pick.indices, _TIED)}), {every}{why}"

    def _programs(self, statuses: Collection[Status], first: int, last: int) -> Iterator[Text]:
        every = grouped(self.pool)
        wanted = [
            each
            for each in every
            if not statuses or any(self.pool.verdicts[at].status in statuses for at in each.positions)
        ]
        shown = wanted[first - 1 : last]
        said = f"{len(every)} different ones, the most frequent first"
        if statuses:
            said += f"; {len(wanted)} of them {' or '.join(statuses)}"
        if len(shown) < len(wanted):
            said += f"; {len(shown)} are shown, others by --limit {first}-{len(wanted)}"
        yield from labelled("programs", said, self.surface)
        columns = self._columns()
        for each in shown:
            yield Text("")
            yield from self._group(each, columns)

    def _columns(self) -> list[_Column]:
        chosen = self._chosen()
        return [
            _Column(
                name,
                scores,
                places(scores),
                frozenset(pick.indices if pick else ()),
                partial(left_out_text, self.contents, self.pool.problem.task_id, name=name),
            )
            for name, pick in chosen.items()
            for scores in [self.contents.scores[name][self.pool.problem.task_id]]
        ]

    def _group(self, group: ProgramGroup, columns: Sequence[_Column]) -> Iterator[Text]:
        pool, surface = self.pool, self.surface
        found = Counter(pool.verdicts[at].status for at in group.positions)
        said = Text(f"{len(group.positions):>4} x ")
        for status in Status:
            if status in found:
                count = f"{found[status]} " if len(found) > 1 else ""
                words = f"{mark(status, plain=surface.plain)} {count}{status} ".replace("_", " ")
                said.append(words, style=STYLES[status])
        indices = [pool.candidates[at].index for at in group.positions]
        said.append(f" candidate{'s' if len(indices) > 1 else ''} {_indices(indices)}")
        yield said
        for column in columns:
            style = "dim" if column.first.isdisjoint(indices) else ""
            yield from labelled("", column.said_of(group.positions, indices), surface, style)
        first = pool.candidates[group.positions[0]]
        own = _without(_shown(taken_of(first) or group.program), self._asked_lines())
        yield from code_lines(own, surface, most=_CODE_LINES)

    def _asked_lines(self) -> frozenset[str]:
        return frozenset(line.strip() for line in self.pool.problem.prompt.split("\n"))

    def _hidden(self) -> Iterator[Text]:
        problem, surface = self.pool.problem, self.surface
        if problem.reference is not None:
            yield from labelled("reference", "of the data set", surface)
            yield from code_lines(_shown(problem.reference), surface)
        source, count = getattr(problem.tests, "source", ""), problem.tests.check_count
        yield from labelled("tests", f"hidden{f', {count} checks' if count else ''}", surface)
        if source.strip():
            yield from code_lines(_shown(source), surface)
        yield from check_lines(problem.tests, range(count), surface)


def _shown(text: str) -> str:
    return text.strip("\n")


def _without(program: str, asked: frozenset[str]) -> str:
    """Leave out pieces of several lines that a program repeats of the prompt."""
    kept: list[str] = []
    repeated: list[str] = []
    for line in [*program.split("\n"), None]:
        if line is not None and line.strip() in asked:
            repeated.append(line)
            continue
        if len(repeated) > _REPEATED:
            kept.append(f"# ... {len(repeated)} lines as in the prompt")
        else:
            kept += repeated
        repeated = []
        kept += [] if line is None else [line]
    return "\n".join(kept)


def _indices(indices: Sequence[int], most: int = _INDICES) -> str:
    more = len(indices) - most
    return " ".join(map(str, indices[:most])) + (f" and {more} more" if more > 0 else "")
