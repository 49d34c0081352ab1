"""Fits the models of learnt rerankers by scikit-learn, and takes from them what a file keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from codesample.errors import RerankerError
from codesample.rerankers.fitted import Logistic, Stump, Stumps

__all__ = ["FITTERS", "STRENGTHS"]

_Rows = Sequence[Sequence[float]]
# many, each of little weight
_STUMPS, _RATE = 80, 0.1


def _logistic(
    rows: _Rows, passed: Sequence[bool], weights: Sequence[float], *, seed: int, strength: float = 1.0
) -> Logistic:
    """Fit logistic regression with a ridge of weight 1 / strength."""
    kind = _learner("linear_model", "LogisticRegression")
    fitted = kind(C=strength, max_iter=1000).fit(rows, passed, sample_weight=weights)
    return Logistic(float(fitted.intercept_[0]), tuple(map(float, fitted.coef_[0])))


def _stumps(
    rows: _Rows, passed: Sequence[bool], weights: Sequence[float], *, seed: int, strength: float = 1.0
) -> Stumps:
    """Fit trees of one question each, 80 times the strength, by gradient boosting."""
    kind = _learner("ensemble", "GradientBoostingClassifier")
    count = max(1, round(_STUMPS * strength))
    settings = {"n_estimators": count, "learning_rate": _RATE, "max_depth": 1, "random_state": seed}
    fitted = kind(**settings).fit(rows, passed, sample_weight=weights)
    base = float(fitted.decision_function(rows[:1])[0])
    stumps = [found for (tree,) in fitted.estimators_ if (found := _stump(tree.tree_)) is not None]
    # what the model says of one row, less what its stumps say, is what it began with
    known = Stumps(0.0, tuple(stumps))
    return Stumps(base - known.value([float(each) for each in rows[0]]), known.stumps)


def _stump(tree: Any) -> Stump | None:
    """Return the one question of a tree; None where it asks none, and adds the same to all."""
    if tree.node_count < 3:
        return None
    low, high = (
        _RATE * float(tree.value[at][0][0]) for at in (tree.children_left[0], tree.children_right[0])
    )
    return Stump(int(tree.feature[0]), float(tree.threshold[0]), low, high)


FITTERS: Mapping[str, Callable[..., Logistic | Stumps]] = {"logistic": _logistic, "stumps": _stumps}
"""By name, what fits rows of features to whether candidates are right, each with a weight."""

STRENGTHS = (0.01, 0.1, 1.0)
"""How closely they may follow what they are fitted on, the most cautious first."""


def _learner(module: str, name: str) -> Any:
    try:
        import sklearn.ensemble
        import sklearn.linear_model
    except ImportError as error:
        raise RerankerError(
            f"learning a reranker needs scikit-learn ({error}): pip install 'codesample[learn]'"
        ) from error
    return getattr(getattr(sklearn, module), name)
