"""Where in a text each token of it ends, as far as the server's own words for its tokens show it."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["ends_in", "start_of", "stop_behind"]

# what a server writes for bytes that are no whole character
_PARTIAL = "\N{REPLACEMENT CHARACTER}"


def ends_in(text: str, pieces: Sequence[str]) -> tuple[int, ...] | None:
    """Return up to which character of a text each piece leads; None where they do not spell it.

    A piece that the text lacks adds nothing, such as a special token; pieces that are no whole characters
    add theirs with the last of them. What a server cut off the text's end adds nothing, or what is left.
    """
    ends: list[int] = []
    at, open_ = 0, False
    for piece in pieces:
        if open_ and piece.strip(_PARTIAL):
            at = _behind_partial(text, piece, at)
            # that much belongs to the last piece before
            ends[-1], open_ = at, False
        if text.startswith(piece, at):
            at += len(piece)
        elif _PARTIAL in piece:
            open_ = True
        elif at < len(text) and piece.startswith(text[at:]):
            at = len(text)
        ends.append(at)
    if open_:
        at = ends[-1] = len(text)
    return tuple(ends) if at == len(text) else None


def _behind_partial(text: str, piece: str, at: int) -> int:
    """Return where the characters end that pieces before this one were parts of."""
    found = text.find(piece, at) if piece in text[at:] else -1
    return at if found < 0 else found


def start_of(text: str, pieces: Sequence[str]) -> int:
    """Return how many pieces come before those of a text, such as those of reasoning that is kept apart."""
    whole = "".join(pieces)
    begin = whole.rfind(text) if text else len(whole)
    before = 0
    for number, piece in enumerate(pieces):
        if before >= begin:
            return number
        before += len(piece)
    return len(pieces)


def stop_behind(text: str, pieces: Sequence[str], stops: Sequence[str]) -> str | None:
    """Return the stop string that the pieces go on with behind a text that was cut before it."""
    whole = "".join(pieces)
    if not whole.startswith(text):
        return None
    rest = whole[len(text) :]
    return next((each for each in stops if rest.startswith(each)), None)
