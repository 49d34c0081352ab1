"""What a run is: enough to repeat it, and to tell whether another call continues it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from codesample.decoding import converted
from codesample.errors import RunFolderError
from codesample.records import SamplingParams
from codesample.records.counted import counted
from codesample.records.policy import EXACT
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["BASE_PROMPT", "Manifest"]

BASE_PROMPT = {"style": "base", "version": "", "system": None, "prefill": ""}
"""`Manifest.prompt` of runs that put the task's own prompt to the model, and of those that did not say."""

_FORMAT = 1
_IDENTITY = ("task", "task_version", "data_hash", "model", "imports", "shard")
_OF_SHARDS = ("shard", "shards")
_LOADED = ("checkpoint", "revision", "architecture", "parameters", "dtype", "matmul")


@validated
@dataclass(frozen=True)
class Manifest:
    """The contents of `run.json`.

    Attributes:
        task: Name.
        task_version: Of the task's prompts and tests.
        data_hash: `Task.fingerprint` of the evaluated problems.
        model: Name or folder, with anything else that settles the weights, such as a revision.
        params: How tokens are chosen; holds the seed.
        n: Candidates per problem; may grow from one call to the next.
        sessions: One entry for each call that wrote into the run: versions, machine, model as loaded,
            isolation, settings.
        imports: Modules that programs may import, beside those that their tests name.
        prompt: `PromptForm.as_json` of the form in which problems were put to the model.
        shard: Which part of the problems the run has, such as "3/8"; None where it has all.
        shards: Of a merged run, the parts that it was made of: for each its name, its folder, and how many
            problems, candidates and sessions it had.
    """

    task: str
    task_version: str
    data_hash: str
    model: str
    params: SamplingParams
    n: int
    sessions: tuple[Mapping[str, Any], ...] = field(default=())
    imports: tuple[str, ...] = ()
    prompt: Mapping[str, Any] = field(default_factory=lambda: dict(BASE_PROMPT))
    shard: str | None = None
    shards: tuple[Mapping[str, Any], ...] = ()

    __repr__ = one_line

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the last call that wrote into the run asked for."""
        return self.sessions[-1].get("settings", {}) if self.sessions else {}

    def continued_by(self, other: Manifest, *, where: str) -> Manifest:
        """Return the manifest of a run that `other` resumes: the larger n, the sessions of both.

        Raises:
            RunFolderError: task, data, model, weights as far as both record them, granted modules, form
                of the prompts or sampling parameters differ; names each with both values.
        """
        if differences := self.differences(other):
            named = [f"{name} is {theirs!r}, the run has {ours!r}" for name, ours, theirs in differences]
            raise RunFolderError(
                f"{where}: cannot be resumed with other settings: {'; '.join(named)}; "
                "repeat the run's own settings or choose another folder"
            )
        return replace(self, n=max(self.n, other.n), sessions=(*self.sessions, *other.sessions))

    def left_out_by(self, other: Manifest) -> list[str]:
        """Say what results leave out from now on where `other` goes on for fewer candidates; else nothing."""
        # recorded samples are as many as there are
        if other.n >= self.n or "samples" in other.settings:
            return []
        return [
            f"the run was asked for {counted(self.n, 'candidate')} per problem before; its results are of "
            f"the first {other.n} from now on, and of all again with --n {self.n}"
        ]

    def differences(self, other: Manifest) -> list[tuple[str, Any, Any]]:
        """Return what keeps two runs from being one: names, with our value and the other's."""
        pairs = (*_pairs(self, other), *_loaded_pairs(self, other))
        return [each for each in pairs if each[1] != each[2]]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data; `from_json` gives an equal manifest."""
        content = {"format": _FORMAT, **asdict(self)}
        # of runs that have nothing to do with shards nothing is said
        return {name: value for name, value in content.items() if value or name not in _OF_SHARDS}

    @classmethod
    def from_json(cls, content: Mapping[str, Any], *, where: str) -> Manifest:
        """Read what `to_json` wrote.

        Raises:
            RunFolderError: another format's version, or parameters this version does not know.
            DataError: a field is missing, of another type or out of its range; names `where` and the field.
        """
        version, params = content.get("format", 0), content.get("params")
        names = params.keys() if isinstance(params, dict) else ()
        unknown = sorted(set(names) - {each.name for each in fields(SamplingParams)})
        if version != _FORMAT or unknown:
            extra = f", unknown parameters {', '.join(unknown)}" if unknown else ""
            raise RunFolderError(f"{where}: format {version!r}{extra}; this version reads format {_FORMAT}")
        return converted(content, cls, where=where)


def _pairs(ours: Manifest, theirs: Manifest) -> list[tuple[str, Any, Any]]:
    """List every field that settles what is sampled, parameters one by one."""
    pairs = [(name, getattr(ours, name), getattr(theirs, name)) for name in _IDENTITY]
    pairs += [(f"prompt {name}", ours.prompt.get(name), theirs.prompt.get(name)) for name in BASE_PROMPT]
    return pairs + [
        (each.name, getattr(ours.params, each.name), getattr(theirs.params, each.name))
        for each in fields(SamplingParams)
    ]


def _loaded_pairs(ours: Manifest, theirs: Manifest) -> list[tuple[str, Any, Any]]:
    """List what the sessions on both sides say of the loaded weights; devices may change between them."""
    if not ours.sessions or not theirs.sessions:
        return []
    before, now = (sessions[-1].get("model", {}) for sessions in (ours.sessions, theirs.sessions))
    pairs = [(name, before[name], now[name]) for name in _LOADED if name in before and name in now]
    # of runs that read every key nothing is said
    return [*pairs, ("policy", before.get("policy", EXACT), now.get("policy", EXACT))]
