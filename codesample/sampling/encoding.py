"""Texts to tokens as a base model reads them, and whether a prompt's last token is what training showed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from codesample.errors import ParameterError, UnreadableTextError
from codesample.sampling.prefix_cache import common_start

__all__ = ["Boundary", "boundary_of", "text_ids"]


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where a prompt ends and what follows begins, tokenised apart and together.

    Attributes:
        apart: Tokens of the prompt alone: what a model is given.
        together: Tokens of the prompt and what follows it: what it saw in training.
        common: How many of the first tokens are the same.
        own: Text of the prompt's tokens behind these.
        joined: Text of the first token together that stands in their place, or "".
    """

    apart: tuple[int, ...]
    together: tuple[int, ...]
    common: int
    own: str = ""
    joined: str = ""

    @property
    def holds(self) -> bool:
        """Whether the prompt's tokens are the beginning of those of the whole."""
        return self.common == len(self.apart)

    @property
    def notice(self) -> str:
        """What a person should know of it; "" where the boundary holds."""
        if self.holds:
            return ""
        return (
            f"alone the prompt ends in {self.own!r}, and before what follows {self.joined!r} stands there: "
            "the model is given a split that it hardly saw in training"
        )


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
        raise UnreadableTextError("the prompt holds lone surrogates, which no tokenizer takes") from error
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


def boundary_of(tokenizer: Any, prompt: str, continuation: str, *, eos_ids: Collection[int] = ()) -> Boundary:
    """Tokenise a prompt alone and with what follows it, such as a reference, and compare.

    Args:
        eos_ids: Tokens that the tokenizer may add behind a text and that are taken off again.

    Raises:
        ParameterError: as `text_ids`.
    """
    ends = {*eos_ids, tokenizer.eos_token_id}
    apart = text_ids(tokenizer, prompt, eos_ids=ends)
    together = text_ids(tokenizer, prompt + continuation, eos_ids=ends)
    common = common_start(apart, together)
    if common == len(apart):
        return Boundary(apart, together, common)
    # texts of tokens alone lose a space at their start in some families, so cut them off the whole
    before = _text(tokenizer, apart[:common])
    own, joined = (_text(tokenizer, ids)[len(before) :] for ids in (apart, together[: common + 1]))
    return Boundary(apart, together, common, own, joined)


def _text(tokenizer: Any, ids: tuple[int, ...]) -> str:
    return str(tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))
