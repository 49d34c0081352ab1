"""What a user writes; a line marked `refused` holds a mistake that a type checker must see."""

from collections.abc import Sequence

from codesample import Candidate, Executor, PublicView, SamplingParams, best_of_n, evaluate, reranker
from codesample.execution import Program
from codesample.records import Tests
from codesample.rerankers.context import Context


@reranker(needs={"logprobs"})
def surprise(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
    return [min(each.logprobs or (), default=None) for each in candidates]


@reranker(needs={"logprobs"})  # refused
def of_nothing(view: PublicView) -> list[float | None]:
    return [float(view.task_id)]


params = SamplingParams(temperature=0.5, seed=7)
print(params.temprature)  # refused
SamplingParams(temperature="hot")  # refused
program = Program("mine", 0, "def one(): return 1", Tests(source="assert one() == 1", entry_point="one"))
Program("mine", 0, program.tests, program.tests)  # refused
with Executor(workers=2) as executor:
    print(executor.workers_to_be)  # refused
report = evaluate("mini", n=4, rerankers=[surprise])
evaluate("mini", n="four")  # refused
passed: float = report.pass_at_k[1].value
best_of_n("tiny", "def f():", reranker=surprise)  # refused
