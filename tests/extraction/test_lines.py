from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codesample.extraction.lines import Line, compose, source_of, split_lines, without_indentation

TEXTS = st.text(st.sampled_from("a \t\r\n\f\u2028x"))


@given(TEXTS)
def test_lines_make_the_text_again(text: str) -> None:
    lines = split_lines(text)
    program, spans = compose(lines)
    assert program == text
    assert spans == (((0, len(text)),) if text else ())


@given(TEXTS)
def test_lines_end_where_python_ends_them(text: str) -> None:
    lines = split_lines(text)
    assert not any(end in line.text for line in lines for end in "\r\n")
    assert len(source_of(lines).split("\n")) == max(1, len(lines))


@given(TEXTS, st.integers(0, 4))
def test_spans_are_what_is_left(text: str, width: int) -> None:
    lines = [without_indentation(line, width)._replace(indent=">") for line in split_lines(text)]
    program, spans = compose(lines)
    assert "".join(text[begin:end] for begin, end in spans) == program.replace(">", "")


def test_lines_of_the_prompt_have_no_span() -> None:
    program, spans = compose([Line("def f():", None), *split_lines("    pass", 7)])
    assert (program, spans) == ("def f():\n    pass", ((7, 15),))
