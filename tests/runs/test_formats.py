"""The lines themselves: what runs of 0.1.0 wrote is written and read to the byte."""

from __future__ import annotations

import json
import math
import tracemalloc
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import DataError, RunFolderError
from codesample.foreign import match_samples, open_samples
from codesample.records import Candidate, CodeTests, FinishReason, Problem, SamplingParams, Status, Verdict
from codesample.runs import Manifest, RunFolder
from codesample.runs.formats import candidate_line, score_line, verdict_line

SAMPLE = Candidate(
    task_id="mini/0",
    index=0,
    completion="    return '\u00e9\ud800\u2028\U0001f600'\n",
    token_ids=(1, 2),
    logprobs=(-0.1, -1 / 3),
    sampled_logprobs=(-5e-324, -1e300),
    finish_reason=FinishReason.STOP,
    stop="\ndef",
    program="whole",
)
SAMPLE_LINE = (
    r'{"task_id":"mini/0","completion":"    return '
    r"'\u00e9\ud800\u2028\ud83d\ude00'\n"
    r'","index":0,"token_ids":[1,2],"logprobs":[-0.1,-0.3333333333333333],'
    r'"sampled_logprobs":[-5e-324,-1e+300],"finish_reason":"stop","stop":"\ndef"}'
)
VERDICT = Verdict("mini/0", 0, Status.WRONG, 0.1, 1e-05, 12345, "Trace\nback \ud800", (True, False), "weak")
VERDICT_LINE = (
    r'{"task_id":"mini/0","index":0,"status":"wrong","passed":false,"cpu_seconds":0.1,"wall_seconds":1e-05,'
    r'"peak_memory":12345,"detail":"Trace\nback \ud800","checks":[true,false],"integrity":"weak"}'
)
MANY = st.lists(st.booleans(), max_size=80).map(tuple)


@pytest.fixture
def run(path: Path, manifest: Manifest) -> RunFolder:
    RunFolder.create(path, manifest).close()
    return RunFolder.open(path)


def test_lines_are_those_of_0_1_0_to_the_byte() -> None:
    assert candidate_line(SAMPLE, with_program=False) == SAMPLE_LINE
    assert candidate_line(SAMPLE, with_program=True) == SAMPLE_LINE[:-1] + ',"program":"whole"}'
    assert verdict_line(VERDICT) == VERDICT_LINE
    assert score_line("mini/0", 3, 1 / 3) == '{"task_id":"mini/0","index":3,"score":0.3333333333333333}'
    assert score_line("mini/0", 3, None) == '{"task_id":"mini/0","index":3,"score":null}'


def test_a_first_try_stands_in_a_line_only_where_there_was_one(run: RunFolder) -> None:
    retried = replace(VERDICT, status=Status.PASSED, first_try=Status.CPU_TIMEOUT)
    line = verdict_line(retried)
    assert line == VERDICT_LINE.replace("wrong", "passed").replace('false,"cpu', 'true,"cpu')[:-1] + (
        ',"first_try":"cpu_timeout"}'
    )
    (run.path / "verdicts.jsonl").write_text(line + "\n")
    assert run.verdicts() == {("mini/0", 0): retried}


def test_lines_of_0_1_0_are_read(run: RunFolder) -> None:
    (run.path / "samples.jsonl").write_text(SAMPLE_LINE + "\n")
    (run.path / "verdicts.jsonl").write_text(VERDICT_LINE + "\n")
    assert list(run.samples()) == [replace(SAMPLE, program=None)]
    assert run.verdicts() == {("mini/0", 0): VERDICT}


def test_run_json_of_0_1_0_is_read(run: RunFolder, manifest: Manifest) -> None:
    params = (
        '{"temperature": 1, "top_p": 0.95, "top_k": 0, "min_p": 0.0, "typical_p": 1.0, '
        '"repetition_penalty": 1.0, "frequency_penalty": 0.0, "logit_bias": [[7, -1.5]], '
        '"allowed_tokens": [1, 2], "banned_tokens": [], "max_new_tokens": 64, "stop": ["\\ndef"], "seed": 7}'
    )
    (run.path / "run.json").write_text(
        '{"format": 1, "task": "mini", "task_version": "1", "data_hash": "' + "ab" * 32 + '", '
        '"model": "tiny", "params": ' + params + ', "n": 4, '
        '"sessions": [{"codesample": "0.1.0", "model": {"parameters": null}, "settings": {"n": 4}}]}\n'
    )
    assert RunFolder.open(run.path).manifest == replace(
        manifest,
        params=SamplingParams(
            temperature=1.0,
            logit_bias=((7, -1.5),),
            allowed_tokens=(1, 2),
            max_new_tokens=64,
            stop=("\ndef",),
            seed=7,
        ),
        sessions=({"codesample": "0.1.0", "model": {"parameters": None}, "settings": {"n": 4}},),
    )


FLOATS = st.none() | st.lists(st.floats(), max_size=4).map(tuple)
CANDIDATES = st.builds(
    Candidate,
    task_id=st.text(st.characters(codec=None), max_size=5),
    index=st.integers(0, 2**70),
    completion=st.text(st.characters(codec=None)),
    token_ids=st.none() | st.lists(st.integers(0, 2**70), max_size=4).map(tuple),
    logprobs=FLOATS,
    sampled_logprobs=FLOATS,
    finish_reason=st.none() | st.sampled_from(FinishReason),
    stop=st.none() | st.text(st.characters(codec=None), max_size=5),
    program=st.none() | st.text(st.characters(codec=None)),
)


@given(CANDIDATES)
def test_any_candidate_comes_back_to_the_bit_both_ways(
    tmp_path_factory: pytest.TempPathFactory, candidate: Candidate
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    run = RunFolder(folder, Manifest("t", "1", "", "m", SamplingParams(), 1), None)
    line = candidate_line(candidate, with_program=True)
    (folder / "samples.jsonl").write_text(line + "\n")
    assert [spelt(each) for each in run.samples()] == [spelt(candidate)]
    assert run.sampled == {(candidate.task_id, candidate.index)}
    problem = Problem(candidate.task_id, "p", CodeTests(source="pass"))
    read = match_samples(open_samples(folder / "samples.jsonl").samples(), [problem], name="samples.jsonl")
    assert [spelt(each) for each in read.candidates] == [spelt(candidate)]


def spelt(candidate: Candidate) -> dict[str, str]:
    """Spell every field: NaN is not equal to itself, and -0.0 is equal to 0.0."""
    return {each.name: repr(getattr(candidate, each.name)) for each in fields(candidate)}


@given(MANY)
def test_any_number_of_checks_comes_back(
    tmp_path_factory: pytest.TempPathFactory, checks: tuple[bool, ...]
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    verdict = replace(VERDICT, checks=checks)
    (folder / "verdicts.jsonl").write_text(verdict_line(verdict) + "\n")
    run = RunFolder(folder, Manifest("t", "1", "", "m", SamplingParams(), 1), None)
    assert run.verdicts() == {("mini/0", 0): verdict}
    assert all(type(check) is bool for check in run.verdicts()["mini/0", 0].checks)


def test_checks_are_listed_up_to_32_and_a_text_beyond() -> None:
    few, many = (True, False) * 16, (True, False) * 16 + (True,)
    assert json.loads(verdict_line(replace(VERDICT, checks=few)))["checks"] == list(few)
    assert json.loads(verdict_line(replace(VERDICT, checks=many)))["checks"] == "10" * 16 + "1"


@pytest.mark.parametrize("count", [3, 1000])
def test_equal_checks_are_one_tuple_in_memory(run: RunFolder, count: int) -> None:
    patterns = [(True,) * count, (False,) * count, (True,) * (count - 1) + (False,)]
    lines = [
        verdict_line(replace(VERDICT, index=index, checks=patterns[index % 3])) + "\n" for index in range(9)
    ]
    (run.path / "verdicts.jsonl").write_text("".join(lines))
    got = [verdict.checks for verdict in run.verdicts().values()]
    assert got == [patterns[index % 3] for index in range(9)]
    assert len({id(checks) for checks in got}) == 3


def test_ten_thousand_verdicts_of_a_thousand_checks_take_no_eighty_megabytes(run: RunFolder) -> None:
    with (run.path / "verdicts.jsonl").open("w") as file:
        for index in range(10_000):
            checks = tuple(check < index % 10 for check in range(1000))
            file.write(verdict_line(replace(VERDICT, index=index, checks=checks)) + "\n")
    tracemalloc.start()
    verdicts = run.verdicts()
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(verdicts) == 10_000
    # tuples of their own would take 8 kB each
    assert used < 12e6


@pytest.mark.parametrize(
    ("checks", "complaint"),
    [
        ('"012"', "field 'checks' is a text, expected one of 1 and 0 only"),
        ("[1, 0]", "field 'checks' holds something else than booleans"),
        ("3", "field 'checks' is int, expected list or str"),
    ],
)
def test_checks_of_another_form_are_named_by_file_and_line(
    run: RunFolder, checks: str, complaint: str
) -> None:
    line = VERDICT_LINE.replace("[true,false]", checks)
    (run.path / "verdicts.jsonl").write_text(f"{VERDICT_LINE}\n{line}\n".replace(":0,", ":1,", 1))
    with pytest.raises(DataError, match=rf"verdicts\.jsonl:2: {complaint}"):
        run.verdicts()


def test_keys_are_read_without_reading_the_rest(run: RunFolder) -> None:
    (run.path / "samples.jsonl").write_text('{"completion":3,"token_ids":"x","index":1,"task_id":"a"}\n')
    (run.path / "verdicts.jsonl").write_text('{"checks":3,"status":"passed","index":1,"task_id":"a"}\n')
    assert run.sampled == {("a", 1)}
    assert run.judged == {("a", 1)}
    with pytest.raises(DataError, match=r"samples\.jsonl:1: field 'completion' is int, expected str"):
        list(run.samples())
    with pytest.raises(DataError, match=r"verdicts\.jsonl:1: field 'checks' is int"):
        run.verdicts()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"task_id":"a","index":0}', "field 'completion' is missing; fields present: index, task_id"),
        ('{"task_id":"a","index":true,"completion":""}', "field 'index' is bool, expected int"),
        (
            '{"task_id":"a","index":0,"completion":"","logprobs":[0,null]}',
            "field 'logprobs' holds something else than numbers",
        ),
        (
            '{"task_id":"a","index":0,"completion":"","token_ids":[0.5]}',
            "field 'token_ids' holds something else than integers",
        ),
        (
            '{"task_id":"a","index":0,"completion":"","finish_reason":"eos_token"}',
            "finish_reason 'eos_token'; expected one of stop, eos, length",
        ),
    ],
)
def test_a_malformed_sample_is_named_by_file_line_and_field(
    run: RunFolder, line: str, complaint: str
) -> None:
    good = '{"task_id":"a","index":7,"completion":""}\n'
    (run.path / "samples.jsonl").write_text(f"{good}{line}\n")
    with pytest.raises(DataError, match=rf"samples\.jsonl:2: {complaint}"):
        list(run.samples())


def test_scores_that_are_no_finite_numbers_come_back(path: Path, manifest: Manifest) -> None:
    with RunFolder.create(path, manifest) as run:
        run.write_scores("r", {("a", 0): math.inf, ("a", 1): math.nan, ("a", 2): None, ("a", 3): 2})
        got = run.scores("r")
    assert (got["a", 0], got["a", 2], got["a", 3]) == (math.inf, None, 2.0)
    assert math.isnan(got["a", 1] or 0.0)
    (path / "scores" / "r.jsonl").write_text('{"task_id":"a","index":0,"score":"1"}\n')
    with pytest.raises(DataError, match=r"r\.jsonl:1: field 'score' is str, expected a number"):
        run.scores("r")


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ('{"temperature": "hot"}', "params: field 'temperature' is str, expected a number"),
        ('{"temperature": -1}', "params: temperature = -1.0: expected a number of at least 0"),
        ('{"stop": "x"}', "params: field 'stop' is str, expected list"),
        ("[]", "field 'params' is list, expected dict"),
        ('{"beam": 3}', "format 1, unknown parameters beam; this version reads format 1"),
    ],
)
def test_parameters_that_cannot_be_are_named(run: RunFolder, params: str, complaint: str) -> None:
    facts = '"task": "t", "task_version": "1", "data_hash": "", "model": "m", "n": 1'
    (run.path / "run.json").write_text(f'{{"format": 1, {facts}, "params": {params}}}')
    with pytest.raises(RunFolderError, match=rf"run\.json: {complaint}"):
        RunFolder.open(run.path)
