"""What every task provides: problems with tests, a prompt form, stop strings, and how a program is built."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cached_property

from codesample.errors import DataError, ParameterError
from codesample.records import Extraction, Problem, ScriptTests, Tests
from codesample.records.short import one_line, spelt
from codesample.records.validation import validated
from codesample.tasks.chat_forms import COMPLETE, SOLVE
from codesample.tasks.facts import TaskFacts
from codesample.tasks.prompt_form import ChatForm, PromptForm, Style, as_it_is

__all__ = ["Task", "completion_alone", "prompt_then_completion"]

# what tests can state, in the order and under the names that fingerprints have always had
_STATED = (
    "source",
    "entry_point",
    "stub",
    "checks",
    "inputs",
    "reference",
    "atol",
    "time_limit",
    "memory",
    "imports",
    "oracle",
    "io",
    "mode",
)

# tells a way to make programs that only looks like one of its own
_PROBE = "    return 0\n"


def prompt_then_completion(problem: Problem, completion: str) -> str:
    """Build a program by continuing the prompt: the form of data sets that ask for a function's body."""
    return problem.prompt + completion


def completion_alone(problem: Problem, completion: str) -> str:
    """Build a program from the completion only: the form of data sets whose prompt is not Python."""
    return completion


@validated
@dataclass(frozen=True)
class Task:
    """A data set with its prompt form and its tests. Making one reads nothing; `problems` does, once.

    Attributes:
        name: As given on the command line.
        version: Changes whenever prompts, stop strings, tests or the evaluated problems change.
        source: Papers and data, as a citation.
        stop: Strings that end a candidate.
        max_new_tokens: Default limit per candidate, in tokens.
        load: Reads every problem of the data set, in the data set's order.
        assemble: Builds the program from a problem and one completion.
        in_split: Tells which problems are evaluated; all by default.
        chat: How it is put to chat models; None asks for the base form's prompt to be completed or solved,
            for a task that makes programs by continuing prompts or of completions alone, and no other.
        finish: Makes what is run of a program, whoever wrote it and however it was found: adds what the data
            set's own grader gives every program. The program itself by default.
        left_out: Task ids of the data that nothing can be judged by, with the reason; `load` fills it in.
        base: Whether it has a base form; False for problems that are messages and no text to continue.
        facts: What the page of all tasks says of it.
    """

    name: str
    version: str
    source: str
    stop: tuple[str, ...]
    max_new_tokens: int
    load: Callable[[], Sequence[Problem]]
    assemble: Callable[[Problem, str], str] = prompt_then_completion
    in_split: Callable[[Problem], bool] = lambda problem: True
    chat: ChatForm | None = None
    finish: Callable[[Problem, str], str] = as_it_is
    left_out: Mapping[str, str] = field(default_factory=dict, compare=False)
    base: bool = True
    facts: TaskFacts = field(default_factory=TaskFacts)

    __repr__ = one_line

    def problems(self) -> Sequence[Problem]:
        """Return the evaluated problems, read and validated at the first call.

        Raises:
            DataError: the data hold no evaluated problem, or a problem is malformed.
            HubUnavailableError: the data are not on this machine and the hub cannot be reached.
        """
        return self._evaluated

    def all_problems(self) -> Sequence[Problem]:
        """Return the data set's problems, also those outside the evaluated split; raises as `problems`."""
        return self._all

    def program(self, problem: Problem, completion: str) -> str:
        """Return the Python text to run for one completion of `problem`."""
        return self.finish(problem, self.assemble(problem, completion))

    def form(self, style: Style, *, system: str | None = None, prefill: bool = False) -> PromptForm:
        """Return how problems are put to a model and programs made of what it writes.

        Args:
            style: "base": the problem's prompt, continued. "chat": a turn of the user's, answered.
            system: A system turn before it.
            prefill: Whether the beginning of the answer is given too.

        Raises:
            ParameterError: a system turn or a prefill for the base form, which has none; a prefill for a chat
                form that has none; the chat form of a task that has none.
        """
        if style == "chat":
            form = self.chat_form
            if form is None:
                raise ParameterError(
                    f"task {self.name}: makes programs in a way of its own (Task.assemble) and does not say "
                    "how answers become programs (Task.chat); choose --prompt base"
                )
            if prefill and not form.prefill:
                raise ParameterError(
                    f"prefill: answers of {self.name} have no beginning to give; leave it out"
                )
            return PromptForm.chat(form, system=system, prefill=prefill, finish=self.finish)
        if system is not None or prefill:
            what = "system" if system is not None else "prefill"
            raise ParameterError(f"{what}: belongs to the chat form; leave it out, or ask for --prompt chat")
        return PromptForm(
            style="base",
            ask=self._continue,
            read=self._continued,
            stop=self.stop,
            max_new_tokens=self.max_new_tokens,
            finish=self.finish,
        )

    def _continued(self, problem: Problem, completion: str) -> Extraction:
        spans = ((0, len(completion)),) if completion else ()
        return Extraction(self.program(problem, completion), "continuation", spans)

    def _continue(self, problem: Problem) -> str:
        if not self.base:
            raise ParameterError(
                f"task {self.name}: {problem.task_id} is given as messages and has no base form; only a "
                "model with a chat template can answer it: leave out --prompt base, or choose such a model"
            )
        return problem.prompt

    @cached_property
    def chat_form(self) -> ChatForm | None:
        """How it is put to chat models: its own form, or a plain one; None where neither is right.

        A plain one leaves answers the room that completions have.
        """
        if self.chat is not None:
            return self.chat
        plain = self._plain_form
        if plain is None or plain.max_new_tokens >= self.max_new_tokens:
            return plain
        return replace(plain, max_new_tokens=self.max_new_tokens)

    @property
    def _plain_form(self) -> ChatForm | None:
        if self.assemble is prompt_then_completion:
            return COMPLETE
        if self.assemble is completion_alone:
            return SOLVE
        first = self.problems()[0]
        built = self.assemble(first, _PROBE)
        return {first.prompt + _PROBE: COMPLETE, _PROBE: SOLVE}.get(built)

    def fingerprint(self) -> str:
        """Return a SHA-256 over the evaluated problems, in order, and the form of their programs.

        The same for any copy of the data.
        """
        digest = hashlib.sha256()
        for problem in self.problems():
            parts: tuple[object, ...] = (problem.task_id, problem.prompt, _stated(problem.tests))
            # a model may answer nothing, so every form makes a program of that
            built = self.program(problem, "")
            if built != problem.prompt:
                parts += (built,)
            if problem.messages:
                parts += (tuple((turn.role, turn.content) for turn in problem.messages),)
            digest.update(spelt(parts).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    @cached_property
    def _all(self) -> tuple[Problem, ...]:
        problems = tuple(self.load())
        seen: set[str] = set()
        for problem in problems:
            fault = _fault(problem)
            if problem.task_id in seen:
                fault = "its task_id occurs twice"
            if fault:
                raise DataError(f"task {self.name}, problem {problem.task_id!r}: {fault}")
            seen.add(problem.task_id)
        return problems

    @cached_property
    def _evaluated(self) -> tuple[Problem, ...]:
        if not self._all:
            raise DataError(f"task {self.name}: its data hold no entry; expected at least one problem")
        kept = tuple(problem for problem in self._all if self.in_split(problem))
        if not kept:
            raise DataError(
                f"task {self.name}: {len(self._all)} entries read, none of them in the evaluated split"
            )
        return kept


def _fault(problem: Problem) -> str | None:
    """Say what is wrong with `problem`, or None."""
    if not problem.task_id:
        return "empty task_id"
    if not problem.prompt:
        return "empty prompt"
    if not problem.prompt.startswith(problem.header):
        return "the prompt does not begin with its header"
    if not isinstance(problem.tests, Tests) or type(problem.tests) is Tests:
        return f"no tests: {type(problem.tests).__name__} is no kind of them; CodeTests is one"
    return None


def _stated(tests: Tests) -> list[tuple[str, object]]:
    """List what decides about programs; a field added to a kind later leaves others' fingerprints alone.

    A field whose metadata say `{"judges": False}`, such as a program for measuring, is no part of it.
    """
    stated = {}
    for each in fields(tests):
        if not each.metadata.get("judges", True):
            continue
        value = getattr(tests, each.name)
        if each.default is MISSING or value != each.default:
            stated[each.name] = value
    if isinstance(tests, ScriptTests):
        stated["io"] = tuple((case.input, case.output) for case in stated.pop("cases"))
    return [(name, stated.pop(name)) for name in _STATED if name in stated] + list(stated.items())
