"""The outcome of an evaluation: figures with intervals, what they cost, and where the rest is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codesample.engines.contract import Engine
from codesample.engines.recorded import RecordedSamples
from codesample.errors import RunFolderError
from codesample.evaluation.agreement import Agreement
from codesample.evaluation.choice import (
    Greedy,
    Selection,
    VarianceSplit,
    estimates_by_size,
    with_text_keys,
)
from codesample.evaluation.frames import report_frame
from codesample.evaluation.health_check import RunHealth
from codesample.evaluation.intervals import Estimate
from codesample.evaluation.leaks import HiddenOnly
from codesample.evaluation.notebook_html import report_html
from codesample.evaluation.observer import WEAK
from codesample.records import Status, Usage
from codesample.records.counted import counted
from codesample.records.short import one_line
from codesample.records.validation import validated

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Counted", "EngineFacts", "Greedy", "Report", "Seconds", "Selection", "VarianceSplit"]

_RECORDED = "recorded"


@validated
@dataclass(frozen=True, slots=True)
class Seconds:
    """Wall time of the process that ended the run; execution overlaps sampling.

    Attributes:
        sampling: From the first request to the last candidate.
        execution: From the first program handed over to the last verdict.
        total: Everything, with loading the model and reranking.
    """

    sampling: float
    execution: float
    total: float

    __repr__ = one_line


@validated
@dataclass(frozen=True, slots=True)
class Counted:
    """How many verdicts there are of one integrity, harness errors apart, and how many of them passed."""

    verdicts: int
    passed: int

    __repr__ = one_line


@validated
@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What the engine behind a run's candidates stated.

    Attributes:
        abilities: Sorted; see `Engine`.
        reproducibility: "exact", "seeded", "none"; "recorded" for samples of other origin, however they were
            drawn; "unknown" for runs that did not say.
    """

    abilities: tuple[str, ...] = ()
    reproducibility: str = "unknown"

    __repr__ = one_line

    @classmethod
    def of(cls, engine: Engine) -> EngineFacts:
        """Take down what an engine states."""
        recorded = isinstance(engine, RecordedSamples)
        repeats = _RECORDED if recorded else str(engine.reproducibility)
        return cls(tuple(sorted(engine.abilities)), repeats)

    @property
    def recorded(self) -> bool:
        """Whether samples of other origin stood in an engine's place."""
        return self.reproducibility == _RECORDED

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {"abilities": list(self.abilities), "reproducibility": self.reproducibility}


@validated
@dataclass(frozen=True, slots=True)
class Report:
    """Results of a run. `as_json` is the content of its results.json.

    Attributes:
        task, model: Names.
        problems: How many problems have at least one graded candidate.
        n: Candidates asked for per problem; the smallest number of any problem for samples of other origin.
        n_max: Candidates of the problem that has most.
        samples: Candidates in the run.
        pass_at_k: By k; unbiased, mean over `problems`; a k that one of them does not reach is left out.
        parts: By name of a part of the tests, pass@k by k for that part with those before it: programs that
            hold its checks count as right. The last part's figures are `pass_at_k`. Empty where the tests are
            one whole.
        rerankers: By name.
        random: What choosing at random gives: pass@1.
        oracle: What choosing with the hidden tests would give: pass@n.
        oracle_curve: The same for 1, 2, 4, ... candidates and the whole pool, as `Selection.curve`.
        variance: Where the uncertainty of `random` comes from; None where a problem has a single candidate.
        greedy: What a run of temperature 0 gives; None where none was named.
        hidden_only: Figures by the checks that no prompt shows; None where no prompt shows one.
        seconds: Wall time.
        tokens: Drawn for all candidates, cut ones excluded, unless a server counted them.
        usage: What a server says that all candidates took; None where none said so.
        tokens_per_second: Sampling speed of the process that ended the run; None where it sampled nothing.
        statuses: Verdicts by status; harness errors are no grade and count in no figure.
        integrity: Verdicts by integrity: "split", "io" or "weak", which a program could have faked.
        strict: Whether weak passes count in no figure, as harness errors do.
        engine: What the engine stated; the weakest of a run's sessions.
        isolation: Weakest level at which programs of this run were judged, such as "confined".
        notices: What the figures leave out and why, and what weakens them; a sentence each.
        recalled: How many verdicts the call that ended the run took from the cache of earlier ones.
        theirs: Verdicts that recorded samples came with, compared with ours; None where they had none.
        health: What speaks for or against the verdicts: references tried before the run, time-outs, load.
        prompt: The form in which problems were put to the model; `Manifest.prompt`. Of recorded samples, the
            form by which their answers were read, and {} where the texts were taken as they are.
        rules: How many programs came from their texts by each rule, most first; see `Candidate.rule`.
        shard: Which part of the problems these figures are of, such as "3/8"; "" for all.
        policy: What the last session that sampled read of its prompts, where a policy left keys out: the
            policy, and `Account.as_json`.
        run: The run folder; not part of `as_json`.
    """

    task: str
    model: str
    problems: int
    n: int
    n_max: int
    samples: int
    pass_at_k: Mapping[int, Estimate]
    rerankers: Mapping[str, Selection]
    random: Estimate
    oracle: Estimate
    seconds: Seconds
    tokens: int
    tokens_per_second: float | None
    statuses: Mapping[str, int]
    isolation: str
    notices: tuple[str, ...]
    run: Path = field(compare=False)
    engine: EngineFacts = EngineFacts()
    integrity: Mapping[str, Counted] = field(default_factory=dict)
    strict: bool = False
    recalled: int = field(default=0, compare=False)
    theirs: Agreement | None = None
    parts: Mapping[str, Mapping[int, Estimate]] = field(default_factory=dict)
    health: RunHealth = field(default_factory=RunHealth)
    prompt: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)
    oracle_curve: Mapping[int, Estimate] = field(default_factory=dict)
    variance: VarianceSplit | None = None
    greedy: Greedy | None = None
    hidden_only: HiddenOnly | None = None
    shard: str = ""
    usage: Usage | None = None
    policy: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> str:
        """What the figures are of, in words: "107 problems x 8", of a shard "shard 3/8, 13 problems x 8"."""
        # samples of other origin may be unequally many
        each = str(self.n) if self.n >= self.n_max else f"{self.n} to {self.n_max}"
        part = f"shard {self.shard}, " if self.shard else ""
        return f"{part}{counted(self.problems, 'problem')} x {each}"

    @property
    def weak(self) -> Counted:
        """Verdicts that their programs could have faked."""
        return self.integrity.get(WEAK, Counted(0, 0))

    @property
    def harness_errors(self) -> int:
        """Candidates that the harness failed to judge."""
        return self.statuses.get(Status.HARNESS_ERROR, 0)

    def as_json(self) -> dict[str, Any]:
        """Return the content of results.json."""
        content = asdict(self)
        del content["run"]
        content["pass_at_k"] = with_text_keys(content["pass_at_k"])
        content["parts"] = {name: with_text_keys(by_k) for name, by_k in content["parts"].items()}
        content["oracle_curve"] = with_text_keys(content["oracle_curve"])
        content["rerankers"] = {name: each.as_json() for name, each in self.rerankers.items()}
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any], *, run: Path) -> Report:
        """Rebuild a report from `as_json`.

        Raises:
            RunFolderError: a field is missing or malformed.
        """
        try:
            known = dict(content)
            known["pass_at_k"] = estimates_by_size(known["pass_at_k"])
            known["parts"] = {name: estimates_by_size(by_k) for name, by_k in known.get("parts", {}).items()}
            known["oracle_curve"] = estimates_by_size(known.get("oracle_curve", {}))
            known["rerankers"] = {
                name: Selection.from_json(value) for name, value in known["rerankers"].items()
            }
            if known.get("variance") is not None:
                known["variance"] = VarianceSplit(**known["variance"])
            known["greedy"] = Greedy.from_json(known.get("greedy"))
            known["hidden_only"] = HiddenOnly.from_json(known.get("hidden_only"))
            known["random"], known["oracle"] = Estimate(**known["random"]), Estimate(**known["oracle"])
            known["seconds"] = Seconds(**known["seconds"])
            known["usage"] = Usage(**known["usage"]) if known.get("usage") else None
            known["notices"] = tuple(known["notices"])
            engine = known.get("engine", {})
            known["engine"] = EngineFacts(**engine | {"abilities": tuple(engine.get("abilities", ()))})
            known["integrity"] = {
                name: Counted(**value) for name, value in known.get("integrity", {}).items()
            }
            known["theirs"] = Agreement.from_json(known.get("theirs"))
            known["health"] = RunHealth.from_json(known.get("health", {}))
            return cls(**known, run=run)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RunFolderError(
                f"{run / 'results.json'}: not what this version writes ({type(error).__name__}: {error}); "
                f"write it anew: codesample rerank {run}"
            ) from error

    def to_pandas(self) -> DataFrame:
        """Return the figures as a `pandas.DataFrame`, a row for each; see `report_frame`.

        Raises:
            ParameterError: pandas is not installed.
        """
        return report_frame(self)

    def __repr__(self) -> str:
        return f"Report({self})"

    def _repr_html_(self) -> str:
        return report_html(self)

    def __str__(self) -> str:
        if not self.problems:
            return f"{self.task}, {self.model}, shard {self.shard}: none of the problems"
        figures = [f"pass@{k} {each.value:.3f}" for k, each in list(self.pass_at_k.items())[:1]]
        figures += [
            f"pass@{k} on {name} {each.value:.3f}"
            for name, by_k in list(self.parts.items())[:-1]
            for k, each in list(by_k.items())[:1]
        ]
        figures += [f"{name} {each.best_of_n.value:.3f}" for name, each in self.rerankers.items()]
        figures.append(f"oracle {self.oracle.value:.3f}")
        part = f"shard {self.shard}, " if self.shard else ""
        problems = f"{part}{counted(self.problems, 'problem')}"
        return f"{self.task}, {self.model}, {problems} x {self.n}: {', '.join(figures)}"
