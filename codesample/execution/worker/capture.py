"""What a process writes into a pipe, taken as it comes and kept as far as somebody wants it."""

from __future__ import annotations

import os

__all__ = ["Capture"]

_READ_BYTES = 1 << 18


class Capture:
    """The read end of a pipe, and what came out of it.

    Args:
        descriptor: Of the read end; the caller closes it.
        most: Bytes that are kept.
        last: Keep the last of them rather than refuse more.

    Attributes:
        data: What is kept.
        ended: Whether nobody can write any more.
    """

    def __init__(self, descriptor: int, most: int, *, last: bool = False) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.data = bytearray()
        self.ended = False
        self._most, self._last = most, last

    def take(self) -> bool:
        """Read once, which a process that writes for ever cannot prolong; return whether anything came.

        Raises:
            OverflowError: it wrote more than is kept; says how much that is.
        """
        try:
            part = os.read(self.descriptor, _READ_BYTES)
        except BlockingIOError:
            return False
        self.ended = not part
        self.data += part
        if len(self.data) > self._most:
            if not self._last:
                raise OverflowError(f"printed more than {self._most} bytes")
            del self.data[: -self._most]
        return bool(part)
