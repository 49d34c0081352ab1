"""The tokenizer of a checkpoint, loaded by transformers."""

from __future__ import annotations

from typing import Any

from transformers import AutoTokenizer

from codesample.sampling.loading.checkpoint_origin import CheckpointOrigin
from codesample.sampling.loading.load_errors import load_error

__all__ = ["load_tokenizer"]


def load_tokenizer(origin: CheckpointOrigin) -> Any:
    """Load the tokenizer beside a checkpoint's weights.

    Raises:
        HubUnavailableError: it is not on this machine, with the hub out of reach.
        ModelError: there is none, it is damaged, or it brings code of its own.
    """
    try:
        return AutoTokenizer.from_pretrained(origin.source, **origin.options)
    except Exception as error:
        raise load_error(error, origin) from error
