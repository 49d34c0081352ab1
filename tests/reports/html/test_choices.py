"""What a reranker chooses of a problem, beside a count over every order of its candidates."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool
from codesample.records import Status
from codesample.reports.html.choices import best_reranker, choice, choices

SCORES = st.none() | st.sampled_from([-1.0, 0.0, 2.5])
STATUSES = st.sampled_from([Status.PASSED, Status.WRONG, Status.HARNESS_ERROR])
FEW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@FEW
@given(st.lists(st.tuples(SCORES, STATUSES), min_size=1, max_size=5))
def test_a_choice_is_what_a_stable_sort_of_every_order_gives(
    pool: Callable[..., Pool], problem: Callable[..., object], rows: list[tuple[float | None, Status]]
) -> None:
    scores = [score for score, _ in rows]
    made = pool(problem("p"), ["x"] * len(rows), [status for _, status in rows])
    found = choice(made, scores)
    if not made.graded:
        assert found is None
        return
    assert found is not None
    key = lambda at: float("-inf") if scores[at] is None else scores[at]
    firsts = [max(order, key=key) for order in permutations(made.graded)]
    assert abs(found.chance - sum(made.verdicts[at].passed for at in firsts) / len(firsts)) < 1e-9
    assert found.tied == len(set(firsts))
    assert found.pick in firsts
    # of a tie that may fail, one that fails is shown
    assert made.verdicts[found.pick].passed == (found.chance == 1)
    right = [at for at in made.graded if made.verdicts[at].passed]
    assert (found.passing is None) == (not right)
    if right:
        assert found.passing in right
        assert key(found.passing) == max(map(key, right))
        assert found.rank == 1 + sum(key(at) > key(found.passing) for at in made.graded)


def test_the_best_reranker_is_the_one_whose_choices_pass_most_often(
    pool: Callable[..., Pool], problem: Callable[..., object], run_of: Callable[..., RunContents]
) -> None:
    pools = [pool(problem(name), ["a", "b"], [Status.PASSED, Status.WRONG]) for name in "pq"]
    right, wrong = [1.0, 0.0], [0.0, 1.0]
    scores = {
        "half": {"p": right, "q": wrong},
        "all": {"p": right, "q": right},
        "same": {"p": right, "q": right},
    }
    assert best_reranker(choices(pools, scores), None) == "all"
    assert best_reranker({}, None) is None
