"""One problem looked at before anything is run: its prompt to the token, and the way back from an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from codesample.errors import ParameterError
from codesample.evaluation.options import PromptOptions
from codesample.evaluation.plan import style_for
from codesample.evaluation.problem_choice import choose_problem
from codesample.evaluation.problem_set import ProblemSet
from codesample.evaluation.prompt_traps import Sight, traps
from codesample.records import Extraction, Message, Problem, Prompt, SamplingParams
from codesample.tasks.contract import Task
from codesample.tasks.prompt_form import FENCE, PromptForm, Style

if TYPE_CHECKING:
    from codesample.sampling.outline import Outline, TokenText

__all__ = ["Preview", "find_problem", "look_at"]

_LAST_TOKENS = 8


@dataclass(frozen=True, slots=True)
class Preview:
    """What a model would be given for one problem, and what would be read from its answer.

    Attributes:
        task, task_id: Names.
        evaluated: Whether the problem is in the evaluated split.
        model: Name; None where none was looked at.
        form: `PromptForm.as_json`.
        prompt: The text to continue or the messages, before the template.
        text: What the model reads, special tokens included: the prompt itself, or the messages through the
            template; None for messages where no model was looked at.
        shared: Of `text`, or of the last user turn where that is None, how many first characters all the
            task's prompts have in common.
        shared_tokens: The same in tokens; None without a model.
        tokens: How many the prompt has; None without a model.
        bos: How many of these are the token that begins texts; None without a model.
        last: The last tokens.
        stop: Strings that end a candidate.
        max_new_tokens: Limit of a candidate, in tokens.
        end_tokens: Tokens that end one.
        answer: The reference as a model would give it; None where the problem has none.
        answer_tokens: How many tokens that is; None without a model.
        found: What is read from that answer.
        warnings: Known traps that the problem, the model and the form are in; a sentence each.
    """

    task: str
    task_id: str
    evaluated: bool
    model: str | None
    form: dict[str, Any]
    prompt: Prompt
    text: str | None
    shared: int
    shared_tokens: int | None
    tokens: int | None
    bos: int | None
    last: tuple[TokenText, ...]
    stop: tuple[str, ...]
    max_new_tokens: int
    end_tokens: tuple[TokenText, ...]
    answer: str | None
    answer_tokens: int | None
    found: Extraction | None
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)


def find_problem(task: Task, item: str | None) -> Problem:
    """Return the problem that a person means; see `choose_problem`.

    Args:
        item: None takes the first one.

    Raises:
        ParameterError: there is none, or there are several; suggests a near one.
        DataError, HubUnavailableError: the data are malformed or cannot be had.
    """
    problems = task.problems()
    if item is None:
        return problems[0]
    try:
        return choose_problem(problems, item, task=task.name)
    except ParameterError:
        # one that is not evaluated can be looked at as well
        return choose_problem(task.all_problems(), item, task=task.name)


def look_at(
    chosen: ProblemSet,
    problem: Problem,
    *,
    outline: Outline | None = None,
    prompts: PromptOptions | None = None,
    params: SamplingParams | None = None,
) -> Preview:
    """Look at one problem as a model would be given it.

    Args:
        chosen: The task, with the problems whose prompts may share a beginning.
        problem: One of the task.
        outline: The model; None leaves out what only its tokenizer tells.
        prompts: How problems are put to it; "auto" without a model is the base form.
        params: Their stops and limit come to the form's.

    Raises:
        ParameterError: the model takes no messages and the chat form was asked for, or its template refuses
            a system turn or a prefill.
    """
    asked = prompts or PromptOptions()
    chosen = chosen.put(_style(asked, outline, chosen.task), asked)
    sight = _sight(chosen, problem, outline, params)
    form, prompt, ids, settled = sight.form, sight.prompt, sight.ids, sight.params
    text = prompt if isinstance(prompt, str) else None
    if text is None and ids is not None and outline is not None:
        text = outline.decode(ids)
    shared, shared_tokens = _shared(chosen, form, prompt, text, outline)
    bos = outline.bos if outline else None
    return Preview(
        task=chosen.task.name,
        task_id=problem.task_id,
        evaluated=problem in chosen.task.problems(),
        model=outline.name if outline else None,
        form=form.as_json(),
        prompt=prompt,
        text=text,
        shared=shared,
        shared_tokens=shared_tokens,
        tokens=None if ids is None else len(ids),
        bos=None if ids is None else sum(bos is not None and each == bos.id for each in ids),
        last=() if ids is None or outline is None else outline.texts(ids[-_LAST_TOKENS:]),
        stop=settled.stop,
        max_new_tokens=settled.token_limit,
        end_tokens=outline.end_tokens(prompt) if outline else (),
        answer=sight.answer,
        answer_tokens=sight.answer_tokens,
        found=sight.found,
        warnings=tuple(traps(sight)),
    )


def _style(asked: PromptOptions, outline: Outline | None, task: Task) -> Style:
    if outline is not None:
        return style_for(outline, asked, task)
    return "chat" if asked.chat_only else "base"


def _sight(
    chosen: ProblemSet, problem: Problem, outline: Outline | None, params: SamplingParams | None
) -> Sight:
    form = chosen.prompt_form
    prompt, answer = form.ask(problem), dressed_reference(chosen.task, form, problem)
    return Sight(
        task=chosen.task,
        problem=problem,
        form=form,
        prompt=prompt,
        ids=None if outline is None else outline.encode(prompt),
        answer=answer,
        found=None if answer is None else form.read(problem, answer),
        params=chosen.settled(params),
        outline=outline,
    )


def dressed_reference(task: Task, form: PromptForm, problem: Problem) -> str | None:
    """Return a problem's reference in the dress that a model would give it; None where it has none.

    The base form's is what continues the prompt. An answer holds the whole program in a fence, or goes on
    behind the beginning that it was given.
    """
    if problem.reference is None or form.style == "base":
        return problem.reference
    wanted = task.chat.wanted(problem).shape if task.chat else "function"
    prompt = form.ask(problem)
    last = prompt[-1] if isinstance(prompt, tuple) else None
    begun = last is not None and last.role == "assistant" and last.content.endswith(FENCE)
    # a value is asked for as it stands, and not as the statement that tests make of it
    code = problem.reference if wanted == "expression" else task.program(problem, problem.reference)
    code = code.strip("\n")
    return f"{code}\n" if begun else f"{FENCE}{code}\n```\n"


def _shared(
    chosen: ProblemSet, form: PromptForm, prompt: Prompt, text: str | None, outline: Outline | None
) -> tuple[int, int | None]:
    """Return how much of a prompt all prompts of the task begin with, in characters and in tokens."""
    others = sorted({_turns(form.ask(each)) for each in chosen.problems} - {_turns(prompt)})
    if not others:
        return 0, None if outline is None else 0
    # what the first and the last of a sorted list share, all of them share
    ends = [_prompt(each, prompt) for each in (others[0], others[-1])]
    if outline is None:
        return _alike([_last(each) for each in (prompt, *ends)]), None
    rows = [outline.encode(each) for each in (prompt, *ends)]
    tokens = _alike(rows)
    shown = len(outline.decode(rows[0][:tokens]))
    if isinstance(prompt, str):
        # the text has no token that begins texts
        shown = _alike([str(each) for each in (prompt, *ends)])
    return min(shown, len(text or "")), tokens


def _alike(rows: Sequence[Sequence[object]]) -> int:
    """Return how many first items all rows have in common."""
    apart = (at for at, items in enumerate(zip(*rows, strict=False)) if len(set(items)) > 1)
    return next(apart, min(map(len, rows)))


def _turns(prompt: Prompt) -> tuple[tuple[str, str], ...]:
    if isinstance(prompt, str):
        return (("", prompt),)
    return tuple((each.role, each.content) for each in prompt)


def _prompt(turns: Sequence[tuple[str, str]], like: Prompt) -> Prompt:
    return turns[0][1] if isinstance(like, str) else tuple(Message(*each) for each in turns)


def _last(prompt: Prompt) -> str:
    """Return the text, or the last turn of the user's."""
    if isinstance(prompt, str):
        return prompt
    return next((each.content for each in reversed(prompt) if each.role == "user"), "")
