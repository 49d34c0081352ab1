"""vLLM itself: imported late, quiet on standard output, and refused in one line where it cannot run."""

from __future__ import annotations

import os
from typing import Any

from codesample.errors import ModelError, ParameterError

__all__ = ["one_line_of", "vllm_library"]

_INSTALL = "pip install 'codesample[vllm]'"
_INSTEAD = "without one, load the model natively (--model NAME) or ask a server (--model openai:NAME)"
# what a run prints is its own, and nothing is told of it to anybody; who wants otherwise says so
_QUIET = {
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}
_LONGEST = 600


def vllm_library() -> Any:
    """Import vLLM.

    Raises:
        ParameterError: it is not installed.
        ModelError: it is, and cannot be loaded, or finds nothing that it computes on.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import vllm
        from vllm.platforms import current_platform
    except ModuleNotFoundError as error:
        if error.name != "vllm":
            raise ModelError(f"vllm: cannot be loaded: {one_line_of(error)}") from error
        raise ParameterError(f"vllm: this engine needs the package 'vllm': {_INSTALL}") from error
    except Exception as error:
        # a build for another CUDA, or for none
        raise ModelError(f"vllm: cannot be loaded: {one_line_of(error)}") from error
    if not current_platform.device_type:
        raise ModelError(f"vllm: this build of {vllm.__version__} finds no GPU that it can use; {_INSTEAD}")
    return vllm


def one_line_of(error: BaseException) -> str:
    """Return what an error says, on one line of bearable length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
