"""Messages over stream sockets: four bytes of length, big-endian, then that many bytes."""

from __future__ import annotations

import _socket
import struct

__all__ = ["HEADER", "Frames", "frame", "read_exactly", "receive"]

HEADER = struct.Struct("!I")


def frame(body: bytes) -> bytes:
    """Return `body` with its length before it; raises struct.error from 4 GiB on."""
    return HEADER.pack(len(body)) + body


def read_exactly(sock: _socket.socket, size: int) -> bytes | None:
    """Read `size` bytes from a blocking socket; None where the stream ends first."""
    data = bytearray()
    while len(data) < size:
        part = sock.recv(min(size - len(data), 1 << 18))
        if not part:
            return None
        data += part
    return bytes(data)


def receive(sock: _socket.socket) -> bytes | None:
    """Read one message from a blocking socket; None where the stream ends."""
    head = read_exactly(sock, HEADER.size)
    return None if head is None else read_exactly(sock, HEADER.unpack(head)[0])


class Frames:
    """Cuts a byte stream into messages as it arrives, and refuses one that announces too much."""

    def __init__(self, max_bytes: int) -> None:
        self._data = bytearray()
        self._max_bytes = max_bytes

    def feed(self, data: bytes) -> None:
        """Append bytes that were read."""
        self._data += data

    def next(self) -> bytes | None:
        """Take the first whole message; None where more bytes are needed.

        Raises:
            OverflowError: the message announces more than `max_bytes`.
        """
        if len(self._data) < HEADER.size:
            return None
        (size,) = HEADER.unpack_from(self._data)
        if size > self._max_bytes:
            raise OverflowError(f"a message of {size} bytes; at most {self._max_bytes} may cross")
        end = HEADER.size + size
        if len(self._data) < end:
            return None
        body = bytes(self._data[HEADER.size : end])
        del self._data[:end]
        return body
