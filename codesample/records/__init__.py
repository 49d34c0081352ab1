"""The frozen records that cross a boundary between parts of the toolkit.

Data flows one way: a task makes `Problem`s, sampling turns their prompts into `Candidate`s, execution
turns programs and `Tests` into `Verdict`s, a reranker turns a `PublicView` and candidates into scores.
"""

from codesample.records.candidate import Candidate, FinishReason
from codesample.records.problem import Example, Problem, PublicView
from codesample.records.sampling import Request, SamplingParams
from codesample.records.tests import Tests
from codesample.records.verdict import Status, Verdict

__all__ = [
    "Candidate",
    "Example",
    "FinishReason",
    "Problem",
    "PublicView",
    "Request",
    "SamplingParams",
    "Status",
    "Tests",
    "Verdict",
]
