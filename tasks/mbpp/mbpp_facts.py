"""What the page of all tasks says of MBPP's."""

from __future__ import annotations

from codesample.tasks.facts import TaskFacts

__all__ = ["mbpp_facts"]

_COUNTS = {
    "full": {"prompt": 10, "test": 500, "validation": 90, "train": 374},
    "sanitized": {"prompt": 7, "test": 257, "validation": 43, "train": 120},
}
_RANGES = {"prompt": "1 to 10", "test": "11 to 510", "validation": "511 to 600", "train": "601 to 974"}
_FILES = {"full": "mbpp.jsonl", "sanitized": "sanitized-mbpp.json"}
_PROMPTS = {
    3: "Problems 2, 3 and 4 with their solutions, then the question, in the published wording.",
    0: "A docstring that holds the sentence and all asserts, a line each; no examples.",
}
_SHOWN = (
    "The prompt shows the very asserts that grade, so there are no public examples, and `public_examples` "
    "abstains."
)
_FULL_TRAPS = (
    "The solutions of 972 entries hold Windows line ends; they are made plain ones.",
    "Problems 367 and 927 need `test_setup_code`, which builds objects of the program's own class: their "
    "verdicts are weak.",
)
_SANITIZED_TRAPS = (
    "The sentence is the field `prompt`, which `mbpp.jsonl` calls `text`; 13 entries need `test_imports`.",
)


def mbpp_facts(config: str, split: str, shots: int) -> TaskFacts:
    """Return the facts of one form of MBPP; `config`, `split` and `shots` as for `mbpp_task`."""
    counts = _COUNTS[config]
    shown = "three asserts" if config == "full" else "3 to 7 asserts"
    by_hand = ", checked by hand" if config == "sanitized" else ""
    asked = "; no examples in the prompt" if not shots else ""
    return TaskFacts(
        summary=f"Entry-level functions from one sentence and {shown}{by_hand}{asked}.",
        problems=counts[split],
        entries=sum(counts.values()),
        split=f"the {split} split, ids {_RANGES[split]}",
        hub_id=f"google-research-datasets/mbpp, {config}",
        files=(_FILES[config],),
        licence="CC-BY-4.0",
        prompt=_PROMPTS[shots],
        tests=f"{shown.capitalize()}, all of which the prompt shows; each is a check.",
        traps=(_SHOWN, *(_FULL_TRAPS if config == "full" else _SANITIZED_TRAPS)),
        limits=("Ten times the CPU time of the solution, at least a second.",),
    )
