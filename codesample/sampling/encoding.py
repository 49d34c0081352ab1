"""Texts to tokens as a base model reads them, and whether a prompt's last token is what training showed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from codesample.errors import ParameterError
from codesample.sampling.prefix_cache import common_start

__all__ = ["Boundary", "boundary_of", "text_ids"]


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where a prompt ends and what follows begins, tokenised apart and together.

    Attributes:
        apart: Tokens of the prompt alone: what a model is given.
        together: Tokens of the prompt and what follows it: what it saw in training.
        joined: Of the latter, those that stand in place of the prompt's last ones, up to the one in which the
            prompt ends; () where the prompt's tokens stay what they are.
    """

    apart: tuple[int, ...]
    together: tuple[int, ...]
    joined: tuple[int, ...]

    @property
    def holds(self) -> bool:
        """Whether the prompt's tokens are the first ones of the whole."""
        return not self.joined


def text_ids(tokenizer: Any, text: str, *, eos_ids: Collection[int]) -> tuple[int, ...]:
    """Tokenise a text with the special tokens its tokenizer adds, a BOS never twice, no EOS at the end.

    Raises:
        ParameterError: the text gives no token at all, or holds lone surrogates.
    """
    bos = tokenizer.bos_token
    has_bos = bool(bos) and text.startswith(bos)
    try:
        ids = list(tokenizer(text, add_special_tokens=not has_bos)["input_ids"])
    except TypeError as error:
        # what else it says is that a text is no text
        raise ParameterError("the prompt holds lone surrogates, which no tokenizer takes") from error
    if ids and ids[-1] in eos_ids:
        # an EOS of the prompt's own stays
        own = list(tokenizer(text, add_special_tokens=False)["input_ids"])
        if not own or ids[-len(own) :] != own:
            ids.pop()
    if not ids and tokenizer.bos_token_id is not None:
        ids = [tokenizer.bos_token_id]
    if not ids:
        raise ParameterError(
            "the prompt gives no tokens and this tokenizer has no BOS token; give a longer prompt"
        )
    return tuple(ids)


def boundary_of(tokenizer: Any, apart: tuple[int, ...], together: tuple[int, ...]) -> Boundary:
    """Compare the tokens of a prompt with those of the prompt and what follows it, such as a reference."""
    common = common_start(apart, together)
    if common == len(apart):
        return Boundary(apart, together, ())
    length, end = len(_text(tokenizer, apart)), common + 1
    while end < len(together) and len(_text(tokenizer, together[:end])) < length:
        end += 1
    return Boundary(apart, together, together[common:end])


def _text(tokenizer: Any, ids: tuple[int, ...]) -> str:
    return str(tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))
