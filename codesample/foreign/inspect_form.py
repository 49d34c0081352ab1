"""inspect's logs, `.eval` archives and `.json` files: a sample per problem and epoch, with its scores.

What its scorer took from an answer is the text that was run there; the answer itself stands beside it.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from codesample.decoding import converted, decoded
from codesample.errors import DataError
from codesample.foreign.contract import Form, Sample, Writing, Written
from codesample.foreign.document import Document
from codesample.records import Problem
from codesample.records.counted import counted

__all__ = ["FORM", "is_log_without_samples", "write_inspect", "write_inspect_archive"]

_ATTACHMENT = "attachment://"
_START = ("header.json", "_journal/start.json")
# "N", no answer, says nothing of a program
_GRADES = {"C": 1.0, "I": 0.0, "P": 0.5}
_SCORER = "verify"


class _Sample(msgspec.Struct):
    id: str | int
    epoch: int = 1
    output: dict[str, Any] = {}
    messages: list[Any] = []
    scores: dict[str, Any] = {}
    attachments: dict[str, Any] = {}


_READ = frozenset({"id", "epoch", "output", "events", "attachments"})

_REASONS = {"length": "max_tokens", "content_filter": "content_filter"}


def is_log_without_samples(value: object) -> bool:
    """Whether a JSON value is a log's header alone."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("eval"), dict)
        and {"task", "model"} <= value["eval"].keys()
        and not isinstance(value.get("samples"), list)
    )


def _files(document: Document) -> list[str]:
    """Return the samples of an archive, in order of problems as they were begun, then epochs."""
    names = document.members.names if document.members else ()
    if not any(start in names for start in _START):
        return []
    return [name for name in names if name.startswith("samples/") and name.endswith(".json")]


def _holds(document: Document) -> bool:
    value = document.value
    if isinstance(value, dict) and isinstance(value.get("samples"), list):
        return isinstance(value.get("eval"), dict)
    return bool(_files(document))


def _read(document: Document, plus: bool) -> Iterator[Sample]:
    failed = more = 0
    for record, where in _records(document):
        sample = converted(record, _Sample, where=where)
        if record.get("error") and not sample.output.get("choices"):
            failed += 1
            continue
        choices = sample.output.get("choices")
        more += max(0, len(choices) - 1) if isinstance(choices, list) else 0
        yield _sample(record, sample, where)
    if more:
        document.notices.append(
            f"{document.name}: of samples with several choices the first is taken, which was scored; {more} "
            "more are left out"
        )
    if failed:
        document.notices.append(
            f"{document.name}: {counted(failed, 'sample')} ended by an error before any answer"
        )


def _records(document: Document) -> Iterator[tuple[Mapping[str, Any], str]]:
    members = document.members
    if members is None:
        value = document.value
        assert isinstance(value, dict)
        for number, item in enumerate(value["samples"], 1):
            where = f"{document.name}: sample {number}"
            if not isinstance(item, dict):
                raise DataError(f"{where}: holds {type(item).__name__}, expected an object with named fields")
            yield item, where
        return
    if _START[0] not in members.names:
        document.notices.append(f"{document.name}: a log that was not finished; its samples so far are taken")
    for name in _files(document):
        where = f"{document.name}: {name}"
        yield decoded(members.read(name), dict, where=where), where


def _sample(record: Mapping[str, Any], sample: _Sample, where: str) -> Sample:
    answer, own = _answer(sample)
    scorer, score = _score(sample.scores)
    grade = _grade(score.get("value"))
    taken = score.get("answer")
    taken = _resolved(taken, sample) if isinstance(taken, str) else None
    # some scorers put the whole answer there
    differs = taken is not None and taken != answer
    return Sample(
        task=sample.id,
        index=sample.epoch - 1,
        completion=str(taken) if differs else answer,
        answer=answer if differs else None,
        where=where,
        passed=None if grade is None else grade == 1.0,
        said="" if grade is None else f"{scorer}: {json.dumps(score.get('value'))}",
        own=own,
        fields={name: value for name, value in record.items() if name not in _READ and value is not None},
    )


def _answer(sample: _Sample) -> tuple[str, Mapping[str, Any]]:
    """Return what the model wrote, and the log-probabilities of its tokens where they are of this text."""
    choices = sample.output.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if not isinstance(message, dict):
        spoken = [
            each for each in sample.messages if isinstance(each, dict) and each.get("role") == "assistant"
        ]
        message = spoken[-1] if spoken else {}
    text = _text(message.get("content"), sample)
    if not text and isinstance(kept := sample.output.get("completion"), str):
        text = _resolved(kept, sample)
    return text, _logprobs(choice.get("logprobs"), text)


def _text(content: object, sample: _Sample) -> str:
    """Return the text of a message: as it is, or of its parts, without what is reasoning or an image."""
    if isinstance(content, str):
        return _resolved(content, sample)
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    return "".join(_resolved(text, sample) for text in texts if isinstance(text, str))


def _resolved(text: str, sample: _Sample) -> str:
    if text.startswith(_ATTACHMENT):
        kept = sample.attachments.get(text.removeprefix(_ATTACHMENT))
        return kept if isinstance(kept, str) else text
    return text


def _logprobs(found: object, text: str) -> Mapping[str, Any]:
    content = found.get("content") if isinstance(found, dict) else None
    with suppress(TypeError, KeyError, ValueError):
        tokens = [str(each["token"]) for each in content or ()]
        logprobs = tuple(float(each["logprob"]) for each in content or ())
        if tokens and "".join(tokens) == text and all(map(math.isfinite, logprobs)):
            ends, at = [], 0
            for token in tokens:
                at += len(token)
                ends.append(at)
            return {"logprobs": logprobs, "token_ends": tuple(ends)}
    return {}


def _score(scores: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the first score that is a grade, with its scorer's name; the first of all where none is."""
    found = [(name, each) for name, each in scores.items() if isinstance(each, dict)]
    graded = [each for each in found if _grade(each[1].get("value")) is not None]
    return next(iter(graded or found), ("", {}))


def _grade(value: object) -> float | None:
    if isinstance(value, str):
        return _GRADES.get(value)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def write_inspect(writing: Writing) -> Iterator[str]:
    """Yield the text of a `.json` log, which `inspect score` and its viewer read."""
    yield json.dumps({**_header(writing), "samples": list(_samples_of(writing))}, indent=2)


def write_inspect_archive(writing: Writing) -> bytes:
    """Return the bytes of an `.eval` log."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        header = _header(writing)
        start = {name: header[name] for name in ("version", "eval", "plan")}
        archive.writestr(_START[1], json.dumps(start, indent=2))
        summaries = []
        for sample in _samples_of(writing):
            archive.writestr(
                f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample, indent=2)
            )
            summaries.append({name: sample[name] for name in ("id", "epoch", "input", "target")})
        archive.writestr("summaries.json", json.dumps(summaries, indent=2))
        archive.writestr(_START[0], json.dumps(header, indent=2))
    return packed.getvalue()


def _header(writing: Writing) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    asked = [(problem, candidates) for problem, candidates in writing.problems if candidates]
    epochs = max((each.candidate.index + 1 for _, each in writing.rows()), default=0)
    count = sum(len(candidates) for _, candidates in asked)
    grades = [each.verdict.passed for _, each in writing.rows() if each.verdict is not None]
    accuracy = {"name": "accuracy", "value": sum(grades) / len(grades)} if grades else None
    scores = [{"name": _SCORER, "scorer": _SCORER, "metrics": {"accuracy": accuracy}}] if accuracy else []
    ids = list(dict.fromkeys(candidates[0].name for _, candidates in asked))
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "created": now,
            "task": writing.task,
            "task_id": writing.task,
            "dataset": {"name": writing.task, "samples": len(asked), "sample_ids": ids, "shuffled": False},
            "model": writing.model,
            "config": {"epochs": epochs},
        },
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": {"total_samples": count, "completed_samples": count, "scores": scores},
        "stats": {"started_at": now, "completed_at": now, "model_usage": {}},
    }


def _samples_of(writing: Writing) -> Iterator[dict[str, Any]]:
    for problem, candidates in writing.problems:
        for each in candidates:
            yield _written(problem, each, each.candidate.index + 1, writing.model)


def _written(problem: Problem, each: Written, epoch: int, model: str) -> dict[str, Any]:
    choice = {
        "message": {"role": "assistant", "content": each.answer, "source": "generate"},
        "stop_reason": _REASONS.get(each.candidate.finish_reason or "", "stop"),
    }
    sample = {
        "id": each.name,
        "epoch": epoch,
        "input": problem.prompt,
        "target": problem.reference or "",
        "messages": [{"role": "user", "content": problem.prompt}, choice["message"]],
        "output": {"model": model, "choices": [choice], "completion": each.answer},
        "scores": _scores(each),
    }
    sample |= {name: each.fields[name] for name in ("input", "target", "messages") if name in each.fields}
    kept = {name: value for name, value in each.fields.items() if name not in sample}
    about = kept.pop("metadata", None)
    names: Sequence[str] = ("choices", "sandbox", "files", "setup", "store", "model_usage")
    known = {name: kept.pop(name) for name in names if name in kept}
    return sample | known | {"metadata": {**(about if isinstance(about, dict) else {}), **kept}}


def _scores(each: Written) -> dict[str, Any] | None:
    if each.verdict is None and each.completion == each.answer:
        return None
    score: dict[str, Any] = {"value": "N", "answer": each.completion}
    if each.verdict is not None:
        score["value"] = "C" if each.verdict.passed else "I"
        score["explanation"] = f"{each.verdict.status}: {each.verdict.detail}".rstrip(": ")
    return {_SCORER: score}


FORM = Form("inspect", _holds, _read)
