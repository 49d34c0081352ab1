"""inspect's logs: archives and files, whole and unfinished."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import DataError
from codesample.foreign import Matched, open_samples
from codesample.foreign.document import _ZSTANDARD
from codesample.records import Candidate

Reader = Callable[..., Matched]

HEADER = {"version": 2, "status": "success", "eval": {"task": "t", "model": "m"}, "plan": {}}
RAW = "Here:\n```python\ncode\n```"


def sample(name: str | int = "a", epoch: int = 1, content: Any = RAW, **extra: Any) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": content}, "stop_reason": "stop"}
    return {
        "id": name,
        "epoch": epoch,
        "input": "p",
        "target": "t",
        "messages": [{"role": "user", "content": "p"}, choice["message"]],
        "output": {"model": "m", "choices": [choice]},
        "scores": {"verify": {"value": "C", "answer": "code\n", "explanation": "ran"}},
        "events": [{"event": "much"}],
        **extra,
    }


def archive(path: Path, *samples: dict[str, Any], header: bool = True) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("_journal/start.json", json.dumps(HEADER))
        for each in samples:
            packed.writestr(f"samples/{each['id']}_epoch_{each['epoch']}.json", json.dumps(each))
        if header:
            packed.writestr("header.json", json.dumps(HEADER))
    return path


def log(path: Path, *samples: Any) -> Path:
    path.write_text(json.dumps({**HEADER, "samples": list(samples)}, indent=2))
    return path


@pytest.mark.parametrize("write", [archive, log])
def test_what_its_scorer_took_is_run_and_the_answer_is_kept(
    tmp_path: Path, read: Reader, write: Callable[..., Path]
) -> None:
    wrong = {"verify": {"value": "I", "answer": "else\n"}}
    path = write(tmp_path / "given", sample(), sample(epoch=2, scores=wrong), sample("b/1"))
    assert open_samples(path).form == "inspect"
    found = read(path, ["a", "b/1"])
    assert sorted(found.candidates, key=lambda each: (each.task_id, each.index)) == [
        Candidate("a", 0, "code\n"),
        Candidate("a", 1, "else\n"),
        Candidate("b/1", 0, "code\n"),
    ]
    verdicts = {(each.task_id, each.index): (each.passed, each.said) for each in found.origins}
    assert verdicts["a", 0] == (True, 'verify: "C"')
    assert verdicts["a", 1] == (False, 'verify: "I"')
    assert {each.answer for each in found.origins} == {RAW}
    assert "events" not in found.origins[0].fields
    assert found.origins[0].fields["scores"]["verify"]["answer"]
    assert {each.completion for each in read(path, ["a", "b/1"], extract=True).candidates} == {RAW}


def test_an_unfinished_log_gives_what_there_is(tmp_path: Path, read: Reader) -> None:
    found = read(archive(tmp_path / "x.eval", sample(), header=False))
    assert len(found.candidates) == 1
    assert found.notices == [
        f"{tmp_path / 'x.eval'}: a log that was not finished; its samples so far are taken"
    ]


def test_samples_that_failed_before_an_answer_are_no_candidates(tmp_path: Path, read: Reader) -> None:
    failed = sample(epoch=2, output={"model": "m", "choices": []}, error={"message": "lost"})
    found = read(log(tmp_path / "x.json", sample(), failed))
    assert len(found.candidates) == 1
    assert found.notices == [f"{tmp_path / 'x.json'}: 1 sample ended by an error before any answer"]


@pytest.mark.parametrize(
    ("value", "passed"),
    [
        ("C", True),
        ("I", False),
        (1, True),
        (0.0, False),
        (True, True),
        ("P", False),
        # no answer was found, so no program was judged
        ("N", None),
        ("?", None),
        ([1], None),
    ],
)
def test_grades_are_verdicts(tmp_path: Path, read: Reader, value: Any, passed: bool | None) -> None:
    found = read(log(tmp_path / "x.json", sample(scores={"s": {"value": value}})))
    assert found.origins[0].passed is passed
    # without what a scorer took, the answer itself is the text
    assert found.candidates == [Candidate("a", 0, RAW)]


def test_a_scorer_that_grades_comes_before_one_that_does_not(tmp_path: Path, read: Reader) -> None:
    scores = {"length": {"value": "long"}, "verify": {"value": "C", "answer": "code"}}
    found = read(log(tmp_path / "x.json", sample(scores=scores)))
    assert (found.candidates[0].completion, found.origins[0].passed) == ("code", True)


def test_parts_of_a_message_are_joined_without_its_reasoning(tmp_path: Path, read: Reader) -> None:
    parts = [
        {"type": "reasoning", "reasoning": "hm"},
        {"type": "text", "text": "one "},
        {"type": "text", "text": "attachment://k"},
    ]
    each = sample(content=parts, scores={}, attachments={"k": "two"})
    assert read(log(tmp_path / "x.json", each)).candidates == [Candidate("a", 0, "one two")]


def test_the_last_message_stands_in_for_an_output_that_is_not_there(tmp_path: Path, read: Reader) -> None:
    assert read(log(tmp_path / "x.json", sample(output={}, scores={}))).candidates[0].completion == RAW


def test_log_probabilities_go_with_the_answer_and_not_with_what_was_taken_of_it(
    tmp_path: Path, read: Reader
) -> None:
    each = sample(content="ab c", scores={})
    tokens = [{"token": "ab", "logprob": -0.5}, {"token": " c", "logprob": -0.25}]
    each["output"]["choices"][0]["logprobs"] = {"content": tokens}
    path = log(tmp_path / "x.json", each)
    assert read(path).candidates == [
        Candidate("a", 0, "ab c", logprobs=(-0.5, -0.25), token_ends=(2, 4)),
    ]
    each["scores"] = {"verify": {"value": "C", "answer": "c"}}
    path = log(tmp_path / "x.json", each)
    assert read(path).candidates == [Candidate("a", 0, "c")]
    assert read(path, extract=True).candidates[0].logprobs == (-0.5, -0.25)
    # of another text than this one
    tokens[0]["token"] = "a"
    assert read(log(tmp_path / "x.json", each), extract=True).candidates[0].logprobs is None


def test_a_number_is_a_name_like_any(tmp_path: Path, read: Reader) -> None:
    found = read(log(tmp_path / "x.json", sample(11)), ["Mbpp/11", "Mbpp/12"])
    assert (found.candidates[0].task_id, found.origins[0].name) == ("Mbpp/11", 11)


def test_a_header_alone_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps(HEADER))
    with pytest.raises(DataError, match="header of an inspect log, without samples"):
        open_samples(tmp_path / "x.json")


def test_a_packing_that_nothing_here_unpacks_is_said_with_a_way_out(
    tmp_path: Path, read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive(tmp_path / "x.eval", sample())
    content = bytearray(path.read_bytes())
    # the method stands in each member's head, and in the directory at the end
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = -1
        while (at := content.find(mark, at + 1)) >= 0:
            content[at + offset : at + offset + 2] = _ZSTANDARD.to_bytes(2, "little")
    path.write_bytes(content)
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    with pytest.raises(DataError, match=r"packed by Zstandard.*inspect log convert LOG --to json"):
        read(path)


@pytest.mark.parametrize("broken", [3, {"epoch": 1}, {"id": "a", "output": []}])
def test_a_malformed_sample_is_named(tmp_path: Path, read: Reader, broken: Any) -> None:
    with pytest.raises(DataError, match=r"x\.json: sample 2: "):
        read(log(tmp_path / "x.json", sample(), broken))


def test_of_several_choices_the_one_that_was_scored_is_taken_and_the_others_are_counted(
    tmp_path: Path, read: Reader
) -> None:
    choices = [{"message": {"role": "assistant", "content": text}} for text in ("x", "y", "z")]
    record = sample(output={"model": "m", "choices": choices}, scores={"s": {"value": "C"}})
    found = read(log(tmp_path / "x.json", record, sample(epoch=2)))
    assert [each.completion for each in found.candidates] == ["x", "code\n"]
    assert found.notices == [
        f"{tmp_path / 'x.json'}: of samples with several choices the first is taken, which was scored; "
        "2 more are left out"
    ]
