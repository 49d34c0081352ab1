"""What a user writes; a line marked `refused` holds a mistake that a type checker must see."""

from collections.abc import Sequence

from codesample import (
    CallExample,
    Candidate,
    CodeTests,
    Context,
    EarlyStop,
    Engine,
    Estimate,
    Executor,
    Judge,
    Message,
    ModelOptions,
    Program,
    PublicView,
    RunOptions,
    SamplingParams,
    ScriptExample,
    ScriptTests,
    Task,
    Verdict,
    best_of_n,
    evaluate,
    passed,
    reranker,
)


@reranker(needs={"logprobs"})
def surprise(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
    return [min(each.logprobs or (), default=None) for each in candidates]


@reranker(needs={"logprobs"})  # refused
def of_nothing(view: PublicView) -> list[float | None]:
    return [float(view.task_id)]


params = SamplingParams(temperature=0.5, seed=7)
print(params.temprature)  # refused
SamplingParams(temperature="hot")  # refused

tests = CodeTests(source="assert one() == 1", entry_point="one")
CodeTests("assert one() == 1")  # refused
script = ScriptTests(cases=(ScriptExample("1\n", "2\n"),))
ScriptTests(cases=(CallExample("one()", "1"),))  # refused
program = Program("mine", 0, "def one(): return 1", tests)
Program("mine", 0, program.tests, program.tests)  # refused

report = evaluate("mini", n=4, params=params, rerankers=[surprise], run=RunOptions(workers=2))
evaluate("mini", n="four")  # refused
evaluate("mini", temperature=0.5)  # refused
evaluate("mini", model=ModelOptions("tiny"), run={"workers": 2})  # refused
pass_at_1: Estimate = report.pass_at_k[1]
reproducible: str = report.engine.reproducibility
RunOptions(worker=2)  # refused


def choose(engine: Engine, judge: Judge, task: Task) -> Candidate:
    early = EarlyStop(passed, every=4)
    EarlyStop(surprise)  # refused
    example = CallExample("one()", "1")
    best_of_n("tiny", "def one():", until=early, judge=judge, examples=[(example.call, "1"), example])
    best_of_n(engine, "def one():", examples=[(example.call, 1)])  # refused
    best_of_n(None, "def one():", reranker=surprise)  # refused
    best_of_n(engine, [{"role": "user", "content": "Write one()."}], entry_point="one")
    best_of_n(engine, [Message("user", "Write one()."), Message("assistant", "def")])
    best_of_n(engine, [{"role": "user", "content": 1}])  # refused
    best_of_n(engine, task.stop, reranker=surprise)  # refused
    return best_of_n(engine, "def one():", until=early, judge=judge, examples=[example], params=params).best


with Executor(workers=2) as executor:
    verdict: Verdict = executor.submit(program).result()
    print(executor.workers_to_be)  # refused
    print(verdict.checks[0].value)  # refused
    judge: Judge = executor
