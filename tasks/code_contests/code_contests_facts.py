"""What the page of all tasks says of CodeContests."""

from __future__ import annotations

from codesample.tasks.facts import TaskFacts

__all__ = ["code_contests_facts"]

_COUNTS = {"test": 165, "validation": 117}


def code_contests_facts(split: str) -> TaskFacts:
    """Return the facts of a split: "test" or "validation"."""
    return TaskFacts(
        summary="Competition problems from five sites: a program that reads and prints.",
        # those that nothing can be judged by are left out, by name
        problems=None,
        split=f"the {split} split, {_COUNTS[split]} published, or all of a file",
        hub_id="deepmind/code_contests",
        licence="CC-BY-4.0",
        prompt="`PROBLEM:`, statement, `PYTHON PROGRAM:`.",
        tests="Private and generated inputs with outputs; the public ones are examples.",
        traps=(
            "Where many outputs are right, one of them judges.",
            "A problem without hidden tests is judged by its public ones, and then shows no examples.",
            "Problems that read or write files are left out by name.",
        ),
        limits=("10 CPU seconds and 256 MiB a test, or what the problem states where that is more.",),
    )
