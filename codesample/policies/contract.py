"""What a prefix policy is: prepares a stored prompt once, then chooses which of its keys are read.

One selection serves all rows of a group, made from the queries of all of them, for each layer and KV head.
What it reads and what it misses is counted by `codesample.policies.prefix_reads`, alike for all policies.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from codesample.policies.parametrised import Parametrised
from codesample.records.fields import check_settings, setting

if TYPE_CHECKING:
    from torch import Tensor

    from codesample.kernels.bifurcated_decode import ScoreOptions

__all__ = ["Ask", "Choice", "ModelFacts", "PrefixPolicy", "PseudoKeys", "SparsePolicy", "StoredLayer"]


class ModelFacts(NamedTuple):
    """What a policy may ask of the model that it is used on.

    Attributes:
        name: As the caller gave it.
        config: Settings of its text model, by name.
        tensors: Parameters and buffers, by name.
    """

    name: str
    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


class StoredLayer(NamedTuple):
    """One layer of a stored prompt, G KV heads of width D.

    Attributes:
        keys, values: [G, M, D], as they are attended to; views that must not be written.
        queries: [H, W, D], of the prompt's last tokens; at most `PrefixPolicy.tail_queries`, at least one.
        scores: How the layer weighs its keys.
        number: Of the layer in the model.
        learned: [G, M], scores that the checkpoint itself gives the tokens; None where it gives none.
    """

    keys: Tensor
    values: Tensor
    queries: Tensor
    scores: ScoreOptions
    number: int = 0
    learned: Tensor | None = None


class Ask(NamedTuple):
    """What is known when keys of one layer are chosen.

    Attributes:
        queries: [R, Q, H, D], of all rows that the choice is for; query head h reads KV head h // (H / G).
        keys, values: [G, M, D], of the stored prompt; NaN where the policy does not read them, see
            `PrefixPolicy.reads_keys`, and they are stored in 8 bits.
        scores: How the layer weighs its keys; without a window.
        positions: [R, Q] int64, where in their sequences the queries stand; told to `query_free` policies.
        start: Where in them the run's first token stands.
    """

    queries: Tensor
    keys: Tensor
    values: Tensor
    scores: ScoreOptions
    positions: Tensor | None = None
    start: int = 0


class PseudoKeys(NamedTuple):
    """Keys that each stand for several tokens that are not read: k, v [G, E, D] and bias [G, E].

    `bias` is the logarithm of how many, -inf for one that does not count.
    """

    k: Tensor
    v: Tensor
    bias: Tensor


class Choice(NamedTuple):
    """Which tokens of a stored prompt are read.

    Attributes:
        tokens: [G, N] int64, rising along each head's list; -1 fills up behind shorter lists.
        scored_bytes: What making the choice read, in bytes of keys or of what was prepared.
        rest: What stands for the tokens left out. None: nothing does.
        seen: Which queries see each of `tokens`: bool, [G, H / G, R, Q, N], each dimension but the first and
            the last 1 where it makes no difference. None: all do.
        gate: [G, N], factors on the values that are read. None: 1.
        steps: How many steps it serves, whatever `PrefixPolicy.refresh` says. None: as that says.
    """

    tokens: Tensor
    scored_bytes: int
    rest: PseudoKeys | None = None
    seen: Tensor | None = None
    gate: Tensor | None = None
    steps: int | None = None


class PrefixPolicy(Parametrised, ABC):
    """Chooses keys of stored prompts; a frozen dataclass whose fields are its parameters.

    Attributes:
        name: By which it is installed; see `Parametrised`.
        guard: Stored runs of fewer shared tokens are read whole, untouched in speed.
        refresh: A choice serves so many steps.
        similarity: It is made anew before that where the cosine of the mean query with that of the choice
            falls below this; 0 does not look.
        pool: Whether one choice is made for all rows of a group, or one for each row.
        audit: The true attention mass of what is not read is measured at every so manieth step; 0: never.
        tail_queries: How many of a prompt's last queries `prepare` is shown.
        reads_keys: Whether `select` reads keys or values. Those in 8 bits are unpacked for it then, all of
            them at every choice; else it is told their shape.
        reads_all: Whether every key is read, always: runs are read whole, and `select` is never asked.
        query_free: Whether choices follow from positions or from what `prepare` was shown, and from no query.
        longest_own: How many own tokens a candidate may have, where it has to be limited; None: any number.
        computes: Settings of a model's configuration that it computes, without which the model is not served.
        telling_tokens: How long a prompt has to be to show whether these are computed rightly.
        notice: What a report has to say of it, or "".
    """

    guard: int = 0
    refresh: int = 1
    similarity: float = 0.0
    pool: bool = True
    audit: int = 0
    tail_queries: int = 1
    reads_keys: bool = True
    reads_all: bool = False
    query_free: bool = False
    longest_own: int | None = None
    computes: tuple[str, ...] = ()
    telling_tokens: int = 0
    notice: str = ""

    def fitted(self, facts: ModelFacts) -> Self:
        """Return the policy as it is used on a model: itself, or with what the model's own files say.

        Raises:
            ParameterError: it is of no use on this model; names the model and what to do.
        """
        return self

    @abstractmethod
    def prepare(self, layers: Sequence[StoredLayer]) -> Sequence[Any]:
        """Work out once per stored prompt what choosing needs.

        Args:
            layers: Those without a window, in their order; none may be changed. Each is made when it is
                asked for, so that keys in 8 bits are unpacked layer by layer: keep none.

        Returns: for each layer what `select` is given.
        """

    @abstractmethod
    def select(self, ask: Ask, state: Any) -> Choice | None:
        """Choose for one layer; depends on the rows' queries alone, never on their order.

        Returns: None where every key is read.
        """


@dataclass(frozen=True)
class SparsePolicy(PrefixPolicy):
    """A policy that leaves keys out, with the parameters that all of these have; see `PrefixPolicy`.

    Attributes:
        keep: Share of a stored prompt's tokens that are read, about. Range (0, 1]; 1 reads all.

    Raises:
        ParameterError: a value outside its range.
    """

    keep: float = setting(
        0.2, "Share of the tokens read.", expected="a number in (0, 1]", holds=lambda value: 0 < value <= 1
    )
    guard: int = setting(
        4096,
        "Shorter stored runs are read whole.",
        expected="a number of tokens, at least 0",
        holds=lambda value: value >= 0,
    )
    refresh: int = setting(
        8,
        "Steps that a choice serves.",
        expected="a number of steps, at least 1",
        holds=lambda value: value >= 1,
    )
    similarity: float = setting(
        0.0,
        "Cosine of mean queries below which a choice is made anew.",
        expected="a number in [0, 1]",
        holds=lambda value: 0 <= value <= 1,
    )
    pool: bool = setting(True, "Whether a group's rows share a choice.")
    audit: int = setting(
        0,
        "Measure at every so manieth step what is missed.",
        expected="a number of steps, 0 for never",
        holds=lambda value: value >= 0,
    )

    def __post_init__(self) -> None:
        check_settings(self)
