"""What the page of all tasks says of CRUXEval."""

from __future__ import annotations

from codesample.tasks.facts import TaskFacts

__all__ = ["cruxeval_facts"]

_PREDICTED = {"output": "what a short function returns", "input": "what a short function was called with"}


def cruxeval_facts(kind: str, *, in_steps: bool) -> TaskFacts:
    """Return the facts of predicting an "output" or an "input", at once or in steps."""
    steps = ", step by step" if in_steps else ""
    return TaskFacts(
        summary=f"Predict {_PREDICTED[kind]}{steps}, without running it.",
        problems=800,
        entries=800,
        hub_id="cruxeval-org/cruxeval",
        files=("cruxeval.jsonl",),
        licence="MIT",
        prompt="Instruction and two worked examples, then the function and an assertion with a gap, in tags.",
        tests="The value of the prediction, or of the function called with it; one check.",
        traps=(
            "Text is more than a value: `0 or True` makes any assertion hold. Only values are compared here.",
            "An expression counts as the value it has, though the prompt asks for a literal.",
            "The published code cuts a prediction at its first `==`, even in quotes; here Python reads it.",
        ),
        limits=("3 CPU seconds.",),
    )
