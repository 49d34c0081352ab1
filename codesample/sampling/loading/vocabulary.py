"""Whether a tokenizer and a model are of one vocabulary, as far as sampling needs it.

A model may have rows behind the tokenizer's last token, to pad its matrices: these tokens are drawn as
`generate` draws them, which a trained model all but never does, and stand for no text. A token without a row
is refused: at load where it is one of the vocabulary's own, and in a prompt where it was added to it.
"""

from __future__ import annotations

import logging
from typing import Any

from transformers import PreTrainedModel

from codesample.errors import ModelError, ParameterError
from codesample.sampling.loading.weight_files import named_some

__all__ = ["expect_rows", "expect_vocabulary", "rows_of"]

_log = logging.getLogger("codesample.sampling")


def rows_of(model: PreTrainedModel) -> int:
    """Return how many tokens a model knows."""
    embeddings: Any = model.get_input_embeddings()
    weight = getattr(embeddings, "weight", None)
    return int(weight.shape[0]) if weight is not None else int(model.config.get_text_config().vocab_size)


def expect_vocabulary(model: PreTrainedModel, tokenizer: Any, *, name: str) -> None:
    """Refuse a tokenizer some of whose own tokens the model has no row for; warn of such that were added.

    Raises:
        ModelError: names the first of them.
    """
    rows = rows_of(model)
    try:
        words = {token: id_ for token, id_ in tokenizer.get_vocab().items() if id_ >= rows}
    except (AttributeError, NotImplementedError):
        return
    if not words:
        return
    added = {str(token) for token in getattr(tokenizer, "added_tokens_encoder", {})}
    beyond = sorted(words, key=lambda token: words[token])
    own = [token for token in beyond if token not in added]
    if own:
        raise ModelError(
            f"{name}: the tokenizer has {len(own)} tokens of its own that the model has no row for (it has "
            f"{rows}; {words[own[0]]} is {own[0]!r}): it is another model's; name the right one: --tokenizer"
        )
    _log.warning(
        "%s: %d tokens that were added to the tokenizer have no row in the model, which has %d: %s; a prompt "
        "that holds one is refused",
        name,
        len(beyond),
        rows,
        named_some(beyond),
    )


def expect_rows(ids: tuple[int, ...], tokenizer: Any, *, rows: int, name: str) -> None:
    """Refuse a prompt that holds a token for which the model has no row.

    Raises:
        ParameterError: names the token.
    """
    highest = max(ids)
    if highest >= rows:
        raise ParameterError(
            f"the prompt holds the token {tokenizer.convert_ids_to_tokens(highest)!r} ({highest}), for which "
            f"{name} has no row: it has {rows}; leave it out, or resize the model and train it"
        )
