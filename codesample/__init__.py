"""Sample many programs per prompt, choose among them, and prove the choice by running tests.

The names below are imported when first used: `import codesample` alone loads neither torch nor transformers.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codesample import rewards as rewards
    from codesample import stops as stops
    from codesample.engines.contract import Engine, Reader, Reproducibility
    from codesample.engines.model_options import ModelOptions
    from codesample.errors import CodesampleError
    from codesample.evaluation.agreement import Agreement, Difference
    from codesample.evaluation.best_of_n import BestOfN, EarlyStop, best_of_n, passed
    from codesample.evaluation.choice import Greedy, Selection, VarianceSplit
    from codesample.evaluation.evaluate import evaluate
    from codesample.evaluation.health_check import RunHealth
    from codesample.evaluation.intervals import Estimate
    from codesample.evaluation.leaks import HiddenOnly
    from codesample.evaluation.merged_table import merge_tables
    from codesample.evaluation.merging import merge_runs
    from codesample.evaluation.observer import Observer, Snapshot
    from codesample.evaluation.options import PromptOptions, RunOptions
    from codesample.evaluation.paired import Paired
    from codesample.evaluation.problem_set import ProblemSet, read_problems
    from codesample.evaluation.report import Counted, EngineFacts, Report, Seconds
    from codesample.evaluation.run_contents import RunContents, read_run
    from codesample.evaluation.run_table import RunTable, TableRow, evaluate_table
    from codesample.evaluation.scoring import Pool
    from codesample.evaluation.test_options import TestOptions
    from codesample.execution import Executor, Isolation, Judge, Level, Limits, Mechanism, Outcome, Program
    from codesample.extraction import Wanted
    from codesample.policies.accounting import Account, Audit, PrefillAccount
    from codesample.policies.storage_accounting import StorageAccount
    from codesample.records import (
        CallExample,
        Candidate,
        CodeTests,
        Example,
        Extraction,
        FinishReason,
        GivenText,
        InputTests,
        Message,
        Origin,
        Policy,
        Problem,
        PublicView,
        Reading,
        Request,
        SamplingParams,
        ScriptExample,
        ScriptTests,
        Status,
        Tests,
        Usage,
        Verdict,
    )
    from codesample.reports.progress import RunProgress
    from codesample.rerankers.context import Behaviour, CheckRunner, Context, OutputRunner, TextModel
    from codesample.rerankers.contract import Job, Reranker, reranker
    from codesample.rerankers.made_once import Assert, Cost, GeneratedTests, Outputs, Passes
    from codesample.rerankers.parameters import Bounds
    from codesample.runs import Artefacts, Manifest, RunFolder, ScoreOrigin
    from codesample.sampling.drop_in import generate
    from codesample.sampling.generate import bifurcated_generate
    from codesample.sampling.prefix_cache import CacheInfo
    from codesample.sampling.sampler import Sampler
    from codesample.sampling.sharded.led_sampler import tensor_parallel
    from codesample.servers.server_engine import ServerEngine
    from codesample.servers.server_facts import ServerFacts
    from codesample.serving.async_sampler import AsyncSampler
    from codesample.serving.async_stream import AsyncStream
    from codesample.serving.best_of_n_events import CandidateDrawn, CandidateJudged, stream_best_of_n
    from codesample.serving.decode_thread import ServiceLoad
    from codesample.serving.text_call import TextPiece
    from codesample.tasks.contract import Task
    from codesample.tasks.facts import TaskFacts
    from codesample.tasks.prompt_form import ChatForm, PromptForm
    from codesample.vllm_offline.vllm_engine import VllmEngine

__version__ = "0.1.0"

# where symbolic links are off, git and some unpackers leave a text file in place of each
for _part in ("kernels", "rerankers", "tasks"):
    if not os.path.isdir(os.path.join(os.path.dirname(__file__), _part)):
        raise ImportError(
            f"codesample/{_part} is no folder: this copy of codesample was made without symbolic links; "
            "clone it with `git -c core.symlinks=true clone`, or install a wheel"
        )

_HOME = {
    "Account": "codesample.policies.accounting",
    "Agreement": "codesample.evaluation.agreement",
    "Artefacts": "codesample.runs",
    "Assert": "codesample.rerankers.made_once",
    "AsyncSampler": "codesample.serving.async_sampler",
    "AsyncStream": "codesample.serving.async_stream",
    "Audit": "codesample.policies.accounting",
    "Behaviour": "codesample.rerankers.context",
    "BestOfN": "codesample.evaluation.best_of_n",
    "Bounds": "codesample.rerankers.parameters",
    "CacheInfo": "codesample.sampling.prefix_cache",
    "CallExample": "codesample.records",
    "Candidate": "codesample.records",
    "CandidateDrawn": "codesample.serving.best_of_n_events",
    "CandidateJudged": "codesample.serving.best_of_n_events",
    "ChatForm": "codesample.tasks.prompt_form",
    "CheckRunner": "codesample.rerankers.context",
    "CodeTests": "codesample.records",
    "CodesampleError": "codesample.errors",
    "Context": "codesample.rerankers.context",
    "Cost": "codesample.rerankers.made_once",
    "Counted": "codesample.evaluation.report",
    "Difference": "codesample.evaluation.agreement",
    "EarlyStop": "codesample.evaluation.best_of_n",
    "Engine": "codesample.engines.contract",
    "EngineFacts": "codesample.evaluation.report",
    "Estimate": "codesample.evaluation.intervals",
    "Example": "codesample.records",
    "Executor": "codesample.execution",
    "Extraction": "codesample.records",
    "FinishReason": "codesample.records",
    "GeneratedTests": "codesample.rerankers.made_once",
    "GivenText": "codesample.records",
    "Greedy": "codesample.evaluation.choice",
    "HiddenOnly": "codesample.evaluation.leaks",
    "InputTests": "codesample.records",
    "Isolation": "codesample.execution",
    "Job": "codesample.rerankers.contract",
    "Judge": "codesample.execution",
    "Level": "codesample.execution",
    "Limits": "codesample.execution",
    "Manifest": "codesample.runs",
    "Mechanism": "codesample.execution",
    "Message": "codesample.records",
    "ModelOptions": "codesample.engines.model_options",
    "Observer": "codesample.evaluation.observer",
    "Origin": "codesample.records",
    "Outcome": "codesample.execution",
    "OutputRunner": "codesample.rerankers.context",
    "Outputs": "codesample.rerankers.made_once",
    "Paired": "codesample.evaluation.paired",
    "Passes": "codesample.rerankers.made_once",
    "Policy": "codesample.records",
    "Pool": "codesample.evaluation.scoring",
    "PrefillAccount": "codesample.policies.accounting",
    "Problem": "codesample.records",
    "ProblemSet": "codesample.evaluation.problem_set",
    "Program": "codesample.execution",
    "PromptForm": "codesample.tasks.prompt_form",
    "PromptOptions": "codesample.evaluation.options",
    "PublicView": "codesample.records",
    "Reader": "codesample.engines.contract",
    "Reading": "codesample.records",
    "Report": "codesample.evaluation.report",
    "Reproducibility": "codesample.engines.contract",
    "Request": "codesample.records",
    "Reranker": "codesample.rerankers.contract",
    "RunContents": "codesample.evaluation.run_contents",
    "RunFolder": "codesample.runs",
    "RunHealth": "codesample.evaluation.health_check",
    "RunOptions": "codesample.evaluation.options",
    "RunProgress": "codesample.reports.progress",
    "RunTable": "codesample.evaluation.run_table",
    "Sampler": "codesample.sampling.sampler",
    "SamplingParams": "codesample.records",
    "ScoreOrigin": "codesample.runs",
    "ScriptExample": "codesample.records",
    "ScriptTests": "codesample.records",
    "Seconds": "codesample.evaluation.report",
    "Selection": "codesample.evaluation.choice",
    "ServerEngine": "codesample.servers.server_engine",
    "ServerFacts": "codesample.servers.server_facts",
    "ServiceLoad": "codesample.serving.decode_thread",
    "Snapshot": "codesample.evaluation.observer",
    "Status": "codesample.records",
    "StorageAccount": "codesample.policies.storage_accounting",
    "TableRow": "codesample.evaluation.run_table",
    "Task": "codesample.tasks.contract",
    "TaskFacts": "codesample.tasks.facts",
    "TestOptions": "codesample.evaluation.test_options",
    "Tests": "codesample.records",
    "TextModel": "codesample.rerankers.context",
    "TextPiece": "codesample.serving.text_call",
    "Usage": "codesample.records",
    "VarianceSplit": "codesample.evaluation.choice",
    "Verdict": "codesample.records",
    "VllmEngine": "codesample.vllm_offline.vllm_engine",
    "Wanted": "codesample.extraction",
    "best_of_n": "codesample.evaluation.best_of_n",
    "bifurcated_generate": "codesample.sampling.generate",
    "evaluate": "codesample.evaluation.evaluate",
    "evaluate_table": "codesample.evaluation.run_table",
    "generate": "codesample.sampling.drop_in",
    "merge_runs": "codesample.evaluation.merging",
    "merge_tables": "codesample.evaluation.merged_table",
    "passed": "codesample.evaluation.best_of_n",
    "read_problems": "codesample.evaluation.problem_set",
    "read_run": "codesample.evaluation.run_contents",
    "reranker": "codesample.rerankers.contract",
    "stream_best_of_n": "codesample.serving.best_of_n_events",
    "tensor_parallel": "codesample.sampling.sharded.led_sampler",
}

_MODULES = ("rewards", "stops")

__all__ = [
    "Account",
    "Agreement",
    "Artefacts",
    "Assert",
    "AsyncSampler",
    "AsyncStream",
    "Audit",
    "Behaviour",
    "BestOfN",
    "Bounds",
    "CacheInfo",
    "CallExample",
    "Candidate",
    "CandidateDrawn",
    "CandidateJudged",
    "ChatForm",
    "CheckRunner",
    "CodeTests",
    "CodesampleError",
    "Context",
    "Cost",
    "Counted",
    "Difference",
    "EarlyStop",
    "Engine",
    "EngineFacts",
    "Estimate",
    "Example",
    "Executor",
    "Extraction",
    "FinishReason",
    "GeneratedTests",
    "GivenText",
    "Greedy",
    "HiddenOnly",
    "InputTests",
    "Isolation",
    "Job",
    "Judge",
    "Level",
    "Limits",
    "Manifest",
    "Mechanism",
    "Message",
    "ModelOptions",
    "Observer",
    "Origin",
    "Outcome",
    "OutputRunner",
    "Outputs",
    "Paired",
    "Passes",
    "Policy",
    "Pool",
    "PrefillAccount",
    "Problem",
    "ProblemSet",
    "Program",
    "PromptForm",
    "PromptOptions",
    "PublicView",
    "Reader",
    "Reading",
    "Report",
    "Reproducibility",
    "Request",
    "Reranker",
    "RunContents",
    "RunFolder",
    "RunHealth",
    "RunOptions",
    "RunProgress",
    "RunTable",
    "Sampler",
    "SamplingParams",
    "ScoreOrigin",
    "ScriptExample",
    "ScriptTests",
    "Seconds",
    "Selection",
    "ServerEngine",
    "ServerFacts",
    "ServiceLoad",
    "Snapshot",
    "Status",
    "StorageAccount",
    "TableRow",
    "Task",
    "TaskFacts",
    "TestOptions",
    "Tests",
    "TextModel",
    "TextPiece",
    "Usage",
    "VarianceSplit",
    "Verdict",
    "VllmEngine",
    "Wanted",
    "best_of_n",
    "bifurcated_generate",
    "evaluate",
    "evaluate_table",
    "generate",
    "merge_runs",
    "merge_tables",
    "passed",
    "read_problems",
    "read_run",
    "reranker",
    "stream_best_of_n",
    "tensor_parallel",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"codesample.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
