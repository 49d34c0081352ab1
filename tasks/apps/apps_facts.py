"""What the page of all tasks says of APPS."""

from __future__ import annotations

from codesample.tasks.facts import TaskFacts

__all__ = ["apps_facts"]

_COUNTS = {None: 5000, "introductory": 1000, "interview": 3000, "competition": 1000}


def apps_facts(difficulty: str | None) -> TaskFacts:
    """Return the facts of all test problems, or of one level."""
    level = f" of level {difficulty}" if difficulty else ""
    return TaskFacts(
        summary=f"Contest problems in words{level}: a program that reads and prints, or a function.",
        # those that nothing can be judged by are left out, by name
        problems=None,
        split=f"the test split, {_COUNTS[difficulty]:,} published, or all of a file",
        hub_id="codeparrot/apps, test.jsonl",
        files=("test.jsonl",),
        licence="MIT",
        prompt="`QUESTION:`, statement, code to begin with, format, `ANSWER:`, as published.",
        tests="Inputs or calls with recorded outputs, about 21 each, often the statement's own example.",
        traps=(
            "The published comparison is lenient: words of a line, and lines, count as sets in the end.",
            "Where many outputs are right, only the recorded one passes.",
            "Some entries have no tests or damaged ones; they are left out by name.",
            "References rely on imports that the published code gives every program, some on a `return` at "
            "the top level; a program is given what it reads and does not bind.",
        ),
        limits=("4 CPU seconds for each input or call.",),
    )
