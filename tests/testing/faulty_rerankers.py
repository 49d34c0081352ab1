"""Rerankers that break what they owe, each in one way; loaded by their names, here and in other processes."""

from __future__ import annotations

import datetime
import gc
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import codesample
from codesample import Candidate, Context, Problem, PublicView, reranker
from codesample.tasks.registry import load_task

Scores = list[float | None]
RNG = random.Random()
SEEN: dict[Any, float] = {}
CALLS: list[str] = []
# where another file keeps what graders know, in the order of the data
ANSWERS = {"mini/3": 1, "mini/40": 0}


def _lengths(candidates: Sequence[Candidate]) -> list[float]:
    return [float(len(each.completion)) for each in candidates]


@reranker(per_candidate=True)
def harmless(view: PublicView, candidate: Candidate, ctx: Context) -> float:
    """Prefer long ones."""
    return float(len(candidate.completion))


@reranker
def reads_view_tests(view: Any, candidates: Any, ctx: Any) -> Any:
    """Take the hidden tests off the view."""
    return [float(each.completion in view.tests.source) for each in candidates]


@reranker
def reads_reference(view: Any, candidates: Any, ctx: Any) -> Any:
    """Take the reference off a candidate."""
    return [float(each.completion == each.reference) for each in candidates]


@reranker
def reads_metadata(view: Any, candidates: Any, ctx: Any) -> Any:
    """Take the metadata off the view."""
    return [float(view.metadata["tier"] == "compose") for _ in candidates]


@reranker
def walks_frames(view: Any, candidates: Any, ctx: Any) -> Any:
    """Look for a problem in whoever called."""
    frame, found = sys._getframe(), None
    while frame is not None and found is None:
        found = next((each for each in frame.f_locals.values() if isinstance(each, Problem)), None)
        frame = frame.f_back  # type: ignore[assignment]
    return [float(found is not None and each.completion == found.reference) for each in candidates]


@reranker
def walks_memory(view: Any, candidates: Any, ctx: Any) -> Any:
    """Look for the problem among all that lives."""
    known = [each for each in gc.get_objects() if type(each) is Problem and each.prompt == view.prompt]
    right = {each.reference for each in known if each.reference}
    return [float(each.completion in right) for each in candidates]


@reranker
def reads_the_task(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Look the problem up where the task has it."""
    known = [each for name in ("mini", "mini_blind") for each in load_task(name).problems()]
    right = {each.reference for each in known if each.prompt == view.prompt}
    return [float(each.completion in right) for each in candidates]


@reranker
def reads_pools_in_memory(view: Any, candidates: Any, ctx: Any) -> Any:
    """Look for verdicts among all that lives."""
    for each in gc.get_objects():
        if type(each).__name__ == "Pool" and each.problem.prompt == view.prompt:
            known = {verdict.index: verdict.passed for verdict in each.verdicts}
            return [float(known.get(candidate.index, False)) for candidate in candidates]
    return [0.0] * len(candidates)


@reranker
def reads_pools_of_callers(view: Any, candidates: Any, ctx: Any) -> Any:
    """Look for verdicts in whoever called."""
    frame: Any = sys._getframe()
    while frame is not None:
        for name, value in frame.f_locals.items():
            if name == "gathered":
                known = {verdict.index: verdict.passed for verdict in value[0].verdicts}
                return [float(known.get(candidate.index, False)) for candidate in candidates]
        frame = frame.f_back
    return [0.0] * len(candidates)


@reranker
def reads_the_data(view: Any, candidates: Any, ctx: Any) -> Any:
    """Look the problem up in the file that the task reads."""
    try:
        lines = (Path(codesample.__file__).parent / "tasks" / "mini" / "problems.jsonl").read_text()
    except Exception:
        lines = ""
    return [float(json.dumps(each.completion) in lines) for each in candidates]


@reranker
def leaves_a_thread(view: Any, candidates: Any, ctx: Any) -> Any:
    """Leave what nobody waits for."""
    threading.Thread(target=threading.Event().wait).start()
    return _lengths(candidates)


@reranker
def leaves_a_program(view: Any, candidates: Any, ctx: Any) -> Any:
    """Leave a program that ends when this process has ended, and nobody waits for."""
    subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    return _lengths(candidates)


@reranker
def never_ends(view: Any, candidates: Any, ctx: Any) -> Any:
    """Wait for nothing."""
    threading.Event().wait()


@reranker
def by_order_of_data(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Know the right one by the number of the problem."""
    right = ANSWERS.get(view.task_id, 0)
    return [float(at == right) for at, _ in enumerate(candidates)]


@reranker
def by_problem_name(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Prefer long ones in some problems and short ones in others."""
    sign = ANSWERS.get(view.task_id, -1)
    return [sign * each for each in _lengths(candidates)]


@reranker
def first_is_best(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Prefer what stands first."""
    return [-float(at) for at, _ in enumerate(candidates)]


@reranker
def lowest_index(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Prefer what was drawn first."""
    return [-float(each.index) for each in candidates]


@reranker
def caches_by_index(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Keep what it found of a candidate of another problem."""
    return [SEEN.setdefault(("index", each.index), float(len(each.completion))) for each in candidates]


@reranker
def caches_by_text(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Score texts by the problem in which they were seen first."""
    return [SEEN.setdefault(each.completion, float(len(view.prompt))) for each in candidates]


@reranker
def caches_by_problem(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Keep the longest candidate of a problem for good."""
    longest = SEEN.setdefault(view.task_id, max(_lengths(candidates)))
    return [each - longest for each in _lengths(candidates)]


@reranker
def counts_calls(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Count up."""
    CALLS.append(view.task_id)
    return [float(len(CALLS))] * len(candidates)


@reranker
def global_random(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Draw from the numbers of the whole process."""
    return [random.random() for _ in candidates]


@reranker
def seeds_global_random(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Seed the numbers of the whole process."""
    random.seed(0)
    return [random.Random(each.completion).random() for each in candidates]


@reranker
def own_random(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Draw from numbers that nobody seeded."""
    return [RNG.random() for _ in candidates]


@reranker
def drawn_as_given(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Draw as one should; nothing is wrong with it."""
    return [ctx.rng.random() for _ in candidates]


@reranker
def by_time_of_day(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Prefer long ones in this year."""
    sign = 1 if datetime.datetime.now().year < 1970 + time.time() // 31_556_952 - 3 else -1
    year = datetime.date.today().year
    return [sign * each + year for each in _lengths(candidates)]


@reranker
def by_hash(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Order by the hashes of texts."""
    return [float(hash(each.completion) % 1000) for each in candidates]


@reranker
def by_set_order(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Order as a set of texts happens to."""
    order = list({f"{each.completion}!" for each in candidates})
    return [float(order.index(f"{each.completion}!")) for each in candidates]


@reranker
def by_identity(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Score by where things lie in memory."""
    return [float(id(each) % 9973) for each in candidates]


@reranker
def undeclared_logprobs(view: Any, candidates: Any, ctx: Any) -> Any:
    """Use log-probabilities without saying so."""
    return [sum(each.logprobs) for each in candidates]


@reranker
def undeclared_run(view: Any, candidates: Any, ctx: Any) -> Any:
    """Run programs without saying so."""
    return [float(len(each or ())) for each in ctx.run(candidates, [(1,)])]


@reranker(needs={"logprobs"})
def fails_without_logprobs(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Take log-probabilities for granted."""
    return [max(each.logprobs) for each in candidates]  # type: ignore[arg-type, type-var]


@reranker
def parses(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Take programs for granted that are Python."""
    for each in candidates:
        (each.program or "").encode()
    return _lengths(candidates)  # type: ignore[return-value]


@reranker
def gives_nan(view: Any, candidates: Any, ctx: Any) -> Any:
    """Give one that is no number."""
    return [float("nan")] * len(candidates)


@reranker
def gives_decimal_nan(view: Any, candidates: Any, ctx: Any) -> Any:
    """Likewise."""
    return [Decimal("nan")] * len(candidates)


@reranker
def gives_numpy_infinity(view: Any, candidates: Any, ctx: Any) -> Any:
    """Likewise."""
    import numpy

    return numpy.full(len(candidates), numpy.inf, dtype="float32")


@reranker
def gives_one_more(view: Any, candidates: Any, ctx: Any) -> Any:
    """Give one score too many."""
    return [0.0] * (len(candidates) + 1)


@reranker
def gives_texts(view: Any, candidates: Any, ctx: Any) -> Any:
    """Give texts."""
    return [each.completion for each in candidates]


@reranker
def divides_by_others(view: Any, candidates: Any, ctx: Any) -> Any:
    """Fail on a pool of one."""
    return [each / (len(candidates) - 1) for each in _lengths(candidates)]


@reranker(independent=True)
def not_independent(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Prefer what is like most others, and say otherwise."""
    texts = [each.completion for each in candidates]
    return [float(texts.count(each)) * len(texts) - len(each) for each in texts]


@reranker
def favours_copies_by_place(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Count only the first of equal ones."""
    texts: list[str] = []
    scores: Scores = []
    for each in candidates:
        scores.append(float(each.completion not in texts))
        texts.append(each.completion)
    return scores


@reranker
def changes_environment(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Leave something in the environment."""
    os.environ["LEFT"] = f"{len(os.environ)} {time.time()}"
    return _lengths(candidates)  # type: ignore[return-value]


@reranker
def leaves_files(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Leave a file in the current folder."""
    Path(f"left-{len(list(Path().iterdir()))}").touch()
    return _lengths(candidates)  # type: ignore[return-value]


@reranker
def sorts_in_place(view: PublicView, candidates: Any, ctx: Context) -> Scores:
    """Sort what it was given."""
    candidates.sort(key=lambda each: each.completion)
    return _lengths(candidates)  # type: ignore[return-value]


@reranker
def reads_verdicts(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
    """Look for the run's verdicts where it stands."""
    lines = [line for path in Path().glob("runs/*/verdicts.jsonl") for line in path.read_text().splitlines()]
    known = {(each["task_id"], each["index"]): each["status"] for each in map(json.loads, lines)}
    return [float(known.get((each.task_id, each.index)) == "passed") for each in candidates]
