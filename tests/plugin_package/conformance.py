"""Tries codesample's conformance kits on all four plug-ins of this package."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from codesample import Context, ModelOptions, Problem, PublicView, Request, SamplingParams
from codesample.engines.registry import open_engine
from codesample.policies.registry import prefix_policy
from codesample.rerankers.registry import load_reranker
from codesample.tasks.registry import load_task
from codesample.testing.engines import check_engine
from codesample.testing.policies import check_policy
from codesample.testing.rerankers import TrustedChecks, check_blind, check_order_free, check_reranker
from codesample.testing.tasks import check_task

check_task(lambda: load_task("warmup"))
print("warmup: conforms")

task = load_task("warmup")
# beside the reference an empty program, and one that goes on with another problem
answers = {each.task_id: [f"{each.reference}\n# Task: more", "\n", "pass\n"] for each in task.problems()}
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "answers.json")
    file.write_text(json.dumps(answers))
    engine = open_engine(ModelOptions(f"scripted:{file}"))
requests = [Request(each.task_id, each.prompt, (0, 1, 2, 4)) for each in task.problems()]


def letters(prompt: object, token_ids: Sequence[int]) -> str:
    """Decode what the engine calls tokens."""
    return "".join(map(chr, token_ids))


tried = check_engine(engine, requests, SamplingParams(max_new_tokens=24), decode=letters)
# how sure it is it does not say, and it reads no text that is given
assert tried.left_out.keys() == {"confidence", "given text"}, tried.left_out
print(f"scripted: conforms to {len(tried.tried)} checks")

reranker = load_reranker("right_then_short")
checks = TrustedChecks()


def make_context(problem: Problem, view: PublicView) -> Context:
    """Give the reranker what a run would, but for the sandbox: these programs are our own."""
    return Context(view, checks=checks)


for problem, request in zip(task.problems(), requests, strict=True):
    stream = engine.stream([request], SamplingParams(stop=task.stop))
    form, known = task.form("base"), {problem.task_id: problem}
    candidates = [replace(each, program=program) for each, program in form.assembled(stream, known)]
    check_blind(reranker, problem, candidates, make_context=make_context, task=task.name)
    check_order_free(reranker, problem, candidates, make_context=make_context, task=task.name)
print(f"right_then_short: conforms, {len(checks.runs)} programs run")

found = check_reranker("right_then_short")
found.require()
print(f"right_then_short: keeps {len(found.tried)} promises")

check_policy(lambda: prefix_policy("newest"))
print("newest: conforms")
