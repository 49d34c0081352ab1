"""A tokenizer's own decoding, and what of its result may still change when more tokens come.

Decoders of most fast tokenizers treat each token by itself, but for the first one, the last one, and tokens
that are one byte: a run of those is one text if all of it is UTF-8, and nothing but U+FFFD if any is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from enum import Enum
from functools import cached_property, lru_cache
from typing import Any

from transformers import PreTrainedTokenizerFast

__all__ = ["TokenDecoder", "TokenKind"]

_REMEMBERED = 2**16
# longer ones are the same for no two candidates
_SHORT = 16
# tokens of a prompt that are looked at first: enough to hold a whole character
_LEAD = 8
_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
# what they make of a token does not depend on the tokens around it, but for the first, the last and bytes
_EACH_BY_ITSELF = frozenset(
    {"BPEDecoder", "ByteFallback", "ByteLevel", "Fuse", "Metaspace", "Strip", "WordPiece"}
)
# these make one text of all tokens, behind which only these look at no more than its two ends
_FUSING, _BEHIND_FUSING = frozenset({"ByteLevel", "Fuse"}), frozenset({"Fuse", "Strip"})


class TokenKind(Enum):
    """What a token does to the run of bytes before it: ends it, goes on with it, or stands outside of it."""

    ENDS = "ends"
    BYTE = "byte"
    LEFT_OUT = "left out"


class TokenDecoder:
    """Ids -> text without special tokens and without any clean-up of spaces, as the tokenizer decodes.

    It remembers: candidates of a prompt share most of their first tokens.

    Attributes:
        local: Whether it is known that the text of some tokens ends with the text that their last ones have
            alone, where that begins to be one, and that it stays outside of a run of bytes.
    """

    def __init__(self, tokenizer: Any) -> None:
        backend = _plain_backend(tokenizer)
        self.local = backend is not None and _is_local(_steps(backend.decoder))
        self._tokenizer = tokenizer
        self._decode = _decoding(tokenizer, backend)
        self._decode_short = lru_cache(_REMEMBERED)(self._decode)
        self._kind = lru_cache(_REMEMBERED)(_kinds(tokenizer, backend))

    def __call__(self, ids: Sequence[int]) -> str:
        """Return the text of tokens that stand at the beginning of a text."""
        return self._decode_short(tuple(ids)) if len(ids) <= _SHORT else self._decode(tuple(ids))

    def kind(self, token: int) -> TokenKind:
        """Return what a token does to the run of bytes before it."""
        return self._kind(token)

    def lead(self, prompt_ids: Sequence[int]) -> list[int]:
        """Return tokens that stand for a prompt: what is decoded behind them has the text it has behind that.

        They are the prompt's last ones, as few as have some text; without the bytes at its end, whose text
        what follows could change. All of them where a decoder may look further back.
        """
        if not self.local:
            return list(prompt_ids)
        end = len(prompt_ids)
        while end and self.kind(prompt_ids[end - 1]) is not TokenKind.ENDS:
            end -= 1
        count = _LEAD
        while count < end and not self(prompt_ids[end - count : end]):
            count *= 2
        lead = list(prompt_ids[max(0, end - count) : end])
        if self(lead):
            return lead
        return list(self._some if self(prompt_ids) else prompt_ids)

    @cached_property
    def _some(self) -> list[int]:
        return list(self._tokenizer("a", add_special_tokens=False)["input_ids"])


def _decoding(tokenizer: Any, backend: Any) -> Callable[[tuple[int, ...]], str]:
    if backend is not None:
        return lambda ids: str(backend.decode(ids, skip_special_tokens=True))
    return lambda ids: str(
        tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    )


def _kinds(tokenizer: Any, backend: Any) -> Callable[[int], TokenKind]:
    if backend is not None:
        left_out = {i for i, each in backend.get_added_tokens_decoder().items() if each.special}
        text_of = backend.id_to_token
    else:
        left_out = set(getattr(tokenizer, "all_special_ids", ()))
        text_of = tokenizer.convert_ids_to_tokens

    def kind(token: int) -> TokenKind:
        text = None if token in left_out else text_of(token)
        if text is None:
            return TokenKind.LEFT_OUT
        return TokenKind.BYTE if isinstance(text, str) and _BYTE.fullmatch(text) else TokenKind.ENDS

    return kind


def _plain_backend(tokenizer: Any) -> Any:
    """Return what a tokenizer decodes with, where it adds nothing of its own; else None."""
    plain = all(
        getattr(type(tokenizer), name, None) is getattr(PreTrainedTokenizerFast, name)
        for name in ("decode", "_decode")
    )
    return tokenizer.backend_tokenizer if plain else None


def _steps(decoder: Any) -> list[dict[str, Any]]:
    """Return the steps of a decoder in their order."""
    if decoder is None:
        return []
    stated = json.loads(decoder.__getstate__())
    waiting, steps = [stated], []
    while waiting:
        step = waiting.pop(0)
        if step["type"] == "Sequence":
            waiting[:0] = step["decoders"]
        else:
            steps.append(step)
    return steps


def _is_local(steps: Sequence[dict[str, Any]]) -> bool:
    fused = False
    for step in steps:
        kind, pattern = step["type"], step.get("pattern", {})
        if kind == "Replace":
            # in the fused text a longer one may lie across tokens
            if fused and len(pattern.get("String", "")) != 1:
                return False
        elif kind not in (_BEHIND_FUSING if fused else _EACH_BY_ITSELF):
            return False
        fused = fused or kind in _FUSING
    return True
