"""A call whose caller takes text as it is drawn: pieces of candidates that join to what a candidate holds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from codesample.errors import ModelError
from codesample.records import Candidate
from codesample.records.short import one_line
from codesample.records.validation import validated
from codesample.sampling.rows import Row
from codesample.serving.client_call import Asked, ClientCall

__all__ = ["TextCall", "TextPiece"]

Key = tuple[str, int]


@validated
@dataclass(frozen=True, slots=True)
class TextPiece:
    """What a candidate has got since its last piece.

    Pieces of one candidate join to its `completion` and to its `token_ids`: text that may turn out to be the
    beginning of a stop string, or a part of a character, is held back until that is known.

    Attributes:
        task_id, index: Of which candidate.
        text: What comes behind the text so far; may be "".
        token_ids: What comes behind the tokens so far.
        candidate: The whole candidate, with its last piece; None before.
    """

    task_id: str
    index: int
    text: str
    token_ids: tuple[int, ...]
    candidate: Candidate | None = None

    __repr__ = one_line


@dataclass
class _Sent:
    """What was made into pieces of one candidate.

    Attributes:
        text, tokens: So much of it: the text itself, and the number of tokens.
        row: By which row; another one where the candidate is drawn again, and then gets the same tokens.
        ends: Of each of its tokens, how much text there was with it.
    """

    text: str = ""
    tokens: int = 0
    row: Row | None = None
    ends: list[int] = field(default_factory=list)


class TextCall(ClientCall[TextPiece]):
    """See `ClientCall`; what is not taken yet is joined, so that it never is more than rows hold."""

    def __init__(self, asked: Asked, *, buffer: int) -> None:
        super().__init__(asked, buffer=buffer)
        self._pieces: dict[Key, TextPiece] = {}
        self._sent: dict[Key, _Sent] = {}

    def grow(self, row: Row) -> None:
        """Take what is certain of a candidate that goes on."""
        super().grow(row)
        sent = self._sent.setdefault((row.task_id, row.index), _Sent())
        if sent.row is not row:
            sent.row, sent.ends = row, []
        text, settled = row.text, row.settled
        # the first tokens of a row that is drawn again come by once more
        sent.ends += [len(text)] * (len(row.ids) - len(sent.ends))
        if settled < len(sent.text) or len(row.ids) < sent.tokens or not text.startswith(sent.text):
            return
        upto = sent.tokens
        while upto < len(sent.ends) and sent.ends[upto] < settled:
            upto += 1
        # a token that reaches beyond what is certain comes with the rest of it
        if upto < len(sent.ends) and sent.ends[upto] == settled:
            upto += 1
        tokens = tuple(row.ids[sent.tokens : upto])
        if settled == len(sent.text) and not tokens:
            return
        self._add(TextPiece(row.task_id, row.index, text[len(sent.text) : settled], tokens))
        sent.text, sent.tokens = text[:settled], upto

    def _add(self, piece: TextPiece) -> None:
        key = (piece.task_id, piece.index)
        with self._lock:
            self._join(key, piece)
        self._notify()

    def _join(self, key: Key, piece: TextPiece) -> None:
        before = self._pieces.get(key)
        if before is not None:
            tokens = before.token_ids + piece.token_ids
            piece = replace(piece, text=before.text + piece.text, token_ids=tokens)
        self._pieces[key] = piece

    def _waiting(self) -> int:
        return len(self._pieces)

    def _put(self, candidate: Candidate) -> None:
        key = (candidate.task_id, candidate.index)
        sent = self._sent.pop(key, None) or _Sent()
        if not candidate.completion.startswith(sent.text):
            self._error = ModelError(
                f"candidate {candidate.index} of {candidate.task_id!r} was drawn again, since memory ran out "
                "or the model was changed, and came out differently after a part was handed over; ask again"
            )
            return
        rest = candidate.completion[len(sent.text) :]
        tokens = (candidate.token_ids or ())[sent.tokens :]
        self._join(key, TextPiece(*key, rest, tokens, candidate))

    def _pop(self) -> TextPiece:
        return self._pieces.pop(next(iter(self._pieces)))
