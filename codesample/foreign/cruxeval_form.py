"""CRUXEval's predictions: by problem a list of expressions; a scored file holds them with grades."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from codesample.errors import DataError
from codesample.foreign.contract import Form, Sample
from codesample.foreign.document import Document

__all__ = ["FORM"]

_GENERATIONS, _GRADES = "raw_generations", "raw_scored_generations"


def _holds(document: Document) -> bool:
    value = document.value
    if not isinstance(value, dict):
        return False
    found = value.get(_GENERATIONS, value)
    return (
        isinstance(found, dict)
        and bool(found)
        and all(
            isinstance(each, list) and all(isinstance(item, str) for item in each) for each in found.values()
        )
    )


def _read(document: Document, plus: bool) -> Iterator[Sample]:
    value = document.value
    assert isinstance(value, dict)
    grades = value.get(_GRADES, {}) if _GENERATIONS in value else {}
    for task, texts in value.get(_GENERATIONS, value).items():
        given = grades.get(task) if isinstance(grades, dict) else None
        if isinstance(given, list) and len(given) != len(texts):
            raise DataError(
                f"{document.name}: {task}: {len(texts)} predictions and {len(given)} grades of them"
            )
        for index, text in enumerate(texts):
            grade = given[index] if isinstance(given, list) else None
            yield Sample(
                task=task,
                completion=text,
                index=index,
                where=f"{document.name}: {task}[{index}]",
                passed=grade if isinstance(grade, bool) else None,
                said="" if grade is None else "graded " + ("right" if grade is True else "wrong"),
            )


def _figures(document: Document, plus: bool) -> Mapping[str, float]:
    value = document.value
    if not isinstance(value, dict):
        return {}
    # its figures are per cent
    return {
        name.replace("pass_at_", "pass@"): each / 100
        for name, each in value.items()
        if name.startswith("pass_at_") and isinstance(each, int | float)
    }


FORM = Form("CRUXEval", _holds, _read, _figures)
