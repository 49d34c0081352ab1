"""What a prefill policy is: says for a prompt's tokens, layer by layer, which keys before them are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from codesample.policies.parametrised import Parametrised

if TYPE_CHECKING:
    from torch import Tensor

    from codesample.kernels.bifurcated_decode import ScoreOptions

__all__ = ["PrefillAsk", "PrefillPass", "PrefillPolicy", "Stretch"]


class PrefillAsk(NamedTuple):
    """Some tokens of a prompt at one layer; positions are counted from the prompt's first token.

    Attributes:
        run: Tells the stored runs of a pass apart.
        layer: Its number.
        queries: [H, S, D], of the tokens K - S .. K - 1; query head h reads KV head h // (H / G).
        keys: [G, K, D], of all tokens up to these.
        stop: Where the run ends that they are a part of, at least K.
        scores: How the layer weighs its keys; without a window.
    """

    run: int
    layer: int
    queries: Tensor
    keys: Tensor
    stop: int
    scores: ScoreOptions

    @property
    def begin(self) -> int:
        """Position of the first query."""
        return self.keys.shape[1] - self.queries.shape[1]

    @property
    def end(self) -> int:
        """Position behind the last query."""
        return self.keys.shape[1]


class Stretch(NamedTuple):
    """Tokens begin .. end - 1, each of which reads `earlier` keys, and all from `own` up to itself.

    Attributes:
        begin, end, own: Positions, own <= begin < end.
        earlier: [G, N] int64, positions below `own`, rising along each head's list. None: no others are read,
            which at own = 0 is full causal attention.
    """

    begin: int
    end: int
    own: int = 0
    earlier: Tensor | None = None


class PrefillPass(ABC):
    """What is known while one forward pass goes through the layers, from the first to the last."""

    @abstractmethod
    def stretches(self, ask: PrefillAsk) -> Sequence[Stretch]:
        """Say what these tokens read.

        Returns: stretches that follow one another from `ask.begin` to `ask.end`.
        """


class PrefillPolicy(Parametrised, ABC):
    """Chooses what tokens of long prompts attend to while they are run; a frozen dataclass.

    Attributes:
        guard: Runs that end before so many tokens of their prompt are run in full, untouched.
        audit: Of every so manieth stretch that leaves keys out, some queries measure the attention mass that
            they miss; 0: none.
        step: A multiple of this many tokens is where a run may be cut into forward passes.
    """

    guard: int = 0
    audit: int = 0

    @property
    def step(self) -> int:
        """See the class; 1 where any place will do."""
        return 1

    @abstractmethod
    def begin(self) -> PrefillPass:
        """Begin a forward pass."""
