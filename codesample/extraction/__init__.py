"""From a model's answer to the program in it: fences, prose, thinking, repeated signatures, bodies alone."""

from codesample.extraction.extract import extract
from codesample.extraction.rule_names import describe_rules
from codesample.extraction.wanted import Wanted

__all__ = ["Wanted", "describe_rules", "extract"]
