"""What the page of all tasks says of HumanEval+ and MBPP+."""

from __future__ import annotations

from codesample.tasks.facts import TaskFacts

__all__ = ["HUMANEVAL_PLUS_FACTS", "MBPP_PLUS_FACTS"]

_HUB = "The hub's copy holds no inputs, so the release file is needed."
_LIMITS = (
    "Ten times the CPU time of the solution for an input, at least a second; 20 CPU seconds for all inputs.",
    "What EvalPlus calls base is `pass@k on base`, its base + extra is `pass@k on base + plus`.",
)

HUMANEVAL_PLUS_FACTS = TaskFacts(
    summary="HumanEval, judged on many more inputs by what the published solution returns.",
    problems=164,
    entries=164,
    files=("HumanEvalPlus.jsonl.gz",),
    licence="Apache-2.0",
    prompt="As in the release file, to the letter.",
    tests="Base inputs (9.6 on average), then plus inputs (748), figures for both.",
    traps=(
        _HUB,
        "Any root that is one counts in 32, not only the one that the solution finds.",
        "Three entries state a tolerance; floats are else compared within 1e-6, everything else exactly.",
    ),
    limits=_LIMITS,
)
MBPP_PLUS_FACTS = TaskFacts(
    summary="Sanitized MBPP, judged on many more inputs by what the published solution returns.",
    problems=378,
    entries=378,
    split="of all splits of MBPP: 224 ids are in its test split",
    files=("MbppPlus.jsonl.gz",),
    licence="Apache-2.0",
    prompt="As in the release file, to the letter: a docstring with the sentence and one assert.",
    tests="Base inputs (3.1 on average, those of the asserts), then plus inputs (105), figures for both.",
    traps=(
        _HUB,
        "The file is JSON: tuples and complex numbers are restored problem by problem.",
        "Twelve problems have more than one right answer and are compared by rules of their own.",
        "The inputs of 267 and 734 break the data set's own contracts.",
        "The solution of 599 counts to 100,000,000 on 16 of its inputs.",
    ),
    limits=_LIMITS,
)
