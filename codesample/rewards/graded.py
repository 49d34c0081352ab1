"""What an answer earned: the reward, and what came of its program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from codesample.errors import ParameterError
from codesample.evaluation.parse_check import does_not_parse
from codesample.records import Status, Verdict
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["Graded", "Weights", "metrics_of"]

_TIME_OUTS = (Status.CPU_TIMEOUT, Status.WALL_TIMEOUT)
# the program lived to the end of its checks, whatever they said
_RAN = (Status.WRONG, Status.ERROR, Status.UNSUPPORTED_VALUE)
_NOTHING_FOUND = {"empty", "thinking", "unparsed"}


@dataclass(frozen=True, slots=True)
class Graded:
    """One answer's grade.

    Attributes:
        reward: None where nobody can say: the harness failed, or the tests could have been faked.
        status: Of its program.
        share: Share of the tests' checks that it passed; 1.0 or 0.0 where the tests are one whole.
        found: Whether the answer holds a program.
        detail: Why, in words; never trusted.
    """

    reward: float | None
    status: Status
    share: float
    found: bool
    detail: str

    __repr__ = one_line


@validated
@dataclass(frozen=True, slots=True)
class Weights:
    """What each outcome is worth. A program that passes is worth 1.0.

    Attributes:
        partial: Whether a program that ran to the end of its checks earns the share of them that it passed;
            0.0 otherwise, and for whatever hit a limit or ended itself.
        no_program: What an answer earns that holds no Python; at most 0.

    Raises:
        ParameterError: `no_program` above 0, which would reward saying nothing, or no number.
    """

    partial: bool = False
    no_program: float = 0.0

    __repr__ = one_line

    def __post_init__(self) -> None:
        if not float("-inf") < self.no_program <= 0:
            raise ParameterError(
                f"no_program = {self.no_program!r}: expected a number of at most 0, such as -0.5"
            )

    def graded(self, verdict: Verdict, rule: str) -> Graded:
        """Grade a verdict on a program that was found by this rule."""
        detail = verdict.detail.strip()
        if verdict.status is Status.HARNESS_ERROR:
            return Graded(None, verdict.status, 0.0, True, detail or "no reason known")
        if verdict.passed:
            return Graded(1.0, verdict.status, 1.0, True, detail)
        found = _NOTHING_FOUND.isdisjoint(rule.split("+")) and not does_not_parse(verdict)
        share = _share(verdict) if found else 0.0
        earned = share if self.partial else 0.0
        return Graded(earned if found else self.no_program, verdict.status, share, found, detail)


def _share(verdict: Verdict) -> float:
    if verdict.status not in _RAN or not verdict.checks:
        return 0.0
    # what did not pass is worth less than what did, also where each check held and a statement beside failed
    return sum(verdict.checks) / (len(verdict.checks) + all(verdict.checks))


def metrics_of(grades: Sequence[Graded]) -> dict[str, float]:
    """Return shares by name, for a log.

    Of those judged `passed`, `timeouts`, `no_program` and, of the checks, `checks_passed`; of all,
    `harness_errors`, which stands alone where none was judged.
    """
    judged = [each for each in grades if each.status is not Status.HARNESS_ERROR]
    found = {"harness_errors": 1 - len(judged) / len(grades)} if grades else {}
    if not judged:
        return found
    statuses = Counter(each.status for each in judged)
    return {
        "passed": statuses[Status.PASSED] / len(judged),
        "checks_passed": sum(each.share for each in judged) / len(judged),
        "timeouts": sum(statuses[each] for each in _TIME_OUTS) / len(judged),
        "no_program": sum(not each.found for each in judged) / len(judged),
        **found,
    }
