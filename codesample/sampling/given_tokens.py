"""Given texts to tokens: a prompt's are those that sampling gives the model, and the text's follow them.

A tokenizer may join the end of a prompt with the beginning of what follows. A model that continues a prompt
is never given that: it is given the prompt's tokens alone. So the tokens of a text are those that stand
behind the prompt's in the tokenisation of both together, where that begins with the prompt's own; else those
that the text has behind a neutral beginning. They never hold a part of the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from codesample.errors import ParameterError, UnreadableTextError
from codesample.records import GivenText
from codesample.sampling.chat import rendered
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.text import TextStream
from codesample.sampling.token_decoder import TokenDecoder

__all__ = ["GivenTokens", "given_tokens"]

# what a text is put behind to find its tokens where the prompt's end does not bear it
_BEGINNINGS = ("\n", "(", "a", "a ", "0")


@dataclass(frozen=True)
class GivenTokens:
    """A text behind a prompt, ready to be read.

    Attributes:
        prompt_ids: At least one.
        ids: Of the text.
        ends: Of each of `ids`, as `Candidate.token_ends`.
    """

    prompt_ids: tuple[int, ...]
    ids: tuple[int, ...]
    ends: tuple[int, ...]


def given_tokens(checkpoint: Checkpoint, given: Sequence[GivenText]) -> list[GivenTokens]:
    """Tokenise every text before any is read, so that bad input costs no finished work.

    Raises:
        ParameterError: a prompt that sampling refuses, tokens that are not the vocabulary's or do not spell
            their text, or more tokens than the model has positions; says which text.
    """
    decode = TokenDecoder(checkpoint.tokenizer)
    known: dict[Any, tuple[int, ...]] = {}
    found = []
    for number, each in enumerate(given):
        try:
            if each.prompt not in known:
                known[each.prompt] = checkpoint.encode(each.prompt)
            prompt_ids = known[each.prompt]
            ids = each.token_ids
            if ids is None:
                ids = _text_ids(checkpoint, each, prompt_ids) if each.text else ()
            _expect_known(checkpoint, ids)
            _expect_room(checkpoint, prompt_ids, ids)
            stream = TextStream(decode, prompt_ids, ())
            for token in ids:
                stream.push(token)
            stream.finish()
            if each.token_ids is not None and not stream.text.startswith(each.text):
                raise ParameterError(
                    f"its tokens spell {stream.text[:60]!r}, and it is {each.text[:60]!r}: they are another "
                    "tokenizer's; give the text alone"
                )
        except ParameterError as error:
            raise type(error)(f"text {number} to be read: {error}") from error
        found.append(GivenTokens(prompt_ids, ids, _ends(stream, len(ids), len(each.text))))
    return found


def _ends(stream: TextStream, count: int, length: int) -> tuple[int, ...]:
    """Return the ends of tokens within the text that was given, the last one at its end."""
    ends = [min(end, length) for end in stream.ends(count)]
    # special tokens and unknown characters are left out when tokens are decoded
    return (*ends[:-1], length) if ends else ()


def _text_ids(checkpoint: Checkpoint, given: GivenText, prompt_ids: tuple[int, ...]) -> tuple[int, ...]:
    """Return the tokens of a text behind a prompt."""
    tokenizer, text = checkpoint.tokenizer, given.text
    try:
        for whole in _joined(checkpoint, given):
            if whole[: len(prompt_ids)] == prompt_ids and len(whole) > len(prompt_ids):
                return whole[len(prompt_ids) :]
        candidates = [*_behind_beginnings(tokenizer, text), _plain_ids(tokenizer, text)]
    except TypeError as error:
        # what else it says is that a text is no text
        raise UnreadableTextError("it holds lone surrogates, which no tokenizer takes") from error
    decode = TokenDecoder(tokenizer)
    for ids in candidates:
        stream = TextStream(decode, prompt_ids, ())
        for token in ids:
            stream.push(token)
        stream.finish()
        if stream.text == text:
            return ids
    # the tokenizer has no tokens for some of its letters
    return candidates[0]


def _joined(checkpoint: Checkpoint, given: GivenText) -> Iterator[tuple[int, ...]]:
    """Yield the tokens of prompt and text in one tokenisation."""
    if isinstance(given.prompt, str):
        yield checkpoint.encode(given.prompt + given.text)
    else:
        before = rendered(checkpoint.tokenizer, given.prompt)
        yield _plain_ids(checkpoint.tokenizer, before + given.text)


def _behind_beginnings(tokenizer: Any, text: str) -> Iterator[tuple[int, ...]]:
    for beginning in _BEGINNINGS:
        first, whole = _plain_ids(tokenizer, beginning), _plain_ids(tokenizer, beginning + text)
        if whole[: len(first)] == first and len(whole) > len(first):
            yield whole[len(first) :]


def _plain_ids(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def _expect_known(checkpoint: Checkpoint, ids: Sequence[int]) -> None:
    vocabulary = checkpoint.model.config.get_text_config().vocab_size
    for token in ids:
        if not 0 <= token < vocabulary:
            raise ParameterError(f"token {token} is none of the {vocabulary} of {checkpoint.name}")


def _expect_room(checkpoint: Checkpoint, prompt_ids: Sequence[int], ids: Sequence[int]) -> None:
    most = checkpoint.max_positions
    if most is not None and len(prompt_ids) + len(ids) > most:
        raise UnreadableTextError(
            f"the prompt has {len(prompt_ids)} tokens, the text {len(ids)}, and {checkpoint.name} takes "
            f"{most} in all; shorten one of them or choose a model with more positions"
        )
