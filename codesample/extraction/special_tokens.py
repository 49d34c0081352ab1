"""Special tokens that stand in an answer as text: heads of a turn, ends of one, and ends that are cut off."""

from __future__ import annotations

import re

from codesample.extraction.thinking import quoted

__all__ = ["between_tokens"]

_HEAD = re.compile(
    r"\s*(?:<\|im_start\|>\s*(?:assistant\b)?|<\|start_header_id\|>\s*\w+\s*<\|end_header_id\|>|<\|assistant\|>"
    r"|<start_of_turn>\s*model\b|<[|｜]Assistant[|｜]>|<\|start\|>\s*assistant|<\|begin_of_text\|>"
    r"|<(?:s|bos)>[ ]?"
    r"|\[/INST\]|<\|startoftext\|>|<\|begin_of_solution\|>|<\|START_(?:RESPONSE|TEXT)\|>|<\|message\|>"
    r"|<BOS_TOKEN>|<\|START_OF_TURN_TOKEN\|>(?:<\|CHATBOT_TOKEN\|>)?|<｜begin▁of▁sentence｜>|\ufeff)"
)
# <|...|> in any spelling; what else ends an answer wherever it stands
_END = re.compile(
    r"<\|[A-Za-z][\w▁ ]{0,39}\|>|<｜[^<>｜\n]{1,40}｜>|<end_of_turn>|<end_of_text>|<fim_\w{1,12}>|<file_sep>"
    r"|<(?:EOT|eot|EOD|eod|eos|EOS|EOS_TOKEN)>"
    r"|(?P<timid></?s>|<pad>|<unk>|\[(?:DONE|EOS|INST|/INST)\])"
)
_CUT_OFF = re.compile(
    r"(?:<\|[\w▁ ]{0,40}\|?|<｜[^<>｜\n]{0,40}|</s?|<end_o\w{0,12}|\[DON?E?|<eos?_?|\ufffd+)[ \t\r\n]*\Z"
)
_IN_PROSE = frozenset(" .,;:)")


def between_tokens(text: str, begin: int, end: int) -> tuple[int, int]:
    """Return the part of text[begin:end] behind a turn's head and before its end.

    Tokens in quotes, as in a program that handles them, are text like any other.
    """
    while head := _HEAD.match(text, begin, end):
        begin = head.end()
    for found in _END.finditer(text, begin, end):
        if _ends(text, found, end):
            return begin, found.start()
    # only where the text itself ends; a search from far before would try every place
    cut_off = _CUT_OFF.search(text, max(begin, end - 120), end)
    if cut_off and not (cut_off[0].startswith("[") and _before(text, cut_off.start())):
        end = cut_off.start()
    return begin, end


def _ends(text: str, found: re.Match[str], end: int) -> bool:
    if quoted(text, *found.span()):
        return False
    if found["timid"] is None:
        named = text[found.start() - 1 : found.start()] == " "
        return not (named and text[found.end() : found.end() + 1] in _IN_PROSE and found.end() < end)
    # these could be meant otherwise: alone on a line, or nothing behind
    line_end = text.find("\n", found.end(), end)
    behind = text[found.end() : end if line_end < 0 else line_end]
    if behind.strip() and not _END.match(behind.lstrip()):
        return False
    if not _before(text, found.start()):
        return True
    return found[0] in ("</s>", "<pad>", "<unk>") and not _END.sub("", text[found.end() : end]).strip()


def _before(text: str, position: int) -> str:
    """Return what stands before `position` on its line, without blanks."""
    return text[text.rfind("\n", 0, position) + 1 : position].strip()
