"""What the text of tests settles before any program is there: their form, and whose names they use."""

from __future__ import annotations

from dataclasses import dataclass

from codesample.execution.worker.form import form_of, starred_names
from codesample.execution.worker.wanted_names import wanted_names
from codesample.records import CodeTests, ScriptTests, Tests

__all__ = ["TestsFacts", "facts_of"]


@dataclass(frozen=True, slots=True)
class TestsFacts:
    """What is known of a problem's tests.

    Attributes:
        form: "split", "io" or "weak": the integrity that verdicts will have.
        reason: Why the form is weak; "" for the others.
        names: What the tests take from the program beside its entry point, sorted: the program can define
            it as it likes.
    """

    # pytest would collect a class of this name
    __test__ = False

    form: str
    reason: str = ""
    names: tuple[str, ...] = ()


def facts_of(tests: Tests) -> TestsFacts:
    """Read off tests how they will judge; runs no program."""
    if isinstance(tests, ScriptTests):
        return TestsFacts("io")
    if not isinstance(tests, CodeTests):
        return TestsFacts("split")
    text = "\n".join((tests.stub, tests.source, *tests.checks))
    try:
        wanted = wanted_names(text, tests.entry_point, starred_names(text)).program
    except (SyntaxError, ValueError):
        # they judge nothing, which the reference's verdict says
        wanted = ()
    names = tuple(sorted(name for name in wanted if name != tests.entry_point))
    form, reason = _form(tests)
    return TestsFacts(form, reason, names)


def _form(tests: CodeTests) -> tuple[str, str]:
    if tests.mode == "in_process":
        return "weak", "asked for by the tests"
    if tests.mode == "split":
        return "split", ""
    try:
        form = form_of(tests)
    except (SyntaxError, ValueError):
        return "split", ""
    return ("split", "") if form.split else ("weak", form.reason)
