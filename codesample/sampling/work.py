"""What one call has a decode loop do: how its tokens are chosen, and who is told of them."""

from __future__ import annotations

from codesample.engines.contract import Progress
from codesample.records import Candidate
from codesample.sampling.rows import Row
from codesample.sampling.sharded.ranks import Ranks, digest
from codesample.sampling.token_sampler import TokenSampler

__all__ = ["Work"]


class Work:
    """One call's part of a loop that may serve several; keeps what came of it until somebody takes it.

    Args:
        token_sampler: How its tokens are chosen.
        progress: See `Engine.stream`.
        ranks: Who has to draw the same, where a model is in shards.
    Attributes:
        token_sampler: As given.
        done: Candidates that have finished.
        error: Why no more will come.
    """

    def __init__(
        self, token_sampler: TokenSampler, *, progress: Progress | None = None, ranks: Ranks | None = None
    ) -> None:
        self.token_sampler, self._progress = token_sampler, progress
        self.done: list[Candidate] = []
        self.error: BaseException | None = None
        self._ranks, self._drawn = ranks, 0

    @property
    def paused(self) -> bool:
        """Whether no further candidate of it may begin for now."""
        return False

    def finish(self, candidate: Candidate) -> None:
        """Be told of a finished candidate."""
        self.done.append(candidate)

    def fail(self, error: BaseException) -> None:
        """Be told why nothing more will come."""
        self.error = error

    def grow(self, row: Row) -> None:
        """Be told that a row has drawn a token and goes on."""
        if self._ranks is not None:
            self._drawn = digest(self._drawn, row.index, row.ids[-1])

    def stepped(self, tokens: int) -> None:
        """Be told that a step is over, and of how many tokens it has drawn.

        Raises:
            ModelError: other ranks have drawn others.
        """
        if self._ranks is not None:
            self._ranks.agree(digest(self._drawn, tokens, len(self.done)))
        if self._progress is not None:
            self._progress(tokens)
