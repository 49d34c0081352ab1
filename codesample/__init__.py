"""Sample many programs per prompt, choose among them, and prove the choice by running tests.

The names below are imported when first used: `import codesample` alone loads neither torch nor transformers.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codesample.errors import CodesampleError
    from codesample.evaluation.best_of_n import BestOfN, best_of_n, passed
    from codesample.evaluation.evaluate import evaluate
    from codesample.evaluation.report import Report
    from codesample.execution import Executor
    from codesample.records import Candidate, Problem, PublicView, Request, SamplingParams, Verdict
    from codesample.rerankers.contract import reranker
    from codesample.sampling import Sampler
    from codesample.sampling.generate import bifurcated_generate

__all__ = [
    "BestOfN",
    "Candidate",
    "CodesampleError",
    "Executor",
    "Problem",
    "PublicView",
    "Report",
    "Request",
    "Sampler",
    "SamplingParams",
    "Verdict",
    "best_of_n",
    "bifurcated_generate",
    "evaluate",
    "passed",
    "reranker",
]

__version__ = "0.1.0"

# where symbolic links are off, git and some unpackers leave a text file in place of each
for _part in ("kernels", "rerankers", "tasks"):
    if not os.path.isdir(os.path.join(os.path.dirname(__file__), _part)):
        raise ImportError(
            f"codesample/{_part} is no folder: this copy of codesample was made without symbolic links; "
            "clone it with `git -c core.symlinks=true clone`, or install a wheel"
        )

_HOME = {
    "BestOfN": "codesample.evaluation.best_of_n",
    "Candidate": "codesample.records",
    "CodesampleError": "codesample.errors",
    "Executor": "codesample.execution",
    "Problem": "codesample.records",
    "PublicView": "codesample.records",
    "Report": "codesample.evaluation.report",
    "Request": "codesample.records",
    "Sampler": "codesample.sampling",
    "SamplingParams": "codesample.records",
    "Verdict": "codesample.records",
    "best_of_n": "codesample.evaluation.best_of_n",
    "bifurcated_generate": "codesample.sampling.generate",
    "evaluate": "codesample.evaluation.evaluate",
    "passed": "codesample.evaluation.best_of_n",
    "reranker": "codesample.rerankers.contract",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
