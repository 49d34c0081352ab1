"""Reads tests that are packed as LiveCodeBench packs them, and runs nothing that a file says.

They are JSON text, pickled, compressed by zlib and written in base 64. Unpickling can run anything, so this
reads no pickle but that of a single text, and refuses every other.
"""

from __future__ import annotations

import base64
import binascii
import zlib

__all__ = ["MOST_BYTES", "unpacked_text"]

MOST_BYTES = 1 << 30
"""Of one problem's tests, unpacked; a judge takes no more with one program."""

_PROTO, _FRAME, _STOP, _MEMOIZE = 0x80, 0x95, 0x2E, 0x94
# how many bytes of an operand there are, of which each tells how long a text is, or where one is kept
_TEXT = {0x8C: 1, 0x58: 4, 0x8D: 8}
_KEEP = {0x71: 1, 0x72: 4}
_MOST_PROTOCOL = 5


def unpacked_text(packed: str, *, most: int = MOST_BYTES) -> str:
    """Return the text that was packed.

    Args:
        packed: Base 64 of a zlib stream of a pickled text.
        most: Bytes that it may take unpacked.

    Raises:
        ValueError: it is none of that, holds anything but one text, or is larger; says what was found.
    """
    try:
        squeezed = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"packed tests are not base 64: {error}") from None
    inflate = zlib.decompressobj()
    try:
        pickled = inflate.decompress(squeezed, most + 1)
    except zlib.error as error:
        raise ValueError(f"packed tests are not compressed by zlib: {error}") from None
    if len(pickled) > most:
        raise ValueError(f"packed tests take more than {most} bytes unpacked")
    if not inflate.eof:
        raise ValueError("packed tests are cut off")
    if inflate.unused_data:
        raise ValueError(f"{len(inflate.unused_data)} bytes follow the packed tests")
    return _pickled_text(memoryview(pickled))


def _pickled_text(pickled: memoryview) -> str:
    """Return the text of a pickle that holds nothing else."""
    text: str | None = None
    at = 0

    def take(count: int) -> memoryview:
        nonlocal at
        at += count
        if at > len(pickled):
            raise ValueError("the pickle of packed tests is cut off")
        return pickled[at - count : at]

    while True:
        place = at
        code = take(1)[0]
        if code in _TEXT and text is None:
            size = int.from_bytes(take(_TEXT[code]), "little")
            try:
                text = str(take(size), "utf-8", "surrogatepass")
            except UnicodeDecodeError as error:
                raise ValueError(f"the text in the pickle of packed tests is not UTF-8: {error}") from None
        elif code == _PROTO and place == 0:
            if (protocol := take(1)[0]) > _MOST_PROTOCOL:
                raise ValueError(f"the pickle of packed tests is of protocol {protocol}, expected up to 5")
        elif code == _FRAME:
            if int.from_bytes(take(8), "little") > len(pickled) - at:
                raise ValueError("the pickle of packed tests is cut off")
        elif code == _MEMOIZE and text is not None:
            pass
        elif code in _KEEP and text is not None:
            take(_KEEP[code])
        elif code == _STOP and text is not None:
            break
        else:
            raise ValueError(
                f"the pickle of packed tests holds operation {code:#04x} at byte {place}; only that of one "
                "text is read, since others can run code"
            )
    if at != len(pickled):
        raise ValueError(f"{len(pickled) - at} bytes follow the pickle of packed tests")
    return text
