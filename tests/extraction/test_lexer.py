from __future__ import annotations

import io
import tokenize
from pathlib import Path

import pytest

from codesample.extraction.lexer import Lexer

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("lines", "quote", "depth", "joined"),
    [
        (["x = 1"], "", 0, False),
        (["x = '''", "a"], "'''", 0, False),
        (["x = '''", "a'''"], "", 0, False),
        (['x = """\\"""', "a"], '"""', 0, False),
        (["x = ["], "", 1, False),
        (["x = [", ")"], "", 0, False),
        (["x = (1, {2: [3"], "", 3, False),
        (["x = '('"], "", 0, False),
        (["# ( ''' "], "", 0, False),
        (["x = 1 + \\"], "", 0, True),
        (["x = 'a \\"], "'", 0, False),
        (["x = 'a \\", "b' + ("], "", 1, False),
        (["it's a word"], "", 0, False),
        (["x = r'\\'' + ["], "", 1, False),
        (["'''", '"""', "'''"], "", 0, False),
    ],
)
def test_what_is_open_behind_lines(lines: list[str], quote: str, depth: int, joined: bool) -> None:
    lexer = Lexer()
    for line in lines:
        lexer.feed(line)
    assert (lexer.quote, lexer.depth, lexer.joined) == (quote, depth, joined)
    assert lexer.open == bool(quote or depth or joined)


def test_looking_ahead_changes_nothing() -> None:
    lexer = Lexer()
    lexer.feed("x = (")
    assert lexer.behind("'''").quote == "'''"
    assert (lexer.quote, lexer.depth) == ("", 1)


@pytest.mark.parametrize(
    "module", sorted((ROOT / "codesample" / "extraction").glob("*.py")), ids=lambda p: p.stem
)
def test_lines_go_on_where_python_says_so(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    ends = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type in (tokenize.NEWLINE, tokenize.NL, tokenize.COMMENT)
    }
    lexer = Lexer()
    for number, line in enumerate(text.splitlines(), 1):
        lexer.feed(line)
        if not lexer.open:
            assert number in ends
