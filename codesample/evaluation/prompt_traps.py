"""The known ways in which prompt, model and task miss one another, each told by what can be seen of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codesample.records import Extraction, Problem, Prompt, SamplingParams
from codesample.tasks.contract import Task, prompt_then_completion
from codesample.tasks.prompt_form import PromptForm

if TYPE_CHECKING:
    from codesample.sampling.outline import Outline

__all__ = ["Sight", "traps"]

# words by which instruct models are named, between signs that part words
_INSTRUCT = re.compile(
    r"(?:^|[-_./])(?:instruct|inst|chat|it|sft|dpo|rlhf|assistant|r1|reasoning|thinking)"
    r"(?:$|[-_.\d])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Everything that is seen of one problem in one form.

    Attributes:
        task, problem, form, prompt: What is asked, and how.
        ids: Tokens of the prompt; None without a model.
        answer: The reference as a model would give it, or None.
        found: What is read from it.
        params: Settled: stops and limit are those of a run.
        outline: The model, or None.
    """

    task: Task
    problem: Problem
    form: PromptForm
    prompt: Prompt
    ids: tuple[int, ...] | None
    answer: str | None
    found: Extraction | None
    params: SamplingParams
    outline: Outline | None

    @property
    def answer_tokens(self) -> int | None:
        """How many tokens the answer adds to the prompt; None without a model or a reference."""
        if self.outline is None or self.answer is None or not self.answer:
            return None
        return len(self.outline.encode(self.answer)) - self._bos_of_answer

    @property
    def _bos_of_answer(self) -> int:
        assert self.outline is not None
        bos = self.outline.bos
        return int(bos is not None and self.outline.encode(self.answer or "")[:1] == (bos.id,))


def traps(sight: Sight) -> Iterator[str]:
    """Yield a sentence for each trap that is seen, with what to do about it."""
    for trap in _TRAPS:
        yield from trap(sight)


def _white_space(sight: Sight) -> Iterator[str]:
    if sight.form.style != "base" or not isinstance(sight.prompt, str):
        return
    prompt, problem = sight.prompt, sight.problem
    if prompt != problem.prompt and prompt.strip() == problem.prompt.strip():
        yield "the prompt that is given differs from the problem's in white space at its ends"
    if sight.task.assemble is not prompt_then_completion:
        return
    end = prompt[len(prompt.rstrip()) :]
    if not end.endswith("\n"):
        if end:
            yield (
                f"the prompt ends in {len(end)} blanks: a model writes them with the word behind them, as "
                "one token, and does worse after blanks of their own; end it with a newline"
            )
        else:
            yield (
                "the prompt does not end with a newline: the first thing to be written is the rest of a "
                "line; scores differ up to two times by this alone"
            )


def _boundary(sight: Sight) -> Iterator[str]:
    if sight.outline is None or sight.ids is None or not sight.answer:
        return
    boundary = sight.outline.boundary(sight.prompt, sight.answer)
    if boundary is not None and boundary.notice:
        yield boundary.notice


def _form_of_model(sight: Sight) -> Iterator[str]:
    if sight.outline is None:
        return
    name, template = sight.outline.name, sight.outline.template
    # of a folder or a hub id, what the model itself is called
    named_instruct = bool(_INSTRUCT.search(name.rstrip("/").rpartition("/")[2]))
    if sight.form.style == "base" and template is not None:
        yield (
            f"{name} has a chat template and gets the base form: an instruct model scores less so; "
            "--prompt chat asks it as it was trained"
        )
    elif sight.form.style == "base" and named_instruct:
        yield f"{name} is named like an instruct model, and its tokenizer brings no chat template"
    elif sight.form.style == "chat" and not named_instruct:
        yield (
            f"nothing in the name of {name} says that it is an instruct model; base models often come with "
            "the template of their instruct sibling: compare with --prompt base"
        )


def _stops(sight: Sight) -> Iterator[str]:
    if sight.answer is None:
        return
    for stop in sight.params.stop:
        at = sight.answer.find(stop)
        # what comes behind a program in its fence ends the answer as it should
        if at >= 0 and sight.answer[at:].strip() not in ("", "```"):
            inside = ", inside its fence" if sight.form.style == "chat" else ""
            yield f"the stop {stop!r} occurs in the reference{inside}: an answer like it would be cut there"


def _length(sight: Sight) -> Iterator[str]:
    if sight.outline is None or sight.ids is None:
        return
    limit, most = sight.params.token_limit, sight.outline.max_positions
    if sight.answer_tokens is not None and sight.answer_tokens > limit:
        yield (
            f"the reference takes {sight.answer_tokens} tokens, and candidates end at {limit}; raise "
            "--max-new-tokens"
        )
    left = sight.outline.room_behind(len(sight.ids))
    if left is not None and left < limit:
        why = f"candidates end at {left} tokens, not {limit}" if left > 0 else "the run would be refused"
        yield f"{sight.outline.name} has {most} positions and the prompt takes {len(sight.ids)}: {why}"


def _template(sight: Sight) -> Iterator[str]:
    if sight.outline is None or sight.form.style != "chat":
        return
    yield from sight.outline.notices(sight.prompt)
    facts = sight.outline.template
    if facts is None:
        return
    if sight.form.system is None and facts.system != "taken":
        yield f"a system turn would be {facts.system} by the template: leave --system out"
    if facts.prefill == "refused" and not sight.form.prefill:
        yield "the template takes no beginning of an answer: leave --prefill out"
    if facts.strips:
        yield "the template takes white space off the ends of turns"
    if facts.thinks:
        yield (
            "the template is one of a model that thinks before it answers: thinking counts as new tokens; "
            f"{sight.params.token_limit} may end it early (--max-new-tokens)"
        )


def _way_back(sight: Sight) -> Iterator[str]:
    if sight.problem.reference is None or sight.found is None:
        yield "the problem has no reference: what is read from an answer cannot be shown"
        return
    left_out = _left_out(sight.found.program, sight.task.program(sight.problem, sight.problem.reference))
    if left_out is None:
        yield (
            f"what is read from the reference, dressed as an answer, is another program (by rule "
            f"{sight.found.rule!r}): right answers may fail"
        )
    elif left_out:
        yield f"of the reference, dressed as an answer, {', '.join(left_out)} is left out as not needed"


def _left_out(found: str, expected: str) -> list[str] | None:
    """Return which statements a program lacks of another, by name; None where it differs in more than that.

    Texts that are no Python must be equal.
    """
    try:
        mine = [ast.dump(each) for each in ast.parse(found).body]
        whole = ast.parse(expected).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [] if found.strip() == expected.strip() else None
    lacking = []
    for node in whole:
        if mine and ast.dump(node) == mine[0]:
            mine.pop(0)
        else:
            lacking.append(getattr(node, "name", None) or f"line {node.lineno}")
    return None if mine else lacking


_TRAPS: tuple[Callable[[Sight], Iterator[str]], ...] = (
    _form_of_model,
    _white_space,
    _boundary,
    _stops,
    _length,
    _template,
    _way_back,
)
