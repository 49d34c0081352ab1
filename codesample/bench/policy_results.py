"""Measurements of policies as a table, with a line on what each is worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from codesample.bench.measurements import Measurement
from codesample.bench.tables import not_shown, table

__all__ = ["policy_tables"]

_COLUMNS = {
    "context": "tokens",
    "n": "n",
    "policy": "policy",
    "prefill_seconds": "exact prefill, s",
    "own_prefill_seconds": "prefill, s",
    "pairs": "pairs",
    "prompt_missed": "prompt missed",
    "exact_ms": "exact step, ms",
    "step_ms": "step, ms",
    "refresh_ms": "choice, ms",
    "prepare_seconds": "prepare, s",
    "held": "held",
    "own_tokens": "own tokens",
    "bytes": "bytes",
    "missed": "missed",
    "missed_worst": "worst head",
    "moved": "moved",
    "total_variation": "TV",
    "break_even": "break-even",
}
# what is shown only where a policy is of that kind: by the figure that says so, and its value otherwise
_OF_A_KIND = {
    "prefill_seconds": ("own_prefill_seconds", None),
    "own_prefill_seconds": ("own_prefill_seconds", None),
    "pairs": ("pairs", 1),
    "prompt_missed": ("prompt_missed", None),
    "held": ("held", 1),
    "own_tokens": ("own_tokens", 1),
    "moved": ("moved", None),
}
_SHARES = frozenset((*_OF_A_KIND, "bytes", "missed", "missed_worst", "total_variation")) - {
    "prefill_seconds",
    "own_prefill_seconds",
}


def policy_tables(measurements: Iterable[Measurement]) -> str:
    """Return a Markdown table, and below it what is slower than exact steps; "-" is what a policy has not."""
    kept = list(measurements)
    columns = [name for name in _COLUMNS if _is_shown(name, kept)]
    shown = table([_COLUMNS[name] for name in columns], (_row(m, columns) for m in kept))
    slower = "".join(_slower(m) for m in kept if m.get("break_even", 0) is None)
    return shown + ("\n" + slower if slower else "")


def _is_shown(name: str, kept: Sequence[Measurement]) -> bool:
    says, otherwise = _OF_A_KIND.get(name, ("", ""))
    return not says or any(m.get(says, otherwise) != otherwise for m in kept)


def _slower(m: Measurement) -> str:
    steps, run = m["mean_ms"] / m["exact_mean_ms"], m.get("own_prefill_seconds")
    said = f"a step takes, choosing included, {steps:.2f} times as long as an exact one"
    if run is not None:
        said = f"the prompt takes {run / m['prefill_seconds']:.2f} times as long to run, and " + said
    return f"- {m['policy']} at {m['context']} tokens: nothing is gained; {said}.\n"


def _row(m: Measurement, columns: Sequence[str]) -> list[object]:
    cells: list[object] = [m["context"], m["n"], m["policy"]]
    if "refused" in m:
        return [*cells, *not_shown(m["refused"], len(columns) - len(cells))]
    return [*cells, *(_cell(m, name) for name in columns[len(cells) :])]


def _cell(m: Measurement, name: str) -> object:
    value = m.get(name)
    if name == "break_even":
        return _pays(value, m.get("pays_until"))
    if value is None:
        return "-"
    if name in _SHARES:
        return f"{value:.2%}" if 0 < value < 0.01 else f"{value:.1%}"
    return value


def _pays(first: int | None, last: int | None) -> str:
    if first is None:
        return "never"
    if last is not None:
        return f"up to {last} steps"
    return "at once" if first == 1 else f"{first} steps"
