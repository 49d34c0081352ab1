"""What is at hand: tasks, rerankers, engines and models by name, each with one line on what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from codesample.engines.registry import ENGINES
from codesample.errors import ModelError, ParameterError, PolicyError, RerankerError, TaskError
from codesample.policies.axes import CHOICES, axis_class
from codesample.policies.registry import POLICIES, prefix_policy
from codesample.rerankers.registry import load_reranker, reranker_names
from codesample.tasks.registry import load_task, task_names

__all__ = ["engines", "models", "policies", "rerankers", "tasks"]


def tasks() -> list[tuple[str, str]]:
    """Return every task's name and source; reads no data. One that cannot be loaded says why instead."""
    return _described(task_names(), lambda name: load_task(name).source)


def rerankers() -> list[tuple[str, str]]:
    """Return every installed reranker's name and the first line of its description, or why it has none.

    Behind it stand its parameters, if it has any, with their defaults.
    """
    return _described(reranker_names(), _reranker_line)


def engines() -> list[tuple[str, str]]:
    """Return every installed engine's name and the first line of its description, or why it has none."""
    return _described(ENGINES.names(), lambda name: ENGINES.load(name).__doc__)


def policies() -> list[tuple[str, str]]:
    """Return every installed policy's name and the first line of its description, or why it has none.

    Behind it stand its parameters, if it has any, with their defaults. Those of other axes than the prefix
    are called as they are written, such as "prefill=criti".
    """
    others = [f"{axis}={name}" for axis, found in CHOICES.items() for name in found]
    return [*_described(POLICIES.names(), _policy_line), *_described(others, _policy_line)]


def _policy_line(name: str) -> str:
    axis, _, value = name.rpartition("=")
    made = axis_class(axis, value)() if axis else prefix_policy(name)
    line = (made.__doc__ or "").strip().partition("\n")[0]
    given = ", ".join(f"{each} = {getattr(made, each)}" for each in made.parameters())
    return f"{line} Parameters: {given}." if given else line


def _reranker_line(name: str) -> str:
    loaded = load_reranker(name)
    line = (loaded.__doc__ or "").strip().partition("\n")[0]
    given = ", ".join(str(each) for each in loaded.takes.values())
    return f"{line} Parameters: {given}." if given else line


def _described(names: Iterable[str], describe: Callable[[str], str | None]) -> list[tuple[str, str]]:
    lines = []
    for name in names:
        try:
            text = describe(name) or ""
        except (ModelError, ParameterError, PolicyError, RerankerError, TaskError) as error:
            text = f"cannot be loaded: {error}"
        lines.append((name, text.strip().partition("\n")[0]))
    return lines


def models() -> list[tuple[str, str]]:
    """Return the built-in models and the hub's models that this machine holds."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    from codesample.sampling.checkpoint_source import BUILT_IN_MODELS

    rows = [(name, "built in") for name in BUILT_IN_MODELS]
    try:
        cached = scan_cache_dir().repos
    except CacheNotFound:
        return rows
    return rows + sorted((repo.repo_id, "in the hub's cache") for repo in cached if repo.repo_type == "model")
