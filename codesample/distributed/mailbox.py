"""What an actor holds between one call of the driver and the next: results that wait to be fetched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, Full, Queue
from time import monotonic
from typing import Any

from codesample.errors import CodesampleError, ModelError, ParameterError

__all__ = ["Failure", "Mailbox", "linger"]

_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as data: those of other packages, and some of ours, cannot be sent as they are.

    Attributes:
        message: What it says.
        refused: Whether a parameter was refused, so that the same call would be again.
    """

    message: str
    refused: bool = False

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Return an error as data."""
        own = isinstance(error, CodesampleError)
        return cls(
            str(error) if own else f"{type(error).__name__}: {error}", isinstance(error, ParameterError)
        )

    def raised(self) -> CodesampleError:
        """Return the error to be raised here."""
        return ParameterError(self.message) if self.refused else ModelError(self.message)


class Mailbox:
    """A bounded queue between whoever makes results and the driver's calls.

    Args:
        most: So many results at most; whoever makes them waits then.
    """

    def __init__(self, most: int = 0) -> None:
        self._queue: Queue[Any] = Queue(most)

    def put(self, item: Any, *, unless: Callable[[], bool] = lambda: False) -> bool:
        """Add a result, once there is room; gives it up, and returns False, where `unless()` holds."""
        while not unless():
            try:
                self._queue.put(item, timeout=_LOOK_SECONDS)
            except Full:
                continue
            return True
        return False

    def take(
        self,
        *,
        seconds: float,
        linger: float,
        enough: int = 0,
        last: Callable[[Any], bool] = lambda item: False,
    ) -> list[Any]:
        """Return what is there.

        Args:
            seconds: How long the first result is waited for.
            linger: How long others are, after that.
            enough: So many results need no others; 0 for any number.
            last: Whether no other will come behind a result.
        """
        found: list[Any] = []
        end = monotonic() + seconds
        while not (found and (last(found[-1]) or len(found) == enough)):
            try:
                # a queue that is waited for may be asked for less than nothing
                found.append(self._queue.get(timeout=max(0.0, end - monotonic())))
            except Empty:
                break
            if len(found) == 1:
                end = monotonic() + linger
        return found


def linger(actors: int) -> float:
    """Return how many seconds actors are to gather, so that all give a hundred answers a second at most."""
    return 0.02 + 0.01 * actors
