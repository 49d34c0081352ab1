"""What the page of all tasks says of BigCodeBench's."""

from __future__ import annotations

from codesample.tasks.facts import TaskFacts

__all__ = ["bigcodebench_facts"]

_PARTS = {
    "full": (1140, "bigcode/bigcodebench", "BigCodeBench.jsonl"),
    "hard": (148, "bigcode/bigcodebench-hard", "BigCodeBench-Hard.jsonl"),
}


def bigcodebench_facts(part: str, *, instruct: bool) -> TaskFacts:
    """Return the facts of one form; `part` is "full" or "hard"."""
    count, hub_id, file = _PARTS[part]
    asked = "in words" if instruct else "by signature and docstring"
    hard = ", the 148 hardest ones" if part == "hard" else ""
    return TaskFacts(
        summary=f"Functions that use many libraries, asked {asked}{hard}.",
        problems=count,
        entries=count,
        split="v0.1.4 (the hub names its splits by the version of the data)",
        hub_id=hub_id,
        files=(file,),
        licence="Apache-2.0",
        prompt=(
            "None: `instruct_prompt` is for chat models."
            if instruct
            else "`complete_prompt`, to the letter: imports, signature, docstring."
        ),
        tests="A class `TestCases` of unittest: each method is a check, all must hold. Verdicts are weak.",
        traps=(
            "Problems whose packages are not installed are left out, with a notice that names them; the data "
            "were made for versions of 2023, and newer pandas and NumPy fail some references.",
            "Programs have no network and start no processes: about thirty references need one of these and "
            "cannot pass here; `codesample tasks verify` lists them.",
            "Imports and signature of the prompt stand before every program, as in the published grader's "
            "default (calibrated).",
        ),
        limits=(
            "60 CPU seconds, 300 s on the clock, 2 GiB of memory; published: 240 s and 30 GiB.",
            "Problems that keep files have 64 MiB for them, which needs isolation level `namespaced`.",
        ),
    )
