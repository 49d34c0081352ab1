"""From a model's answer to the program in it: fences, prose, thinking, repeated signatures, bodies alone."""

from codesample.extraction.extract import Wanted, extract

__all__ = ["Wanted", "extract"]
