"""The option that names a model for rerankers to write and read text by, and how it is loaded."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from codesample.engines.model_options import SERVER_OPTIONS, ModelOptions
from codesample.errors import ParameterError

__all__ = ["LOADING", "TextModel", "text_model"]

LOADING = ("revision", "adapter", "tokenizer", "device", "dtype", "trust_remote_code", *SERVER_OPTIONS)
"""How a model is loaded that writes and reads text, or its server asked; fields of `ModelOptions`."""

TextModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="Writes and reads text for rerankers, as eval's. Default: the run's own, where needed.",
    ),
]


def text_model(name: str | None, loading: ModelOptions) -> ModelOptions | None:
    """Return the model that was named to write and read text, with how it is loaded; None where none was.

    Raises:
        ParameterError: it was said how to load it, and not which.
    """
    if name is not None:
        return replace(loading, model=name)
    if loading != ModelOptions():
        raise ParameterError(
            "how a model is loaded (--adapter, --device, --dtype, --revision, --tokenizer, "
            "--trust-remote-code) or its server asked (--base-url and the like) was said, and not which: "
            "name it too, --model MODEL"
        )
    return None
