"""A checkpoint that reads a question with an answer and gives it numbers: loads it, once, and asks it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codesample.errors import ModelError
from codesample.hub import expect_hub
from codesample.quiet import without_bars
from codesample.records import Message

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Graded", "SequenceClassifier", "open_classifier"]

# their positions begin behind the one of padding
_PADDED_POSITIONS = frozenset(
    {"camembert", "longformer", "mpnet", "roberta", "xlm-roberta", "xlm-roberta-xl"}
)


@dataclass(frozen=True, slots=True)
class Graded:
    """What a classifier says of one text.

    Attributes:
        logits: One for each label.
        shortened: Whether the text was longer than it reads, and lost its beginning.
    """

    logits: tuple[float, ...]
    shortened: bool


@functools.lru_cache(maxsize=2)
def open_classifier(name: str) -> SequenceClassifier:
    """Load a checkpoint, from a folder or by its name on the hub; a second call gives the same one.

    On a GPU where there is one, in the checkpoint's own dtype there and in float32 elsewhere.

    Raises:
        ModelError: it cannot be loaded, or has no trained head that classifies.
    """
    expect_hub()
    import torch
    from transformers.models.auto import AutoModelForSequenceClassification, AutoTokenizer

    on_gpu = torch.cuda.is_available()
    try:
        with without_bars():
            tokenizer = AutoTokenizer.from_pretrained(name)
            model, found = AutoModelForSequenceClassification.from_pretrained(
                name, dtype="auto" if on_gpu else torch.float32, output_loading_info=True
            )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{name}: no sequence classifier could be loaded: {first}") from error
    if missing := sorted(found["missing_keys"]):
        raise ModelError(
            f"{name}: is no trained sequence classifier: it lacks {', '.join(missing[:3])}, and random "
            "weights would take that place; give a checkpoint of a reward model or of a classifier"
        )
    return SequenceClassifier(name, model.eval().to("cuda" if on_gpu else "cpu"), tokenizer)


class SequenceClassifier:
    """A loaded checkpoint with its tokenizer.

    Attributes:
        name: As it was loaded.
        labels: What each logit stands for, as the checkpoint says.
        takes_messages: Whether its tokenizer has a chat template.
    """

    def __init__(self, name: str, model: Any, tokenizer: Any) -> None:
        self.name, self._model, self._tokenizer = name, model, tokenizer
        self.labels = tuple(str(model.config.id2label[at]) for at in range(model.config.num_labels))
        self.takes_messages = bool(getattr(tokenizer, "chat_template", None))
        tokenizer.padding_side, tokenizer.truncation_side = "right", "left"
        self._limit = _limit(model.config, tokenizer)

    def grade(self, question: str | Sequence[Message], answers: Sequence[str], *, batch: int) -> list[Graded]:
        """Return what it says of each answer to a question.

        A chat template gets the question as messages and the answer as the assistant's; without one, both
        are a pair of texts, with whatever the tokenizer puts between them.

        Args:
            question: A text or messages; messages need `takes_messages`.
            answers: Each is read by itself.
            batch: How many at once; more than one only where the tokenizer can pad.

        Raises:
            ModelError: its chat template refuses the messages.
        """
        encoded = [self._encoded(question, answer) for answer in answers]
        # texts of one length together waste no padding
        order = sorted(range(len(encoded)), key=lambda at: len(encoded[at][0]["input_ids"]))
        padding = self._tokenizer.pad_token_id
        # a head that looks for the last token that is no padding would miss a text's own end
        size = batch if padding is not None and padding != self._tokenizer.eos_token_id else 1
        graded: dict[int, Graded] = {}
        for begin in range(0, len(order), size):
            part = order[begin : begin + size]
            for at, row in zip(part, self._logits([encoded[at][0] for at in part]), strict=True):
                graded[at] = Graded(tuple(row.tolist()), encoded[at][1])
        return [graded[at] for at in range(len(answers))]

    def _logits(self, features: Sequence[dict[str, Any]]) -> Iterator[Tensor]:
        import torch

        # nothing to pad where there is one, for tokenizers that cannot
        padded = (
            self._tokenizer.pad(list(features), return_tensors="pt")
            if len(features) > 1
            else {name: torch.tensor([value]) for name, value in features[0].items()}
        )
        with torch.inference_mode():
            given = {name: value.to(self._model.device) for name, value in padded.items()}
            yield from self._model(**given).logits.float().cpu()

    def _encoded(self, question: str | Sequence[Message], answer: str) -> tuple[dict[str, Any], bool]:
        """Return the features of a question with an answer, and whether they had to be shortened."""
        texts, special = self._texts(question, answer)
        features = self._tokenizer(*texts, add_special_tokens=special)
        shortened = len(features["input_ids"]) > self._limit
        if shortened:
            features = self._tokenizer(
                *texts, add_special_tokens=special, truncation=True, max_length=self._limit
            )
        return dict(features), shortened

    def _texts(self, question: str | Sequence[Message], answer: str) -> tuple[tuple[str, ...], bool]:
        if not self.takes_messages:
            assert isinstance(question, str)
            return (question, answer), True
        turns = [Message("user", question)] if isinstance(question, str) else list(question)
        if turns[-1].role == "assistant":
            # the beginning of an answer, which the answer has itself
            turns.pop()
        turns.append(Message("assistant", answer))
        put = [{"role": each.role, "content": each.content} for each in turns]
        try:
            return (self._tokenizer.apply_chat_template(put, tokenize=False),), False
        except Exception as error:
            raise ModelError(f"{self.name}: its chat template refuses the messages: {error}") from error


def _limit(config: Any, tokenizer: Any) -> int:
    """Return how many tokens the model reads."""
    positions = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    if positions is not None and config.model_type in _PADDED_POSITIONS:
        positions -= (config.pad_token_id or 0) + 1
    return int(min(each for each in (positions, tokenizer.model_max_length) if each is not None))
