"""What is said of options that other tools have, and of misspelt ones."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from codesample.cli import foreign_options
from codesample.cli.app import app
from codesample.cli.foreign_options import advice

EVAL = {
    "--n",
    "--model",
    "--max-new-tokens",
    "--temperature",
    "--top-p",
    "--ids",
    "--limit",
    "--max-rows",
    "--k",
}


def said(*words: str) -> str:
    """Return the one line that a refused call prints."""
    done = CliRunner().invoke(app, list(words))
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize(
    ("option", "use"),
    [
        ("--batch-size", "--max-rows"),
        ("--bs", "--max-rows"),
        ("--num-samples", "--n"),
        ("--n-samples", "--n"),
        ("--n_samples", "--n"),
        ("--tasks", "codesample eval humaneval mbpp"),
        ("--dataset", "codesample eval humaneval mbpp"),
        ("--max-tokens", "--max-new-tokens"),
        ("--max_length_generation", "--max-new-tokens"),
        ("--max_new_tokens", "--max-new-tokens"),
        ("--TOP_K", "--top-k"),
        ("--do_sample", "--temperature"),
        ("--model-name", "--model"),
        ("--model_args", "--model"),
        ("--load_generations_path", "codesample execute"),
        ("--allow_code_execution", "sandbox"),
        ("--apply_chat_template", "--prompt chat"),
        ("--id_range", "--ids"),
        ("--sample-id", "--ids"),
        ("--epochs", "--n"),
        ("--output_path", "--out"),
        ("--use_cache", "--resume"),
        ("--check_references", "codesample tasks verify"),
        ("--nsamples", "--n"),
        ("--noextreme", "codesample list tasks"),
        ("--evaluate", "codesample sample"),
        ("--temprature", "--temperature"),
        ("--rerankr", "--reranker"),
        ("-temperature", "--temperature"),
        ("-model", "--model"),
    ],
)
def test_an_option_of_another_spelling_is_answered_by_ours(option: str, use: str) -> None:
    line = said("eval", "mini", option, "x")
    assert line.startswith(f"error: no such option: {option if option.startswith('--') else option[:2]}; ")
    assert use in line
    assert line.endswith(" eval --help")


def test_what_no_tool_knows_is_refused_without_a_guess() -> None:
    for option in ("--zzz", "--shuffle", "--cot", "--peft-model", "--message-limit", "-d"):
        assert said("eval", "mini", option).startswith(f"error: no such option: {option}. Help: ")


def test_the_task_is_named_as_the_command_takes_it() -> None:
    assert "the task is --task TASK" in said("execute", "x.jsonl", "--tasks", "humaneval")
    assert "the task is --task TASK" in said("sample", "--dataset", "humaneval")


def test_where_the_command_has_no_such_option_it_is_said_whose_it_is() -> None:
    assert "candidates per problem are --n (of codesample eval)" in said("rerank", "run", "--n_samples", "3")


@pytest.mark.parametrize("option", ["--greedy", "--n", "--seed", "--temperature"])
def test_what_is_drawn_elsewhere_is_not_taken_for_another_option(option: str) -> None:
    assert f"{option}; it says how candidates are drawn, which codesample eval does" in said(
        "execute", "x.jsonl", option
    )


@pytest.mark.parametrize("option", ["--calibrated", "--sanitize", "--postprocess", "--extract_code"])
def test_reading_programs_out_of_answers_is_asked_for_where_samples_are_there(option: str) -> None:
    assert "programs are read out of answers by --extract" in said("execute", "x.jsonl", option)
    assert "leave it out: the program is found in the answer by itself" in said("eval", "mini", option)


def pages() -> str:
    commands = ("eval", "sample", "execute", "rerank", "report")
    shown = [CliRunner().invoke(app, [each, "--help"], env={"COLUMNS": "200"}).output for each in commands]
    return "".join(shown)


def test_advice_names_options_that_there_are_and_foreign_names_that_there_are_not() -> None:
    offered = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", pages()))
    for names, text in foreign_options._SAID.items():
        for option in re.findall(r"(?<![\w-])--[a-z-]+", text):
            assert option in offered, (names, option)
        assert [name for name in names if f"--{name}" in offered] == []
        assert len(text) < 100
    every = [name for names in foreign_options._SAID for name in names]
    assert len(every) == len(set(every))
    assert all(re.fullmatch("[a-z0-9-]+", name) for name in every)


@given(st.text(min_size=1, max_size=20))
def test_no_word_breaks_the_advice(text: str) -> None:
    found = advice(f"--{text}", offered=EVAL, words=[f"--{text}"])
    assert "\n" not in found


@given(st.sampled_from(sorted(EVAL - {"--n", "--k"})), st.data())
def test_a_letter_too_few_is_forgiven(option: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(2, len(option) - 1))
    assert option in advice(option[:at] + option[at + 1 :], offered=EVAL)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["eval", "mini", "--n", "abc"], "n = 'abc': expected a whole number. Help: "),
        (["eval", "mini", "-n", "1.5"], "n = '1.5': expected a whole number. Help: "),
        (["eval", "mini", "--top-k", ""], "top_k = '': expected a whole number. Help: "),
        (["sample", "x", "--top-p", "hot"], "top_p = 'hot': expected a number. Help: "),
        (["sample", "x", "--temperature", "hot"], "temperature = 'hot': expected a number"),
        (["eval", "mini", "--temperature", "0.2;0.8"], "temperature = '0.2;0.8': expected a number"),
        (["bench", "loop", "--repeats", "0"], "repeats = '0': expected at least 1. Help: "),
        (["eval", "mini", "--n"], "--n: expected a value behind it. Help: "),
        (["eval", "mini", "--resume=yes"], "--resume: takes no value; it is said by its name alone. Help: "),
        (["eval", "mini", "--k", "1", "10"], "task '10': a number is no task; several values of one option"),
        (["rerank", "run", "--k", "1", "10"], "Got unexpected extra argument(s) (10); several values"),
        (["eval", "mini", "--limit", "x"], "limit = 'x': expected at least 1 problem, such as 20"),
        (["evl", "mini"], "No such command 'evl'. Did you mean 'eval'? Help: "),
    ],
)
def test_what_cannot_be_read_is_said_in_our_words(words: list[str], line: str) -> None:
    assert said(*words).startswith(f"error: {line}")


def test_the_help_that_is_named_is_that_of_the_command() -> None:
    assert said("eval", "mini", "--n").endswith("eval --help")
    assert said("tasks", "verify", "--workers").endswith("tasks verify --help")
