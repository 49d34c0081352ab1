"""Learning a reranker: a planted signal is found on held-out problems; what teaches nothing is refused."""

from __future__ import annotations

import builtins
import json
import random
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codesample.errors import ParameterError, RerankerError, RunFolderError, UnknownNameError
from codesample.evaluation.cross_fitting import FitOptions
from codesample.evaluation.fitted_models import FITTERS
from codesample.evaluation.fitting import Fit, fit_reranker
from codesample.evaluation.metrics import best_of_n
from codesample.evaluation.scoring import Pool
from codesample.records import Candidate, CodeTests, Problem, PublicView, Status, Verdict
from codesample.rerankers.context import Context
from codesample.rerankers.fitted import load_fitted
from codesample.rerankers.registry import load_reranker

NAMES = ("mean_logprob", "sum_logprob")
LEARNERS = pytest.mark.parametrize("learner", list(FITTERS))


def pool(name: str, passed: Sequence[bool | None]) -> Pool:
    """Verdicts of one problem; None where the harness failed."""
    problem = Problem(name, f"def f{name}(x):\n", CodeTests(source="assert f(1)"))
    statuses = {True: Status.PASSED, False: Status.WRONG, None: Status.HARNESS_ERROR}
    verdicts = tuple(Verdict(name, at, statuses[each]) for at, each in enumerate(passed))
    return Pool(problem, tuple(Candidate(name, at, "") for at in range(len(passed))), verdicts)


def run_of(pools: Sequence[Pool], scores: dict[str, list[list[float | None]]], path: str = "runs/a") -> Any:
    """A run's contents, as far as fitting looks at them."""
    columns = {
        name: {each.problem.task_id: row for each, row in zip(pools, rows, strict=True)}
        for name, rows in scores.items()
    }
    manifest = SimpleNamespace(task="t", task_version="1", data_hash="h", model="m", shard=None)
    return SimpleNamespace(path=Path(path), pools=pools, scores=columns, manifest=manifest, given_by={})


def planted(seed: int = 0, problems: int = 40, *, path: str = "runs/a", first: int = 0) -> Any:
    """A run in which only both methods together tell right from wrong, and some problems are harder.

    The first method's scores are off by a number of the problem's own, the second's by other noise; both are
    missing now and then, pools are ragged, and some problems are all right or all wrong.
    """
    rng = random.Random(seed)
    pools, one, two = [], [], []
    for at in range(problems):
        size = rng.randint(2, 9)
        share = rng.choice((0.0, 0.3, 0.5, 0.7, 1.0))
        passed = [rng.random() < share for _ in range(size)]
        offset = rng.uniform(-50, 50)
        noise = [rng.gauss(0, 2) for _ in range(size)]
        pools.append(pool(f"{first + at}", [*passed, None]))
        one.append([*(offset + right + each for right, each in zip(passed, noise, strict=True)), None])
        two.append(
            [
                *(
                    None if rng.random() < 0.05 else right - each
                    for right, each in zip(passed, noise, strict=True)
                ),
                9.0,
            ]
        )
    return run_of(pools, {"mean_logprob": one, "sum_logprob": two}, path)


@LEARNERS
def test_a_planted_signal_is_found_on_problems_held_out(learner: Any) -> None:
    found = fit_reranker([planted(problems=80)], FitOptions(model=learner))
    assert found.problems == 80
    assert 0 < found.fitted_on < 80
    assert found.random.value < max(each.value for each in found.methods.values()) < found.learnt.value
    assert found.learnt.value > found.random.value + 0.6 * (found.oracle.value - found.random.value)
    assert found.over_best.low > 0
    assert found.over_best.value == pytest.approx(found.learnt.value - found.methods[found.best].value)


@LEARNERS
def test_noise_teaches_nothing(learner: Any) -> None:
    rng = random.Random(1)
    pools = [pool(f"{at}", [rng.random() < 0.5 for _ in range(8)]) for at in range(60)]
    rows = {name: [[rng.gauss(0, 1) for _ in range(8)] for _ in pools] for name in NAMES}
    found = fit_reranker([run_of(pools, rows)], FitOptions(model=learner, folds=2))
    assert found.learnt.low < found.random.value < found.learnt.high


@LEARNERS
def test_equal_seeds_give_equal_files(learner: Any, tmp_path: Path) -> None:
    options = FitOptions(model=learner, seed=3, folds=2)
    fit_reranker([planted()], options).write(tmp_path / "a.json")
    fit_reranker([planted()], options).write(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@LEARNERS
def test_what_is_applied_without_the_library_is_what_it_fitted(learner: Any) -> None:
    import numpy
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    rng = random.Random(2)
    rows = [[rng.gauss(0, 1) for _ in range(4)] for _ in range(120)]
    passed = [row[0] + row[1] ** 2 + rng.gauss(0, 1) > 1 for row in rows]
    weights = [rng.uniform(0.1, 1.0) for _ in rows]
    ours = FITTERS[learner](rows, passed, weights, seed=5)
    settings = {"n_estimators": 80, "learning_rate": 0.1, "max_depth": 1, "random_state": 5}
    theirs = (
        LogisticRegression(C=1.0, max_iter=1000)
        if learner == "logistic"
        else GradientBoostingClassifier(**settings)
    ).fit(rows, passed, sample_weight=weights)
    expected = theirs.decision_function(numpy.array(rows))
    assert [ours.value(row) for row in rows] == pytest.approx(list(expected))


def test_the_file_is_plain_and_gives_the_same_choices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = planted()
    found = fit_reranker([run])
    found.write(path := tmp_path / "mine.json")
    content = json.loads(path.read_text())
    assert content["methods"] == {name: name for name in NAMES}
    assert content["trained_on"][0]["data_hash"] == "h"
    assert content["cross_validation"]["best_of_n"]["learnt"]["value"] == found.learnt.value
    assert set(content["versions"]) == {"codesample", "scikit-learn", "python"}

    given = iter(run.scores["mean_logprob"].values()), iter(run.scores["sum_logprob"].values())
    stand_ins = dict(zip(NAMES, given, strict=True))
    made = load_fitted(path, lambda name: _scripted(name, stand_ins[name]))
    for each in run.pools:
        view = PublicView.of("t", each.problem)
        scores = made.score(view, each.candidates, Context(view))
        assert len(scores) == len(each.candidates)
        columns = {name: run.scores[name][each.problem.task_id] for name in NAMES}
        assert scores == found.content.values(columns)


def _scripted(name: str, rows: Any) -> Any:
    from codesample import Reranker

    return Reranker(name, lambda view, candidates, ctx: next(rows))


def test_a_problem_of_two_runs_is_never_held_out_in_one_and_seen_in_the_other() -> None:
    # by heart: a method that names the right one by a number of the problem's own
    rng = random.Random(5)
    pools, rows = [], []
    for at in range(40):
        passed = [rng.random() < 0.5 for _ in range(6)]
        pools.append(pool(f"{at}", passed))
        rows.append([float(rng.random()) for _ in passed])
    once = run_of(pools, {"mean_logprob": rows})
    twice = run_of(pools, {"mean_logprob": rows}, "runs/b")
    found = fit_reranker([once, twice])
    assert found.problems == 80
    assert len(found.content.prompts) == 40
    # two copies of one run say no more than one: the interval is no narrower
    alone = fit_reranker([once])
    assert found.random.low == pytest.approx(alone.random.low, abs=0.02)
    assert found.random.high == pytest.approx(alone.random.high, abs=0.02)


def test_several_runs_are_learnt_from_together() -> None:
    found = fit_reranker([planted(), planted(1, path="runs/b", first=100)])
    assert found.problems == 80
    assert [each["run"] for each in found.content.trained_on] == ["a", "b"]


def test_figures_are_best_of_n_over_every_problem() -> None:
    run = planted()
    found = fit_reranker([run])
    for name in NAMES:
        values = [
            best_of_n([run.scores[name][each.problem.task_id][at] for at in each.graded], each.passed)
            for each in run.pools
        ]
        assert found.methods[name].value == pytest.approx(sum(values) / len(values))


def test_methods_can_be_chosen_and_forms_left_out() -> None:
    found = fit_reranker([planted()], FitOptions(methods=("mean_logprob",), forms=("rank", "z")))
    assert list(found.methods) == ["mean_logprob"]
    assert {(each.method, each.form) for each in found.content.features} == {
        ("mean_logprob", "rank"),
        ("mean_logprob", "z"),
    }


def test_methods_that_not_all_runs_have_or_that_have_no_name_are_left_out_and_said() -> None:
    first, second = planted(), planted(1, path="runs/b", first=100)
    first.scores["only_here"] = first.scores["mean_logprob"]
    for run in (first, second):
        run.scores["my_own"] = run.scores["mean_logprob"]
    found = fit_reranker([first, second])
    assert sorted(found.methods) == list(NAMES)
    assert found.left_out["only_here"] == "not all runs are scored by it"
    assert "give it by --features FILE.py:NAME" in found.left_out["my_own"]


def test_a_fit_that_is_worse_than_one_method_alone_says_so() -> None:
    rng = random.Random(9)
    pools = [pool(f"{at}", [True, False, True, False]) for at in range(20)]
    labels = [[float(each.status is Status.PASSED) for each in given.verdicts] for given in pools]
    silent = [[1.0 if rng.random() < 0.5 else None for _ in range(4)] for _ in pools]
    run = run_of(pools, {"mean_logprob": labels, "sum_logprob": silent})
    # who abstains is all that it may look at, and says nothing
    worse = fit_reranker([run], FitOptions(forms=("abstained",), folds=2))
    assert (worse.best, worse.is_worse) == ("mean_logprob", True)
    assert worse.learnt.value < worse.best_held_out.value == worse.methods["mean_logprob"].value == 1.0
    whole = fit_reranker([run], FitOptions(folds=2))
    assert (whole.learnt.value, whole.is_worse) == (1.0, False)
    assert whole.content.cross_validation["strength"] == whole.strength


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf"), 10**400])
def test_scores_that_are_no_finite_numbers_are_named(score: float) -> None:
    run = planted()
    run.scores["sum_logprob"]["7"][0] = score
    with pytest.raises(RerankerError, match=r"runs/a: sum_logprob scored 7 by .*expected a finite number"):
        fit_reranker([run])


def test_a_run_that_is_named_twice_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"runs/\.\./runs/a: is named twice"):
        fit_reranker([planted(path="runs/../runs/a"), planted()])


def test_a_shard_is_refused_and_the_whole_is_asked_for() -> None:
    shard = planted()
    shard.manifest.shard = "1/2"
    with pytest.raises(RerankerError, match="is shard 1/2 of a run; learn from the whole: codesample merge"):
        fit_reranker([shard])


def test_files_within_expressions_are_kept_by_their_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "from codesample import reranker\n@reranker\ndef {}(view, candidates, ctx):\n    return [0.0]\n"
    (tmp_path / "two.py").write_text(source.format("x"))
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "one.py").write_text(source.format("y"))
    monkeypatch.chdir(tmp_path)
    specs = ("two.py:x", "z(two.py:x)", '0.5*rank("a b/one.py:y") - mean_logprob', "two.py:x | mean_logprob")
    run = planted()
    for spec in specs:
        run.scores[load_reranker(spec).name] = run.scores["mean_logprob"]
    places = fit_reranker([run], FitOptions(methods=specs)).content.methods
    monkeypatch.chdir("/")
    for name, place in places.items():
        assert load_reranker(place).name == name
    assert places["x"] == f"{tmp_path}/two.py:x"
    assert places["z(x)"] == f"z({tmp_path}/two.py:x)"


def _unscored() -> Any:
    run = planted()
    run.scores.clear()
    return run


@pytest.mark.parametrize(
    ("runs", "options", "error", "said"),
    [
        ([], {}, ParameterError, "no run to learn from"),
        (
            [_unscored()],
            {},
            RerankerError,
            "is scored by no reranker; score it first: codesample rerank runs/a",
        ),
        ([planted()], {"methods": ("public_examples",)}, RerankerError, "is not scored by public_examples"),
        (
            [planted(problems=8)],
            {},
            ParameterError,
            r"problems have right candidates and wrong ones: expected",
        ),
        ([planted()], {"methods": ("nothing_such",)}, UnknownNameError, "unknown reranker"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(runs: Any, options: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        fit_reranker(runs, FitOptions(**options))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_problems_that_are_all_right_or_all_wrong_teach_nothing(share: float) -> None:
    pools = [pool(f"{at}", [share > 0.5] * 4) for at in range(30)]
    rows = {name: [[0.0, 1.0, 2.0, 3.0]] * 30 for name in NAMES}
    with pytest.raises(ParameterError, match="0 of 30 problems have right candidates and wrong ones"):
        fit_reranker([run_of(pools, rows)])


def test_scores_that_are_all_the_same_teach_nothing() -> None:
    pools = [pool(f"{at}", [True, False]) for at in range(30)]
    with pytest.raises(ParameterError, match="every method gives every candidate the same score"):
        fit_reranker([run_of(pools, {"mean_logprob": [[1.0, 1.0]] * 30})])


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    own = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("sklearn"):
            raise ImportError("no sklearn here")
        return own(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(RerankerError, match=r"pip install 'codesample\[learn\]'"):
        fit_reranker([planted()])


@pytest.mark.parametrize("wrong", [{"model": "forest"}, {"forms": ()}, {"forms": ("colour",)}, {"folds": 1}])
def test_settings_out_of_range_are_refused(wrong: Any) -> None:
    with pytest.raises(ParameterError, match="expected"):
        FitOptions(**wrong)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="absent"):
        fit_reranker([planted()]).write(tmp_path / "absent" / "mine.json")


def test_it_notes_every_problem_that_it_was_fitted_on(tmp_path: Path) -> None:
    run = planted()
    fit_reranker([run]).write(path := tmp_path / "mine.json")
    own, other = run.pools[0].problem, pool("other", [True]).problem
    made, noted = load_reranker(str(path)), []
    for problem in (other, own, own):
        view = PublicView.of("t", problem)
        ctx = Context(view)
        made.score(view, [Candidate("x", 0, "", token_ids=(1,), logprobs=(-1.0,))], ctx)
        noted.append(list(ctx.notes))
    said = "mine: fitted on problems of this run, of which its figure says too much"
    assert noted == [[], [said], [said]]


def test_it_is_told_as_plain_data() -> None:
    found: Fit = fit_reranker([planted()])
    assert json.loads(json.dumps(found.as_json()))["learnt"]["value"] == found.learnt.value
