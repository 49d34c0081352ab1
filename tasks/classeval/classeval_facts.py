"""What the page of all tasks says of ClassEval."""

from __future__ import annotations

from codesample.tasks.facts import TaskFacts

__all__ = ["CLASSEVAL_FACTS"]

CLASSEVAL_FACTS = TaskFacts(
    summary="Classes to write as a whole from a skeleton with docstrings.",
    problems=100,
    entries=100,
    split="test, the only one",
    hub_id="FudanSELab/ClassEval",
    files=("ClassEval_data.json",),
    licence="MIT",
    prompt="The skeleton in a fence, then a fence that imports and the line `class NAME:` have begun.",
    tests="Classes of unittest, one for each method and one for all together; each test is a check, and all "
    "must hold. Verdicts are weak.",
    traps=(
        "Ten need packages; where these are not installed, they are left out with a notice.",
        "The tests of 17 lie in the past by now and those of 48 want the name of the authors' machine: no "
        "program passes them. The solution of 51 needs NumPy 1.",
        "Three skeletons (22, 43, 46) are no Python; they are shown as published.",
    ),
    limits=(
        "Ten times the CPU time of the solution for a test, at least a second.",
        "Problems that keep files have 16 MiB for them, which needs isolation level `namespaced`.",
    ),
)
