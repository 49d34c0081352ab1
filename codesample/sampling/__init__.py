"""The native engine: prompts in, candidates out. Importing this loads neither torch nor transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codesample.sampling.sampler import Sampler

__all__ = ["Sampler"]


def __getattr__(name: str) -> Any:
    if name != "Sampler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from codesample.sampling.sampler import Sampler

    return Sampler
