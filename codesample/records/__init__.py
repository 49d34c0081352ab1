"""The frozen records that cross a boundary between parts of the toolkit.

Data flows one way: a task makes `Problem`s, sampling turns their prompts into `Candidate`s, execution
turns programs and `Tests` into `Verdict`s, a reranker turns a `PublicView` and candidates into scores.
"""

from codesample.records.candidate import Candidate, FinishReason
from codesample.records.example import CallExample, Example, ScriptExample
from codesample.records.extraction import Extraction
from codesample.records.given_text import GivenText, Reading
from codesample.records.message import Message, Prompt, PromptLike, prompt_from
from codesample.records.origin import Origin
from codesample.records.policy import Policy
from codesample.records.problem import Problem, PublicView
from codesample.records.sampling import Request, SamplingParams
from codesample.records.tests import CodeTests, InputTests, ScriptTests, Tests
from codesample.records.usage import Usage
from codesample.records.verdict import Status, Verdict

__all__ = [
    "CallExample",
    "Candidate",
    "CodeTests",
    "Example",
    "Extraction",
    "FinishReason",
    "GivenText",
    "InputTests",
    "Message",
    "Origin",
    "Policy",
    "Problem",
    "Prompt",
    "PromptLike",
    "PublicView",
    "Reading",
    "Request",
    "SamplingParams",
    "ScriptExample",
    "ScriptTests",
    "Status",
    "Tests",
    "Usage",
    "Verdict",
    "prompt_from",
]
