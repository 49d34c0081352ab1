"""A preview as a page of text: the prompt to the blank, its tokens, its limits, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from codesample.evaluation.headline import form_text
from codesample.evaluation.preview import Preview
from codesample.records import Message
from codesample.records.counted import counted
from codesample.reports.visible import ASCII, UNICODE, Marks, visible

if TYPE_CHECKING:
    from codesample.sampling.outline import TokenText

__all__ = ["prompt_page"]

_EDGE = "  | "
# in characters; a few that happen to be alike are no header
_WORTH_SAYING = 32


def prompt_page(preview: Preview, *, encoding: str = "utf-8") -> str:
    """Return the page.

    Args:
        encoding: Of the stream that it goes to; one that lacks the marks gets plain ones.
    """
    page = _Page(preview, UNICODE if "utf" in encoding.lower() else ASCII)
    return "".join(f"{line}\n" for line in page.lines())


class _Page:
    def __init__(self, preview: Preview, marks: Marks) -> None:
        self._seen, self._marks = preview, marks

    def lines(self) -> Iterator[str]:
        seen = self._seen
        yield self._plain(
            f"{seen.task_id} of {seen.task}, prompts {form_text(seen.form)}"
            f"{f', for {seen.model}' if seen.model else ''}"
        )
        if seen.model is None:
            yield "no model is named (--model M): no tokens, and no traps of its tokenizer and template"
        if not seen.evaluated:
            yield "not among the evaluated problems"
        yield ""
        yield from self._prompt()
        yield ""
        yield from self._limits()
        yield ""
        yield from self._way_back()
        yield ""
        yield f"warnings: {len(seen.warnings) or 'none'}"
        yield from (f"  ! {self._plain(each)}" for each in seen.warnings)

    def _prompt(self) -> Iterator[str]:
        seen = self._seen
        if seen.text is not None:
            yield f"prompt: {self._size(seen.text)}"
            yield from self._block(seen.text, seen.shared)
            return
        assert not isinstance(seen.prompt, str)
        yield "prompt: messages; name a --model to see what its template makes of them"
        users = [each for each in seen.prompt if each.role == "user"]
        for message in seen.prompt:
            yield self._turn(message, begun=message.role == "assistant")
            yield from self._block(message.content, seen.shared if message is users[-1] else 0)

    def _size(self, text: str) -> str:
        seen, parts = self._seen, [f"{len(text)} characters"]
        if seen.tokens is not None:
            parts.append(counted(seen.tokens, "token"))
        if seen.bos is not None:
            parts.append(f"{seen.bos} of them begin a text (BOS)")
        return ", ".join(parts)

    def _turn(self, message: Message, *, begun: bool) -> str:
        return f" {self._plain(message.role)}{', the beginning of the answer' if begun else ''}:"

    def _block(self, text: str, shared: int = 0) -> Iterator[str]:
        """Yield a text line by line; a line that ends without a mark for its end has none."""
        if shared >= _WORTH_SAYING:
            yield from self._marked(text[:shared])
            tokens = self._seen.shared_tokens
            size = f"{shared} characters" if tokens is None else f"{shared} characters, {tokens} tokens"
            yield f"  ---- up to here all prompts of the task are alike ({size}) ----"
            text = text[shared:]
        yield from self._marked(text)

    def _marked(self, text: str) -> Iterator[str]:
        lines = visible(text, self._marks).split("\n")
        # the last line feed ends a line and begins none
        if lines[-1] == "" and len(lines) > 1:
            lines.pop()
        yield from (f"{_EDGE}{line}" for line in lines)

    def _limits(self) -> Iterator[str]:
        seen = self._seen
        if seen.last:
            yield f"last tokens  {self._tokens(seen.last)}"
        yield f"stops        {' '.join(map(repr, seen.stop)) or 'none'}"
        if seen.model:
            yield f"end tokens   {self._tokens(seen.end_tokens) or 'none'}"
        yield f"new tokens   up to {seen.max_new_tokens}"

    def _way_back(self) -> Iterator[str]:
        seen = self._seen
        if seen.answer is None or seen.found is None:
            yield "no reference"
            return
        tokens = "" if seen.answer_tokens is None else f", {counted(seen.answer_tokens, 'token')}"
        yield f"the reference as an answer: {len(seen.answer)} characters{tokens}"
        yield from self._block(seen.answer)
        spans = ", ".join(f"{begin}-{end}" for begin, end in seen.found.spans) or "nothing of it"
        yield f"the program read from it, by rule {seen.found.rule!r}, from characters {spans}:"
        yield from self._block(seen.found.program)

    def _tokens(self, tokens: Iterable[TokenText]) -> str:
        return "  ".join(f"{self._plain(repr(each.text))} ({each.id})" for each in tokens)

    def _plain(self, text: str) -> str:
        """Keep what belongs on one line there."""
        return " ".join(visible(text, self._marks).split("\n"))
