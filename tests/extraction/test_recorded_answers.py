"""Answers that other tools recorded: what they extracted is found, and what they missed."""

from __future__ import annotations

import ast
import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from codesample.extraction import Wanted, extract


def test_programs_of_livecodebench_are_found(published: Callable[[str], Path]) -> None:
    name = "recorded/livecodebench_o1mini_answers.jsonl.gz"
    with gzip.open(published(name), "rt", encoding="utf-8") as file:
        entries = [json.loads(line) for line in file]
    differing = {}
    for entry in entries:
        found = extract(entry["answer"], Wanted("script"))
        if found.program.strip() != entry["extracted"].strip():
            differing[entry["question_id"]] = (entry, found)
    assert len(entries) == 880
    # two answers open their fence twice: the tool found nothing between the last two fences
    assert set(differing) == {"3637", "abc384_g"}
    for entry, found in differing.values():
        assert entry["extracted"] == ""
        assert found.program in entry["answer"]
        ast.parse(found.program)


@pytest.mark.parametrize(("file", "found", "unparsed"), [("a", 86, 70), ("b", 162, 0), ("c", 146, 0)])
def test_solutions_of_chat_models_define_what_was_asked_for(
    file: str, found: int, unparsed: int, published: Callable[[str], Path]
) -> None:
    with gzip.open(published("HumanEval.jsonl.gz"), "rt", encoding="utf-8") as lines:
        problems = {entry["task_id"]: entry for entry in map(json.loads, lines)}
    with published(f"recorded/human_eval_{file}.jsonl_results.jsonl").open(encoding="utf-8") as lines:
        samples = [json.loads(line) for line in lines]
    rules: Counter[str] = Counter()
    for sample in samples:
        problem = problems[sample["task_id"]]
        wanted = Wanted("function", problem["entry_point"], problem["prompt"])
        extraction = extract(sample["completion"], wanted)
        rules[extraction.rule.rpartition("+")[2]] += 1
        if {"unparsed", "nameless", "empty"}.isdisjoint(extraction.rule.split("+")):
            assert problem["entry_point"] in defined(extraction.program)
    assert rules["unparsed"] == unparsed
    assert len(samples) - rules["unparsed"] - rules["nameless"] - rules["empty"] == found


def test_predictions_of_cruxeval_are_values(published: Callable[[str], Path]) -> None:
    name = "recorded/cruxeval_codellama7b_output_generations.json"
    predictions = json.loads(published(name).read_text(encoding="utf-8"))
    count = 0
    for text in (text for texts in predictions.values() for text in texts):
        try:
            ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError):
            continue
        count += 1
        assert extract(text, Wanted("expression")).program == text.strip()
    assert count > 7000


def defined(program: str) -> set[str]:
    return {
        name
        for node in ast.parse(program).body
        for name in (
            getattr(node, "name", ""),
            *(getattr(each, "id", "") for each in getattr(node, "targets", ())),
        )
    }
