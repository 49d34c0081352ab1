"""The two forms in which a task's problems are put to a model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codesample.errors import ParameterError
from codesample.extraction import Wanted
from codesample.records import Candidate, Message, Problem, ScriptExample, ScriptTests
from codesample.tasks.chat_forms import COMPLETE, SOLVE
from codesample.tasks.contract import Task, completion_alone
from codesample.tasks.prompt_form import FENCE, ChatForm


def candidate(text: str, **more: object) -> Candidate:
    return replace(Candidate("adding/1", 0, text), **more)


@pytest.fixture
def first(adding: Task) -> Problem:
    return adding.problems()[0]


def test_the_base_form_is_the_tasks_own_prompt_stops_and_limit(adding: Task, first: Problem) -> None:
    form = adding.form("base")
    assert form.ask(first) == first.prompt
    assert (form.stop, form.max_new_tokens) == (adding.stop, adding.max_new_tokens)


def test_the_base_form_continues_the_prompt_and_says_so(adding: Task, first: Problem) -> None:
    read = adding.form("base").read(first, "    return x + 1\n")
    assert read.program == first.prompt + "    return x + 1\n"
    assert (read.rule, read.spans) == ("continuation", ((0, 17),))


@pytest.mark.parametrize("asked", [{"system": "Be brief."}, {"prefill": True}])
def test_the_base_form_has_neither_system_nor_prefill(adding: Task, asked: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match=f"{next(iter(asked))}.*--prompt chat"):
        adding.form("base", **asked)  # type: ignore[arg-type]


def test_the_chat_form_of_a_task_that_brings_none_asks_for_the_prompt_to_be_completed(
    adding: Task, first: Problem
) -> None:
    (turn,) = adding.form("chat").ask(first)
    assert isinstance(turn, Message)
    assert turn.role == "user"
    assert first.prompt.strip() in turn.content
    assert turn.content.startswith("Complete")


def test_a_task_in_words_is_asked_to_be_solved(adding: Task, first: Problem) -> None:
    words = replace(first, prompt="few shots\n\nAdd one.", description="Add one.")
    task = replace(adding, assemble=completion_alone, load=lambda: [words])
    (turn,) = task.form("chat").ask(words)
    assert isinstance(turn, Message)
    assert turn.content.endswith("\n\nAdd one.\n")
    assert "few shots" not in turn.content


def test_no_stop_of_the_base_form_reaches_an_answer(adding: Task) -> None:
    assert adding.form("chat").stop == ()


def test_system_turn_and_beginning_of_the_answer_stand_where_they_belong(
    adding: Task, first: Problem
) -> None:
    form = adding.form("chat", system="Be brief.", prefill=True)
    before, turn, behind = form.ask(first)
    assert before == Message("system", "Be brief.")
    assert isinstance(turn, Message)
    assert turn.role == "user"
    assert behind == Message("assistant", FENCE)


def test_an_answer_that_begins_inside_a_fence_ends_with_it(adding: Task) -> None:
    assert adding.form("chat", prefill=True).stop == ("\n```",)


def test_a_beginning_that_opens_no_fence_has_no_such_end(adding: Task, first: Problem) -> None:
    chat = ChatForm("1", "here", ask=lambda problem: "?", wanted=lambda problem: Wanted(), prefill="Sure:")
    form = replace(adding, chat=chat).form("chat", prefill=True)
    assert form.stop == ()
    assert form.ask(first) == (Message("user", "?"), Message("assistant", "Sure:"))


def test_what_an_answer_begins_with_is_known_where_it_is_read(adding: Task, first: Problem) -> None:
    seen = []

    def wanted(problem: Problem) -> Wanted:
        seen.append(problem.task_id)
        return Wanted("function", name="add")

    chat = ChatForm("1", "here", ask=lambda problem: "?", wanted=wanted)
    read = (
        replace(adding, chat=chat).form("chat", prefill=True).read(first, "def add(x):\n    return x + 1\n")
    )
    assert seen == ["adding/1"]
    assert "def add(x):" in read.program


def test_candidates_get_rule_and_spans_with_their_program(adding: Task, first: Problem) -> None:
    known = {first.task_id: first}
    ((marked, program),) = adding.form("base").assembled([candidate("    return 1\n")], known)
    assert program == first.prompt + "    return 1\n"
    assert (marked.rule, marked.spans) == ("continuation", ((0, 13),))


def test_a_program_of_its_own_is_run_as_it_is(adding: Task, first: Problem) -> None:
    given = candidate("prose", program="def add(x): ...")
    assert list(adding.form("chat").assembled([given], {first.task_id: first})) == [
        (given, "def add(x): ...")
    ]


def test_forms_that_ask_otherwise_are_recorded_otherwise(adding: Task) -> None:
    records = [
        adding.form("base"),
        adding.form("chat"),
        adding.form("chat", system="Be brief."),
        adding.form("chat", prefill=True),
    ]
    kept = [form.as_json() for form in records]
    assert all(kept[i] != kept[j] for i in range(4) for j in range(i))
    assert kept[2] == {"style": "chat", "version": "complete-1", "system": "Be brief.", "prefill": ""}


def test_a_task_of_scripts_wants_a_script(adding: Task, first: Problem) -> None:
    script = replace(first, prompt="Print x.", tests=ScriptTests(cases=(ScriptExample("1\n", "1\n"),)))
    task = replace(adding, assemble=completion_alone, load=lambda: [script])
    read = task.form("chat").read(script, "```python\nprint(input())\n```\n")
    assert "print(input())" in read.program


def test_a_way_to_make_programs_that_only_looks_like_its_own_has_a_plain_form(adding: Task) -> None:
    continued = replace(adding, assemble=lambda problem, text: problem.prompt + text)
    alone = replace(adding, assemble=lambda problem, text: text)
    assert (continued.chat_form, alone.chat_form) == (COMPLETE, SOLVE)


def test_of_a_way_of_its_own_nobody_knows_how_answers_are_read(adding: Task, first: Problem) -> None:
    own = replace(adding, assemble=lambda problem, text: f"{problem.prompt}{text}\nadd.made = True\n")
    assert own.chat_form is None
    with pytest.raises(ParameterError, match=r"Task\.chat.*--prompt base"):
        own.form("chat")
    assert own.form("base").read(first, "    return 1\n").program.endswith("add.made = True\n")


def test_a_plain_form_leaves_answers_the_room_of_completions(adding: Task) -> None:
    assert adding.form("chat").max_new_tokens == 1024
    assert replace(adding, max_new_tokens=4096).form("chat").max_new_tokens == 4096


def test_examples_that_a_base_model_is_shown_are_no_part_of_the_turn(adding: Task, first: Problem) -> None:
    words = replace(first, prompt="few shots\n\nAdd one.", header="few shots\n\n", description="")
    task = replace(adding, assemble=completion_alone, load=lambda: [words])
    (turn,) = task.form("chat").ask(words)
    assert isinstance(turn, Message)
    assert turn.content.endswith("\n\nAdd one.\n")
    assert "few shots" not in turn.content


def test_an_answer_is_not_begun_twice(adding: Task, first: Problem) -> None:
    begun = replace(first, messages=(Message("user", "Add."), Message("assistant", "Sure!")))
    assert adding.form("chat").ask(begun) == begun.messages
    with pytest.raises(
        ParameterError, match=r"messages of adding/1 begin the answer without a fence; leave it out"
    ):
        adding.form("chat", prefill=True).ask(begun)


def test_a_prefill_of_a_form_that_has_none_is_refused(adding: Task) -> None:
    chat = ChatForm("1", "here", ask=lambda problem: "?", wanted=lambda problem: Wanted(), prefill="")
    with pytest.raises(ParameterError, match="prefill: answers of adding have no beginning"):
        replace(adding, chat=chat).form("chat", prefill=True)
