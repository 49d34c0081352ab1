"""One candidate of a run: its answer, its program, its verdict with what failed, and its scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.text import Text

from codesample.evaluation.closer_look import answer_of, failed_checks, taken_of
from codesample.evaluation.members import is_ranked
from codesample.evaluation.picks import places
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool
from codesample.records import Candidate, Verdict
from codesample.records.counted import counted
from codesample.reports.choice_reason import left_out_text, members_text, score_text
from codesample.reports.page_lines import Surface, code_lines, labelled, lines_of_spans
from codesample.reports.problem_page import check_lines
from codesample.reports.status_marks import STYLES, mark
from codesample.reports.token_lines import token_lines

__all__ = ["candidate_page"]

_MIB = 2**20
_DETAIL_LINES = 40


def candidate_page(
    contents: RunContents, pool: Pool, at: int, surface: Surface, *, tokens: bool = False, tests: bool = True
) -> Iterator[Text]:
    """Yield the page line by line.

    Args:
        at: Position of the candidate in the pool.
        tokens: Whether each token is shown with how likely the model found it.
        tests: Whether hidden tests are shown.
    """
    return _Page(contents, pool, at, surface).lines(tokens=tokens, tests=tests)


@dataclass(frozen=True, slots=True)
class _Page:
    contents: RunContents
    pool: Pool
    at: int
    surface: Surface

    @property
    def _candidate(self) -> Candidate:
        return self.pool.candidates[self.at]

    @property
    def _verdict(self) -> Verdict:
        return self.pool.verdicts[self.at]

    def lines(self, *, tokens: bool, tests: bool) -> Iterator[Text]:
        candidate, verdict, surface = self._candidate, self._verdict, self.surface
        sign = f"{mark(verdict.status, plain=surface.plain)} {verdict.status}".replace("_", " ")
        title = f"{candidate.task_id}, candidate {candidate.index} of {len(self.pool.candidates)}: "
        yield Text.assemble((surface.line(title), "bold"), (sign, STYLES[verdict.status]))
        yield from labelled("sampled", self._sampled(), surface)
        yield from self._answer()
        yield from self._program()
        yield Text("")
        yield from self._judged(tests=tests)
        yield Text("")
        yield from self._scores()
        if tokens:
            yield Text("")
            yield from token_lines(candidate, surface)

    def _sampled(self) -> str:
        candidate = self._candidate
        parts = [f"{len(candidate.completion):,} characters"]
        if candidate.token_ids is not None:
            parts.append(f"{counted(len(candidate.token_ids), 'token')}")
        if candidate.finish_reason is not None:
            stop = f" at {candidate.stop!r}" if candidate.stop is not None else ""
            parts.append(f"ended by {candidate.finish_reason}{stop}")
        if candidate.logprobs:
            mean = sum(candidate.logprobs) / len(candidate.logprobs)
            parts.append(f"log-probability {sum(candidate.logprobs):.2f}, mean {mean:.3f} per token")
        elif candidate.logprobs is None:
            parts.append("no log-probabilities recorded")
        return ", ".join(parts)

    def _answer(self) -> Iterator[Text]:
        """Yield what the model wrote, where the program does not show all of it anyway."""
        candidate, surface = self._candidate, self.surface
        answer = answer_of(self.contents, candidate)
        if answer == candidate.completion and (
            self._begin_in_program() is not None or answer == candidate.program
        ):
            return
        yield Text("")
        if answer != candidate.completion:
            # another tool made the program of it
            yield from labelled("answer", "as the recorded file has it", surface)
            yield from code_lines(answer, surface, python=False, numbered=True)
            return
        if candidate.spans is None:
            yield from labelled(
                "answer", "which parts of it the program was made of is not recorded", surface
            )
            yield from code_lines(answer, surface, python=False, numbered=True)
            return
        spans = ", ".join(f"{begin}-{end}" for begin, end in candidate.spans) or "nothing of it"
        said = f"read by rule {candidate.rule!r}; taken, and marked >: characters {spans}"
        yield from labelled("answer", said, surface)
        marked = lines_of_spans(answer, candidate.spans)
        yield from code_lines(answer, surface, python=False, numbered=True, marked=marked)

    def _begin_in_program(self) -> int | None:
        """Return where the program holds all that the model wrote, in one piece; None where it does not."""
        candidate = self._candidate
        program, taken = candidate.program or "", taken_of(candidate)
        if not taken or taken != candidate.completion or program.count(taken) != 1:
            return None
        return program.index(taken)

    def _program(self) -> Iterator[Text]:
        candidate, surface = self._candidate, self.surface
        program = candidate.program or ""
        yield Text("")
        if not program.strip():
            yield from labelled("program", "empty: nothing was found to run", surface)
            return
        begin, marked, said = self._begin_in_program(), None, "what was run"
        if begin is not None and begin > 0:
            said += "; lines marked > are the model's"
            marked = lines_of_spans(program, [(begin, begin + len(candidate.completion))])
        yield from labelled("program", said, surface)
        yield from code_lines(program, surface, numbered=True, marked=marked)

    def _judged(self, *, tests: bool) -> Iterator[Text]:
        verdict, surface, hidden = self._verdict, self.surface, self.pool.problem.tests
        yield from labelled("verdict", self._verdict_text(), surface, STYLES[verdict.status])
        if verdict.detail.strip():
            yield from code_lines(verdict.detail, surface, python=False, most=_DETAIL_LINES)
        origin = self.contents.origins.get((verdict.task_id, verdict.index))
        if origin is not None and (origin.passed is not None or origin.said):
            theirs = origin.said or ("passed" if origin.passed else "failed")
            yield from labelled("theirs", f"{theirs} ({origin.where})", surface)
        failed = failed_checks(hidden, verdict)
        if verdict.checks:
            held = sum(verdict.checks)
            said = f"{held} of {len(verdict.checks)} held"
            if failed:
                said += "; these failed or were not reached:"
            yield from labelled("checks", said, surface)
        if tests and not verdict.passed:
            yield from check_lines(hidden, failed, surface)
            source = getattr(hidden, "source", "")
            if source.strip():
                yield from labelled("tests", "hidden", surface)
                yield from code_lines(source.strip("\n"), surface, numbered=True)

    def _verdict_text(self) -> str:
        verdict = self._verdict
        parts = [
            str(verdict.status).replace("_", " "),
            f"{verdict.cpu_seconds:.3f} s of CPU",
            f"{verdict.wall_seconds:.3f} s",
        ]
        if verdict.peak_memory is not None:
            parts.append(f"{verdict.peak_memory / _MIB:.0f} MiB")
        parts.append(f"integrity {verdict.integrity}")
        if verdict.first_try is not None:
            parts.append(f"first try {verdict.first_try}, then tried again alone".replace("_", " "))
        return ", ".join(parts)

    def _scores(self) -> Iterator[Text]:
        if not self.contents.scores:
            yield from labelled("scores", "no reranker has scored this run", self.surface)
        total = len(self.pool.candidates)
        for number, (name, column) in enumerate(self.contents.scores.items()):
            scores = column[self.pool.problem.task_id]
            first, last = places(scores)[self.at]
            where = f"place {first}" if first == last else f"places {first}-{last}, tied"
            score = f"{score_text(scores[self.at])}, "
            if is_ranked(name):
                # its scores are places, from the last one on
                left_out = left_out_text(self.contents, self.pool.problem.task_id, [self.at], name)
                score = f"{left_out or 'abstains'}, " if scores[self.at] is None else ""
            text = f"{name}: {score}{where} of {total}"
            if given := members_text(self.contents, self.pool.problem.task_id, self.at, name):
                text += f"; of its members {given}"
            yield from labelled("scores" if number == 0 else "", text, self.surface)
