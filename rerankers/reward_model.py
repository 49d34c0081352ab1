"""Reranker by a model that was trained to tell right programs from wrong ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from codesample.errors import ParameterError
from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker
from codesample.rerankers.parameters import Bounds, Opens
from codesample.rerankers.program_text import text_of
from codesample.rerankers.sequence_classifier import open_classifier

__all__ = ["reward_model"]


@reranker(independent=True)
def reward_model(
    view: PublicView,
    candidates: Sequence[Candidate],
    ctx: Context,
    *,
    model: Annotated[str, Opens("classifier")],
    label: str | int | None = None,
    scale: Literal["log_odds", "probability"] = "log_odds",
    batch: Annotated[int, Bounds(least=1, most=4096)] = 8,
) -> list[float | None]:
    """Score by a sequence classifier that reads the task with the program: a reward, or odds of a label.

    `model` is a folder or a name on the hub that AutoModelForSequenceClassification loads, with its head;
    it is loaded when first used, once per process. With one output that is the score. With several, `label`
    says which one stands for right programs, by name or number; of two, the second by default. A tokenizer
    with a chat template gets the task as the user's turn and the program, fenced, as the answer; others get
    both as a pair. A text that is too long loses its beginning, which the run tells of.

    Formula: r(x, y), or log p(label | x, y) - log (1 - p(label | x, y)), or that p
    Source: arXiv:2502.01718 (rewards of code), arXiv:2206.03865 (labels of code)
    Needs: nothing of the run; a checkpoint, torch and transformers
    Cost: each distinct program with the task is read once, n (|x| + |y|) tokens
    Leaning: whatever the checkpoint was trained on; one for chat in general tells little of code
    """
    classifier = open_classifier(model)
    wanted = _label(classifier.labels, label, model)
    messages = classifier.takes_messages and not isinstance(ctx.asked, str)
    question = ctx.asked if messages else view.description
    programs = sorted({text_of(each) for each in candidates})
    answers = [_fenced(each) if classifier.takes_messages else each for each in programs]
    scores: dict[str, float] = {}
    for program, graded in zip(programs, classifier.grade(question, answers, batch=batch), strict=True):
        if graded.shortened:
            ctx.note(f"a text longer than {model} reads lost its beginning")
        scores[program] = graded.logits[0] if wanted is None else _score(graded.logits, wanted, scale)
    return [scores[text_of(each)] for each in candidates]


def _fenced(program: str) -> str:
    text = program.strip("\n")
    return f"```python\n{text}\n```"


def _label(labels: Sequence[str], wanted: str | int | None, model: str) -> int | None:
    """Return the number of the label that stands for right programs; None where there is one output."""
    if len(labels) == 1 and wanted is None:
        return None
    if len(labels) == 2 and wanted is None:
        return 1
    if (
        isinstance(wanted, int)
        and not isinstance(wanted, bool)
        and len(labels) > 1
        and 0 <= wanted < len(labels)
    ):
        return wanted
    named = [at for at, each in enumerate(labels) if str(wanted).casefold() == each.casefold()]
    if isinstance(wanted, str) and len(named) == 1 and len(labels) > 1:
        return named[0]
    known = ", ".join(f"{at} ({each})" for at, each in enumerate(labels))
    expected = "no label, since it has one output" if len(labels) == 1 else f"one of its labels: {known}"
    raise ParameterError(f"reward_model: label={wanted!r} of {model}: expected {expected}")


def _score(logits: Sequence[float], wanted: int, scale: str) -> float:
    top = max(logits)
    others = math.fsum(math.exp(each - top) for at, each in enumerate(logits) if at != wanted)
    if scale == "probability":
        own = math.exp(logits[wanted] - top)
        return own / (own + others)
    # by logarithms, since a sure model's probability rounds to 1
    rest = max(each for at, each in enumerate(logits) if at != wanted)
    shares = math.fsum(math.exp(each - rest) for at, each in enumerate(logits) if at != wanted)
    return logits[wanted] - rest - math.log(shares)
