"""The door of engines that are served: opens the one that a model's name and its options say."""

from __future__ import annotations

from codesample.engines.contract import Engine
from codesample.engines.model_options import SERVER_OPTIONS, ModelOptions

__all__ = ["open_openai"]


def open_openai(model: str, options: ModelOptions) -> Engine:
    """Ask a server that speaks OpenAI's protocol (--base-url): vLLM, SGLang, llama.cpp, a hosted one.

    Raises:
        ParameterError: an option that no server has, or as `ServerEngine`.
        ModelError: the server does not answer, or not for this model.
    """
    options.expect_only(SERVER_OPTIONS, engine="openai")
    from codesample.servers.server_engine import ServerEngine

    return ServerEngine(model, options)
