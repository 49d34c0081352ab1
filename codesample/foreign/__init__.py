"""Files of other tools: recognised by their content, read, compared with, and written.

A module per form. Nothing here runs a program or knows a task; problems are handed in.
"""

from codesample.foreign.contract import Sample, Writing, Written
from codesample.foreign.document import STANDARD_INPUT
from codesample.foreign.matching import Matched, match_samples
from codesample.foreign.reading import SampleFile, describe, open_samples
from codesample.foreign.writing import EXPORTS, check_export, write_samples

__all__ = [
    "EXPORTS",
    "STANDARD_INPUT",
    "Matched",
    "Sample",
    "SampleFile",
    "Writing",
    "Written",
    "check_export",
    "describe",
    "match_samples",
    "open_samples",
    "write_samples",
]
