"""Prompts in, candidates out.

`Sampler` is the native engine; `Engine` is what anything else that makes candidates must offer.
"""

from codesample.engines.contract import Engine, Progress
from codesample.sampling.sampler import Sampler

__all__ = ["Engine", "Progress", "Sampler"]
